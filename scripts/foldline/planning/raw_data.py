"""The raw tables and images as the process that builds the DAG reads them: rows, content digests, sizes.

Ready-made TFRecord files are read once, recognized by their version afterwards, and listed in a table like that of
image files. Jobs do not use this module.
"""

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

from foldline.dataset.channels import CHANNEL, joint_digest
from foldline.dataset.class_words import ClassWords
from foldline.dataset.label_reading import resolve
from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.dataset.sample_table import Columns, Row, SampleTable, read_rows, read_sample_table
from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.io.garbage import garbage_search_paused
from foldline.planning.dataset_section import (
    EXTERNAL,
    TRAIN,
    ImageTable,
    columns_of,
    image_table,
    record_patterns,
    splits_of,
)
from foldline.planning.image_digests import BucketListings, DigestCache, ImageDigests
from foldline.planning.sample_submission import class_words_of, read_sample_submission, write_sample_submission

RECORD_TABLES = "results/raw"


@dataclass(frozen=True)
class Sample:
    """A row of a table and what is known about its images.

    Attributes:
        row: the row.
        content: `channels.joint_digest` of what changes with the bytes of the images: their SHA-256, or in a bucket
            the checksums that it stores.
        bytes: size of the images together.
        file: the TFRecord file that holds the sample, as a path under the root of the data set; "" for image files.
    """

    row: Row
    content: str
    bytes: int
    file: str = ""

    def facts(self) -> list[str]:
        """Everything that a result may depend on. Line and file only say where the sample is, so they do not count."""
        return [self.row.id, self.row.target, self.row.group, *self.row.metadata, self.content]


@dataclass(frozen=True)
class RawData:
    """The data set.

    Attributes:
        splits: samples of "train", "test" and, if there is one, "external", in the order of the tables.
        submission: everything that the submission takes from the sample submission, in one list of texts.
        written: False while the example still has to be written.
        tables: the table of each split that the steps read: the user's own, or the one made from TFRecord files.
        sample_submission: the sample submission: the user's own, or the one made from the test rows.
        labels: `dataset.labels` with the reading that fits the label cells of all labeled rows.
        class_words: how the submission writes predicted classes; None if it has probabilities.
    """

    splits: dict[str, list[Sample]]
    submission: list[str]
    written: bool
    tables: dict[str, str] = field(default_factory=dict)
    sample_submission: str = ""
    labels: Labels = BINARY_LABELS
    class_words: ClassWords | None = None


class _Source(Protocol):
    """The tables of a split, read and checked; the labels are still the texts of their cells."""

    table: str

    def label_cells(self) -> dict[str, str]:
        """Every label that is not missing, with the place where it occurs first."""
        ...

    def samples(self, labels: Labels) -> list[Sample]:
        """The samples, in the order of the table, with label codes."""
        ...


def read_raw_data(
    dataset: Mapping[str, Any], *, cache: Path, pinned: Path | None = None, record_tables: str = RECORD_TABLES
) -> RawData:
    """Read and check the tables, and digest the images.

    Args:
        dataset: the `dataset` section of the configuration.
        cache: file of known image digests, read and updated; the index of TFRecord files is in the folder `records`
            beside it.
        pinned: table of the rows and digests of the example, used while the example is not completely on disk; None
            for the user's own data.
        record_tables: folder or URL of the tables that are made from TFRecord files.

    Raises:
        FoldlineError: a table is missing or wrong, an image is missing, a TFRecord file cannot be used, an id is in
            two splits, or the sample submission does not match the test table.
    """
    if pinned is not None and not _example_is_written(dataset, pinned):
        return _pinned_data(dataset, pinned)
    with garbage_search_paused():
        return _read_tables(dataset, cache, record_tables)


def _read_tables(dataset: Mapping[str, Any], cache: Path, record_tables: str) -> RawData:
    digests, listings = DigestCache(cache), BucketListings()
    sources: dict[str, _Source] = {}
    for split in splits_of(dataset):
        files = image_table(dataset, split)
        if files is None:
            table = storage.join(record_tables, f"{split}.csv")
            sources[split] = _RecordSource(dataset, split, table, cache.parent / "records")
        else:
            images = listings if storage.is_url(files.images) else digests
            sources[split] = _ImageSource(dataset, split, files, images)
    # One reading of the labels for all rows: a table with some of the classes can leave open what its numbers mean.
    label_cells = sources[TRAIN].label_cells()
    if EXTERNAL in sources:
        for text, where in sources[EXTERNAL].label_cells().items():
            label_cells.setdefault(text, where)
    labels = resolve(Labels.from_config(dataset["labels"]), label_cells)
    splits = {split: source.samples(labels) for split, source in sources.items()}
    tables = {split: source.table for split, source in sources.items()}
    digests.save()
    _check_ids_of_splits(splits, tables)
    test_ids = [sample.row.id for sample in splits["test"]]
    if dataset["sample_submission"] is None:
        sample_submission = storage.join(record_tables, "sample_submission.csv")
        write_sample_submission(sample_submission, dataset, test_ids)
    else:
        sample_submission = storage.join(dataset["root"], dataset["sample_submission"])
    sample = read_sample_submission(sample_submission, dataset, test_ids)
    words = class_words_of(sample, dataset, labels)
    return RawData(splits, sample.facts(), True, tables, sample_submission, labels, words)


class _ImageSource:
    """A split with a table and image files."""

    def __init__(self, dataset: Mapping[str, Any], split: str, files: ImageTable, images: ImageDigests):
        self.table = files.table
        self._files, self._images, self._channels = files, images, dataset["channels"]
        self._read: SampleTable = read_sample_table(files.table, columns_of(dataset, split))
        if self._channels:
            _check_braces(self._read)

    def label_cells(self) -> dict[str, str]:
        """See `_Source`."""
        return self._read.label_cells()

    def samples(self, labels: Labels) -> list[Sample]:
        """See `_Source`."""
        rows = self._read.rows(labels)
        paths = [path for row in rows for path in self._files.paths(row.id, self._channels)]
        per_row = max(1, len(self._channels))

        def row_of(number: int) -> str:
            row = rows[number // per_row]
            return f"{self.table}, {self._read.raw.unit} {row.line}: id {row.id!r}"

        contents = self._images.contents(paths, row_of=row_of)
        if self._channels:
            _check_channel_files(self._images, self._files, {row.id for row in rows}, self._channels)
        if per_row == 1:
            return [Sample(row, digest, size) for row, (digest, size) in zip(rows, contents, strict=True)]
        samples = []
        for number, row in enumerate(rows):
            digests, sizes = zip(*contents[number * per_row : (number + 1) * per_row], strict=True)
            samples.append(Sample(row, joint_digest(digests), sum(sizes)))
        return samples


def _check_braces(table: SampleTable) -> None:
    """Refuse ids with `{channel}`, in place of which the paths of the inventory have the name of a channel."""
    wrong = [
        (line, f"id {name!r} has {CHANNEL} in it")
        for line, name in zip(table.raw.lines, table.ids, strict=True)
        if CHANNEL in name
    ]
    if wrong:
        raise table.raw.error(wrong, "rename the samples")


def _check_channel_files(images: ImageDigests, files: ImageTable, ids: set[str], channels: Sequence[str]) -> None:
    """Raise an error for files of a sample whose channel is not in the configuration.

    They are recognized if id and channel are in the file name, with a separator between them.
    """
    folder, name = os.path.split(files.pattern)
    form = re.fullmatch(r"([^{]*)\{(id|channel)\}([^{]+)\{(?!\2)(?:id|channel)\}([^{]*)", name)
    if form is None or "{" in folder:
        return
    before, first, between, after = form.groups()
    folder = storage.join(files.root, folder) if folder else files.root
    unknown = []
    for file in images.file_names(folder):
        if not (file.startswith(before) and file.endswith(after)):
            continue
        middle = file[len(before) : len(file) - len(after)]
        # An id may contain the separator; the name of a channel hardly does.
        left, separator, right = middle.rpartition(between) if first == "id" else middle.partition(between)
        sample, channel = (left, right) if first == "id" else (right, left)
        if separator and sample in ids and channel not in channels:
            unknown.append(f"{folder}/{file}")
    if unknown:
        raise FoldlineError(
            f"{listing(unknown, limit=3)}: not one of dataset.channels ({listing(channels, limit=20)}); add the "
            "channel there (models.NAME.channels chooses the channels that a model reads), or remove the file"
        )


class _RecordSource:
    """A split of TFRecord files, by the ids of its samples; `samples` writes its table if it changed."""

    def __init__(
        self, dataset: Mapping[str, Any], split: str, table: str, cache: Path, *, columns: Columns | None = None
    ):
        # Imported here: without TFRecord files Snakemake's Python needs none of these packages, and starts faster.
        try:
            from foldline.tfrecords.record_index import RecordNames, index_files
            from foldline.tfrecords.record_tables import check_split
        except ImportError as error:
            raise FoldlineError(
                f"dataset.{split}_records: the Python that runs Snakemake needs google-crc32c and pillow to read "
                f"TFRecord files ({error}); install both in the environment of Snakemake"
            ) from error
        self.table = table
        self._dataset, self._columns = dataset, columns or columns_of(dataset, split)
        self._names = RecordNames(
            **vars(self._columns), image=dataset["image_feature"], features=dataset["record_features"]
        )
        self._indexed = index_files(_record_files(dataset, split), self._names, cache=cache)
        check_split(self._indexed)

    def label_cells(self) -> dict[str, str]:
        """See `_Source`."""
        from foldline.tfrecords.record_tables import label_cells

        return label_cells(self._indexed, self._names)

    def samples(self, labels: Labels) -> list[Sample]:
        """See `_Source`."""
        from foldline.tfrecords.channel_join import JoinedRecord, join_channels
        from foldline.tfrecords.record_index import IndexedRecord
        from foldline.tfrecords.record_tables import with_codes, write_split_table

        dataset, root = self._dataset, self._dataset["root"]
        coded = with_codes(self._indexed, self._names, labels)
        in_files = {storage.relative(root, file): content for file, content in coded.items()}
        records: Mapping[str, Sequence[IndexedRecord | JoinedRecord]] = in_files
        if dataset["channels"]:
            records = join_channels(
                in_files,
                channels=dataset["channels"],
                record_name=dataset["record_name"],
                grouped=self._columns.group is not None,
            )
        write_split_table(self.table, records, replace(self._names, labels=labels))
        record_of = {record.id: (record, file) for file, content in records.items() for record in content}
        samples = []
        # Rows come from the table, because the steps read it too.
        for row in read_rows(self.table, replace(self._columns, labels=labels)):
            record, file = record_of[row.id]
            samples.append(Sample(row, record.sha256, record.bytes, file))
        return samples


def write_record_labels(dataset: Mapping[str, Any], split: str, table: str, labels: Labels, *, cache: Path) -> None:
    """Write a table of the ids and labels of the TFRecord files of a split; `cache` is the folder of their index.

    Raises:
        FoldlineError: a TFRecord file cannot be used, or a record has no label that is allowed.
    """
    columns = replace(columns_of(dataset, TRAIN), group=None, metadata=(), labels=labels, separator=",")
    _RecordSource(dataset, split, table, cache, columns=columns).samples(labels)


def _record_files(dataset: Mapping[str, Any], split: str) -> list[str]:
    """Paths or URLs of the TFRecord files of a split, sorted."""
    files: set[str] = set()
    for pattern in record_patterns(dataset, split) or []:
        matches = storage.find_files(dataset["root"], pattern)
        if not matches:
            raise FoldlineError(
                f"dataset.{split}_records: no file matches {storage.join(dataset['root'], pattern)}; correct the "
                "pattern or dataset.root"
            )
        files.update(matches)
    return sorted(files)


def _check_ids_of_splits(splits: Mapping[str, Sequence[Sample]], tables: Mapping[str, str]) -> None:
    line_of = {split: {sample.row.id: sample.row.line for sample in samples} for split, samples in splits.items()}
    for first, second in combinations(splits, 2):
        shared = sorted(line_of[first].keys() & line_of[second].keys())
        if shared:
            where = " and ".join(f"{tables[split]}, line {line_of[split][shared[0]]}" for split in (first, second))
            raise FoldlineError(
                f"{where}: id {listing(shared)} in both the {first} and the {second} table; remove it from one of them"
            )


def _example_is_written(dataset: Mapping[str, Any], pinned: Path) -> bool:
    root = Path(dataset["root"])
    tables = filter(None, (dataset["train_table"], dataset["test_table"], dataset["sample_submission"]))
    if not all((root / table).is_file() for table in tables):
        return False
    with pinned.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    patterns = {split: dataset[f"{split}_images"] for split in ("train", "test")}
    return all((root / patterns[row["split"]].replace("{id}", row["id"])).is_file() for row in rows)


def _pinned_data(dataset: Mapping[str, Any], pinned: Path) -> RawData:
    """The example before it is written, from the table of its rows and digests."""
    with pinned.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        needed = [*dataset["metadata_columns"], *filter(None, [dataset["group_column"]])]
        missing = [name for name in needed if name not in (reader.fieldnames or [])]
        if missing:
            raise FoldlineError(
                f"config: dataset.example is {dataset['example']!r}, which has no column {listing(missing)}; remove it "
                "from dataset.metadata_columns or dataset.group_column"
            )
        splits: dict[str, list[Sample]] = {"train": [], "test": []}
        for line, cells in enumerate(reader, start=2):
            group_column = dataset["group_column"] if cells["split"] == "train" else None
            metadata = tuple(cells[name] for name in dataset["metadata_columns"])
            row = Row(line, cells["id"], cells["target"], cells[group_column or "id"], metadata)
            splits[cells["split"]].append(Sample(row, cells["sha256"], int(cells["bytes"])))
    tables = {split: storage.join(dataset["root"], dataset[f"{split}_table"]) for split in splits}
    submission = [dataset["id_column"], dataset["target_column"], *(sample.row.id for sample in splits["test"])]
    return RawData(splits, submission, False, tables, storage.join(dataset["root"], dataset["sample_submission"]))
