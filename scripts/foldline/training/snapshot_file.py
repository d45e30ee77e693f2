"""A snapshot of a training in one file: numbers and arrays, with a checksum, and nothing that could run."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from foldline.errors import FoldlineError

# The file: these bytes, the length of the header (8 bytes, little-endian), the header (JSON), the arrays one behind the
# other, and the SHA-256 of all before it.
MAGIC = b"FOLDSNP1"
LENGTH_BYTES, DIGEST_BYTES = 8, hashlib.sha256().digest_size


@dataclass(frozen=True)
class Snapshot:
    """What a training needs to go on as if it had never stopped.

    Attributes:
        facts: values that JSON can hold; numbers come back exactly, infinity too.
        arrays: lists of arrays by name.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, list[np.ndarray]]

    def is_finite(self) -> bool:
        """Whether no array holds NaN or infinity."""
        return all(
            bool(np.isfinite(array).all())
            for arrays in self.arrays.values()
            for array in arrays
            if np.issubdtype(array.dtype, np.inexact)
        )


def blocks_of(snapshot: Snapshot) -> Iterator[bytes | memoryview]:
    """The bytes of a snapshot, block by block."""
    digest = hashlib.sha256()
    for block in _content(snapshot):
        digest.update(block)
        yield block
    yield digest.digest()


def parse_snapshot(path: str, found: bytes) -> Snapshot:
    """The snapshot that some bytes are; its arrays are views of them.

    Args:
        path: what to call them in an error.
        found: the bytes.

    Raises:
        FoldlineError: they are cut or damaged, or no snapshot.
    """
    data = memoryview(found)
    content = data[:-DIGEST_BYTES]
    if content[: len(MAGIC)] != MAGIC or hashlib.sha256(content).digest() != data[-DIGEST_BYTES:]:
        raise FoldlineError(f"{path}: cut or damaged, its checksum does not fit")
    start = len(MAGIC) + LENGTH_BYTES
    place = start + int.from_bytes(content[len(MAGIC) : start], "little")
    header = json.loads(bytes(content[start:place]))
    arrays: dict[str, list[np.ndarray]] = {}
    for name, described in header["arrays"].items():
        arrays[name] = []
        for dtype, shape in described:
            count = int(np.prod(shape, dtype=np.int64))
            arrays[name].append(np.frombuffer(content, dtype, count, place).reshape(shape))
            place += arrays[name][-1].nbytes
    return Snapshot(header["facts"], arrays)


def _content(snapshot: Snapshot) -> Iterator[bytes | memoryview]:
    described = {name: [(array.dtype.str, array.shape) for array in arrays] for name, arrays in snapshot.arrays.items()}
    header = json.dumps({"facts": snapshot.facts, "arrays": described}).encode()
    yield MAGIC + len(header).to_bytes(LENGTH_BYTES, "little") + header
    for arrays in snapshot.arrays.values():
        for array in arrays:
            yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
