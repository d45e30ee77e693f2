"""TFRecord files that are compressed as a whole, by gzip or zlib, as TensorFlow writes and reads them.

Their records can only be read from the start of the file. So a step copies the records that it needs to a temporary
file, from which workers read them like any others.
"""

import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.io.hdf5_paths import split_entry
from foldline.io.system_errors import system_error
from foldline.tfrecords.record_files import HEADER_BYTES, Readable, checksum, frame, framed_records
from foldline.tfrecords.record_location import RecordLocation

SIGNATURES = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
# `zlib` finds out by itself whether the stream is of gzip or of zlib.
EITHER = zlib.MAX_WBITS | 32
BLOCK_BYTES = 1 << 18
# Files that are looked at together: a bucket takes its time to answer.
READERS = 8


def is_compressed(header: bytes) -> bool:
    """Whether a file is compressed, by its first `HEADER_BYTES` bytes."""
    # A length may start with the same bytes as a compressed file, but its checksum would not match.
    return header.startswith(SIGNATURES) and checksum(header[:8]) != header[8:]


def framed_records_of(handle: IO[bytes], path: str) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, offset and bytes of each record of a user's file, see `record_files.framed_records`.

    Args:
        handle: the file at byte 0; it may be compressed.
        path: its path or URL, for the error message.

    Raises:
        FoldlineError: the file is truncated or damaged; the message names the byte.
    """

    def broken(number: int, offset: int, problem: str) -> FoldlineError:
        where = " of the decompressed content" if isinstance(content, _Content) else ""
        return FoldlineError(
            f"{path}, record {number} {problem} (it starts at byte {offset}{where}); download the file again"
        )

    header = handle.read(HEADER_BYTES)
    handle.seek(0)
    content: Readable = _Content(handle, path) if is_compressed(header) else handle
    return framed_records(content, broken)


class _Content:
    """The content of a compressed file, read from the start to the end."""

    def __init__(self, handle: IO[bytes], path: str) -> None:
        self._handle, self._path = handle, path
        self._stream = zlib.decompressobj(EITHER)
        self._pending = b""
        self._bytes_read = 0

    def read(self, count: int) -> bytes:
        """Read `count` bytes, or fewer at the end.

        Raises:
            FoldlineError: the file is truncated or damaged.
        """
        parts: list[bytes] = []
        while count > 0 and (part := self._next(count)):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _next(self, count: int) -> bytes:
        """At most `count` of the bytes that follow; none at the end."""
        while True:
            if self._stream.eof and not self._start_next_stream():
                return b""
            # Without new data the stream may still hold some of its content.
            data = self._pending or self._read_block()
            try:
                part = self._stream.decompress(data, count)
            except zlib.error as error:
                raise self._damaged(str(error)) from error
            self._pending = self._stream.unconsumed_tail
            if part:
                return part
            if not data and not self._stream.eof:
                raise self._damaged("it ends too early")

    def _start_next_stream(self) -> bool:
        """Go on with the stream that follows the one that ended; False if there is none, apart from zeros."""
        self._pending = self._stream.unused_data.lstrip(b"\0")
        while not self._pending and (block := self._read_block()):
            self._pending = block.lstrip(b"\0")
        if self._pending:
            self._stream = zlib.decompressobj(EITHER)
        return bool(self._pending)

    def _read_block(self) -> bytes:
        block = self._handle.read(BLOCK_BYTES)
        self._bytes_read += len(block)
        return block

    def _damaged(self, problem: str) -> FoldlineError:
        return FoldlineError(
            f"{self._path}: the compressed file is damaged before byte {self._bytes_read} ({problem}); download the "
            "file again"
        )


@contextmanager
def readable_records(paths: Sequence[Sequence[str]]) -> Iterator[list[tuple[str, ...]]]:
    """Copy records of compressed files to temporary files, as long as the context lasts.

    Args:
        paths: paths of the images of each sample, some of which may be records in files.

    Yields:
        The same paths, with the copies in place of the records of compressed files.

    Raises:
        FoldlineError: a compressed file is damaged, or cannot be read.
    """
    wanted: dict[str, set[RecordLocation]] = {}
    for path in (path for of_sample in paths for path in of_sample):
        location = RecordLocation.parse(path)
        if location is not None and split_entry(location.file) is None:
            wanted.setdefault(location.file, set()).add(location)
    files = sorted(wanted)
    with ThreadPoolExecutor(READERS) as pool:
        compressed = [file for file, found in zip(files, pool.map(_is_compressed_file, files), strict=True) if found]
    with tempfile.TemporaryDirectory(prefix="foldline-") as folder:
        copies: dict[str, str] = {}
        for number, file in enumerate(compressed):
            copies |= _copied(file, wanted[file], Path(folder) / str(number))
        yield [tuple(copies.get(path, path) for path in of_sample) for of_sample in paths]


def _is_compressed_file(file: str) -> bool:
    try:
        return is_compressed(storage.read_range(file, 0, HEADER_BYTES))
    except OSError:
        # Whoever reads its records reports it.
        return False


def _copied(file: str, locations: set[RecordLocation], folder: Path) -> Mapping[str, str]:
    """Location of the copy of each record of a compressed file."""
    lengths = {location.offset: location.length for location in locations}
    copies: dict[str, str] = {}
    folder.mkdir()
    # The name is part of messages about its images.
    path = folder / file.rpartition("/")[2]
    try:
        with storage.open_binary(file) as handle, path.open("wb") as copy:
            for _, offset, data in framed_records_of(handle, file):
                if lengths.get(offset) == len(data):
                    old = RecordLocation(file, offset, len(data))
                    copies[str(old)] = str(RecordLocation(str(path), copy.tell() + HEADER_BYTES, len(data)))
                    copy.write(frame(data))
    except OSError as error:
        raise system_error(error, path=file) from error
    return copies
