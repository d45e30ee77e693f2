"""The sample submission as the process that builds the DAG reads it, or writes it for the user who has none."""

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from foldline.dataset.class_words import AUTO, CONFIG, NAMES, NUMBERS, ClassWords, SampleCells, decide_words
from foldline.dataset.labels import MULTILABEL, Labels
from foldline.dataset.raw_table import AbsentColumnsError
from foldline.dataset.submission import LABELS, SampleSubmission, check_sample_ids, read_sample
from foldline.errors import FoldlineError, Problems, counted, listing
from foldline.io import storage
from foldline.planning.dataset_section import class_names_of, row_per_class_of, scored_classes_of
from foldline.planning.image_patterns import ID
from foldline.planning.submission_fit import fitting_settings
from foldline.planning.submission_section import (
    sample_separator,
    submission_columns,
    submission_id_column,
    submission_separator,
)

logger = logging.getLogger(__name__)

# The default of `dataset.sample_submission` where there are tables.
USUAL_NAME = "sample_submission.csv"


def write_sample_submission(path: str, dataset: Mapping[str, Any], test_ids: Sequence[str]) -> None:
    """Write a sample submission with the test ids in their order; a file with the same content is left alone."""
    unused = storage.join(dataset["root"], USUAL_NAME)
    if dataset["class_folders"] and storage.exists(unused):
        logger.warning("%s is not used: set dataset.sample_submission to %s to submit in its form", unused, USUAL_NAME)
    columns = submission_columns(dataset)
    handle = io.StringIO()
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow([submission_id_column(dataset), *columns])
    form = row_per_class_of(dataset, scored_classes_of(dataset))
    if form:
        test_ids = [form.name(name, class_name) for name in test_ids for class_name in form.classes]
    writer.writerows([name, *([0] * len(columns))] for name in test_ids)
    storage.write_if_changed(path, handle.getvalue().encode())


def read_sample_submission(path: str, dataset: Mapping[str, Any], test_ids: Sequence[str]) -> SampleSubmission:
    """Read the sample submission and compare it with the test rows, if there are any.

    Raises:
        FoldlineError: the file does not exist, lacks a column of the submission, repeats an id, or has other ids than
            the test table.
    """
    if not storage.exists(path):
        raise FoldlineError(
            f"{path}: no such table; set dataset.sample_submission to a table under dataset.root, or to null to submit "
            "the test rows in their order"
        )
    try:
        sample = read_sample(
            path,
            id_column=submission_id_column(dataset),
            columns=submission_columns(dataset),
            separator=sample_separator(dataset),
            row_per_class=row_per_class_of(dataset, scored_classes_of(dataset)),
        )
    except AbsentColumnsError as error:
        raise FoldlineError(f"{error}; {fitting_settings(dataset, error.header)}") from error
    problems = Problems()
    with problems.collected():
        check_sample_ids(sample)
    with problems.collected():
        if test_ids:
            _check_ids(path, set(filter(None, sample.ids)), set(test_ids), dataset)
    problems.check()
    return sample


def class_words_of(sample: SampleSubmission, dataset: Mapping[str, Any], labels: Labels) -> ClassWords | None:
    """How the submission writes predicted classes; None if it has no words for them.

    Args:
        sample: the sample submission.
        dataset: the section of the configuration.
        labels: the labels with the reading of the training cells.

    Raises:
        FoldlineError: neither the configuration nor the data decide it.
    """
    section = dataset["submission"]
    if section["form"] != LABELS:
        return None
    chosen = None
    if section["words"] != AUTO:
        first = section["first_number"]
        chosen = ClassWords(section["words"], -1 if first == AUTO else first, CONFIG)
    training = ClassWords(labels.cells, int(labels.first_number)) if labels.cells in (NAMES, NUMBERS) else None
    separator = submission_separator(dataset) if dataset["labels"]["kind"] == MULTILABEL else ""
    (column,) = sample.predicted
    cells = SampleCells(sample.path, sample.columns[column], separator)
    return decide_words(chosen, class_names_of(dataset), sample=cells, training=training)


def _check_ids(path: str, ids: set[str], test_ids: set[str], dataset: Mapping[str, Any]) -> None:
    missing, foreign = sorted(test_ids - ids), sorted(ids - test_ids)
    if not missing and not foreign:
        return
    has_table = dataset["test_table"] is not None
    has, others = ("test table has", "the test table") if has_table else ("test images have", "the test images")
    problems = [
        f"{counted(len(names), 'id')} {which} ({listing(names, limit=3)})"
        for names, which in ((missing, f"missing that the {has}"), (foreign, f"too many for {others}"))
        if names
    ]
    key = "test_table" if has_table else "test_images" if dataset["test_images"] is not None else "test_records"
    remedy = f"correct dataset.{key} or dataset.sample_submission so that both have the same ids"
    folder, dot, _ = (dataset["test_images"] or "").rpartition(f"{ID}.")
    if not has_table and dot and {str(PurePosixPath(name).with_suffix("")) for name in foreign} == set(missing):
        remedy = f"set dataset.test_images to {folder}{ID}, so that the ids are file names with their suffix"
    if foreign and {PurePosixPath(name).name for name in missing} == set(foreign):
        remedy = (
            f"the ids of {others} have folders before them: name a column with the ids of the sample submission in "
            "dataset.id_column, and that of the paths in dataset.image_column"
        )
    raise FoldlineError(f"{path}: {'; '.join(problems)}; {remedy}")
