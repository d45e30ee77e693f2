"""The content of one image on a disk: its checksum, its header, and what is wrong with it."""

import hashlib
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from foldline.images.options import ImageOptions
from foldline.io.files import digest_of, read_file, sha256_of_file
from foldline.io.hdf5_paths import Place, file_of, read_place, sha256_of_place
from foldline.io.system_errors import reason
from foldline.planning.code_digest import code_digest

# The header of a larger file stays unknown here: it would be held in memory for it.
MOST_HEADER_BYTES = 1 << 26


class ImageContent(NamedTuple):
    """What an image file holds.

    Attributes:
        checksum: hex SHA-256 of the file, or the checksum that a bucket tells.
        header_options: `header_options` when the header was read, or None.
        format: see `images.headers.Header`; None if the header is unknown or cannot be used.
        width: pixels, after EXIF orientation, or None.
        height: pixels, after EXIF orientation, or None.
        offset: where the image is in an HDF5 file, in bytes; None for an image file.
        length: size of an image in an HDF5 file in bytes, or None.
        color: whether its pixels are colored, or None if the header does not say so for certain.
        unranged: see `images.headers.Header`, or None.
        decoding_bytes: see `decoding_memory.DecodingMemory.fixed`, or None.
        scaled_bytes: see `decoding_memory.DecodingMemory.scaled`, or None.
        problem: why the header cannot be used, which is not stored; "" if it can, or is not known.
    """

    checksum: str
    header_options: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    offset: int | None = None
    length: int | None = None
    color: bool | None = None
    unranged: str | None = None
    decoding_bytes: int | None = None
    scaled_bytes: int | None = None
    problem: str = ""


def header_options(options: ImageOptions) -> str:
    """Digest of what a header depends on besides its file: options, without white, and the code that reads it."""
    return digest_of([asdict(replace(options, white=None)), _code()])[:16]


@cache
def _code() -> str:
    return code_digest(__file__, root=Path(__file__).parents[2])


def read_content(path: str, options: ImageOptions) -> ImageContent:
    """Read an image file on a disk.

    Raises:
        OSError: it cannot be read.
    """
    if Path(path).stat().st_size > MOST_HEADER_BYTES:
        return ImageContent(sha256_of_file(path), header_options(options))
    return content_of(read_file(path), options)


def read_entry(file: str, place: Place, options: ImageOptions) -> ImageContent:
    """Read an image in an HDF5 file; errors as `read_content`."""
    if place.length > MOST_HEADER_BYTES:
        return ImageContent(sha256_of_place(file, place), header_options(options))
    return content_of(read_place(file, place), options)


def content_of(data: bytes, options: ImageOptions) -> ImageContent:
    """The content of the bytes of an image."""
    # Imported here: a plan of files that are known already needs no Pillow, and starts faster.
    from foldline.images.decoding_memory import decoding_memory
    from foldline.images.errors import UnusableImageError
    from foldline.images.headers import read_header

    checksum = hashlib.sha256(data).hexdigest()
    try:
        header = read_header(data, options)
    except UnusableImageError as error:
        return ImageContent(checksum, header_options(options), problem=str(error))
    # Of the other formats, only the decoder knows it for all files. The first letter of a gray mode is 1, L or I.
    color = header.mode[0] not in "1LI" if header.format in ("JPEG", "PNG", "TIFF") else None
    memory = decoding_memory(header, len(data))
    return ImageContent(
        *(checksum, header_options(options), header.format, header.width, header.height),
        color=color,
        unranged=header.unranged or None,
        decoding_bytes=memory.fixed,
        scaled_bytes=memory.scaled,
    )


def header_problem(path: str, place: Place | None, options: ImageOptions) -> str:
    """Why the header of an image on a disk cannot be used; "" if it can, or if the file is too large to tell.

    Args:
        path: path of the image.
        place: where it is in an HDF5 file; None for an image file.
        options: how to read it.
    """
    from foldline.images.errors import UnusableImageError
    from foldline.images.headers import read_header

    try:
        if place and place.length <= MOST_HEADER_BYTES:
            read_header(read_place(str(file_of(path)), place), options)
        elif not place and Path(path).stat().st_size <= MOST_HEADER_BYTES:
            read_header(read_file(path), options)
    except UnusableImageError as error:
        return f"image {path} cannot be used: {error}"
    except OSError as error:
        return image_problem(path, error)
    return ""


def image_problem(path: str, error: OSError) -> str:
    """What is wrong with an image that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return f"image {path} does not exist"
    return f"image {path} cannot be read: {reason(error)}"
