"""Chunks of PNG files beside the pixels: gamma, chromaticities, and text that grows when it is decompressed."""

import struct
import zlib

import numpy as np
import pytest
from fixtures.pictures import png_chunk, saved, smooth
from foldline.images.color_profiles import GAMMA_IGNORED
from foldline.images.decoding import decode
from foldline.images.headers import read_header
from foldline.images.options import IGNORE, ImageOptions
from foldline.images.picture import Picture
from foldline.images.png import without_text
from PIL import Image

COLOR = smooth(20, 30)
SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
ADOBE = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)


def with_chunks(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file with more chunks behind its first."""
    return data[:33] + b"".join(png_chunk(kind, body) for kind, body in chunks) + data[33:]


def decoded(data: bytes, **options: str) -> Picture:
    reading = ImageOptions(**options)  # type: ignore[arg-type]
    return decode(data, read_header(data, reading), reading)


def gamma(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


def chromaticities(values: tuple[int, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *values)


@pytest.mark.parametrize(
    ("chunks", "is_other"),
    [
        ([gamma(45455), chromaticities(SRGB)], False),
        ([gamma(100000)], True),
        ([gamma(45455), chromaticities(ADOBE)], True),
        # sRGB counts before them.
        ([(b"sRGB", b"\0"), gamma(100000)], False),
    ],
)
def test_a_gamma_that_is_ignored_is_said(chunks: list[tuple[bytes, bytes]], is_other: bool) -> None:
    data = with_chunks(saved(COLOR, "PNG"), *chunks)
    found = decoded(data)
    np.testing.assert_array_equal(found.pixels, COLOR)
    assert found.profile == (GAMMA_IGNORED if is_other else "")
    assert decoded(data, color_profile=IGNORE).profile == ""


def test_gray_is_never_converted() -> None:
    assert decoded(with_chunks(saved(COLOR[:, :, :1], "PNG"), gamma(100000))).profile == ""


def text(size: int) -> list[tuple[bytes, bytes]]:
    """Compressed text of some bytes, and a profile."""
    body = zlib.compress(bytes([65]) * size)
    return [(b"zTXt", b"Comment\0\0" + body), (b"iTXt", b"Comment\0\1\0\0\0" + body), (b"iCCP", b"profile\0\0" + body)]


@pytest.mark.parametrize("mode", ["RGB", "P", "1", "16"])
def test_text_that_grows_is_passed_over(mode: str) -> None:
    image = Image.fromarray(COLOR)
    image = Image.fromarray(COLOR[:, :, 0].astype(np.uint16) * 257) if mode == "16" else image.convert(mode)
    plain = saved(image, "PNG")
    wanted = decoded(plain).pixels
    np.testing.assert_array_equal(decoded(with_chunks(plain, *text(40_000_000))).pixels, wanted)


def test_a_file_without_its_text() -> None:
    plain = saved(COLOR, "PNG")
    assert without_text(plain) == plain
    assert without_text(with_chunks(plain, *text(100), (b"tEXt", b"a\0b"))) == plain
