"""What the plan needs to know of the data, kept so that a million rows that did not change are not read one by one.

The index is valid while tables, image files (size and mtime), their configuration and the code that reads them are
unchanged. It covers tables and image files on a local disk; data in a bucket or in TFRecord files are read each time.
"""

import json
import os
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foldline.dataset.channels import image_paths
from foldline.dataset.id_hash import shard_index, shard_name
from foldline.io import storage
from foldline.io.files import atomic_write, digest_of
from foldline.planning.code_digest import code_digest
from foldline.planning.config_checks import check_data
from foldline.planning.image_digests import DigestCache
from foldline.planning.raw_data import RawData, Sample, read_raw_data, table_and_images

# A step that reads the same tables with the same library.
READER = Path(__file__).resolve().parents[2] / "scan_images.py"


@dataclass
class SplitIndex:
    """A split of the data, by what was asked of its rows; they are read where something new is asked.

    Attributes:
        image_bytes: bytes of the images of each row together.
        samples: gives the rows.
        shards: answers of `cut`, by question.
    """

    image_bytes: array
    samples: Callable[[], Sequence[Sample]]
    shards: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> "SplitIndex":
        """The split that has these rows."""
        return cls(array("q", (sample.bytes for sample in samples)), lambda: samples)

    def cut(self, count: int, *, with_files: bool = False) -> dict[str, str]:
        """Digest of all facts of the rows of each of `count` shards, by its name, in order; empty ones are left out.

        With `with_files` the record file of a sample is one of its facts: it decides the fold.
        """
        question = f"{count}{' with files' if with_files else ''}"
        if question not in self.shards:
            facts: dict[int, list[list[str]]] = {}
            for sample in self.samples():
                told = [*sample.facts(), sample.file] if with_files else sample.facts()
                facts.setdefault(shard_index(sample.row.id, count), []).append(told)
            self.shards[question] = {
                shard_name(index, count): digest_of(sorted(facts[index])) for index in sorted(facts)
            }
        return self.shards[question]


@dataclass(frozen=True)
class DataIndex:
    """The data as the plan sees them; `tables`, `sample_submission` and `written` are those of `RawData`.

    Attributes:
        splits: the splits by name.
        submission: digest of `RawData.submission`.
    """

    splits: dict[str, SplitIndex]
    submission: str
    written: bool
    tables: dict[str, str]
    sample_submission: str

    @classmethod
    def of(cls, data: RawData) -> "DataIndex":
        """The data_index of data that were read."""
        splits = {name: SplitIndex.of(samples) for name, samples in data.splits.items()}
        return cls(splits, digest_of(data.submission), data.written, data.tables, data.sample_submission)


@dataclass(frozen=True)
class _Kept:
    """A data_index in its file: a line of JSON, the paths of all image files, and their sizes and mtimes in turn.

    Attributes:
        told: what the line of JSON tells.
        paths: the image files, those of a row together, split by split.
        stats: size in bytes and mtime in ns of each.
    """

    told: dict[str, Any]
    paths: list[str]
    stats: array

    @classmethod
    def load(cls, path: Path) -> "_Kept | None":
        """Read the file; None where there is none."""
        if not path.is_file():
            return None
        with path.open("rb") as handle:
            told = json.loads(handle.readline())
            paths = os.fsdecode(handle.read(told["path_bytes"])).split("\0")
            stats = array("q")
            stats.frombytes(handle.read())
        return cls(told, paths, stats)

    def save(self, path: Path) -> None:
        """Write the file."""
        paths = os.fsencode("\0".join(self.paths))
        with atomic_write(path) as handle:
            handle.write(json.dumps({**self.told, "path_bytes": len(paths)}).encode() + b"\n")
            handle.write(paths)
            handle.write(self.stats.tobytes())

    def is_unchanged(self) -> bool:
        """Whether all image files are as they were."""
        stat, found = os.stat, array("q")
        try:
            for path in self.paths:
                facts = stat(path)
                found.append(facts.st_size)
                found.append(facts.st_mtime_ns)
        except OSError:
            return False
        return found == self.stats

    def image_bytes(self, start: int, rows: int, files: int) -> array:
        """Bytes of the images of each of some rows together, the first one's files beginning at file `start`."""
        sizes = self.stats[2 * start : 2 * (start + rows * files) : 2]
        return sizes if files == 1 else array("q", (sum(sizes[row * files : (row + 1) * files]) for row in range(rows)))


class DataIndexer:
    """Reads and checks the data, or takes the data_index that was kept of them."""

    def __init__(self, config: Mapping[str, Any], *, folder: Path, pinned: Path | None, record_tables: str):
        """Say what is to be read.

        Args:
            config: the configuration, completed and checked.
            folder: where the data_index and the digests of images are kept.
            pinned: see `raw_data.read_raw_data`.
            record_tables: see `raw_data.read_raw_data`.
        """
        self._config, self._dataset, self._pinned = config, config["dataset"], pinned
        self._record_tables = record_tables
        self._file, self._digests = folder / "data_index", folder / "image_digests.tsv"
        self._splits = ["train", "test", *(["external"] if self._dataset["external"] else [])]
        self._kept: _Kept | None = None
        self._data: RawData | None = None
        self._before: dict[str, Any] = {}

    def read(self) -> DataIndex:
        """The index of the data.

        Raises:
            FoldlineError: as `read_raw_data` and `check_data`.
        """
        if not self._is_local():
            return DataIndex.of(self._read())
        self._before = self._asked()
        kept = _Kept.load(self._file)
        if kept is None or kept.told["asked"] != self._before or not kept.is_unchanged():
            return DataIndex.of(self._read())
        self._kept = kept
        told, files, start, splits = kept.told, self._files_of_a_row(), 0, {}
        for name in self._splits:
            rows = told["rows"][name]
            samples = lambda name=name: self._read().splits[name]  # noqa: E731
            splits[name] = SplitIndex(kept.image_bytes(start, rows, files), samples, dict(told["shards"][name]))
            start += rows * files
        return DataIndex(splits, told["submission"], True, told["tables"], told["sample_submission"])

    def keep(self, data_index: DataIndex) -> None:
        """Keep a data_index with all that was asked of it by now."""
        shards = {name: split.shards for name, split in data_index.splits.items()}
        if not self._is_local() or (self._kept is not None and self._kept.told["shards"] == shards):
            return
        if self._kept is not None:
            _Kept({**self._kept.told, "shards": shards}, self._kept.paths, self._kept.stats).save(self._file)
            return
        # As they were when the images were digested: one that changed since is another one the next time.
        digested = DigestCache(self._digests)
        paths = [path for name in self._splits for path in self._paths(name, data_index.splits[name].samples())]
        stats = array("q", (fact for path in paths for fact in digested.stamp(path)))
        told = {
            "asked": self._before,
            "shards": shards,
            "submission": data_index.submission,
            "tables": data_index.tables,
        }
        told["rows"] = {name: len(split.image_bytes) for name, split in data_index.splits.items()}
        _Kept(told | {"sample_submission": data_index.sample_submission}, paths, stats).save(self._file)

    def _read(self) -> RawData:
        if self._data is None:
            self._data = read_raw_data(
                self._dataset, cache=self._digests, pinned=self._pinned, record_tables=self._record_tables
            )
            check_data(self._config, self._data)
        return self._data

    def _is_local(self) -> bool:
        """Whether all data are tables and image files of the user's on a disk, with a sample submission."""
        if self._pinned is not None or self._dataset["sample_submission"] is None:
            return False
        named = [*(place for split in self._splits for place in table_and_images(self._dataset, split))]
        named.append(self._dataset["sample_submission"])
        return all(place and not storage.is_url(storage.join(self._dataset["root"], place)) for place in named)

    def _asked(self) -> dict[str, Any]:
        """All that the data_index depends on but the images, in values that JSON can hold."""
        named = [table_and_images(self._dataset, split)[0] for split in self._splits]
        named.append(self._dataset["sample_submission"])
        if self._dataset["channels"]:
            # A file of a channel that is not known may have come.
            named += [str(Path(table_and_images(self._dataset, split)[1]).parent) for split in self._splits]
        files = [Path(storage.join(self._dataset["root"], name)) for name in named]
        stats = [(file.stat() if file.exists() else None) for file in files]
        return {
            "dataset": digest_of(self._dataset),
            "folds": digest_of(self._config["folds"]),
            "code": [code_digest(Path(__file__)), code_digest(READER)],
            "tables": [found and [found.st_size, found.st_mtime_ns] for found in stats],
        }

    def _files_of_a_row(self) -> int:
        return max(1, len(self._dataset["channels"]))

    def _paths(self, split: str, samples: Sequence[Sample]) -> list[str]:
        pattern = storage.join(self._dataset["root"], table_and_images(self._dataset, split)[1])
        channels = self._dataset["channels"]
        return [path for sample in samples for path in image_paths(pattern.replace("{id}", sample.row.id), channels)]
