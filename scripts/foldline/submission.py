"""The submission file: ids, row order and header of the sample submission, checked before it is written."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foldline import places
from foldline.errors import FoldlineError, listing
from foldline.files import written_whole


def read_sample(path: str | Path, *, n_classes: int) -> tuple[list[str], list[str]]:
    """Header and ids of a sample submission (a path or URL), in its order; its values do not matter.

    Raises:
        FoldlineError: no rows, an id is empty or repeated, a line has other cells than the header, or the number of
            columns is not 1 + n_classes.
    """
    with places.opened_text(path) as handle:
        reader = csv.reader(handle)
        header = next(reader, [])
        rows = [(reader.line_num, cells) for cells in reader if cells]
    if len(header) != 1 + n_classes:
        raise FoldlineError(
            f"{path}: columns {listing(header) or 'none'}; a sample submission for this task has the id and "
            f"{n_classes} prediction column{'s' if n_classes > 1 else ''}"
        )
    if not rows:
        raise FoldlineError(f"{path}: the sample submission has no rows")
    first_line: dict[str, int] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            raise FoldlineError(f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}")
        name = cells[0].strip()
        if not name:
            raise FoldlineError(f"{path}, line {line}: the id is empty")
        if name in first_line:
            raise FoldlineError(f"{path}: id {name!r} stands in line {first_line[name]} and again in line {line}")
        first_line[name] = line
    return header, list(first_line)


def check_submission(header: Sequence[str], ids: Sequence[str], values: np.ndarray) -> None:
    """Check what is about to be written as a submission.

    Args:
        header: (1 + n_classes,).
        ids: (n_samples,).
        values: (n_samples, n_classes).

    Raises:
        FoldlineError: sizes do not fit, or a value is missing or not in [0, 1].
    """
    if values.shape != (len(ids), len(header) - 1):
        raise FoldlineError(f"submission: {values.shape} values for {len(ids)} ids and columns {listing(list(header))}")
    wrong = [name for name, row in zip(ids, values, strict=True) if not ((row >= 0) & (row <= 1)).all()]
    if wrong:
        raise FoldlineError(f"submission: the value of id {listing(wrong)} is not in [0, 1]")


def write_submission(path: str | Path, *, header: Sequence[str], ids: Sequence[str], values: np.ndarray) -> None:
    """Check and write a submission; every float is written with all its bits."""
    check_submission(header, ids, values)
    with written_whole(path, mode="w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([name, *map(float, row)] for name, row in zip(ids, values, strict=True))
