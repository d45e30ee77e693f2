"""Find the weights of the labeled rows, if the configuration names them, before any job starts."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from foldline.dataset.row_weights import RowWeights, WeightTable
from foldline.errors import FoldlineError
from foldline.planning.dataset_section import columns_of, is_made_table, source_of
from foldline.planning.dataset_splits import TRAIN, external_sets, labeled_splits


def row_weights_of(dataset: Mapping[str, Any], tables: Mapping[str, str], *, digest: str = "") -> RowWeights | None:
    """Where the weights are; None if every row has the weight 1.

    Args:
        dataset: the section of the completed configuration.
        tables: table of each split that can be read.
        digest: digest of the weights; "" if it is not known yet.
    """
    column = dataset["weight_column"]
    factors = {name: dataset["external"][name]["weight"] for name in external_sets(dataset)}
    factors = {name: factor for name, factor in factors.items() if factor != 1}
    if column is None and not factors:
        return None
    found = {}
    for split in labeled_splits(dataset) if column else []:
        columns = columns_of(dataset, split)
        if split in tables and column not in columns.absent:
            columns = columns.of_made_table(source_of(dataset, split)) if is_made_table(dataset, split) else columns
            columns = replace(columns, group=None, metadata=(column,), optional=(), absent=())
            found[split] = WeightTable(tables[split], columns)
    return RowWeights(found, factors, digest)


def digest_of_weights(dataset: Mapping[str, Any], tables: Mapping[str, str]) -> str:
    """Read and check the weights; their digest, or "" if every row has the weight 1.

    Raises:
        FoldlineError: weights are wrong, or all training rows have the weight 0; names all problems.
    """
    found = row_weights_of(dataset, tables)
    if found is None:
        return ""
    weights = found.read()
    if TRAIN in weights and not any(weights[TRAIN].values()):
        raise FoldlineError(
            f"{tables[TRAIN]}: all rows have the weight 0 (column {dataset['weight_column']}), so there is nothing to "
            "train on; correct the table, or set dataset.weight_column to null"
        )
    return found.digest_of(weights)


def weight_arguments(dataset: Mapping[str, Any], tables: Mapping[str, str], digest: str) -> dict[str, Any]:
    """Arguments of the step that makes the fold table: `weights`, or none if every row has the weight 1.

    Args:
        dataset: the section of the completed configuration.
        tables: table of each split.
        digest: see `digest_of_weights`.
    """
    weights = row_weights_of(dataset, tables, digest=digest)
    return {"weights": asdict(weights)} if weights else {}
