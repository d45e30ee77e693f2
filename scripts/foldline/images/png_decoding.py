"""Decode PNG files: libdeflate decompresses the pixels, which takes half as long as in libpng, and libpng the rest."""

import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import imagecodecs

from foldline.images.errors import beyond_palette
from foldline.images.png import SIGNATURE, chunks_of
from foldline.images.raster_decoding import decoded
from foldline.images.samples import Samples

# Samples of a pixel by the color type.
GRAY, PALETTE = 0, 3
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Header of a zlib stream, and most bytes of a block of it that is not compressed (RFC 1950, RFC 1951).
ZLIB_HEADER, BLOCK_BYTES = b"\x78\x01", 65535
# Most bytes of a chunk.
MOST_BYTES = 2**31 - 1


def png_samples(data: bytes) -> Samples:
    """Samples of a file, (height, width, 1 to 4), whose chunks were checked (`png.read_png_chunks`).

    Raises:
        UnusableImageError: the file is damaged.
    """
    file = _without_compression(data) or data
    _check_palette(file)
    return decoded(imagecodecs.png_decode, file)


def _check_palette(data: bytes) -> None:
    """Refuse a pixel with a number that has no color, which libpng makes black (PNG Specification, 11.2.2: an error).

    Raises:
        UnusableImageError: there is such a pixel, or the file is damaged.
    """
    bits, color = data[len(SIGNATURE) + 16 : len(SIGNATURE) + 18]
    chunks = {kind: (start, end) for kind, start, end in chunks_of(data) if kind in (b"PLTE", b"IHDR")}
    start, end = chunks.get(b"PLTE", (0, 12))
    colors = (end - start - 12) // 3
    if color != PALETTE or not colors or colors >= 1 << bits:
        return
    # Gray pixels of the same bits have the same bytes.
    header = bytearray(data[chunks[b"IHDR"][0] + 4 : chunks[b"IHDR"][1] - 4])
    header[13] = GRAY
    first = struct.pack(">I", len(header) - 4) + header + struct.pack(">I", zlib.crc32(header))
    rest = (data[start:end] for kind, start, end in chunks_of(data) if kind in (b"IDAT", b"IEND"))
    most = int(decoded(imagecodecs.png_decode, b"".join([SIGNATURE, first, *rest])).max()) * ((1 << bits) - 1) // 255
    if most >= colors:
        raise beyond_palette(most, colors)


def _without_compression(data: bytes) -> bytes:
    """The file with pixels that are not compressed; b"" if libpng is to judge the file as it is."""
    places = [(start, end) for kind, start, end in chunks_of(data) if kind == b"IDAT"]
    first = len(SIGNATURE) + 8
    width, height, bits, color, _, _, interlace = struct.unpack_from(">IIBBBBB", data, first)
    if interlace or not places or any(end != start for (_, end), (start, _) in pairwise(places)):
        return b""
    size = height * (1 + -(-width * bits * SAMPLES.get(color, 0) // 8))
    blocks = -(-size // BLOCK_BYTES)
    length = len(ZLIB_HEADER) + 5 * blocks + size + 4
    if length > MOST_BYTES:
        return b""
    view = memoryview(data)
    try:
        raw = imagecodecs.deflate_decode(b"".join(view[start + 8 : end - 4] for start, end in places), out=size)
    except imagecodecs.DeflateError:
        return b""
    if len(raw) != size:
        return b""
    body = [b"IDAT", *_stored(raw)]
    checksum = 0
    for piece in body:
        checksum = imagecodecs.deflate_crc32(piece, checksum)
    parts = [view[: places[0][0]], struct.pack(">I", length), *body, struct.pack(">I", checksum)]
    return b"".join([*parts, view[places[-1][1] :]])


def _stored(raw: bytes | bytearray) -> Iterator[Any]:
    """The pieces of a zlib stream of blocks that are not compressed."""
    yield ZLIB_HEADER
    view = memoryview(raw)
    for start in range(0, len(raw), BLOCK_BYTES):
        piece = view[start : start + BLOCK_BYTES]
        is_last = start + BLOCK_BYTES >= len(raw)
        yield struct.pack("<BHH", is_last, len(piece), len(piece) ^ 0xFFFF)
        yield piece
    yield struct.pack(">I", imagecodecs.deflate_adler32(raw))
