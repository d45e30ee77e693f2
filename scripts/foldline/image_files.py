"""What worker processes do with one image file: say all that is to be known of it, or make the picture of a record."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from foldline.decoding import decode
from foldline.errors import FoldlineError
from foldline.image_headers import UnusableImageError, read_header
from foldline.images import record_image
from foldline.perceptual_hash import LEAST_SIDE, perceptual_hash


@dataclass(frozen=True)
class Source:
    """An image file as the inventory knows it: id of the sample, path, hex SHA-256 of the file."""

    id: str
    path: Path
    sha256: str


def inspect(path: Path) -> dict[str, str | int]:
    """Read and decode an image.

    Args:
        path: the file.

    Returns:
        bytes and sha256 of the file; width and height in pixels after EXIF orientation; perceptual_hash; problem, ""
        or the reason why the image cannot be used. What could not be found out is 0 or "".
    """
    facts: dict[str, str | int] = {"bytes": 0, "sha256": "", "width": 0, "height": 0}
    facts |= {"perceptual_hash": "", "problem": ""}
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {**facts, "problem": "missing: no such file"}
    except OSError as error:
        return {**facts, "problem": f"unreadable: {error.strerror}"}
    facts |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    try:
        header = read_header(data)
        facts |= {"width": header.width, "height": header.height}
        picture = decode(data, header, min_width=LEAST_SIDE, min_height=LEAST_SIDE)
    except UnusableImageError as error:
        return {**facts, "problem": str(error)}
    return {**facts, "perceptual_hash": perceptual_hash(picture)}


def picture_of(source: Source, *, size: int, aspect: str, jpeg_quality: int) -> tuple[bytes, int]:
    """Make the picture of a record from an image file; arguments and result as for `images.record_image`.

    Raises:
        FoldlineError: the file cannot be read, is not the one of the inventory, or is damaged.
    """
    where = f"{source.path}: image of id {source.id}"
    try:
        data = source.path.read_bytes()
    except OSError as error:
        raise FoldlineError(f"{where} cannot be read: {error.strerror}; run the workflow again to scan it") from error
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise FoldlineError(
            f"{where} has changed since it was scanned (SHA-256 {found[:12]}, then {source.sha256[:12]}); leave the "
            "images alone while the workflow runs, and run it again"
        )
    try:
        return record_image(data, size=size, aspect=aspect, jpeg_quality=jpeg_quality)
    except UnusableImageError as error:
        raise FoldlineError(
            f"{where} cannot be used: {error}; mend or replace the file, or remove its row from the table"
        ) from error
