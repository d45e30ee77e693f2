"""Prediction files: one for each model and fold, with an id and the probability of every class in a row.

A Parquet file with the columns `id` (text) and `probability/CLASS` (float32) for every class, sorted by id. The
metadata of its schema holds the name of the model, the label of its fold (see `Member`), the number of views that each
probability averages, and whether the folds share these views.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foldline.errors import FoldlineError, listing
from foldline.io.parquet import read_parquet_schema
from foldline.io.result_paths import Member
from foldline.io.tables import FLOAT32, TEXT, arrow_schema, read_arrow_table, write_arrow_table

RUN_AGAIN = "run the workflow again"
_PREFIX = "probability/"
_MODEL, _FOLD, _VIEWS, _SHARED = "foldline.model", "foldline.fold", "foldline.views", "foldline.shared_views"


@dataclass(frozen=True)
class PredictionFile:
    """A prediction file, without its rows.

    Attributes:
        path: the file.
        model: name of the model.
        member: the network of the model.
        views: number of views that each probability averages.
        shared_views: whether the folds average these views together, each its share of them.
    """

    path: Path
    model: str
    member: Member
    views: int
    shared_views: bool = False

    def read(self, class_names: Sequence[str]) -> tuple[pa.Array, npt.NDArray[np.float32]]:
        """Read the rows.

        Args:
            class_names: the classes that the file must have, (n_classes,).

        Returns:
            Ids, text, (n_samples,), and probabilities, float32, (n_samples, n_classes), in the order of `class_names`.

        Raises:
            FoldlineError: the file is damaged, has a column of another type, a missing value or a repeated id.
        """
        columns = _columns(class_names)
        table = read_arrow_table(self.path, columns)
        probabilities = np.empty((table.num_rows, len(class_names)), np.float32)
        for number, name in enumerate(list(columns)[1:]):
            probabilities[:, number] = table[name].to_numpy()
        return one_array(table["id"]), probabilities


def write_prediction_file(
    file: PredictionFile, ids: Sequence[str], probabilities: npt.NDArray[np.floating], *, class_names: Sequence[str]
) -> None:
    """Write a prediction file, sorted by id.

    Args:
        file: path, model, member and views.
        ids: unique, (n_samples,).
        probabilities: (n_samples, n_classes), in [0, 1]; stored as float32.
        class_names: (n_classes,).

    Raises:
        FoldlineError: an id is empty or repeated, or a probability is missing.
    """
    order = sorted(range(len(ids)), key=ids.__getitem__)
    rounded = probabilities[order].astype(np.float32)
    columns = _columns(class_names)
    metadata = {_MODEL: file.model, _FOLD: str(file.member), _VIEWS: str(file.views)}
    metadata |= {_SHARED: "true"} if file.shared_views else {}
    arrays = [pa.array([ids[number] for number in order], pa.string()), *map(pa.array, rounded.T)]
    write_arrow_table(pa.table(arrays, schema=arrow_schema(columns, metadata)), file.path, columns)


def open_prediction_file(path: str | Path, class_names: Sequence[str]) -> PredictionFile:
    """Read what a prediction file says of itself.

    Args:
        path: the file.
        class_names: the classes that it must have, (n_classes,).

    Raises:
        FoldlineError: the file is damaged, or has other classes.
    """
    schema = read_parquet_schema(path)
    metadata = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    try:
        member, views = Member.parse(metadata[_FOLD]), int(metadata[_VIEWS])
        is_complete = "id" in schema.names and _MODEL in metadata
    except (KeyError, ValueError):
        is_complete = False
    if not is_complete:
        raise FoldlineError(f"{path}: is not a file of predictions; remove the file and {RUN_AGAIN}")
    found = [name.removeprefix(_PREFIX) for name in schema.names if name != "id"]
    if sorted(found) != sorted(class_names):
        foreign = [name for name in found if name not in class_names]
        missing = [name for name in class_names if name not in found]
        problems = [f"class {listing(missing)} is missing"] if missing else []
        if foreign:
            problems.append(f"class {listing(foreign)} is not one of the classes {listing(list(class_names))}")
        raise FoldlineError(f"{path}: {'; '.join(problems) or 'a class occurs more than once'}; {RUN_AGAIN}")
    return PredictionFile(Path(path), metadata[_MODEL], member, views, _SHARED in metadata)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """The values of a column as one array."""
    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _columns(class_names: Sequence[str]) -> dict[str, str]:
    return {"id": TEXT, **{f"{_PREFIX}{name}": FLOAT32 for name in class_names}}
