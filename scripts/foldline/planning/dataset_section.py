"""Look-ups in the `dataset` section of a completed configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import PurePath
from typing import Any

from foldline.dataset.cell_values import missing_words
from foldline.dataset.channels import CHANNEL, image_paths
from foldline.dataset.class_words import ClassWords
from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.dataset.sample_table import Columns
from foldline.dataset.submission import LABELS, SubmissionForm
from foldline.io import storage

TRAIN, TEST, EXTERNAL = "train", "test", "external"
# Value of `dataset.test_labels`: the test table or the test records have the target column themselves.
OWN = "own"
# Name of the table of these labels, made from test records.
KNOWN_LABELS = "test_labels.csv"


@dataclass(frozen=True)
class ImageTable:
    """Where a split with a table and image files is stored.

    Attributes:
        table: path or URL of the table.
        root: folder or URL of the data set.
        pattern: path of a sample's image under `root`, with {id} in it, and {channel} where samples have channels.
    """

    table: str
    root: str
    pattern: str

    @property
    def images(self) -> str:
        """Path or URL of a sample's image, with {id} in it; use `paths` to fill it in."""
        return "".join(self._parts)

    def paths(self, names: Sequence[str], channels: Sequence[str]) -> list[str]:
        """Paths or URLs of the images of samples, those of a sample together.

        Braces in `root` and in an id mean nothing.

        Args:
            names: (n_samples,), their ids.
            channels: (n_channels,), names of the channels; empty if a sample is one image.
        """
        root, pattern = self._parts
        patterns = image_paths(pattern, channels) if CHANNEL in pattern else [pattern]
        parts = [path.split("{id}") for path in patterns]
        if len(parts) == 1 and len(parts[0]) == 2:
            start, end = root + parts[0][0], parts[0][1]
            return [start + name + end for name in names]
        return [root + name.join(part) for name in names for part in parts]

    @cached_property
    def _parts(self) -> tuple[str, str]:
        """What `storage.join` makes of the root and of the pattern; joining a million paths one by one takes 20 s."""
        if storage.join(self.root, self.pattern) == self.pattern:
            return "", self.pattern
        if storage.is_url(self.root):
            return storage.join(self.root, ""), self.pattern
        # No path has a NUL.
        return storage.join(self.root, "\0").removesuffix("\0"), str(PurePath(self.pattern))


def splits_of(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the splits, in the order in which they are read."""
    return [TRAIN, TEST, *([EXTERNAL] if dataset["external"] else [])]


def record_patterns(dataset: Mapping[str, Any], split: str) -> list[str] | None:
    """Patterns of the ready-made TFRecord files of a split; None for a split with a table and image files."""
    patterns: list[str] | None = None if split == EXTERNAL else dataset[f"{split}_records"]
    return patterns


def has_own_labels(dataset: Mapping[str, Any]) -> bool:
    """Whether the test table or the test records have labels, which are only scored."""
    return bool(dataset["test_labels"] == OWN)


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
    return ImageTable(storage.join(dataset["root"], table), dataset["root"], images)


def columns_of(dataset: Mapping[str, Any], split: str) -> Columns:
    """Columns of the table of a split."""
    labeled = split != TEST
    return Columns(
        id=dataset["id_column"],
        target=dataset["target_column"] if labeled else None,
        group=dataset["group_column"] if labeled else None,
        metadata=tuple(dataset["metadata_columns"]),
        labels=Labels.from_config(dataset["labels"]) if labeled else BINARY_LABELS,
        missing=missing_words(dataset["missing"]),
        separator=separator_of(dataset, split),
    )


def separator_of(dataset: Mapping[str, Any], split: str) -> str:
    """Separator of the table of a split; Foldline itself writes the tables of TFRecord files."""
    return "," if record_patterns(dataset, split) else str(dataset["separator"])


def scan_settings(dataset: Mapping[str, Any], split: str) -> dict[str, Any]:
    """What defines the scan of a split beside its rows: fields of `scan_config.ScanConfig`."""
    columns = columns_of(dataset, split)
    return {
        "id_column": columns.id,
        "target_column": columns.target,
        "group_column": columns.group,
        "metadata_columns": list(columns.metadata),
        "channels": dataset["channels"],
        "image_feature": dataset["image_feature"],
    }


def table_arguments(dataset: Mapping[str, Any], split: str, label_cells: Mapping[str, Any]) -> dict[str, Any]:
    """How the scan reads the table of a split: other fields of `scan_config.ScanConfig`.

    They do not define the result, because the rows that they give do.

    Args:
        dataset: the section.
        split: the split.
        label_cells: see `data_index.DataIndex`.
    """
    columns = columns_of(dataset, split)
    labels = {field.name: dataset["labels"][field.name] for field in fields(Labels)} | dict(label_cells)
    return {
        "labels": labels if columns.target else None,
        "missing": list(columns.missing),
        "separator": columns.separator,
    }


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


def sample_separator(dataset: Mapping[str, Any]) -> str:
    """Separator of the sample submission; Foldline writes it itself if the user has none."""
    return "," if dataset["sample_submission"] is None else str(dataset["separator"])


def submission_form(
    dataset: Mapping[str, Any], *, threshold: float | str, class_words: ClassWords | None = None
) -> SubmissionForm:
    """Columns and cells of the submission.

    Args:
        dataset: the section.
        threshold: `evaluation.threshold`; it counts only where the submission has predicted classes.
        class_words: how predicted classes are written; None if the submission has a column for each class.
    """
    section = dataset["submission"]
    form = SubmissionForm(
        id_column=dataset["id_column"],
        columns=tuple(submission_columns(dataset)),
        form=section["form"],
        hard_labels=section["hard_labels"],
    )
    if form.has_probabilities:
        return form
    return replace(
        form,
        separator=section["separator"] if form.form == LABELS else form.separator,
        class_words=class_words or form.class_words,
        threshold=threshold,
        empty=dataset["labels"]["empty"],
        exclusive=dataset["labels"]["exclusive"],
    )
