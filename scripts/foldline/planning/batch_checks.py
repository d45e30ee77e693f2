"""Batches that are larger than the training rows of a fold, named before the first job."""

from collections.abc import Mapping
from typing import Any

from foldline.errors import counted
from foldline.planning.dataset_splits import TEST, TRAIN
from foldline.planning.fold_plan import fold_method
from foldline.splits.folds_config import FILES, GROUPED


def batch_warnings(config: Mapping[str, Any], rows: Mapping[str, int]) -> list[str]:
    """Warn of batch sizes that no fold of a model can fill; its jobs train with smaller batches.

    Folds are not known yet. The largest of `count` folds holds out at least the rows divided by `count`, so at most the
    other rows are left to train on, and all external rows. Where the data decide how many folds there are, or rows are
    in no fold, a fold holds out at least one row.

    Args:
        config: the completed configuration, with the folds that were found or without.
        rows: number of rows of each split.

    Returns:
        A line for each key.
    """
    folds, train = config["folds"], rows[TRAIN]
    is_known = "numbers" in folds or fold_method(folds) in (GROUPED, FILES)
    count = folds["count"] if is_known else max(train, folds["count"])
    external = sum(number for split, number in rows.items() if split not in (TRAIN, TEST))
    warnings = []
    for name, model in sorted(config["models"].items()):
        sizes = {f"models.{name}.batch_size": model["batch_size"]}
        overrides = {
            f"models.{name}.fold_overrides.{fold}.batch_size": section["batch_size"]
            for fold, section in model["fold_overrides"].items()
            if section.get("batch_size") is not None
        }
        # A fold that an override names need not be the largest.
        most = dict.fromkeys(overrides, train - 1 + external)
        if len(overrides) < count * folds["repeats"]:
            most |= dict.fromkeys(sizes, train - (-(-train // count) if not overrides else 1) + external)
        warnings += [
            f"{key} is {size}, but a fold has at most {counted(most[key], 'training row')}: a step trains on all rows "
            "of the fold; with a smaller number, an epoch has more steps"
            for key, size in {**sizes, **overrides}.items()
            if key in most and size > most[key]
        ]
    return warnings
