"""GIF files whose palettes lack the colors of pixels."""

import numpy as np
import pytest
from fixtures.pictures import saved
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from PIL import Image

COLORS = [(10, 20, 30), (200, 100, 50), (0, 255, 0), (1, 2, 3)]
SCREEN = 13


def gif(numbers: np.ndarray, entries: int, *, local: bool = False, **options: int) -> bytes:
    """A file of colors 0 to 3 whose palette has only some of them."""
    image = Image.fromarray(numbers.astype(np.uint8), "P")
    image.putpalette([value for color in COLORS for value in color])
    data = saved(image, "GIF", optimize=False, **options)
    stored = 3 << (data[10] & 7) + 1
    table, rest = data[SCREEN : SCREEN + 3 * entries], data[SCREEN + stored :]
    flag = 0x80 | (entries.bit_length() - 2)
    if not local:
        return data[:10] + bytes([flag]) + data[11:SCREEN] + table + rest
    place = rest.index(b",\0\0\0\0")
    start = data[:10] + bytes([0]) + data[11:SCREEN]
    return start + rest[: place + 9] + bytes([rest[place + 9] | flag]) + table + rest[place + 10 :]


def pixels(data: bytes) -> np.ndarray:
    """The pixels of a file."""
    return decode(data, read_header(data)).pixels


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("interlace", [0, 1])
def test_a_pixel_beyond_the_palette_is_refused(local: bool, interlace: int) -> None:
    numbers = np.zeros((20, 37), int)
    numbers[7, 36] = 1
    wanted = np.array(COLORS)[numbers]
    np.testing.assert_array_equal(pixels(gif(numbers, 2, local=local, interlace=interlace)), wanted)
    numbers[11, 3] = 2
    with pytest.raises(UnusableImageError, match="damaged: a pixel has color 2 of a palette, which ends at 1"):
        pixels(gif(numbers, 2, local=local, interlace=interlace))
    wanted = np.array(COLORS)[numbers]
    np.testing.assert_array_equal(pixels(gif(numbers, 4, local=local, interlace=interlace)), wanted)


def test_a_transparent_pixel_needs_no_color() -> None:
    numbers = np.zeros((20, 37), int)
    numbers[7, 30:] = 3
    wanted = np.array([*COLORS[:3], (0, 0, 0)])[numbers]
    np.testing.assert_array_equal(pixels(gif(numbers, 2, transparency=3)), wanted)
    numbers[8, 4] = 2
    with pytest.raises(UnusableImageError, match="a pixel has color 2 of a palette, which ends at 1"):
        pixels(gif(numbers, 2, transparency=3))


def test_a_file_without_a_palette_is_refused() -> None:
    data = bytearray(gif(np.zeros((20, 37)), 2))
    data[10] = 0
    del data[SCREEN : SCREEN + 6]
    with pytest.raises(UnusableImageError, match="a GIF without a palette; save it as PNG"):
        read_header(bytes(data))
