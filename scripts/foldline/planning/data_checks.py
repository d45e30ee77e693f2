"""Checks of a configuration against the rows of its data, before the DAG is built."""

from collections.abc import Mapping, Sequence
from typing import Any

from foldline.dataset.metadata import MetadataColumnConfig
from foldline.errors import FoldlineError
from foldline.planning.dataset_section import class_names_of, scored_classes_of
from foldline.planning.raw_data import RawData, Sample


def check_data(dataset: Mapping[str, Any], data: RawData, *, fold_count: int) -> None:
    """Raise an error if the data cannot be used as the configuration says.

    Args:
        dataset: the `dataset` section of the completed configuration.
        data: rows of the data.
        fold_count: `folds.count`.

    Raises:
        FoldlineError: a metadata column has a value that models cannot read, or there are fewer groups than folds: of
            all training rows, or of the rows with one label of the only class, or of the only submitted class.
    """
    for split, samples in data.splits.items():
        _check_metadata(dataset, data.tables[split], samples)
    _check_groups(dataset, data.splits["train"], fold_count)


def _check_metadata(dataset: Mapping[str, Any], table: str, samples: Sequence[Sample]) -> None:
    index_of = {name: index for index, name in enumerate(dataset["metadata_columns"])}
    for column, section in dataset["metadata"].items():
        index, config = index_of[column], MetadataColumnConfig.from_config(section)
        for sample in samples:
            problem = config.problem(sample.row.metadata[index])
            if problem:
                raise FoldlineError(
                    f"{table}, line {sample.row.line}: {column} of id {sample.row.id!r} {problem}; correct the "
                    f"row, or change dataset.metadata.{column} in the config"
                )


def _check_groups(dataset: Mapping[str, Any], samples: Sequence[Sample], fold_count: int) -> None:
    class_names, scored = class_names_of(dataset), scored_classes_of(dataset)
    groups = {"": {sample.row.group for sample in samples}}
    if len(scored) == 1:
        index = class_names.index(scored[0])
        for label in ("0", "1"):
            which = f" with label {label}" + (f" of {scored[0]}" if len(class_names) > 1 else "")
            groups[which] = {sample.row.group for sample in samples if sample.row.target[index] == label}
    column = dataset["group_column"]
    for which, names in groups.items():
        if len(names) < fold_count:
            kind = ("group" if column else "row") + ("" if len(names) == 1 else "s")
            kind += f" (column {column})" if column else ""
            remedy = f"set folds.count to {len(names)} or less" if len(names) >= 2 else "add training data"
            raise FoldlineError(
                f"config: folds.count is {fold_count}, but the training data have only {len(names)} {kind}{which}; "
                f"{remedy}"
            )
