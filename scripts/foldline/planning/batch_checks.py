"""Batches that are larger than the training rows of a fold, found before the first job."""

from collections.abc import Iterable, Mapping
from typing import Any

from foldline.errors import FoldlineError, counted
from foldline.planning.dataset_splits import TEST, TRAIN


def batch_problems(config: Mapping[str, Any], rows: Mapping[str, int]) -> dict[str, list[str]]:
    """Batch sizes with which a fold certainly cannot train, in words, by the name of the model.

    Folds are not known yet. The largest of `count` folds holds out at least the rows divided by `count`, so at most the
    other rows are left to train on, and all external rows.

    Args:
        config: the completed configuration.
        rows: number of rows of each split.
    """
    count, train = config["folds"]["count"], rows[TRAIN]
    external = sum(number for split, number in rows.items() if split not in (TRAIN, TEST))
    problems: dict[str, list[str]] = {}
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
                text = f"{key} is {size}, but a fold has at most {counted(most[key], 'training row')}"
                problems.setdefault(name, []).append(text)
    return problems


def batch_error(problems: Mapping[str, list[str]], models: Iterable[str]) -> FoldlineError | None:
    """The error for all problems of some models; None if they have none."""
    found = [text for name in sorted(models) for text in problems.get(name, [])]
    return FoldlineError(f"config: {'; '.join(found)}; set it to that number or less") if found else None
