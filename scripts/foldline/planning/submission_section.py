"""Look-ups in the section `dataset.submission` of a completed configuration."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from foldline.dataset.class_words import ClassWords
from foldline.dataset.submission import LABELS, SubmissionForm
from foldline.planning.dataset_section import (
    row_per_class_of,
    row_per_class_settings,
    scored_classes_of,
)
from foldline.planning.dataset_splits import has_test


def submission_columns(dataset: Mapping[str, Any]) -> list[str]:
    """Columns of the submission apart from the id column, by their names in the sample submission."""
    form, scored = dataset["submission"], scored_classes_of(dataset)
    if form["form"] == LABELS or len(scored) == 1 or dataset["row_per_class"]:
        name = dataset["target_column"] or scored[0]
        return [str(form["column"] or form["columns"].get(name, name))]
    return [form["columns"].get(name, name) for name in scored]


def submission_id_column(dataset: Mapping[str, Any]) -> str:
    """Column of the ids in the sample submission."""
    name = dataset["id_column"]
    return str(dataset["submission"]["columns"].get(name, name))


def sample_separator(dataset: Mapping[str, Any]) -> str:
    """Separator of the sample submission; Foldline writes it itself if the user has none."""
    return "," if dataset["sample_submission"] is None else str(dataset["separator"])


def submission_separator(dataset: Mapping[str, Any]) -> str:
    """Text between two classes of a cell of the submission."""
    return str(dataset["submission"]["separator"] or dataset["labels"]["separator"])


def submission_form(
    dataset: Mapping[str, Any], *, threshold: float | str, class_words: ClassWords | None = None
) -> SubmissionForm | None:
    """Columns and cells of the submission; None if there is no test split.

    Args:
        dataset: the section.
        threshold: `evaluation.threshold`; it counts only where the submission has predicted classes.
        class_words: how predicted classes are written; None if the submission has a column for each class.
    """
    if not has_test(dataset):
        return None
    section = dataset["submission"]
    form = SubmissionForm(
        id_column=submission_id_column(dataset),
        columns=tuple(submission_columns(dataset)),
        form=section["form"],
        hard_labels=section["hard_labels"],
        row_per_class=row_per_class_of(dataset, scored_classes_of(dataset)),
    )
    if form.has_probabilities:
        return form
    return replace(
        form,
        separator=submission_separator(dataset) if form.form == LABELS else form.separator,
        class_words=class_words or form.class_words,
        threshold=threshold,
        empty=dataset["labels"]["empty"],
        exclusive=dataset["labels"]["exclusive"],
    )


def form_settings(form: SubmissionForm | None) -> dict[str, Any] | None:
    """The fields of a submission form as a step gets them; one that says nothing is left out, so no key has it."""
    if form is None:
        return None
    settings = {**asdict(form), "columns": list(form.columns)}
    del settings["row_per_class"]
    per_class = row_per_class_settings(form.row_per_class)
    return {**settings, "row_per_class": per_class} if per_class else settings
