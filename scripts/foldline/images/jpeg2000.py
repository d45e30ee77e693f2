"""The header of a JPEG 2000 file or code stream, which OpenJPEG decodes.

Sources: ITU-T T.800, annexes A (code stream) and I (JP2 boxes).
"""

import struct

from foldline.images.boxes import Box, boxes, first
from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster, check_sides

CODE_STREAM = b"\xff\x4f\xff\x51"
SIGNATURES = (b"\0\0\0\x0cjP  \r\n\x87\n", CODE_STREAM)
GRAY, SRGB = 17, 16
COLORS = {GRAY: 1, SRGB: 3}
NAMES = {12: "CMYK", 14: "CIELab", 18: "YCC", 20: "e-sRGB", 21: "ROMM RGB", 24: "e-YCC"}
MOST_TILES = 65535


def read_jpeg2000_header(data: bytes, *, signed: bool = False) -> Raster:
    """Parse the boxes and the size of a file.

    Args:
        data: the bytes of the file.
        signed: whether samples may be signed.

    Raises:
        UnusableImageError: the file is truncated or damaged, or has samples that gray or RGB pictures have not.
    """
    try:
        if data.startswith(CODE_STREAM):
            return _raster(data, 0, len(data), None, signed)
        header, stream = first(data, (b"jp2h",)), first(data, (b"jp2c",))
        if header is None or stream is None:
            raise UnusableImageError("damaged: the JPEG 2000 file has no picture")
        if sum(box.kind == b"jp2c" for box in boxes(data)) > 1:
            raise UnusableImageError("a JPEG 2000 file with several pictures; save each as a file")
        return _raster(data, stream.start, stream.end, header, signed)
    except (struct.error, IndexError) as error:
        raise UnusableImageError("damaged: the JPEG 2000 file is truncated") from error


def _raster(data: bytes, start: int, end: int, header: Box | None, signed: bool) -> Raster:
    if data[start : start + 4] != CODE_STREAM:
        raise UnusableImageError("damaged: the JPEG 2000 file has no code stream")
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, count = struct.unpack_from(
        ">IIIIIIIIH", data, start + 8
    )
    width, height = right - left, bottom - top
    check_sides(width, height, "a JPEG 2000 image")
    check_sides(tile_width, tile_height, "a tile of a JPEG 2000 image")
    if -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height) > MOST_TILES:
        raise UnusableImageError("damaged: a JPEG 2000 image with too many tiles")
    components = data[start + 42 : start + 42 + 3 * count]
    depths, steps = set(components[::3]), {*components[1::3], *components[2::3]}
    if len(components) != 3 * count or not count:
        raise UnusableImageError("damaged: the JPEG 2000 file is truncated")
    if len(depths) > 1 or steps != {1}:
        raise UnusableImageError("a JPEG 2000 image whose components differ in bits or size; save it as RGB or gray")
    depth = depths.pop()
    if (depth & 0x80 and not signed) or (depth & 0x7F) >= 16:
        kind = "signed" if depth & 0x80 else "unsigned"
        raise UnusableImageError(
            f"a JPEG 2000 image with {kind} samples of {(depth & 0x7F) + 1} bits; save it with 8 or 16 bits"
        )
    profile, has_alpha = _colors(data, header, count) if header else (b"", False)
    if count - has_alpha not in (1, 3):
        raise UnusableImageError(
            f"a JPEG 2000 image with {count} components that are not marked as gray or RGB, with or without one alpha; "
            "save it as RGB or gray"
        )
    bits = (depth & 0x7F) + 1
    size = 1 if bits <= 8 else 2
    # OpenJPEG has numbers of 32 bits, which the samples are copied from; and those of a tile, if there are several.
    needed = 2 * (end - start) + len(data) + width * height * count * (4 + size)
    needed += 4 * count * tile_width * tile_height if tile_width < width or tile_height < height else 0
    return Raster("JPEG2000", width, height, (count,), bits, needed, profile=profile)


def _colors(data: bytes, header: Box, count: int) -> tuple[bytes, bool]:
    """ICC profile of a file, b"" if it has none, and whether its last component is alpha."""
    profile, has_alpha, known, space = b"", False, False, 0
    for box in boxes(data, header.start, header.end):
        body = data[box.start : box.end]
        if box.kind == b"pclr":
            raise UnusableImageError("a JPEG 2000 image with a palette; save it as RGB or gray")
        if box.kind == b"cdef":
            (pairs,) = struct.unpack_from(">H", body)
            entries = list(struct.iter_unpack(">HHH", body[2 : 2 + 6 * pairs]))
            kinds = [kind for _, kind, _ in entries]
            order = [(channel, place) for channel, kind, place in entries if kind == 0]
            if any(kind > 1 for kind in kinds) or kinds.count(1) > 1 or any(a + 1 != b for a, b in order if b):
                raise UnusableImageError("a JPEG 2000 image with unusual channels; save it as RGB or gray")
            has_alpha = 1 in kinds
            if has_alpha and (count - 1, 1) not in [(channel, kind) for channel, kind, _ in entries]:
                raise UnusableImageError("a JPEG 2000 image whose alpha is not its last channel; save it as RGB")
        if box.kind == b"colr" and not known:
            known = True
            if body[:1] == b"\2":
                profile = body[3:]
                continue
            (space,) = struct.unpack_from(">I", body, 3)
            if space not in COLORS:
                name = NAMES.get(space, f"number {space}")
                raise UnusableImageError(f"a JPEG 2000 image with colors of the kind {name}; save it as RGB or gray")
    if space and COLORS[space] != count - has_alpha and count - has_alpha in (1, 3):
        raise UnusableImageError(
            f"damaged: a JPEG 2000 image with {count - has_alpha} components of color, of which its color space "
            f"{'gray' if space == GRAY else 'sRGB'} has {COLORS[space]}"
        )
    return profile, has_alpha
