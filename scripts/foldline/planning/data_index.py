"""The data index: what planning needs to know of the data, without reading every row and every file again.

It is one Parquet file (`index_table`). Each file is read once, as long as its size, mtime, ctime and inode, or its
version in a bucket, stay. For tables and image files on a local disk the whole index is valid while the tables, the
image files, their configuration and the code that reads them are unchanged; other data are looked up each time.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from foldline.dataset.class_words import ClassWords
from foldline.errors import Problems
from foldline.images.heic_decoder import decoder_problem
from foldline.io import storage
from foldline.io.files import atomic_write, digest_of, sha256_of_file
from foldline.io.garbage import garbage_search_paused
from foldline.planning.code_digest import code_digest, digest_of_packages
from foldline.planning.data_checks import check_data
from foldline.planning.dataset_section import image_table, is_made_table
from foldline.planning.dataset_splits import TEST, TRAIN, has_test, splits_of
from foldline.planning.embedding_section import check_features, features_in_use
from foldline.planning.equal_files import find_contradictions
from foldline.planning.file_digests import status_of
from foldline.planning.fold_plan import FOLDS, GROUP_LIKE, fold_method, old_table
from foldline.planning.found_folds import find_folds, read_cells, with_connected_groups, without_holdout
from foldline.planning.found_words import with_found_words
from foldline.planning.group_like import group_like
from foldline.planning.index_table import STATUS, Columns, IndexHeader, IndexTable, ShardDigests
from foldline.planning.known_labels import find_known_labels
from foldline.planning.leak_plan import find_confirmed
from foldline.planning.raw_data import RawData, read_raw_data
from foldline.planning.raw_files import RawFiles
from foldline.planning.split_index import RowDigests, SplitIndex
from foldline.splits.folds_config import FILES, GROUPED

# Packages with the code that reads and checks the data, and the step that reads the same tables.
PACKAGES = ("dataset", "images", "io", "models", "planning", "splits", "tfrecords")
READER = Path(__file__).resolve().parents[2] / "scan_images.py"
FILE = "data_index.parquet"


@dataclass(frozen=True)
class DataIndex:
    """What the plan needs to know of the data.

    `tables`, `locations`, `sample_submission`, `written`, `class_words`, `found`, `left_out`, `weights` and `unranged`
    are those of `RawData`.

    Attributes:
        splits: the splits by name.
        submission: digest of `RawData.submission`.
        label_cells: `cells` and `first_number` of `RawData.labels`; empty for binary labels.
        image_mb: see `samples.Samples`, by split.
    """

    splits: dict[str, SplitIndex]
    submission: str
    written: bool
    tables: dict[str, str]
    sample_submission: str
    locations: dict[str, str] = field(default_factory=dict)
    label_cells: dict[str, Any] = field(default_factory=dict)
    class_words: ClassWords | None = None
    found: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    weights: str = ""
    unranged: list[str] = field(default_factory=list)
    image_mb: dict[str, list[float] | None] = field(default_factory=dict)

    @property
    def n_rows(self) -> dict[str, int]:
        """Number of rows of each split."""
        return {name: len(split.image_bytes) for name, split in self.splits.items()}

    @classmethod
    def from_raw_data(cls, data: RawData) -> "DataIndex":
        """Index of data that were read."""
        splits = {name: SplitIndex.from_samples(samples) for name, samples in data.splits.items()}
        return cls(
            splits=splits,
            submission=digest_of(data.submission),
            written=data.written,
            tables=data.tables,
            locations=data.locations,
            sample_submission=data.sample_submission,
            label_cells=data.label_cells,
            class_words=data.class_words,
            found=data.found,
            left_out=data.left_out,
            weights=data.weights,
            unranged=data.unranged,
            image_mb={name: samples.image_mb for name, samples in data.splits.items()},
        )


class DataIndexer:
    """Reads and checks the data, or takes the stored index of them if nothing changed."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        folder: Path,
        pinned: Path | None,
        record_tables: str,
        mirror: str = "",
    ):
        """Prepare to read the data.

        Args:
            config: the completed and checked configuration.
            folder: where the index is stored.
            pinned: see `raw_data.read_raw_data`.
            record_tables: see `raw_data.read_raw_data`.
            mirror: URL of a folder beside results in a bucket that gets a copy of the index, from which a machine
                without an index starts; "" if results are on a disk.
        """
        self._dataset, self._folds, self._leaks = config["dataset"], config["folds"], config["leaks"]
        self._pinned, self._record_tables = pinned, record_tables
        self._path, self._mirror = folder / FILE, storage.join(mirror, FILE) if mirror else ""
        old = old_table(self._folds, self._dataset)
        self._features = features_in_use(config)
        others = (old.path if old else None, self._leaks["confirmed"], self._features)
        # Tables of the user that no split has.
        self._other_tables = [path for path in others if path is not None]
        self._tables = _local_tables(self._dataset, record_tables) if pinned is None else None
        if any(map(storage.is_url, self._other_tables)):
            self._tables = None
        self._sources: dict[str, Any] = {}
        self._stored: IndexTable | None = None
        self._known_digests: dict[str, ShardDigests] = {}
        self._files = RawFiles()
        self._data: RawData | None = None

    def read(self) -> DataIndex:
        """Index of the data.

        Raises:
            FoldlineError: see `raw_data.read_raw_data` and `data_checks.check_data`.
        """
        with garbage_search_paused():
            # Before the rows are read: a table that changes meanwhile makes the index invalid.
            self._sources = self._read_sources()
            files = self._load_files()
            if files is not None and self._is_valid(files):
                self._known_digests = files.header.digests
                return self._index_from(files)
            self._stored = IndexTable.load(self._path) if files is not None else None
            self._files = RawFiles(self._stored)
            return DataIndex.from_raw_data(self._read_rows())

    def store(self, data_index: DataIndex) -> None:
        """Store an index with all shard digests that were computed since it was read."""
        digests = {name: split.known_digests for name, split in data_index.splits.items()}
        with garbage_search_paused():
            if self._data is not None:
                if self._data.written:
                    self._save(self._index_of(self._data, data_index, digests))
            elif self._known_digests != digests and (stored := IndexTable.load(self._path)):
                self._save(IndexTable(replace(stored.header, digests=digests), stored.table))

    def _load_files(self) -> IndexTable | None:
        """What tells whether the index is valid; all other columns are read where they are needed."""
        columns = ("path", "record_length", *STATUS)
        stored = IndexTable.load(self._path, columns)
        if stored is None and self._mirror and storage.is_file(self._mirror):
            with atomic_write(self._path) as handle:
                handle.write(storage.read(self._mirror))
            stored = IndexTable.load(self._path, columns)
        return stored

    def _save(self, index: IndexTable) -> None:
        if self._stored is not None and index.header == self._stored.header and index.table.equals(self._stored.table):
            return
        index.save(self._path)
        if self._mirror:
            storage.write_if_changed(self._mirror, self._path.read_bytes())

    def _index_from(self, stored: IndexTable) -> DataIndex:
        """The index as it was stored."""
        header = stored.header
        return DataIndex(
            splits={name: self._stored_split(stored, name) for name in header.rows},
            submission=header.submission,
            written=True,
            tables=header.tables,
            locations=header.locations,
            sample_submission=header.sample_submission,
            label_cells=header.label_cells,
            class_words=ClassWords(**header.class_words) if header.class_words else None,
            found=header.found,
            left_out=header.left_out,
            weights=header.weights,
            unranged=header.unranged,
            image_mb=header.image_mb,
        )

    def _stored_split(self, stored: IndexTable, name: str) -> SplitIndex:
        count = stored.header.rows[name]
        per_row = max(1, stored.header.images[name] // max(1, count))
        sizes = array("q", stored.split(name).image_sizes())
        if per_row > 1:
            sizes = array("q", (sum(sizes[first : first + per_row]) for first in range(0, len(sizes), per_row)))

        def rows() -> RowDigests:
            of_rows = IndexTable.load(self._path, ("id", "row_digest"))
            if of_rows is None or of_rows.header != stored.header:
                # It was damaged or replaced meanwhile.
                return RowDigests.of(self._read_rows().splits[name])
            images = of_rows.split(name)
            return RowDigests(images.values("id")[::per_row], images.values("row_digest")[::per_row])

        return SplitIndex(sizes, rows, dict(stored.header.digests[name]))

    def _is_valid(self, stored: IndexTable) -> bool:
        if self._tables is None or stored.header.sources != self._sources:
            return False
        header = stored.header
        if any(status_of(path) != (before and tuple(before)) for path, before in header.folders.items()):
            return False
        if any(not Path(path).is_file() or sha256_of_file(path) != digest for path, digest in header.made.items()):
            return False
        return stored.images_of_rows().images_are_unchanged()

    def _read_rows(self) -> RawData:
        if self._data is None:
            try:
                self._data = read_raw_data(
                    self._dataset,
                    files=self._files,
                    pinned=self._pinned,
                    record_tables=self._record_tables,
                    check=self._check,
                )
            except BaseException:
                self._store_files()
                raise
        return self._data

    def _check(self, data: RawData) -> dict[str, Any]:
        """Check the rows; gives what they say of folds."""
        dataset, found, problems = with_found_words(self._dataset, data.found), dict[str, Any](), Problems()
        pairs = dict[str, Any]()
        with problems.collected():
            check_features(self._features, data)
        with problems.collected():
            # Before rows of the holdout are left out.
            pairs = find_contradictions(self._leaks, data, dataset)
        # Periods need no groups of each label.
        count = self._folds["count"] if fold_method(self._folds) in (GROUPED, FILES) else None
        with problems.collected():
            if TRAIN in data.splits or (TRAIN in data.tables and not is_made_table(dataset, TRAIN)):
                cells = read_cells(self._folds, dataset, data.tables)
                # Nothing of these can be checked with wrong groups.
                data = without_holdout(with_connected_groups(data, dataset, cells), self._folds, cells, dataset)
                with problems.collected():
                    check_data(dataset, data, fold_count=count, stratify_by=self._folds["stratify_by"])
                if TRAIN in data.splits:
                    found = find_folds(self._folds, dataset, data, cells)
                    if suspects := group_like(dataset, data):
                        found[GROUP_LIKE] = suspects
            else:
                check_data(dataset, data, fold_count=count, stratify_by=self._folds["stratify_by"])
        with problems.collected():
            has_rows = TEST in data.splits or (TEST in data.tables and not is_made_table(dataset, TEST))
            if has_rows and data.labels_are_read:
                find_known_labels(dataset, data.tables, labels=data.label_cells, record_tables=self._record_tables)
        with problems.collected():
            pairs |= find_confirmed(self._leaks, data, dataset)
        problems.check()
        return ({FOLDS: found} if found else {}) | pairs

    def _store_files(self) -> None:
        """Store the files that were read before the data turned out to be wrong: they need not be read again."""
        if self._files.changed:
            header = IndexHeader(record_files=self._files.record_files())
            self._save(IndexTable.from_columns(header, self._files.columns_without(())))

    def _index_of(self, data: RawData, data_index: DataIndex, digests: dict[str, ShardDigests]) -> IndexTable:
        parts: list[Columns] = []
        for name, samples in data.splits.items():
            rows, images = data_index.splits[name].rows(), samples.images
            row_digests: Sequence[bytes | None] = rows.digests
            if images["id"] != rows.ids:
                digest_of_row = dict(zip(rows.ids, rows.digests, strict=True))
                row_digests = list(map(digest_of_row.get, images["id"]))
            parts.append({**images, "split": [name] * len(row_digests), "row_digest": row_digests})
        header = IndexHeader(
            sources=self._sources,
            rows={name: len(samples) for name, samples in data.splits.items()},
            images={name: len(part["path"]) for name, part in zip(data.splits, parts, strict=True)},
            digests=digests,
            submission=data_index.submission,
            tables=data_index.tables,
            locations=data_index.locations,
            made=_made_tables(data, self._record_tables),
            folders={path: status and list(status) for path, status in self._files.images.folders.items()},
            sample_submission=data_index.sample_submission,
            label_cells=data_index.label_cells,
            class_words=asdict(data_index.class_words) if data_index.class_words else None,
            found=data_index.found,
            left_out=data_index.left_out,
            weights=data_index.weights,
            unranged=data_index.unranged,
            image_mb=data_index.image_mb,
            record_files=self._files.record_files(),
        )
        return IndexTable.from_columns(header, [*parts, *self._files.columns_without(parts)])

    def _read_sources(self) -> dict[str, Any]:
        """See `index_table.IndexHeader`."""
        if self._tables is None:
            return {}
        paths = [Path(table) for table in (*self._tables, *self._other_tables)]
        return {
            "dataset": digest_of(self._dataset),
            "folds": digest_of([self._folds, self._leaks["confirmed"], self._leaks["contradictory_labels"]]),
            "code": [digest_of_packages(PACKAGES), code_digest(READER)],
            "tables": [status and list(status) for status in map(status_of, paths)],
            "has_heic_decoder": not decoder_problem(),
        }


def _local_tables(dataset: Mapping[str, Any], made: str) -> list[str] | None:
    """The user's own tables and sample submission; None if TFRecord files are read, or if something is not on a disk.

    Args:
        dataset: the section of the configuration.
        made: folder or URL of the tables that Foldline makes.
    """
    files = [image_table(dataset, split) for split in splits_of(dataset)]
    if storage.is_url(made) or any(table is None or table.is_remote for table in files):
        return None
    tables = [table.table for table in files if table is not None and table.table]
    if has_test(dataset) and dataset["sample_submission"] is not None:
        tables.append(storage.join(dataset["root"], dataset["sample_submission"]))
    return None if any(map(storage.is_url, tables)) else tables


def _made_tables(data: RawData, folder: str) -> dict[str, str]:
    """SHA-256 of each table that Foldline made of the data, if they are on a disk; without labels, some are not."""
    tables = [*data.tables.values(), *data.locations.values(), data.sample_submission]
    made = [path for path in dict.fromkeys(tables) if path and not storage.is_url(path)]
    return {path: sha256_of_file(path) for path in made if Path(path).parent == Path(folder) and Path(path).is_file()}
