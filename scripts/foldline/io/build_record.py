"""The record of a finished job: the key from which it was built, and the size and checksum of each of its outputs.

The record is the output `built` of a job, written after all others. A planning command compares it with the current key
of the job and with the outputs as they are now, so that damaged or edited results are noticed.
"""

import base64
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foldline.io.files import BLOCK_BYTES, atomic_write, open_file

# Snakemake touches the outputs of a job shortly after the job wrote its record.
TOUCHED_WITHIN = 60 * 1_000_000_000


def md5_of_file(path: str | Path) -> str:
    """MD5 of the bytes of a file in base64, as buckets list it; it recognizes damage and edits, not attacks."""
    digest = hashlib.md5(usedforsecurity=False)
    with open_file(path) as handle:
        while block := handle.read(BLOCK_BYTES):
            digest.update(block)
    return base64.b64encode(digest.digest()).decode()


@dataclass(frozen=True)
class BuildRecord:
    """What a job built.

    Attributes:
        key: key of the job.
        outputs: size in bytes and MD5 (`md5_of_file`) of each output, by its file name.
        inodes: inode of each output on the disk where it was written; empty if it was uploaded to a bucket.
        finished_ns: time of the record in ns since 1970; 0 if the outputs were uploaded to a bucket.
    """

    key: str
    outputs: Mapping[str, tuple[int, str]]
    inodes: Mapping[str, int] = field(default_factory=dict)
    finished_ns: int = 0

    @classmethod
    def of_files(cls, key: str, outputs: Sequence[Path], *, on_disk: bool) -> "BuildRecord":
        """Record outputs as they are now.

        Args:
            key: key of the job.
            outputs: the outputs without the record; no two have one file name.
            on_disk: whether the files stay where they are; otherwise they are uploaded to a bucket.
        """
        contents = {path.name: (path.stat().st_size, md5_of_file(path)) for path in outputs}
        if not on_disk:
            return cls(key, contents)
        return cls(key, contents, {path.name: path.stat().st_ino for path in outputs}, time.time_ns())

    @classmethod
    def read(cls, path: Path) -> "BuildRecord | None":
        """Read a record; None if there is no file, or one that `write` did not write."""
        try:
            return cls.parse(path.read_bytes())
        except OSError:
            return None

    @classmethod
    def parse(cls, content: bytes) -> "BuildRecord | None":
        """Parse the content of a record; None if `write` did not write it."""
        try:
            first, *rest = content.splitlines()
            what, where = json.loads(first), json.loads(rest[0]) if rest else {}
            outputs = {name: (int(size), str(md5)) for name, (size, md5) in what["outputs"].items()}
            return cls(what["key"], outputs, where.get("inodes", {}), where.get("finished_ns", 0))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def is_of(self, key: str, outputs: Sequence[Path]) -> bool:
        """Whether this is the record of a key, and of files with these names."""
        return self.key == key and self.outputs.keys() == {path.name for path in outputs}

    def is_untouched(self, name: str, *, inode: int, ctime_ns: int, recorded_ns: int) -> bool:
        """Whether neither an output nor this record was written, touched or copied since the job ended.

        Args:
            name: file name of the output.
            inode: of the output.
            ctime_ns: of the output.
            recorded_ns: ctime of the record.
        """
        return self.inodes.get(name) == inode and ctime_ns <= recorded_ns <= self.finished_ns + TOUCHED_WITHIN

    def difference(self, path: Path, *, recorded_ns: int) -> str:
        """What tells an output from the one that the job wrote; "" if nothing does, or the record does not list it.

        Args:
            path: the output, on the disk where it was written.
            recorded_ns: ctime of the record.

        Raises:
            OSError: the output does not exist or cannot be read.
        """
        if path.name not in self.outputs:
            return ""
        size, md5 = self.outputs[path.name]
        status = path.stat()
        if status.st_size != size:
            return f"{path} has {status.st_size} bytes, but its job wrote {size}"
        untouched = self.is_untouched(
            path.name, inode=status.st_ino, ctime_ns=status.st_ctime_ns, recorded_ns=recorded_ns
        )
        if untouched or md5_of_file(path) == md5:
            return ""
        return f"{path} is not as its job wrote it (MD5)"

    def text(self) -> str:
        """Text of the record; for equal outputs in a bucket it is equal, so that a listing is enough to compare it."""
        lines: list[dict[str, Any]] = [{"key": self.key, "outputs": self.outputs}]
        if self.finished_ns:
            lines.append({"inodes": self.inodes, "finished_ns": self.finished_ns})
        return "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in lines)

    def write(self, path: str | Path) -> None:
        """Write the record."""
        with atomic_write(path, mode="w", encoding="utf-8") as handle:
            handle.write(self.text())
