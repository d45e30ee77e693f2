"""The splits of a data set: training rows, test rows, and sets of external rows."""

from collections.abc import Mapping
from typing import Any

TRAIN, TEST = "train", "test"


def splits_of(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the splits, in the order in which they are read; each set of `dataset.external` is a split."""
    test = [TEST] if has_test(dataset) else []
    return [TRAIN, *test, *external_sets(dataset)]


def external_sets(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the sets of external rows, sorted: their order in the configuration means nothing."""
    return sorted(dataset["external"] or {})


def labeled_splits(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the splits whose rows are trained on."""
    return [TRAIN, *external_sets(dataset)]


def compared_splits(dataset: Mapping[str, Any], split: str) -> list[str]:
    """Splits in which the audit looks for duplicates of a split, itself first: the labeled ones before it."""
    labeled = labeled_splits(dataset)
    before = labeled if split == TEST else labeled[: labeled.index(split)]
    return [split, *before]


def key_of(split: str, name: str) -> str:
    """A key of a split in the configuration, in full: `train_images`, or `external.SET.images`."""
    return f"dataset.{split}_{name}" if split in (TRAIN, TEST) else f"dataset.external.{split}.{name}"


def value_of(dataset: Mapping[str, Any], split: str, name: str) -> Any:
    """Value of `key_of`."""
    return dataset[f"{split}_{name}"] if split in (TRAIN, TEST) else dataset["external"][split][name]


def has_test(dataset: Mapping[str, Any]) -> bool:
    """Whether there are rows to predict."""
    return any(dataset[f"{TEST}_{key}"] is not None for key in ("table", "images", "records"))
