"""Tables of ready-made records: one row per sample, with the location of its records in the column `path`."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from foldline.dataset.cell_codes import cell_codes, label_remedy
from foldline.dataset.cell_values import composed, is_missing
from foldline.dataset.labels import Labels
from foldline.dataset.locations import PATH
from foldline.dataset.own_labels import left_out_by
from foldline.dataset.sample_ids import other_spelling
from foldline.dataset.soft_labels import log_soft_labels
from foldline.errors import FoldlineError, first_place, first_texts, listing
from foldline.io import storage
from foldline.tfrecords.channel_join import JoinedRecord
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_index import IndexedRecord


def check_split(files: Mapping[str, Sequence[IndexedRecord]]) -> None:
    """Compare the records of a split with each other.

    Args:
        files: records by the path of their file.

    Raises:
        FoldlineError: records have the same id; names the first ones and how many more there are.
    """
    first_of: dict[str, tuple[str, str]] = {}
    repeated = []
    for file, records in files.items():
        for record in records:
            where = f"{file}, record {record.number}"
            first, spelled = first_of.setdefault(composed(record.id), (where, record.id))
            if first != where:
                end = other_spelling(record.id, spelled)
                repeated.append(f"{where}: id {record.id!r} is also in {first}{end}")
    if repeated:
        raise FoldlineError(
            f"{first_texts(repeated, 'record')}; ids must be unique: remove or rename the repeated records"
        )


def label_cells(files: Mapping[str, Sequence[IndexedRecord]], names: RecordNames) -> dict[str, str]:
    """Every label of indexed records that is not missing and not in own words, with the record where it occurs first.

    Args:
        files: records by the path of their file.
        names: the features that were read.
    """
    first: dict[str, str] = {}
    if names.target and names.own_labels is None:
        for file, records in files.items():
            for record in records:
                if record.target not in first and not is_missing(record.target, names.missing):
                    first[record.target] = f"{file}, record {record.number}"
    return first


def without_left_out(
    files: Mapping[str, Sequence[IndexedRecord]], names: RecordNames
) -> tuple[dict[str, Sequence[IndexedRecord]], dict[str, int]]:
    """The records without those that their labels leave out, and how many there are of each word.

    Args:
        files: records by the path of their file.
        names: the features that were read.

    Raises:
        FoldlineError: no record is left.
    """
    words, left_out = names.own_labels, Counter[str]()
    if not names.target or not words or None not in words.values():
        return dict(files), {}
    kept: dict[str, Sequence[IndexedRecord]] = {}
    for file, records in files.items():
        found = [left_out_by(record.target, words, names.labels) for record in records]
        left_out.update(word for word in found if word is not None)
        kept[file] = [record for record, word in zip(records, found, strict=True) if word is None]
    if left_out and not any(kept.values()):
        raise FoldlineError(
            f"{listing(list(files), limit=3)}: dataset.external.{names.external}.labels leaves out all records; give a "
            "word a class, or remove the set"
        )
    return kept, dict(sorted(left_out.items()))


def with_codes(
    files: Mapping[str, Sequence[IndexedRecord]], names: RecordNames, labels: Labels
) -> dict[str, list[IndexedRecord]]:
    """The records with label codes in place of the texts of their labels.

    Args:
        files: records by the path of their file.
        names: the features that were read.
        labels: the labels with the reading of their texts.

    Raises:
        FoldlineError: a label is not allowed.
    """
    if not names.target:
        return {file: list(records) for file, records in files.items()}
    texts = (record.target for records in files.values() for record in records)
    codes, problems = cell_codes(texts, names, labels)
    if problems:
        feature = names.feature(names.target)
        of_text: dict[str, list[tuple[str, str]]] = {text: [] for text in problems}
        for file, records in files.items():
            for record in records:
                if record.target in problems:
                    of_text[record.target].append((f"{file}, record {record.number}", record.id))
        wrong = [
            f"{first_place([where for where, _ in found], 'record')}: label {text!r} (feature {feature}) of id "
            f"{found[0][1]!r} {problems[text]}"
            for text, found in of_text.items()
        ]
        raise FoldlineError(
            f"{first_texts(wrong, 'label')}; {label_remedy(names, labels, list(problems), source='the records')}"
        )
    if labels.is_soft and names.own_labels is None:
        for file, records in files.items():
            cells = [record.target for record in records]
            log_soft_labels(file, cells, codes, labels.separator if labels.classes else None)
    return {file: [replace(record, target=codes[record.target]) for record in files[file]] for file in files}


def write_split_table(
    path: str | Path, files: Mapping[str, Sequence[IndexedRecord | JoinedRecord]], names: RecordNames
) -> None:
    """Write the samples of a split as a table, sorted by id; a file with the same content is not touched.

    Args:
        path: path or URL of the CSV table: id, target and group if `names` has them, metadata, and last the column
            `path` with the location of the record.
        files: records with label codes, or joined ones, by the name of their file in the table.
        names: the features that were read, with the reading of the labels; the columns have the names of
            `names.names()`. Without metadata columns, the metadata of records are left out.

    Raises:
        FoldlineError: a feature has the name of the column `path`.
    """
    header = [*names.names(), PATH]
    if PATH in header[:-1]:
        raise FoldlineError(
            f"feature {PATH!r}: the table of the records has a column of that name; remove the feature from the config"
        )
    lines = []
    for file, records in files.items():
        for record in records:
            metadata = record.metadata if names.metadata else ()
            cells = dict(zip(names.metadata, metadata, strict=True)) | {names.id: record.id}
            if names.target:
                cells[names.target] = names.labels.text(record.target)
            if names.group:
                cells[names.group] = record.group
            lines.append([*(cells[name] for name in names.names()), record.location(file)])
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *sorted(lines)])
    storage.write_if_changed(path, text.getvalue().encode())
