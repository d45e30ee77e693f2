"""The boxes of ISO media files (AVIF, HEIC, JPEG 2000, JPEG XL), and what they say of the picture.

Sources: ISO/IEC 14496-12 (boxes), 23008-12 (HEIF), 15444-1 (JP2).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from foldline.images.color_codes import other_colors
from foldline.images.errors import UnusableImageError
from foldline.images.exif import UPRIGHT

MOST_BOXES = 10_000


@dataclass(frozen=True)
class Box:
    """Name of a box, and the bytes `start` to `end` of its body."""

    kind: bytes
    start: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes of a file, or of the body of a box.

    Raises:
        UnusableImageError: the file is truncated, or a box is longer than what holds it.
    """
    end = len(data) if end is None else end
    count = 0
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if length == 1 and start + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, body)
            body += 8
        length = length or end - start
        count += 1
        if length < body - start or start + length > end or count > MOST_BOXES:
            raise UnusableImageError("damaged: a box of the file is truncated, or has a wrong length")
        yield Box(kind, body, start + length)
        start += length


def first(data: bytes, path: tuple[bytes, ...], start: int = 0, end: int | None = None) -> Box | None:
    """The first box with a path of names; `meta` has four bytes before its boxes."""
    for box in boxes(data, start, end):
        if box.kind == path[0]:
            skip = 4 if box.kind == b"meta" else 0
            return first(data, path[1:], box.start + skip, box.end) if len(path) > 1 else box
    return None


# Rotation anticlockwise by quarter turns, then the mirror: 1 exchanges left and right, 0 top and bottom.
ORIENTATIONS: dict[tuple[int, int | None], int] = {
    (0, None): 1,
    (0, 1): 2,
    (2, 0): 2,
    (2, None): 3,
    (0, 0): 4,
    (2, 1): 4,
    (1, 0): 5,
    (3, 1): 5,
    (3, None): 6,
    (3, 0): 7,
    (1, 1): 7,
    (1, None): 8,
}


@dataclass(frozen=True)
class MainItem:
    """What the properties of the main picture of a HEIF or AVIF file say.

    Attributes:
        width: pixels, as stored.
        height: pixels, as stored.
        largest: width and height of the largest picture of the file, thumbnails and tiles included.
        bits: bits of a sample.
        orientation: as EXIF has it, in 1..8.
        profile: the ICC profile, b"" if there is none.
        colors: see `color_codes.other_colors`.
        shown: width and height of the part that is to be shown, before it is turned.
    """

    width: int
    height: int
    largest: tuple[int, int]
    bits: int
    orientation: int
    profile: bytes
    colors: str
    shown: tuple[int, int]


def frames_of_sequence(data: bytes) -> int:
    """Number of the samples of the first track of a file."""
    box = first(data, (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"))
    return struct.unpack_from(">I", data, box.start + 8)[0] if box and box.end - box.start >= 12 else 0


def read_main_item(data: bytes) -> MainItem:
    """Parse the properties of the main picture.

    Raises:
        UnusableImageError: the file is truncated or has no picture.
    """
    try:
        return _main_item(data)
    except (struct.error, IndexError) as error:
        raise UnusableImageError("damaged: the boxes of the file are truncated") from error


def _main_item(data: bytes) -> MainItem:
    main, table = first(data, (b"meta", b"pitm")), first(data, (b"meta", b"iprp", b"ipma"))
    store = first(data, (b"meta", b"iprp", b"ipco"))
    if main is None or table is None or store is None:
        raise UnusableImageError("damaged: the file has no main picture")
    number = int.from_bytes(data[main.start + 4 : main.end], "big")
    properties = list(boxes(data, store.start, store.end))
    own = [properties[index - 1] for index in _properties_of(data, table, number) if 1 <= index <= len(properties)]
    sizes = [struct.unpack_from(">II", data, box.start + 4) for box in properties if box.kind == b"ispe"]
    size = next((struct.unpack_from(">II", data, box.start + 4) for box in own if box.kind == b"ispe"), None)
    if size is None or not min(size):
        raise UnusableImageError("damaged: the main picture of the file has no size")
    turn, mirror, profile, colors, bits = 0, None, b"", "", 8
    shown = size
    for box in own:
        body = data[box.start : box.end]
        if box.kind == b"irot":
            turn = body[0] & 3
        elif box.kind == b"imir":
            mirror = body[0] & 1
        elif box.kind == b"colr" and body[:4] in (b"prof", b"rICC"):
            profile = body[4:]
        elif box.kind == b"colr" and body[:4] == b"nclx":
            colors = other_colors(*struct.unpack_from(">HH", body, 4))
        elif box.kind == b"clap":
            width, of_width, height, of_height = struct.unpack_from(">IIII", body)
            shown = width // max(of_width, 1), height // max(of_height, 1)
        elif box.kind == b"pixi":
            bits = body[5]
        elif box.kind == b"av1C":
            bits = 8 if not body[2] & 0x40 else 12 if body[2] & 0x20 else 10
        elif box.kind == b"hvcC":
            bits = 8 + (body[17] & 7)
    return MainItem(
        width=size[0],
        height=size[1],
        largest=max(sizes, key=lambda pair: pair[0] * pair[1]),
        bits=bits,
        orientation=ORIENTATIONS.get((turn, mirror), UPRIGHT),
        profile=profile,
        colors=colors,
        shown=shown,
    )


def _properties_of(data: bytes, table: Box, item: int) -> list[int]:
    """Numbers from 1 of the properties of an item, in the order in which they apply."""
    version, wide = data[table.start], data[table.start + 3] & 1
    (count,) = struct.unpack_from(">I", data, table.start + 4)
    place, name = table.start + 8, ">I" if version else ">H"
    width = struct.calcsize(name)
    for _ in range(min(count, MOST_BOXES)):
        (number,) = struct.unpack_from(name, data, place)
        used = data[place + width]
        place += width + 1
        if number == item:
            form = f">{used}{'H' if wide else 'B'}"
            return [value & (0x7FFF if wide else 0x7F) for value in struct.unpack_from(form, data, place)]
        place += used * (2 if wide else 1)
    return []
