"""The raw tables and images as the process that builds the DAG reads them: rows, content digests, sizes.

Ready-made TFRecord files are read once, recognized by their version afterwards, and listed in a table like that of
image files. Jobs do not use this module.
"""

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from foldline.dataset.channels import image_paths, joint_digest
from foldline.dataset.sample_table import Row, read_rows
from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.planning.dataset_section import ImageTable, columns_of, image_table, record_patterns, splits_of
from foldline.planning.image_digests import BucketListings, DigestCache, ImageDigests
from foldline.planning.sample_submission import read_sample_submission, write_sample_submission

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
        submission: header and ids of the sample submission in one list of texts.
        written: False while the example still has to be written.
        tables: the table of each split that the steps read: the user's own, or the one made from TFRecord files.
        sample_submission: the sample submission: the user's own, or the one made from the test rows.
    """

    splits: dict[str, list[Sample]]
    submission: list[str]
    written: bool
    tables: dict[str, str] = field(default_factory=dict)
    sample_submission: str = ""


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
    splits, tables = {}, {}
    digests, listings = DigestCache(cache), BucketListings()
    for split in splits_of(dataset):
        files = image_table(dataset, split)
        if files is None:
            tables[split] = storage.join(record_tables, f"{split}.csv")
            splits[split] = _record_samples(dataset, split, tables[split], cache.parent / "records")
        else:
            tables[split] = files.table
            images = listings if storage.is_url(files.images) else digests
            splits[split] = _image_samples(dataset, split, files, images)
    digests.save()
    _check_ids_of_splits(splits, tables)
    test_ids = [sample.row.id for sample in splits["test"]]
    if dataset["sample_submission"] is None:
        sample_submission = storage.join(record_tables, "sample_submission.csv")
        write_sample_submission(sample_submission, dataset, test_ids)
    else:
        sample_submission = storage.join(dataset["root"], dataset["sample_submission"])
    submission = read_sample_submission(sample_submission, dataset, test_ids)
    return RawData(splits, submission, True, tables, sample_submission)


def _image_samples(dataset: Mapping[str, Any], split: str, files: ImageTable, images: ImageDigests) -> list[Sample]:
    """Samples of a split with a table and image files."""
    channels = dataset["channels"]
    rows = read_rows(files.table, columns_of(dataset, split))
    paths = [path for row in rows for path in image_paths(files.images.replace("{id}", row.id), channels)]
    per_row = max(1, len(channels))

    def row_of(number: int) -> str:
        row = rows[number // per_row]
        return f"{files.table}, line {row.line}: id {row.id!r}"

    contents = images.contents(paths, row_of=row_of)
    if channels:
        _check_channel_files(images, files.images, {row.id for row in rows}, channels)
    if per_row == 1:
        return [Sample(row, digest, size) for row, (digest, size) in zip(rows, contents, strict=True)]
    samples = []
    for number, row in enumerate(rows):
        digests, sizes = zip(*contents[number * per_row : (number + 1) * per_row], strict=True)
        samples.append(Sample(row, joint_digest(digests), sum(sizes)))
    return samples


def _check_channel_files(images: ImageDigests, pattern: str, ids: set[str], channels: Sequence[str]) -> None:
    """Raise an error for files of a sample whose channel is not in the configuration.

    They are recognized if id and channel are in the file name, with a separator between them.
    """
    folder, name = os.path.split(pattern)
    form = re.fullmatch(r"([^{]*)\{(id|channel)\}([^{]+)\{(?!\2)(?:id|channel)\}([^{]*)", name)
    if form is None or "{" in folder:
        return
    before, first, between, after = form.groups()
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


def _record_samples(dataset: Mapping[str, Any], split: str, table: str, cache: Path) -> list[Sample]:
    """Samples of a split of TFRecord files, by their ids; their table is written if it changed."""
    # Imported here: without TFRecord files Snakemake's Python needs none of these packages, and starts faster.
    try:
        from foldline.tfrecords.channel_join import JoinedRecord, join_channels
        from foldline.tfrecords.record_index import IndexedRecord, RecordNames, index_files
        from foldline.tfrecords.record_tables import check_split, write_split_table
    except ImportError as error:
        raise FoldlineError(
            f"dataset.{split}_records: the Python that runs Snakemake needs google-crc32c and pillow to read TFRecord "
            f"files ({error}); install both in the environment of Snakemake"
        ) from error
    columns = columns_of(dataset, split)
    names = RecordNames(**vars(columns), image=dataset["image_feature"], features=dataset["record_features"])
    indexed = index_files(_record_files(dataset, split), names, cache=cache)
    check_split(indexed)
    in_files = {storage.relative(dataset["root"], file): content for file, content in indexed.items()}
    records: Mapping[str, Sequence[IndexedRecord | JoinedRecord]] = in_files
    if dataset["channels"]:
        records = join_channels(
            in_files,
            channels=dataset["channels"],
            record_name=dataset["record_name"],
            grouped=columns.group is not None,
        )
    write_split_table(table, records, names)
    record_of = {record.id: (record, file) for file, content in records.items() for record in content}
    samples = []
    # Rows come from the table, because the steps read it too.
    for row in read_rows(table, columns):
        record, file = record_of[row.id]
        samples.append(Sample(row, record.sha256, record.bytes, file))
    return samples


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
