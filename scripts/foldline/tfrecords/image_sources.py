"""What worker processes do with the images of one sample: say all that is to be known, or make a record's pictures.

The place of an image is the path or URL of its file, or FILE#OFFSET+LENGTH where it stands in a ready-made TFRecord
file.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from foldline.dataset.channels import joint_digest
from foldline.errors import FoldlineError
from foldline.images.decoding import Picture, decode
from foldline.images.headers import UnusableImageError, read_header
from foldline.images.perceptual_hash import MIN_DECODED_SIDE, perceptual_hash
from foldline.images.resizing import record_image
from foldline.io.storage import read
from foldline.tfrecords.record_index import RecordLocation, image_at


@dataclass(frozen=True)
class Source:
    """The images of a sample as the inventory knows them.

    Attributes:
        id: id of the sample.
        places: places of the images as they can be opened.
        sha256: `channels.joint_digest` of their bytes.
    """

    id: str
    places: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Look:
    """One image that was looked at; what could not be found out is 0, "" or None.

    Attributes:
        bytes: size of the image.
        sha256: hex SHA-256 of its bytes.
        width: pixels, after EXIF orientation.
        height: pixels, after EXIF orientation.
        picture: its pixels, maybe reduced.
        problem: "" or the reason why it cannot be used.
    """

    bytes: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    picture: Picture | None = None
    problem: str = ""


def inspect(places: Sequence[str], *, image_feature: str, gray: bool) -> dict[str, str | int]:
    """Read and decode the images of a sample.

    Args:
        places: where they are, as they can be opened.
        image_feature: feature of the image in ready-made records.
        gray: whether each is one channel, so that color is a problem, and so is another size than the first one's.

    Returns:
        bytes of all and their joint sha256; width and height in pixels after EXIF orientation; perceptual_hash;
        problem, "" or the reason why the first bad one of several images, then named, cannot be used. What could not
        be found out is 0 or "".
    """
    looks = [_look(place, image_feature, gray) for place in places]
    first = looks[0]
    problem = ""
    for place, look in zip(places, looks, strict=True):
        told = look.problem
        if not told and (look.width, look.height) != (first.width, first.height):
            told = f"{look.width} x {look.height} pixels where {_name(places[0])} has {first.width} x {first.height}"
        if told:
            problem = told if len(places) == 1 else f"{_name(place)}: {told}"
            break
    return {
        "bytes": sum(look.bytes for look in looks),
        "sha256": joint_digest([look.sha256 for look in looks]) if all(look.sha256 for look in looks) else "",
        "width": first.width,
        "height": first.height,
        "perceptual_hash": "" if problem else perceptual_hash([look.picture for look in looks if look.picture]),
        "problem": problem,
    }


def _look(place: str, image_feature: str, gray: bool) -> Look:
    facts: dict[str, str | int] = {}
    try:
        data = _bytes_at(place, image_feature)
        facts |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        header = read_header(data)
        facts |= {"width": header.width, "height": header.height}
        picture = decode(data, header, min_width=MIN_DECODED_SIDE, min_height=MIN_DECODED_SIDE)
    except FileNotFoundError:
        return Look(**facts, problem="missing: no such file")
    except OSError as error:
        return Look(**facts, problem=f"unreadable: {error.strerror or error}")
    except UnusableImageError as error:
        return Look(**facts, problem=str(error))
    if gray and picture.pixels.shape[2] != 1:
        return Look(**facts, problem="a color image where the image of a channel is gray; save it with one channel")
    return Look(**facts, picture=picture)


def pictures_of(source: Source, *, image_feature: str, size: int, aspect: str, jpeg_quality: int) -> list[bytes]:
    """Make the pictures of a record from the images of a sample; see `inspect` and `images.record_image`.

    Raises:
        FoldlineError: an image cannot be read or is damaged, or they are not those of the inventory.
    """
    images, pictures = [], []
    for place in source.places:
        with _naming(place, source.id):
            images.append(_bytes_at(place, image_feature))
    found = joint_digest([hashlib.sha256(data).hexdigest() for data in images])
    if found != source.sha256:
        raise FoldlineError(
            f"{', '.join(source.places)}: image of id {source.id} has changed since it was scanned (SHA-256 "
            f"{found[:12]}, then {source.sha256[:12]}); leave the images alone while the workflow runs, and run it "
            "again"
        )
    for place, data in zip(source.places, images, strict=True):
        with _naming(place, source.id):
            pictures.append(record_image(data, size=size, aspect=aspect, jpeg_quality=jpeg_quality))
    return pictures


@contextmanager
def _naming(place: str, name: str) -> Iterator[None]:
    """Name the image and its sample in what is raised for it."""
    where = f"{place}: image of id {name}"
    try:
        yield
    except OSError as error:
        raise FoldlineError(
            f"{where} cannot be read: {error.strerror or error}; run the workflow again to scan it"
        ) from error
    except UnusableImageError as error:
        raise FoldlineError(
            f"{where} cannot be used: {error}; mend or replace the file, or remove its row from the table"
        ) from error


def _name(place: str) -> str:
    return place.rsplit("/", 1)[-1]


def _bytes_at(place: str, image_feature: str) -> bytes:
    record = RecordLocation.parse(place)
    return read(place) if record is None else image_at(record, image_feature)
