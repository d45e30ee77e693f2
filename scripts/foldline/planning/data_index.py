"""The stored index of tables and image files: what the plan needs to know of the data, without reading every row.

Reading a million rows takes long, so the index is stored. It is valid while the tables, the image files (size, mtime,
ctime and inode), their configuration and the code that reads them are unchanged. It covers tables and image files on a
local disk; data in a bucket or in TFRecord files are read each time.
"""

import json
import os
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from foldline.dataset.class_words import ClassWords
from foldline.dataset.id_hash import shard_index, shard_name
from foldline.dataset.labels import BINARY
from foldline.dataset.rows_digest import rows_digest
from foldline.io import storage
from foldline.io.files import atomic_write, digest_of
from foldline.planning.code_digest import code_digest
from foldline.planning.data_checks import check_data
from foldline.planning.dataset_section import ImageTable, image_table, splits_of
from foldline.planning.file_digests import status_of
from foldline.planning.image_digests import DigestCache
from foldline.planning.raw_data import RawData, Sample, read_raw_data

# The step that reads the same tables with the same library.
READER = Path(__file__).resolve().parents[2] / "scan_images.py"

# Digest of each shard by its name, for each way of sharding, such as "16" or "16 with files".
ShardDigests = dict[str, dict[str, str]]


@dataclass
class SplitIndex:
    """What the plan needs to know of one split; rows are read only for shard digests that are not known yet.

    Attributes:
        image_bytes: (n_rows,), size of the images of each row together.
        load_samples: reads the rows.
        known_digests: the shard digests that are known.
    """

    image_bytes: "array[int]"
    load_samples: Callable[[], Sequence[Sample]]
    known_digests: ShardDigests = field(default_factory=dict)

    @classmethod
    def from_samples(cls, samples: Sequence[Sample]) -> "SplitIndex":
        """Index of the rows of a split."""
        return cls(array("q", (sample.bytes for sample in samples)), lambda: samples)

    def shard_digests(self, count: int, *, with_files: bool = False) -> dict[str, str]:
        """Digests of the rows of each shard by its name, in order; empty shards are left out.

        Args:
            count: number of shards.
            with_files: whether the TFRecord file of a sample counts, because it decides the fold.
        """
        sharding = f"{count}{' with files' if with_files else ''}"
        if sharding not in self.known_digests:
            facts: dict[int, list[list[str]]] = {}
            for sample in self.load_samples():
                row = [*sample.facts(), sample.file] if with_files else sample.facts()
                facts.setdefault(shard_index(sample.row.id, count), []).append(row)
            self.known_digests[sharding] = {
                shard_name(index, count): rows_digest(facts[index]) for index in sorted(facts)
            }
        return self.known_digests[sharding]


@dataclass(frozen=True)
class DataIndex:
    """What the plan needs to know of the data.

    `tables`, `sample_submission`, `written` and `class_words` are those of `RawData`.

    Attributes:
        splits: the splits by name.
        submission: digest of `RawData.submission`.
        label_cells: `cells` and `first_number` of `RawData.labels`; empty for binary labels.
    """

    splits: dict[str, SplitIndex]
    submission: str
    written: bool
    tables: dict[str, str]
    sample_submission: str
    label_cells: dict[str, Any] = field(default_factory=dict)
    class_words: ClassWords | None = None

    @classmethod
    def from_raw_data(cls, data: RawData) -> "DataIndex":
        """Index of data that were read."""
        splits = {name: SplitIndex.from_samples(samples) for name, samples in data.splits.items()}
        labels = data.labels
        cells = {} if labels.kind == BINARY else {"cells": labels.cells, "first_number": labels.first_number}
        return cls(
            splits=splits,
            submission=digest_of(data.submission),
            written=data.written,
            tables=data.tables,
            sample_submission=data.sample_submission,
            label_cells=cells,
            class_words=data.class_words,
        )


@dataclass(frozen=True)
class StoredIndex:
    """A stored index. Its file has one line of JSON, the paths of all image files, and what `stat` says of them.

    Attributes:
        sources: everything that the index depends on apart from the images, in values that JSON can hold.
        rows: number of rows of each split.
        digests: shard digests of each split.
        submission: see `DataIndex`.
        tables: see `DataIndex`.
        sample_submission: see `DataIndex`.
        label_cells: see `DataIndex`.
        class_words: see `DataIndex`, as a mapping.
        paths: (n_files,), the image files, those of a row together, split by split.
        stats: (4 * n_files,), `file_digests.Status` of each file, in turn.
    """

    sources: dict[str, Any]
    rows: dict[str, int]
    digests: dict[str, ShardDigests]
    submission: str
    tables: dict[str, str]
    sample_submission: str
    label_cells: dict[str, Any]
    class_words: dict[str, Any] | None
    paths: list[str]
    stats: "array[int]"

    @classmethod
    def load(cls, path: Path) -> "StoredIndex | None":
        """Read an index; None if there is no file, or one that `save` did not write."""
        if not path.is_file():
            return None
        try:
            with path.open("rb") as handle:
                header = json.loads(handle.readline())
                paths = os.fsdecode(handle.read(header.pop("path_bytes"))).split("\0")
                stats = array("q")
                stats.frombytes(handle.read())
            return cls(**header, paths=paths, stats=stats)
        except (ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write the index."""
        paths = os.fsencode("\0".join(self.paths))
        header = {name: value for name, value in vars(self).items() if name not in ("paths", "stats")}
        with atomic_write(path) as handle:
            handle.write(json.dumps({**header, "path_bytes": len(paths)}).encode() + b"\n")
            handle.write(paths)
            handle.write(self.stats.tobytes())

    def images_are_unchanged(self) -> bool:
        """Whether `stat` says of all image files what it said."""
        stats = array("q")
        for path in self.paths:
            stats.extend(status_of(path) or ())
        return stats == self.stats

    def image_bytes(self, split: str, files_per_row: int) -> "array[int]":
        """Size of the images of each row of a split together, (n_rows,)."""
        splits = list(self.rows)
        start = sum(self.rows[name] for name in splits[: splits.index(split)]) * files_per_row
        sizes = self.stats[4 * start : 4 * (start + self.rows[split] * files_per_row) : 4]
        if files_per_row == 1:
            return sizes
        return array("q", (sum(sizes[first : first + files_per_row]) for first in range(0, len(sizes), files_per_row)))


class DataIndexer:
    """Reads and checks the data, or takes the stored index of them if nothing changed."""

    def __init__(self, config: Mapping[str, Any], *, folder: Path, pinned: Path | None, record_tables: str):
        """Prepare to read the data.

        Args:
            config: the completed and checked configuration.
            folder: where the index and the digests of images are stored.
            pinned: see `raw_data.read_raw_data`.
            record_tables: see `raw_data.read_raw_data`.
        """
        self._dataset, self._folds = config["dataset"], config["folds"]
        self._pinned, self._record_tables = pinned, record_tables
        self._path, self._digests = folder / "data_index", folder / "image_digests"
        self._files = _local_files(self._dataset) if pinned is None else None
        self._sources: dict[str, Any] = {}
        self._stored: StoredIndex | None = None
        self._data: RawData | None = None

    def read(self) -> DataIndex:
        """Index of the data.

        Raises:
            FoldlineError: see `raw_data.read_raw_data` and `data_checks.check_data`.
        """
        if self._files is None:
            return DataIndex.from_raw_data(self._read_rows())
        # Before the rows are read: a table that changes meanwhile makes the index invalid.
        self._sources = self._read_sources(self._files)
        stored = StoredIndex.load(self._path)
        if stored is None or stored.sources != self._sources or not stored.images_are_unchanged():
            return DataIndex.from_raw_data(self._read_rows())
        self._stored = stored
        splits = {name: self._stored_split(stored, name) for name in stored.rows}
        return DataIndex(
            splits=splits,
            submission=stored.submission,
            written=True,
            tables=stored.tables,
            sample_submission=stored.sample_submission,
            label_cells=stored.label_cells,
            class_words=ClassWords(**stored.class_words) if stored.class_words else None,
        )

    def store(self, data_index: DataIndex) -> None:
        """Store an index with all shard digests that were computed since it was read."""
        if self._files is None:
            return
        digests = {name: split.known_digests for name, split in data_index.splits.items()}
        if self._stored is not None:
            if self._stored.digests != digests:
                replace(self._stored, digests=digests).save(self._path)
            return
        # As they were when the images were digested: one that changed since then is noticed next time.
        digested = DigestCache(self._digests)
        paths = [
            path
            for name, split in data_index.splits.items()
            for path in self._paths(self._files[name], split.load_samples())
        ]
        StoredIndex(
            sources=self._sources,
            rows={name: len(split.image_bytes) for name, split in data_index.splits.items()},
            digests=digests,
            submission=data_index.submission,
            tables=data_index.tables,
            sample_submission=data_index.sample_submission,
            label_cells=data_index.label_cells,
            class_words=asdict(data_index.class_words) if data_index.class_words else None,
            paths=paths,
            stats=array("q", (number for path in paths for number in digested.status(path))),
        ).save(self._path)

    def _read_rows(self) -> RawData:
        if self._data is None:
            self._data = read_raw_data(
                self._dataset, cache=self._digests, pinned=self._pinned, record_tables=self._record_tables
            )
            check_data(
                self._dataset,
                self._data,
                fold_count=self._folds["count"],
                stratify_by=self._folds["stratify_by"],
            )
        return self._data

    def _read_sources(self, files: Mapping[str, ImageTable]) -> dict[str, Any]:
        """See `StoredIndex.sources`."""
        paths = [Path(split.table) for split in files.values()]
        paths.append(Path(storage.join(self._dataset["root"], self._dataset["sample_submission"])))
        if self._dataset["channels"]:
            # There may be new files of a channel that is not in the configuration.
            paths += [Path(split.images).parent for split in files.values()]
        return {
            "dataset": digest_of(self._dataset),
            "folds": digest_of(self._folds),
            "code": [code_digest(Path(__file__)), code_digest(READER)],
            "tables": [status and list(status) for status in map(status_of, paths)],
        }

    def _stored_split(self, stored: StoredIndex, split: str) -> SplitIndex:
        files_per_row = max(1, len(self._dataset["channels"]))
        return SplitIndex(
            stored.image_bytes(split, files_per_row),
            lambda: self._read_rows().splits[split],
            dict(stored.digests[split]),
        )

    def _paths(self, files: ImageTable, samples: Sequence[Sample]) -> list[str]:
        """Paths of the images of some rows, in their order."""
        channels = self._dataset["channels"]
        return [path for sample in samples for path in files.paths(sample.row.id, channels)]


def _local_files(dataset: Mapping[str, Any]) -> dict[str, ImageTable] | None:
    """Table and images of each split; None if there are TFRecord files, URLs, or no sample submission."""
    if dataset["sample_submission"] is None:
        return None
    files = {split: image_table(dataset, split) for split in splits_of(dataset)}
    local = {
        split: table
        for split, table in files.items()
        if table is not None and not storage.is_url(table.table) and not storage.is_url(table.images)
    }
    return local if len(local) == len(files) and not storage.is_url(dataset["sample_submission"]) else None
