"""BMP files: every number of bits, masks, palettes and header is read right, or refused by what it is."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from fixtures.pictures import saved, smooth
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from PIL import Image

WIDTH, HEIGHT = 37, 20
COLOR = smooth(HEIGHT, WIDTH)
NUMBERS = smooth(HEIGHT, WIDTH, 1, seed=3)[:, :, 0]
RANDOM = np.random.default_rng(2)


def bmp(rows: np.ndarray, bits: int, *, between: bytes = b"", header: int = 40, **fields: int) -> bytes:
    """A file of rows of bytes, the last one first, with palette or masks between header and pixels."""
    padded = np.pad(rows, [(0, 0), (0, -rows.shape[1] % 4)])[::-1].tobytes()
    facts = {"compression": 0, "used": 0, "gap": 0, "height": HEIGHT} | fields
    if header == 12:
        head = struct.pack("<IHHHH", 12, WIDTH, facts["height"], 1, bits)
    else:
        numbers = (facts["compression"], 0, 0, 0, facts["used"], 0)
        head = struct.pack("<IiiHHIIiiII", header, WIDTH, facts["height"], 1, bits, *numbers)
    start = 14 + len(head) + len(between) + facts["gap"]
    return (
        b"BM" + struct.pack("<IHHI", start + len(padded), 0, 0, start) + head + between + bytes(facts["gap"]) + padded
    )


def packed(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Rows of bytes of numbers of 1 to 8 bits."""
    return np.packbits(np.unpackbits(numbers[:, :, None], axis=2)[:, :, 8 - bits :].reshape(HEIGHT, -1), axis=1)


def masked(bits: int, masks: tuple[int, ...], samples: np.ndarray) -> np.ndarray:
    """Rows of bytes of samples that are put where masks say."""
    values = sum(samples[:, :, n].astype(np.uint64) * (mask & -mask) for n, mask in enumerate(masks))
    return np.ascontiguousarray(values.astype(f"<u{bits // 8}")).view(np.uint8)


def pixels(data: bytes) -> np.ndarray:
    """The pixels of a file."""
    return decode(data, read_header(data)).pixels


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("used", [0, 1])
def test_palettes_of_every_number_of_bits_are_read(bits: int, used: int) -> None:
    numbers = NUMBERS >> (8 - bits)
    colors = RANDOM.integers(0, 256, (2**bits - used, 3)).astype(np.uint8)
    numbers = np.minimum(numbers, len(colors) - 1)
    entries = np.pad(colors[:, ::-1], [(0, 0), (0, 1)]).tobytes()
    data = bmp(packed(numbers, bits), bits, between=entries, used=used * len(colors))
    np.testing.assert_array_equal(np.broadcast_to(pixels(data), COLOR.shape), colors[numbers])


def test_a_gray_palette_gives_one_channel() -> None:
    entries = np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[:, None], 4, axis=1).tobytes()
    np.testing.assert_array_equal(pixels(bmp(NUMBERS, 8, between=entries)), 255 - NUMBERS[:, :, None])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_pixel_beyond_the_palette_is_refused(bits: int) -> None:
    numbers = np.zeros((HEIGHT, WIDTH), np.uint8)
    numbers[7, 36] = 1
    data = bmp(packed(numbers, bits), bits, between=bytes(4), used=1)
    with pytest.raises(UnusableImageError, match="damaged: a pixel has color 1 of a palette, which ends at 0"):
        pixels(data)


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0x7C00, 0x3E0, 0x1F)),
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        (32, (0xFFFF0000, 0xFF00, 0x7)),
    ],
)
def test_masks_of_any_bits_are_read_and_rounded(bits: int, masks: tuple[int, ...]) -> None:
    most = np.array([mask.bit_count() for mask in masks])
    samples = RANDOM.integers(0, 2**most, (HEIGHT, WIDTH, len(masks)))
    between = struct.pack(f"<{len(masks)}I", *masks)
    data = bmp(masked(bits, masks, samples), bits, between=between, compression=6 if len(masks) > 3 else 3)
    scaled = np.floor(samples * 255 / (2**most - 1) + 0.5)
    wanted = np.floor(scaled[:, :, :3] * scaled[:, :, 3:] / 255 + 0.5) if len(masks) > 3 else scaled
    np.testing.assert_array_equal(pixels(data), wanted)


@pytest.mark.parametrize(("bits", "mask"), [(16, 0x1F), (32, 0xFF)])
def test_files_without_masks_have_usual_ones(bits: int, mask: int) -> None:
    step = mask.bit_count()
    masks = (mask << 2 * step, mask << step, mask)
    samples = RANDOM.integers(0, mask + 1, (HEIGHT, WIDTH, 3))
    np.testing.assert_array_equal(pixels(bmp(masked(bits, masks, samples), bits)), np.floor(samples * 255 / mask + 0.5))


@pytest.mark.parametrize("form", [{"header": 12}, {"gap": 10}, {"gap": 0}])
def test_24_bits_are_read_behind_any_header(form: dict[str, Any]) -> None:
    data = bmp(np.ascontiguousarray(COLOR[:, :, ::-1]).reshape(HEIGHT, -1), 24, **form)
    np.testing.assert_array_equal(pixels(data), COLOR)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.asarray(image), COLOR)


@pytest.mark.parametrize(
    ("bits", "fields", "reason"),
    [
        (64, {}, "a BMP of 64 bits per pixel; save it with 24, or as PNG"),
        (0, {}, "damaged: a BMP of 0 bits per pixel"),
        (8, {"compression": 3}, "damaged: a BMP of 8 bits per pixel in 1 planes with masks"),
        (8, {"compression": 1}, "a BMP with compression run lengths"),
        (8, {}, "damaged: a BMP without the colors of its palette"),
        (32, {"compression": 3, "between": struct.pack("<III", 0xFF, 0xFF, 0xFF00)}, "masks of the colors are 0xff, "),
        (32, {"compression": 3, "between": struct.pack("<III", 0xF0F, 0xF0, 0xF000)}, "masks of the colors are 0xf0f"),
        (32, {"compression": 3, "between": struct.pack("<III", 0xFF, 0, 0xFF00)}, "masks of the colors are 0xff, 0x0"),
        (16, {"compression": 3, "between": struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)}, "masks of the colors are "),
        (32, {"compression": 3, "between": struct.pack("<III", 0x1FFFF, 0xFE0000, 0xFF000000)}, "more than 16 bits"),
    ],
)
def test_others_are_refused_by_what_they_are(bits: int, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnusableImageError, match=reason):
        pixels(bmp(np.zeros((HEIGHT, WIDTH * max(1, bits // 8)), np.uint8), bits, **fields))


def test_pixels_of_pillow_are_read() -> None:
    palette = Image.fromarray(COLOR).quantize(9)
    np.testing.assert_array_equal(pixels(saved(palette, "BMP")), np.asarray(palette.convert("RGB")))
    np.testing.assert_array_equal(pixels(saved(Image.fromarray(NUMBERS), "BMP")), NUMBERS[:, :, None])
