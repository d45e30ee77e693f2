"""The raw tables and images as the process that builds the DAG sees them: rows, content digests, sizes.

Ready-made TFRecord files are read once and known by their version, and what is in them becomes a table. Jobs never come
here.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from foldline.dataset.channels import image_paths, joint_digest
from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.dataset.sample_table import Columns, Row, read_rows
from foldline.dataset.submission import LABELS, check_header
from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.planning.image_digests import BucketListings, DigestCache

RECORD_TABLES = "results/raw"


@dataclass(frozen=True)
class Sample:
    """A row of a table with what is known of its images.

    Attributes:
        row: the row.
        content: `channels.joint_digest` of what changes with the images' bytes: their SHA-256, or in a bucket the
            checksums that it keeps.
        bytes: size of the images together.
        file: the TFRecord file that holds it, by its path below the dataset's root; "" for image files.
    """

    row: Row
    content: str
    bytes: int
    file: str = ""

    def facts(self) -> list[str]:
        """All that a result may depend on; line and file, which say only where it stands, are not among it."""
        return [self.row.id, self.row.target, self.row.group, *self.row.metadata, self.content]


@dataclass(frozen=True)
class RawData:
    """The data set.

    Attributes:
        splits: samples of "train", "test" and, where there is one, "external", in the order of the tables.
        submission: header and ids of the sample submission, or of the test table where there is none, as one list of
            texts.
        written: False when the example still has to be written.
        tables: the table of each split that the steps read: the user's own, or the one made of the records.
        sample_submission: the sample submission: the user's own, or the one made of the test rows.
    """

    splits: dict[str, list[Sample]]
    submission: list[str]
    written: bool
    tables: dict[str, str] = field(default_factory=dict)
    sample_submission: str = ""


def columns_of(dataset: Mapping[str, Any], split: str) -> Columns:
    """Columns of the table of a split by the `dataset` section of the configuration."""
    labeled = split != "test"
    return Columns(
        id=dataset["id_column"],
        target=dataset["target_column"] if labeled else None,
        group=dataset["group_column"] if labeled else None,
        metadata=tuple(dataset["metadata_columns"]),
        labels=Labels.from_config(dataset["labels"]) if labeled else BINARY_LABELS,
    )


def class_names_of(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the classes by the `dataset` section of the configuration."""
    return Labels.from_config(dataset["labels"]).class_names(dataset["target_column"])


def submission_columns(dataset: Mapping[str, Any]) -> list[str]:
    """Columns of the submission beside the id by the `dataset` section of the configuration."""
    form, names = dataset["submission"], class_names_of(dataset)
    if form["form"] == LABELS or form["class"] is not None or len(names) == 1:
        return [form["column"] or dataset["target_column"]]
    return names


def read_raw_data(
    dataset: Mapping[str, Any], *, cache: Path, pinned: Path | None, record_tables: str = RECORD_TABLES
) -> RawData:
    """Read and check the tables, and digest the images.

    Args:
        dataset: the `dataset` section of the configuration.
        cache: file of known image digests, read and brought up to date; what is known of TFRecord files stands in
            the folder `records` beside it.
        pinned: table of the example's rows and digests, taken while the example is not (or not wholly) on disk; None
            for the user's own data.
        record_tables: folder or URL of the tables that are made of TFRecord files.

    Raises:
        FoldlineError: a table is absent or wrong, an image is absent, a TFRecord file cannot be used, an id is in two
            splits, or the sample submission does not fit the test table.
    """
    root = dataset["root"]
    if pinned is not None and not _is_whole(dataset, Path(root), pinned):
        return _read_pinned(dataset, pinned)
    digests, listings = DigestCache(cache), BucketListings()
    splits, tables = {}, {}
    for split in ("train", "test", *(["external"] if dataset["external"] else [])):
        patterns = None if split == "external" else dataset[f"{split}_records"]
        if patterns is not None:
            tables[split] = storage.join(record_tables, f"{split}.csv")
            splits[split] = _record_samples(dataset, split, patterns, tables[split], cache.parent / "records")
            continue
        table, images = table_and_images(dataset, split)
        tables[split] = storage.join(root, table)
        pattern = storage.join(root, images)
        look = listings if storage.is_url(pattern) else digests
        splits[split] = _image_samples(tables[split], columns_of(dataset, split), pattern, dataset["channels"], look)
    digests.save()
    _refuse_shared_ids(splits, tables)
    test_ids = [sample.row.id for sample in splits["test"]]
    if dataset["sample_submission"] is None:
        sample = storage.join(record_tables, "sample_submission.csv")
        _write_submission(sample, dataset, test_ids)
    else:
        sample = storage.join(root, dataset["sample_submission"])
    return RawData(splits, _read_submission(sample, dataset, test_ids), True, tables, sample)


def table_and_images(dataset: Mapping[str, Any], split: str) -> tuple[str | None, str | None]:
    """Table and image pattern of a split by the `dataset` section of the configuration; None where it has records."""
    if split == "external":
        return dataset["external"]["table"], dataset["external"]["images"]
    return dataset[f"{split}_table"], dataset[f"{split}_images"]


def _image_samples(
    table: str, columns: Columns, images: str, channels: Sequence[str], look: "DigestCache | BucketListings"
) -> list[Sample]:
    rows = read_rows(table, columns)
    paths = [image_paths(images.replace("{id}", row.id), channels) for row in rows]
    files = max(1, len(channels))

    def where(number: int) -> str:
        row = rows[number // files]
        return f"{table}, line {row.line}: id {row.id!r}"

    known = iter(look.of([path for some in paths for path in some], where=where))
    if channels:
        _refuse_unknown_channels(look, images, {row.id for row in rows}, channels)
    samples = []
    for row, some in zip(rows, paths, strict=True):
        found = [next(known) for _ in some]
        samples.append(Sample(row, joint_digest([content for content, _ in found]), sum(size for _, size in found)))
    return samples


def _refuse_unknown_channels(
    look: "DigestCache | BucketListings", images: str, ids: set[str], channels: Sequence[str]
) -> None:
    """Refuse files of a sample whose channel is not known, where id and channel stand apart in one file name."""
    folder, name = os.path.split(images)
    form = re.fullmatch(r"([^{]*)\{(id|channel)\}([^{]+)\{(?!\2)(?:id|channel)\}([^{]*)", name)
    if form is None or "{" in folder:
        return
    before, first, between, after = form.groups()
    unknown = []
    for file in look.names(folder):
        if not (file.startswith(before) and file.endswith(after)):
            continue
        middle = file[len(before) : len(file) - len(after)]
        # An id may hold what stands between it and the channel; a channel's name hardly does.
        left, found, right = middle.rpartition(between) if first == "id" else middle.partition(between)
        sample, channel = (left, right) if first == "id" else (right, left)
        if found and sample in ids and channel not in channels:
            unknown.append(f"{folder}/{file}")
    if unknown:
        raise FoldlineError(
            f"{listing(unknown, limit=3)}: not one of dataset.channels ({listing(channels, limit=20)}); name the "
            "channel there (models.NAME.channels says which ones a model sees), or take the file away"
        )


def _record_samples(
    dataset: Mapping[str, Any], split: str, patterns: Sequence[str], table: str, cache: Path
) -> list[Sample]:
    """Samples of a split that stands in TFRecord files, by their ids; its table is written when it changed."""
    # Imported here: whoever has image files builds the DAG without these packages, and faster.
    try:
        from foldline.tfrecords.channel_join import join_channels
        from foldline.tfrecords.record_index import RecordNames, check_split, index_files, write_split_table
    except ImportError as error:
        raise FoldlineError(
            f"dataset.{split}_records: the Python that runs Snakemake reads TFRecord files with google-crc32c and "
            f"pillow, which are not both there ({error}); install them beside Snakemake"
        ) from error
    columns = columns_of(dataset, split)
    names = RecordNames(**vars(columns), image=dataset["image_feature"], features=dataset["record_features"])
    files = _record_files(dataset["root"], split, patterns)
    indexed = index_files(files, names, cache=cache)
    check_split(indexed)
    by_name = {storage.relative(dataset["root"], file): records for file, records in indexed.items()}
    if dataset["channels"]:
        by_name = join_channels(
            by_name,
            channels=dataset["channels"],
            record_name=dataset["record_name"],
            grouped=columns.group is not None,
        )
    write_split_table(table, by_name, names)
    known = {record.id: (record, file) for file, records in by_name.items() for record in records}
    # Rows come from the table, so that they are what the steps see.
    found = [(row, *known[row.id]) for row in read_rows(table, columns)]
    return [Sample(row, record.sha256, record.bytes, file) for row, record, file in found]


def _record_files(root: str, split: str, patterns: Sequence[str]) -> list[str]:
    found: set[str] = set()
    for pattern in patterns:
        matches = storage.find_files(root, pattern)
        if not matches:
            raise FoldlineError(
                f"dataset.{split}_records: no file matches {storage.join(root, pattern)}; mend it or dataset.root"
            )
        found.update(matches)
    return sorted(found)


def _refuse_shared_ids(splits: Mapping[str, Sequence[Sample]], tables: Mapping[str, str]) -> None:
    lines = {split: {sample.row.id: sample.row.line for sample in samples} for split, samples in splits.items()}
    for one, other in combinations(splits, 2):
        shared = sorted(lines[one].keys() & lines[other].keys())
        if shared:
            where = " and ".join(f"{tables[split]}, line {lines[split][shared[0]]}" for split in (one, other))
            raise FoldlineError(
                f"ids {listing(shared)} stand in the {one} and in the {other} table ({where}); each sample is in one "
                "of them"
            )


def _write_submission(path: str, dataset: Mapping[str, Any], test_ids: Iterable[str]) -> None:
    """Write a sample submission of the test rows in their order; the file is left alone when nothing changed."""
    columns = submission_columns(dataset)
    lines = [[dataset["id_column"], *columns], *([name, *([0] * len(columns))] for name in test_ids)]
    handle = io.StringIO()
    csv.writer(handle, lineterminator="\n").writerows(lines)
    storage.write_if_changed(path, handle.getvalue().encode())


def _read_submission(path: str, dataset: Mapping[str, Any], test_ids: Iterable[str]) -> list[str]:
    if not storage.is_file(path):
        raise FoldlineError(f"{path}: no such table; dataset.sample_submission gives the form of the submission")
    with storage.open_text(path) as handle:
        header, *lines = list(csv.reader(handle)) or [[]]
    check_header(path, header, id_column=dataset["id_column"], columns=submission_columns(dataset))
    place = header.index(dataset["id_column"])
    ids = [cells[place].strip() for cells in lines if cells]
    if len(set(ids)) < len(ids):
        repeated = sorted(name for name in set(ids) if ids.count(name) > 1)
        raise FoldlineError(f"{path}: id {listing(repeated)} more than once")
    missing, foreign = sorted(set(test_ids) - set(ids)), sorted(set(ids) - set(test_ids))
    if missing or foreign:
        problems = [
            f"{len(names)} ids {what} ({listing(names, limit=3)})"
            for names, what in ((missing, "of the test table are not in it"), (foreign, "are not in the test table"))
            if names
        ]
        raise FoldlineError(f"{path}: {'; '.join(problems)}; both tables must name the same samples")
    return [*header, *ids]


def _is_whole(dataset: Mapping[str, Any], root: Path, pinned: Path) -> bool:
    tables = filter(None, (dataset["train_table"], dataset["test_table"], dataset["sample_submission"]))
    if not all((root / table).is_file() for table in tables):
        return False
    with pinned.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    patterns = {split: dataset[f"{split}_images"] for split in ("train", "test")}
    return all((root / patterns[row["split"]].replace("{id}", row["id"])).is_file() for row in rows)


def _read_pinned(dataset: Mapping[str, Any], pinned: Path) -> RawData:
    splits: dict[str, list[Sample]] = {"train": [], "test": []}
    extra = [*dataset["metadata_columns"], *filter(None, [dataset["group_column"]])]
    with pinned.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        for line, cells in enumerate(reader, start=2):
            absent = [name for name in extra if name not in cells]
            if absent:
                raise FoldlineError(f"config: the example {dataset['example']} has no column {listing(absent)}")
            metadata = tuple(cells[name] for name in dataset["metadata_columns"])
            grouped = dataset["group_column"] and cells["split"] == "train"
            row = Row(line, cells["id"], cells["target"], cells[dataset["group_column"] if grouped else "id"], metadata)
            splits[cells["split"]].append(Sample(row, cells["sha256"], int(cells["bytes"])))
    header = [dataset["id_column"], dataset["target_column"]]
    tables = {split: storage.join(dataset["root"], dataset[f"{split}_table"]) for split in splits}
    submission = [*header, *(sample.row.id for sample in splits["test"])]
    return RawData(splits, submission, False, tables, storage.join(dataset["root"], dataset["sample_submission"]))
