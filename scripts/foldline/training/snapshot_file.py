"""A snapshot of a training in one file: numbers and arrays with a checksum, and nothing that could be executed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.errors import FoldlineError

# The file: the magic bytes, the length of the header (8 bytes, little-endian), the header (JSON), the bytes of all
# arrays, and the SHA-256 of everything before it.
MAGIC = b"FOLDSNP1"
LENGTH_BYTES, DIGEST_BYTES = 8, hashlib.sha256().digest_size


@dataclass(frozen=True)
class Snapshot:
    """What a training needs to resume exactly.

    Attributes:
        facts: values that JSON can hold; numbers are restored exactly, including infinity.
        arrays: lists of arrays by name.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, Sequence[npt.NDArray[Any]]]

    def is_finite(self) -> bool:
        """Whether no array holds NaN or infinity."""
        return all(
            bool(np.isfinite(array).all())
            for arrays in self.arrays.values()
            for array in arrays
            if np.issubdtype(array.dtype, np.inexact)
        )


def blocks_of(snapshot: Snapshot) -> Iterator[bytes | memoryview]:
    """The content of a snapshot's file, block by block."""
    digest = hashlib.sha256()
    for block in _blocks_before_digest(snapshot):
        digest.update(block)
        yield block
    yield digest.digest()


def parse_snapshot(path: str, content: bytes) -> Snapshot:
    """Parse the content of a snapshot's file; the arrays are views of it.

    Args:
        path: name of the file for error messages.
        content: its bytes.

    Raises:
        FoldlineError: the file is truncated or corrupt, or no snapshot.
    """
    checked, digest = memoryview(content)[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if checked[: len(MAGIC)] != MAGIC or hashlib.sha256(checked).digest() != digest:
        raise FoldlineError(f"{path}: truncated or corrupt, the checksum does not match")
    start = len(MAGIC) + LENGTH_BYTES
    offset = start + int.from_bytes(checked[len(MAGIC) : start], "little")
    header = json.loads(bytes(checked[start:offset]))
    arrays: dict[str, list[npt.NDArray[Any]]] = {}
    for name, kinds in header["arrays"].items():
        arrays[name] = []
        for dtype, shape in kinds:
            count = int(np.prod(shape, dtype=np.int64))
            arrays[name].append(np.frombuffer(checked, dtype, count, offset).reshape(shape))
            offset += arrays[name][-1].nbytes
    return Snapshot(header["facts"], arrays)


def _blocks_before_digest(snapshot: Snapshot) -> Iterator[bytes | memoryview]:
    kinds = {name: [(array.dtype.str, array.shape) for array in arrays] for name, arrays in snapshot.arrays.items()}
    header = json.dumps({"facts": snapshot.facts, "arrays": kinds}).encode()
    yield MAGIC + len(header).to_bytes(LENGTH_BYTES, "little") + header
    for arrays in snapshot.arrays.values():
        for array in arrays:
            yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
