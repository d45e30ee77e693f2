"""Chunks of PNG files beside the pixels: gamma, chromaticities, and text that grows when it is decompressed."""

import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from fixtures.pictures import png_chunk, saved, smooth
from foldline.images.color_profiles import GAMMA_IGNORED
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import IGNORE, ImageOptions
from foldline.images.picture import Picture
from foldline.images.planes import decode_planes
from foldline.images.png import SIGNATURE, chunks_of, without_text
from foldline.images.png_decoding import png_samples
from PIL import Image

COLOR = smooth(20, 30)
SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
# Top, left, and steps down and across of each pass.
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
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


def packed(bits: int, kind: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of some bits and a color type, 16 x 8 pixels of random samples."""
    lines = np.random.default_rng(bits).integers(0, 256, (8, 2 * bits), dtype=np.uint8)
    head = struct.pack(">IIBBBBB", 16, 8, bits, kind, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + bytes(line) for line in lines))
    parts = [(b"IHDR", head), *chunks, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, text) for name, text in parts)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("number", [0, 1])
def test_a_transparent_gray_is_black_whatever_its_bits(bits: int, number: int) -> None:
    value = number * (2**bits - 1)
    data = packed(bits, 0, (b"tRNS", struct.pack(">H", value)))
    gray = decoded(packed(bits, 0)).pixels
    assert len(np.unique(gray)) > 1
    np.testing.assert_array_equal(decoded(data).pixels, np.where(gray == number * 255, 0, gray))
    samples = imagecodecs.png_decode(data)
    options = ImageOptions(planes=2)
    planes = decode_planes(data, read_header(data, options), options)
    np.testing.assert_array_equal(np.concatenate([plane.pixels for plane in planes], axis=2), samples)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_any_bits_equal_those_of_pillow(bits: int) -> None:
    colors = np.random.default_rng(3).integers(0, 256, 3 * 2**bits, dtype=np.uint8).tobytes()
    alpha = bytes(range(0, 250, 250 // 2**bits or 1))[: 2**bits]
    for chunks in ([(b"PLTE", colors)], [(b"PLTE", colors), (b"tRNS", alpha)]):
        data = packed(bits, 3, *chunks)
        wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA").convert("RGBa"))[:, :, :3]
        np.testing.assert_array_equal(decoded(data).pixels, wanted)


def files_of_all_kinds() -> dict[str, bytes]:
    random = np.random.default_rng(3)
    pictures = {mode: Image.fromarray(smooth(70, 33)).convert(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")}
    deep = {
        f"16 bits, {channels}": imagecodecs.png_encode(
            random.integers(0, 65536, (120, 33, channels), np.uint16).squeeze()
        )
        for channels in (1, 2, 3, 4)
    }
    return {mode: saved(picture, "PNG") for mode, picture in pictures.items()} | deep


def with_pixels(data: bytes, *bodies: bytes) -> bytes:
    """A PNG file with other bytes of pixels, in some chunks."""
    places = [(start, end) for kind, start, end in chunks_of(data) if kind == b"IDAT"]
    pixels = b"".join(png_chunk(b"IDAT", body) for body in bodies)
    return data[: places[0][0]] + pixels + data[places[-1][1] :]


def pixels_of(data: bytes) -> bytes:
    return b"".join(data[start + 8 : end - 4] for kind, start, end in chunks_of(data) if kind == b"IDAT")


@pytest.mark.parametrize("name", files_of_all_kinds())
def test_pixels_are_decompressed_before_libpng_gets_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = files_of_all_kinds()[name]
    wanted = imagecodecs.png_decode(data)
    seen: list[bytes] = []
    monkeypatch.setattr(
        imagecodecs, "png_decode", lambda given, decode=imagecodecs.png_decode: seen.append(given) or decode(given)
    )
    body = pixels_of(data)
    for several in ([body], [body[:1], body[1:50], b"", body[50:]]):
        found = png_samples(with_pixels(data, *several))
        np.testing.assert_array_equal(found.reshape(wanted.shape), wanted)
        assert found.dtype == wanted.dtype
        # The first block is one of those that are not compressed.
        assert pixels_of(seen[-1])[2] in (0, 1)
        assert zlib.decompress(pixels_of(seen[-1])) == zlib.decompress(body)


@pytest.mark.parametrize("name", ["L", "RGB", "16 bits, 1"])
def test_files_of_which_libpng_has_to_judge(name: str) -> None:
    data = files_of_all_kinds()[name]
    body, raw = pixels_of(data), zlib.decompress(pixels_of(data))
    wrong = bytearray(body)
    wrong[len(body) // 2] ^= 1
    bodies = {
        "wrong byte": bytes(wrong),
        "wrong checksum": body[:-1] + bytes([body[-1] ^ 1]),
        "truncated": body[:-9],
        "too few": zlib.compress(raw[:-20]),
        "too many": zlib.compress(raw + raw),
        "bytes behind": body + bytes(30),
    }
    for fault, changed in bodies.items():
        found = judged(png_samples, with_pixels(data, changed))
        wanted = judged(lambda given: np.atleast_3d(imagecodecs.png_decode(given)), with_pixels(data, changed))
        assert (found is None) == (wanted is None), fault
        if found is not None:
            np.testing.assert_array_equal(found, wanted, err_msg=fault)
    assert judged(png_samples, with_pixels(data, bodies["truncated"])) is None


def judged(decoder: Callable[[bytes], np.ndarray], data: bytes) -> np.ndarray | None:
    """What a decoder returns; None if it refuses the file."""
    try:
        return decoder(data)
    except (UnusableImageError, imagecodecs.PngError):
        return None


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("interlaced", [False, True])
def test_a_pixel_beyond_the_palette_is_refused(bits: int, interlaced: bool) -> None:
    numbers = np.zeros((20, 37), np.uint8)
    numbers[7, 36] = 1
    image = Image.fromarray(numbers, "P")
    image.putpalette([1, 2, 3] * 2**bits)
    data = saved(image, "PNG", bits=bits)
    if interlaced:
        data = interlaced_png(numbers, bits)
    whole, first = png_chunk(b"PLTE", bytes([1, 2, 3] * 2**bits)), png_chunk(b"PLTE", bytes([1, 2, 3]))
    assert whole in data
    for transparency in (b"", png_chunk(b"tRNS", b"\0")):
        cut = data.replace(whole, first + transparency)
        with pytest.raises(UnusableImageError, match="damaged: a pixel has color 1 of a palette, which ends at 0"):
            decoded(cut)
    enough = data.replace(whole, png_chunk(b"PLTE", bytes([1, 2, 3] * 2)))
    np.testing.assert_array_equal(decoded(enough).pixels, np.broadcast_to([1, 2, 3], (20, 37, 3)))


def interlaced_png(numbers: np.ndarray, bits: int) -> bytes:
    """A PNG file with a palette of all colors in the seven passes of Adam7."""
    lines = b""
    for top, left, down, across in ADAM7:
        part = numbers[top::down, left::across]
        packed = np.packbits(np.unpackbits(part[:, :, None], axis=2)[:, :, 8 - bits :].reshape(len(part), -1), axis=1)
        lines += b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", *numbers.shape[::-1], bits, 3, 0, 0, 1)
    chunks = [(b"IHDR", header), (b"PLTE", bytes([1, 2, 3] * 2**bits)), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return SIGNATURE + b"".join(png_chunk(*chunk) for chunk in chunks)
