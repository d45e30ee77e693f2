"""How many compressed pictures a DICOM file holds, whatever it says.

Source: DICOM PS3.5, annex A.4.
"""

import struct
from collections.abc import Iterator

ITEM = b"\xfe\xff\x00\xe0"
# With which JPEG, JPEG-LS and JPEG 2000 data start, and end.
STARTS, END = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "), b"\xff\xd9"
# Bytes behind an end that may be padding.
PADDING = 16


def stored_frames(data: bytes, *, one_each: bool) -> int:
    """Number of pictures in compressed pixel data, so far as offsets or the bytes of their fragments tell.

    Args:
        data: the items of the pixel data element.
        one_each: whether each fragment is a picture, as those of run lengths are.
    """
    places = list(_items(data))
    if not places:
        return 0
    (first, last), *fragments = places
    offsets = (last - first) // 4
    if one_each:
        return max(offsets, len(fragments))
    starts = [data.startswith(STARTS, start) for start, _ in fragments]
    ends = [True, *(data[max(start, end - PADDING) : end].rstrip(b"\0").endswith(END) for start, end in fragments)]
    return max(offsets, sum(start and end for start, end in zip(starts, ends, strict=False)))


def _items(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of the table of offsets, then of each fragment."""
    place = 0
    while data.startswith(ITEM, place) and place + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, place + 4)
        yield place + 8, min(len(data), place + 8 + length)
        place += 8 + length
