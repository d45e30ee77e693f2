"""Batches that are larger than the training rows of a fold, found before the DAG is built."""

from collections.abc import Mapping
from typing import Any

from foldline.errors import FoldlineError
from foldline.planning.dataset_section import EXTERNAL, TRAIN


def check_batch_sizes(config: Mapping[str, Any], rows: Mapping[str, int]) -> None:
    """Refuse a batch size with which a fold certainly cannot train.

    Folds are not known yet. The largest of `count` folds holds out at least the rows divided by `count`, so at most the
    other rows are left to train on, and all external rows.

    Args:
        config: the completed configuration.
        rows: number of rows of each split.

    Raises:
        FoldlineError: lists the models.
    """
    count, train, external = config["folds"]["count"], rows[TRAIN], rows.get(EXTERNAL, 0)
    problems = []
    for name, model in config["models"].items():
        sizes = {f"models.{name}.batch_size": model["batch_size"]}
        overrides = {
            f"models.{name}.fold_overrides.{fold}.batch_size": section["batch_size"]
            for fold, section in model["fold_overrides"].items()
            if section.get("batch_size") is not None
        }
        # A fold that an override names need not be the largest.
        most = dict.fromkeys(overrides, train - 1 + external)
        if len(overrides) < count:
            most |= dict.fromkeys(sizes, train - (-(-train // count) if not overrides else 1) + external)
        for key, size in {**sizes, **overrides}.items():
            if key in most and size > most[key]:
                problems.append(f"{key} is {size}, but a fold has at most {most[key]} training rows")
    if problems:
        raise FoldlineError(f"config: {'; '.join(problems)}; set it to that number or less")
