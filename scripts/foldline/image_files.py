"""What worker processes do with one image: say all that is to be known of it, or make the picture of a record.

The place of an image is the path of its file, or FILE#OFFSET+LENGTH where it stands in a ready-made TFRecord file.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from foldline.decoding import decode
from foldline.errors import FoldlineError
from foldline.image_headers import UnusableImageError, read_header
from foldline.images import record_image
from foldline.perceptual_hash import LEAST_SIDE, perceptual_hash
from foldline.record_index import RecordPlace, image_at


@dataclass(frozen=True)
class Source:
    """An image as the inventory knows it: id of the sample, place as it can be opened, hex SHA-256 of its bytes."""

    id: str
    place: str
    sha256: str


def inspect(place: str, *, image_feature: str) -> dict[str, str | int]:
    """Read and decode an image.

    Args:
        place: where it is, as it can be opened.
        image_feature: feature of the image in ready-made records.

    Returns:
        bytes and sha256 of the image; width and height in pixels after EXIF orientation; perceptual_hash; problem, ""
        or the reason why the image cannot be used. What could not be found out is 0 or "".
    """
    facts: dict[str, str | int] = {"bytes": 0, "sha256": "", "width": 0, "height": 0}
    facts |= {"perceptual_hash": "", "problem": ""}
    try:
        data = _bytes_at(place, image_feature)
        facts |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        header = read_header(data)
        facts |= {"width": header.width, "height": header.height}
        picture = decode(data, header, min_width=LEAST_SIDE, min_height=LEAST_SIDE)
    except FileNotFoundError:
        return {**facts, "problem": "missing: no such file"}
    except OSError as error:
        return {**facts, "problem": f"unreadable: {error.strerror or error}"}
    except UnusableImageError as error:
        return {**facts, "problem": str(error)}
    return {**facts, "perceptual_hash": perceptual_hash(picture)}


def picture_of(source: Source, *, image_feature: str, size: int, aspect: str, jpeg_quality: int) -> tuple[bytes, int]:
    """Make the picture of a record from an image; arguments and result as for `inspect` and `images.record_image`.

    Raises:
        FoldlineError: the image cannot be read, is not the one of the inventory, or is damaged.
    """
    where = f"{source.place}: image of id {source.id}"
    try:
        data = _bytes_at(source.place, image_feature)
        found = hashlib.sha256(data).hexdigest()
        if found != source.sha256:
            raise FoldlineError(
                f"{where} has changed since it was scanned (SHA-256 {found[:12]}, then {source.sha256[:12]}); leave "
                "the images alone while the workflow runs, and run it again"
            )
        return record_image(data, size=size, aspect=aspect, jpeg_quality=jpeg_quality)
    except OSError as error:
        raise FoldlineError(
            f"{where} cannot be read: {error.strerror or error}; run the workflow again to scan it"
        ) from error
    except UnusableImageError as error:
        raise FoldlineError(
            f"{where} cannot be used: {error}; mend or replace the file, or remove its row from the table"
        ) from error


def _bytes_at(place: str, image_feature: str) -> bytes:
    record = RecordPlace.parse(place)
    return Path(place).read_bytes() if record is None else image_at(record, image_feature)
