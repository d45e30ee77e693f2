"""The raw tables and images as the process that builds the DAG sees them: rows, content digests, sizes.

Images are looked at by `stat`; their digests are cached by path, size and mtime, so that only new or touched files are
read. Jobs never come here.
"""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, listing
from foldline.files import sha256_of_file, written_whole
from foldline.rows import Columns, Row, read_rows

READERS = 8


@dataclass(frozen=True)
class Sample:
    """A row of a table with what is known of its image.

    Attributes:
        row: the row.
        sha256: digest of the image file's bytes.
        bytes: size of the image file.
    """

    row: Row
    sha256: str
    bytes: int

    def facts(self) -> list[str]:
        """All that a result may depend on; the line number is not among it."""
        return [self.row.id, self.row.target, self.row.group, *self.row.metadata, self.sha256]


@dataclass(frozen=True)
class RawData:
    """The data set.

    Attributes:
        parts: samples of "train" and "test", in the order of the tables.
        submission: header and ids of the sample submission, as one list of texts.
        written: False when the example still has to be written.
    """

    parts: dict[str, list[Sample]]
    submission: list[str]
    written: bool


def columns_of(dataset: Mapping[str, Any], part: str) -> Columns:
    """Columns of the train or test table by the `dataset` section of the configuration."""
    labelled = part == "train"
    return Columns(
        id=dataset["id_column"],
        target=dataset["target_column"] if labelled else None,
        group=dataset["group_column"] if labelled else None,
        metadata=tuple(dataset["metadata_columns"]),
    )


def read_raw_data(dataset: Mapping[str, Any], *, cache: Path, pinned: Path | None) -> RawData:
    """Read and check the tables, and digest the images.

    Args:
        dataset: the `dataset` section of the configuration.
        cache: file of known image digests, read and brought up to date.
        pinned: table of the example's rows and digests, taken while the example is not (or not wholly) on disk; None
            for the user's own data.

    Raises:
        FoldlineError: a table is absent or wrong, an image is absent, an id is both in train and test, or the sample
            submission does not fit the test table.
    """
    root = Path(dataset["root"])
    if pinned is not None and not _is_whole(dataset, root, pinned):
        return _read_pinned(dataset, pinned)
    digests = DigestCache(cache)
    parts = {}
    for part in ("train", "test"):
        table = root / dataset[f"{part}_table"]
        rows = read_rows(table, columns_of(dataset, part))
        paths = [root / dataset[f"{part}_images"].replace("{id}", row.id) for row in rows]
        known = digests.of(paths, where=[f"{table}, line {row.line}: id {row.id!r}" for row in rows])
        parts[part] = [Sample(row, sha256, size) for row, (sha256, size) in zip(rows, known, strict=True)]
    digests.save()
    _refuse_shared_ids(parts)
    submission = _read_submission(root / dataset["sample_submission"], dataset, [s.row.id for s in parts["test"]])
    return RawData(parts, submission, written=True)


class DigestCache:
    """Digests of files by path, size and mtime, kept in a tab-separated file."""

    def __init__(self, path: Path):
        self._path = path
        self._known: dict[str, tuple[int, int, str]] = {}
        self._changed = False
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, size, mtime, sha256 = line.split("\t")
                self._known[name] = (int(size), int(mtime), sha256)

    def of(self, paths: Sequence[Path], *, where: Sequence[str]) -> list[tuple[str, int]]:
        """SHA-256 and size of each file; unknown or changed ones are read.

        Args:
            paths: the files.
            where: for each file, what to call its row in an error.

        Raises:
            FoldlineError: files are absent; the message names the first ones and how many there are.
        """
        stats = [_stat(path) for path in paths]
        absent = [f"{row}: image {path}" for row, path, stat in zip(where, paths, stats, strict=True) if stat is None]
        if absent:
            raise FoldlineError(
                f"{listing(absent, limit=3)} does not exist; put the images there or mend the pattern in the config"
            )
        new = [
            (path, stat)
            for path, stat in zip(paths, stats, strict=True)
            if self._known.get(str(path), (-1, -1))[:2] != (stat.st_size, stat.st_mtime_ns)
        ]
        with ThreadPoolExecutor(READERS) as pool:
            for (path, stat), sha256 in zip(new, pool.map(sha256_of_file, [path for path, _ in new]), strict=True):
                self._known[str(path)] = (stat.st_size, stat.st_mtime_ns, sha256)
                self._changed = True
        return [(self._known[str(path)][2], stat.st_size) for path, stat in zip(paths, stats, strict=True)]

    def save(self) -> None:
        """Write the cache if it learned something."""
        if self._changed:
            with written_whole(self._path, mode="w", encoding="utf-8") as handle:
                for name, (size, mtime, sha256) in self._known.items():
                    handle.write(f"{name}\t{size}\t{mtime}\t{sha256}\n")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _refuse_shared_ids(parts: Mapping[str, Sequence[Sample]]) -> None:
    shared = sorted({s.row.id for s in parts["train"]} & {s.row.id for s in parts["test"]})
    if shared:
        raise FoldlineError(
            f"ids {listing(shared)} stand in the train and in the test table; each sample is one of them"
        )


def _read_submission(path: Path, dataset: Mapping[str, Any], test_ids: Iterable[str]) -> list[str]:
    if not path.is_file():
        raise FoldlineError(f"{path}: no such table; dataset.sample_submission gives the form of the submission")
    with path.open(newline="", encoding="utf-8-sig") as handle:
        header, *lines = list(csv.reader(handle)) or [[]]
    wanted = {dataset["id_column"], dataset["target_column"]}
    if set(header) != wanted or len(header) != 2:
        raise FoldlineError(
            f"{path}: columns {listing(header)}; a submission has the columns {listing(sorted(wanted))}"
        )
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
    tables = (dataset["train_table"], dataset["test_table"], dataset["sample_submission"])
    if not all((root / table).is_file() for table in tables):
        return False
    with pinned.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    patterns = {part: dataset[f"{part}_images"] for part in ("train", "test")}
    return all((root / patterns[row["part"]].replace("{id}", row["id"])).is_file() for row in rows)


def _read_pinned(dataset: Mapping[str, Any], pinned: Path) -> RawData:
    parts: dict[str, list[Sample]] = {"train": [], "test": []}
    extra = [*dataset["metadata_columns"], *filter(None, [dataset["group_column"]])]
    with pinned.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        for line, cells in enumerate(reader, start=2):
            absent = [name for name in extra if name not in cells]
            if absent:
                raise FoldlineError(f"config: the example {dataset['example']} has no column {listing(absent)}")
            metadata = tuple(cells[name] for name in dataset["metadata_columns"])
            grouped = dataset["group_column"] and cells["part"] == "train"
            row = Row(line, cells["id"], cells["target"], cells[dataset["group_column"] if grouped else "id"], metadata)
            parts[cells["part"]].append(Sample(row, cells["sha256"], int(cells["bytes"])))
    header = [dataset["id_column"], dataset["target_column"]]
    return RawData(parts, [*header, *(sample.row.id for sample in parts["test"])], written=False)
