"""Read and write TFRecord files without TensorFlow.

A record is its length (8 bytes), a checksum of the length, its bytes, and a checksum of them. See
tensorflow.org/tutorials/load_data/tfrecord.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import google_crc32c

from foldline.errors import FoldlineError
from foldline.io.files import atomic_write, open_file

HEADER_BYTES, CHECKSUM_BYTES = 12, 4
# A serialized protobuf message is smaller.
MAX_RECORD_BYTES = 2**31
# A length may be anything: no more than this is allocated for bytes that a file may not have.
READ_BYTES = 16 << 20


class Readable(Protocol):
    """A file, or what stands for one."""

    def read(self, count: int, /) -> bytes:
        """Read `count` bytes, or fewer at the end."""
        ...


# Makes an error from the number of a record, the byte at which it starts, and the problem.
Broken = Callable[[int, int, str], FoldlineError]


@dataclass(frozen=True)
class WrittenFile:
    """A TFRecord file that was just written: number of records, size in bytes, hex SHA-256."""

    records: int
    bytes: int
    sha256: str


def write_records(path: str | Path, records: Iterable[bytes]) -> WrittenFile:
    """Write serialized records as a TFRecord file, which appears when it is complete."""
    count = size = 0
    digest = hashlib.sha256()
    with atomic_write(path) as handle:
        for data in records:
            framed = frame(data)
            handle.write(framed)
            digest.update(framed)
            size += len(framed)
            count += 1
    return WrittenFile(count, size, digest.hexdigest())


def frame(data: bytes) -> bytes:
    """A serialized record as a TFRecord file has it: with its length and both checksums."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, checksum(length), data, checksum(data)))


def read_records(path: str | Path) -> Iterator[bytes]:
    """Yield the serialized records of a TFRecord file.

    Raises:
        FoldlineError: the file is truncated, or a length or a record does not match its checksum.
    """
    with open_file(path) as handle:
        for _, _, data in framed_records(handle, partial(_broken, path)):
            yield data


def framed_records(handle: Readable, broken: Broken) -> Iterator[tuple[int, int, bytes]]:
    """Yield number (from 1), offset in bytes and serialized bytes of each record.

    Args:
        handle: a TFRecord file, at byte 0.
        broken: makes the error from the number of a record, the byte at which it starts, and the problem.
    """
    for number, offset, length in _lengths(handle, broken):
        data = _read(handle, length + CHECKSUM_BYTES)
        if len(data) < length + CHECKSUM_BYTES:
            raise broken(number, offset, "is truncated")
        if checksum(data[:length]) != data[length:]:
            raise broken(number, offset, "does not match its checksum")
        yield number, offset + HEADER_BYTES, data[:length]


def count_records(path: str | Path) -> int:
    """Count the records of a TFRecord file from their lengths; their bytes are not read.

    Raises:
        FoldlineError: the file is truncated, or a length does not match its checksum.
    """
    number = 0
    with open_file(path) as handle:
        size = os.fstat(handle.fileno()).st_size
        for number, offset, length in _lengths(handle, partial(_broken, path)):
            if handle.seek(length + CHECKSUM_BYTES, 1) > size:
                raise _broken(path, number, offset, "is truncated")
    return number


def checksum(data: bytes) -> bytes:
    """Masked CRC-32C, little-endian: the CRC rotated right by 15 bits plus a constant."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _lengths(handle: Readable, broken: Broken) -> Iterator[tuple[int, int, int]]:
    """Yield number (from 1), first byte of its header and length of each record, with the handle behind the header."""
    number = offset = 0
    while header := handle.read(HEADER_BYTES):
        number += 1
        if len(header) < HEADER_BYTES:
            raise broken(number, offset, "is truncated in its header")
        if checksum(header[:8]) != header[8:]:
            raise broken(number, offset, "has a length that does not match its checksum")
        (length,) = struct.unpack("<Q", header[:8])
        if length >= MAX_RECORD_BYTES:
            raise broken(number, offset, f"has a length of {length} bytes, but records are smaller than 2 GiB")
        yield number, offset, length
        offset += HEADER_BYTES + length + CHECKSUM_BYTES


def _read(handle: Readable, count: int) -> bytes:
    """Read `count` bytes, or fewer at the end of the file, in blocks: memory follows the file, not the count."""
    blocks = []
    while count > 0 and (block := handle.read(min(count, READ_BYTES))):
        blocks.append(block)
        count -= len(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _broken(path: str | Path, number: int, offset: int, problem: str) -> FoldlineError:
    return FoldlineError(
        f"{path}: record {number} {problem} (it starts at byte {offset}); remove the file and run the workflow again"
    )
