"""Decode PNG files: libdeflate decompresses the pixels, which takes half as long as in libpng, and libpng the rest."""

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import imagecodecs

from foldline.images.png import SIGNATURE, chunks_of
from foldline.images.raster_decoding import decoded
from foldline.images.samples import Samples

# Samples of a pixel by the color type.
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
    return decoded(imagecodecs.png_decode, _without_compression(data) or data)


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
