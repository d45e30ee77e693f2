"""Find the labels of the test rows, if the configuration names them, before any job starts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from foldline.dataset.cell_values import missing_words
from foldline.dataset.known_labels import KnownLabels, digest_of_codes
from foldline.dataset.sample_table import read_sample_table
from foldline.errors import FoldlineError, Problems, listing
from foldline.io import storage
from foldline.planning.dataset_section import (
    KNOWN_LABELS,
    OWN,
    columns_of,
    is_made_table,
    labels_of,
    record_patterns,
    row_per_class_of,
    source_of,
    target_of,
)
from foldline.planning.dataset_splits import TEST


def find_known_labels(
    dataset: Mapping[str, Any], tables: Mapping[str, str], *, labels: Mapping[str, Any], record_tables: str
) -> KnownLabels | None:
    """Read and check the labels of the test rows.

    How cells write labels follows from the labeled rows that are trained on, and not from these.

    Args:
        dataset: the `dataset` section of the completed configuration.
        tables: table of each split that the steps read.
        labels: see `data_index.DataIndex`, `label_cells`.
        record_tables: folder or URL of the tables that are made from TFRecord files.

    Returns:
        The labels; None if `dataset.test_labels` is null.

    Raises:
        FoldlineError: the table or the records cannot be used, or have other ids than the test rows.
    """
    given = dataset["test_labels"]
    if given is None:
        return None
    read = replace(labels_of(dataset), **labels)
    made = given == OWN and is_made_table(dataset, TEST)
    table = tables[TEST] if given == OWN else storage.join(dataset["root"], given)
    of_records = made and record_patterns(dataset, TEST) is not None
    if of_records:
        table = storage.join(record_tables, KNOWN_LABELS)
    known = KnownLabels(
        table=table,
        id_column=dataset["id_column"],
        target_column=target_of(dataset),
        labels=read,
        missing=missing_words(dataset["missing"]),
        separator="," if made else str(dataset["separator"]),
        target_columns=() if made else tuple(dataset["target_columns"] or ()),
        row_per_class=None if made else row_per_class_of(dataset),
        made_of=source_of(dataset, TEST) if made and not of_records else "",
        column_names=dataset["test_columns"] if given == OWN and not made else {},
    )
    codes, problems = dict[str, str](), Problems()
    with problems.collected():
        codes = known.read()
    with problems.collected():
        _check_ids(dataset, tables[TEST], set(codes or known.ids()), table)
    problems.check()
    return replace(known, digest=digest_of_codes(codes))


def _check_ids(dataset: Mapping[str, Any], test_table: str, labeled: set[str], table: str) -> None:
    columns = columns_of(dataset, TEST)
    if is_made_table(dataset, TEST):
        columns = columns.of_made_table(source_of(dataset, TEST))
    ids = set(read_sample_table(test_table, columns).ids)
    unlabeled, unknown = sorted(ids - labeled), sorted(labeled - ids)
    own = source_of(dataset, TEST) if is_made_table(dataset, TEST) else test_table
    problems = [f"no label for the test id {listing(unlabeled)}"] if unlabeled else []
    problems += [f"id {listing(unknown)}, which {own} does not have"] if unknown else []
    if problems:
        raise FoldlineError(
            f"{table}: {' and '.join(problems)}; give every test row one label, or set dataset.test_labels to null"
        )
