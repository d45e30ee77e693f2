"""Images in HDF5 files by their paths, FILE::KEY, and their bytes by their place in the file.

Standard library only: what reads a range of bytes needs no HDF5 library, and any number of processes can do it.
"""

import errno
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from foldline.io import storage

_FORM = re.compile(r"(.+?\.(?:hdf5|h5))::(.*)", re.DOTALL | re.IGNORECASE)
# One search for it tells that a path is that of a file, which most are.
_HINT = "5::"
BLOCK_BYTES = 1 << 24


class Entry(NamedTuple):
    """An image in an HDF5 file.

    Attributes:
        file: path of the file.
        key: path of the image in the file.
    """

    file: str
    key: str


class Place(NamedTuple):
    """Where the bytes of an image are in a file.

    Attributes:
        offset: of the first byte from the start of the file.
        length: in bytes.
    """

    offset: int
    length: int


def split_entry(path: str) -> Entry | None:
    """The file and the key of a path FILE::KEY; None for the path of a file."""
    match = _FORM.fullmatch(path) if _HINT in path else None
    return match and Entry(*match.groups())


def file_of(path: str | Path) -> str | Path:
    """The file that holds an image: that of an entry, or the path itself."""
    entry = split_entry(path) if isinstance(path, str) else None
    return entry.file if entry else path


def located(path: str, place: Place | None) -> str:
    """Path and place of an image, in the form of `tfrecords.record_location`; the path of an image file stays."""
    return path if place is None else f"{path}#{place.offset}+{place.length}"


def read_place(file: str, place: Place) -> bytes:
    """Read the bytes of an entry.

    Raises:
        OSError: the file cannot be read, or ends before.
    """
    data = storage.read_range(file, place.offset, place.offset + place.length)
    if len(data) != place.length:
        raise OSError(errno.EINVAL, "the file is truncated, or was replaced", file)
    return data


def sha256_of_place(file: str, place: Place) -> str:
    """Hex SHA-256 of the bytes of an entry, which are not held in memory.

    Raises:
        OSError: the file cannot be read, or ends before.
    """
    digest = hashlib.sha256()
    for start in range(0, place.length, BLOCK_BYTES):
        digest.update(read_place(file, Place(place.offset + start, min(BLOCK_BYTES, place.length - start))))
    return digest.hexdigest()
