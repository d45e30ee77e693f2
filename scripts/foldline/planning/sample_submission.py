"""The sample submission as the process that builds the DAG reads it, or writes it for the user who has none."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from foldline.dataset.submission import check_header
from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.planning.dataset_section import submission_columns


def write_sample_submission(path: str, dataset: Mapping[str, Any], test_ids: Sequence[str]) -> None:
    """Write a sample submission with the test ids in their order; a file with the same content is left alone."""
    columns = submission_columns(dataset)
    handle = io.StringIO()
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow([dataset["id_column"], *columns])
    writer.writerows([name, *([0] * len(columns))] for name in test_ids)
    storage.write_if_changed(path, handle.getvalue().encode())


def read_sample_submission(path: str, dataset: Mapping[str, Any], test_ids: Sequence[str]) -> list[str]:
    """Header and ids of the sample submission in one list of texts.

    Raises:
        FoldlineError: the file does not exist, has other columns than the submission, repeats an id, or has other ids
            than the test table.
    """
    if not storage.is_file(path):
        raise FoldlineError(
            f"{path}: no such table; set dataset.sample_submission to a table under dataset.root, or to null to submit "
            "the test rows in their order"
        )
    with storage.open_text(path) as handle:
        header, *lines = list(csv.reader(handle)) or [[]]
    check_header(path, header, id_column=dataset["id_column"], columns=submission_columns(dataset))
    id_index = header.index(dataset["id_column"])
    ids = [cells[id_index].strip() for cells in lines if cells]
    repeated = sorted(name for name, count in Counter(ids).items() if count > 1)
    if repeated:
        raise FoldlineError(f"{path}: id {listing(repeated)} more than once; remove the repeated rows")
    _check_ids(path, set(ids), set(test_ids))
    return [*header, *ids]


def _check_ids(path: str, ids: set[str], test_ids: set[str]) -> None:
    missing, foreign = sorted(test_ids - ids), sorted(ids - test_ids)
    problems = [
        f"{len(names)} ids {which} ({listing(names, limit=3)})"
        for names, which in ((missing, "of the test table are missing"), (foreign, "are not in the test table"))
        if names
    ]
    if problems:
        raise FoldlineError(
            f"{path}: {'; '.join(problems)}; correct dataset.test_table or dataset.sample_submission so that both have "
            "the same ids"
        )
