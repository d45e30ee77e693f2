"""Look-ups in the `dataset` section of a completed configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.dataset.sample_table import Columns
from foldline.dataset.submission import LABELS, SubmissionForm
from foldline.io import storage

TRAIN, TEST, EXTERNAL = "train", "test", "external"


@dataclass(frozen=True)
class ImageTable:
    """Where a split with a table and image files is stored.

    Attributes:
        table: path or URL of the table.
        images: path or URL of a sample's image, with {id} in it, and {channel} where samples have channels.
    """

    table: str
    images: str


def splits_of(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the splits, in the order in which they are read."""
    return [TRAIN, TEST, *([EXTERNAL] if dataset["external"] else [])]


def record_patterns(dataset: Mapping[str, Any], split: str) -> list[str] | None:
    """Patterns of the ready-made TFRecord files of a split; None for a split with a table and image files."""
    patterns: list[str] | None = None if split == EXTERNAL else dataset[f"{split}_records"]
    return patterns


def image_pattern(dataset: Mapping[str, Any], split: str) -> str | None:
    """Path of a sample's image under `dataset.root`, with {id} in it; None for a split of TFRecord files."""
    pattern: str | None = dataset["external"]["images"] if split == EXTERNAL else dataset[f"{split}_images"]
    return pattern


def image_table(dataset: Mapping[str, Any], split: str) -> ImageTable | None:
    """Table and images of a split; None for a split of TFRecord files."""
    images = image_pattern(dataset, split)
    if images is None:
        return None
    table = dataset["external"]["table"] if split == EXTERNAL else dataset[f"{split}_table"]
    return ImageTable(storage.join(dataset["root"], table), storage.join(dataset["root"], images))


def columns_of(dataset: Mapping[str, Any], split: str) -> Columns:
    """Columns of the table of a split."""
    labeled = split != TEST
    return Columns(
        id=dataset["id_column"],
        target=dataset["target_column"] if labeled else None,
        group=dataset["group_column"] if labeled else None,
        metadata=tuple(dataset["metadata_columns"]),
        labels=Labels.from_config(dataset["labels"]) if labeled else BINARY_LABELS,
    )


def class_names_of(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the classes, (n_classes,)."""
    return Labels.from_config(dataset["labels"]).class_names(dataset["target_column"])


def scored_classes_of(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the classes whose probabilities are submitted and scored."""
    submitted = dataset["submission"]["class"]
    return [submitted] if submitted else class_names_of(dataset)


def submission_columns(dataset: Mapping[str, Any]) -> list[str]:
    """Columns of the submission apart from the id column."""
    form, class_names = dataset["submission"], class_names_of(dataset)
    if form["form"] == LABELS or form["class"] is not None or len(class_names) == 1:
        return [str(form["column"] or dataset["target_column"])]
    return class_names


def submission_form(dataset: Mapping[str, Any], *, threshold: float | str) -> SubmissionForm:
    """Columns and cells of the submission.

    Args:
        dataset: the section.
        threshold: `evaluation.threshold`; it counts only where the submission has predicted classes.
    """
    form, columns = dataset["submission"], tuple(submission_columns(dataset))
    if form["form"] != LABELS:
        return SubmissionForm(dataset["id_column"], columns, form["form"])
    return SubmissionForm(
        id_column=dataset["id_column"],
        columns=columns,
        form=form["form"],
        separator=form["separator"],
        words=form["words"],
        threshold=threshold,
        empty=dataset["labels"]["empty"],
        exclusive=dataset["labels"]["exclusive"],
    )
