"""Decoding: every format and pixel layout, orientation, and damaged files."""

import io

import cv2
import numpy as np
import pytest
from fixtures.pictures import png_16_bit, saved, small_tiff, smooth
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.picture import Picture, upright
from foldline.images.samples import scaled_to_8_bit
from PIL import Image, ImageCms, ImageOps


def decoded(data: bytes, **options: int) -> np.ndarray:
    return decode(data, read_header(data), **options).pixels


def rounded_257(samples: np.ndarray) -> np.ndarray:
    return np.floor(samples / 257 + 0.5).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "options"), [("PNG", {}), ("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {})])
def test_lossless_formats_are_decoded_exactly(name: str, options: dict[str, str], channels: int) -> None:
    pixels = smooth(channels=channels)
    found = decoded(saved(Image.fromarray(pixels.squeeze()), name, **options))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize(("name", "channels"), [("JPEG", 1), ("JPEG", 3), ("WEBP", 3)])
def test_lossy_formats_are_decoded_closely(name: str, channels: int) -> None:
    pixels = smooth(channels=channels)
    found = decoded(saved(Image.fromarray(pixels.squeeze()), name, quality=98))
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - pixels).mean() < 3


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_is_decoded(channels: int) -> None:
    samples = np.random.default_rng(1).integers(0, 65536, (9, 11, channels)).astype(np.uint16)
    samples[0, :4, :] = [[0], [128], [129], [65535]]
    color = samples if channels in (1, 3) else samples[:, :, :-1] * (samples[:, :, -1:] / 65535)
    np.testing.assert_array_equal(decoded(png_16_bit(samples)), rounded_257(color))


def test_16_bit_png_with_a_transparent_color_is_decoded() -> None:
    samples = np.full((2, 2, 3), 40_000, np.uint16)
    samples[0, 0] = (40_000, 40_000, 40_001)
    found = decoded(png_16_bit(samples, transparent=(40_000, 40_000, 40_001)))
    assert found[:, :, 0].tolist() == [[0, 156], [156, 156]]


@pytest.mark.parametrize("compression", [1, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_tiff_is_decoded(channels: int, compression: int) -> None:
    samples = np.random.default_rng(2).integers(0, 65536, (9, 11, channels)).astype(np.uint16)
    data = cv2.imencode(".tiff", samples[:, :, ::-1], (cv2.IMWRITE_TIFF_COMPRESSION, compression))[1].tobytes()
    np.testing.assert_array_equal(decoded(data), rounded_257(samples))


def test_16_bit_tiff_in_the_other_byte_order_is_decoded() -> None:
    samples = np.random.default_rng(3).integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    np.testing.assert_array_equal(decoded(small_tiff(samples)), rounded_257(samples))


def test_tiff_with_white_as_zero_is_inverted() -> None:
    samples = np.array([[[0], [65535], [257]]], np.uint16)
    assert decoded(small_tiff(samples, photometric=0, order="<")).ravel().tolist() == [255, 0, 254]


def test_alpha_is_composited_on_black() -> None:
    pixels = np.concatenate([smooth(), smooth(channels=1, seed=5)], axis=2)
    expected = np.floor(pixels[:, :, :3] * (pixels[:, :, 3:] / 255) + 0.5)
    for name in ("PNG", "TIFF"):
        np.testing.assert_array_equal(decoded(saved(Image.fromarray(pixels), name)), expected)


def test_gray_with_alpha_stays_one_channel() -> None:
    pixels = np.array([[[200, 255], [200, 0], [200, 128]]], np.uint8)
    assert decoded(saved(Image.fromarray(pixels), "PNG")).tolist() == [[[200], [0], [100]]]


def test_colors_of_transparent_pixels_are_black() -> None:
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[:, :, 3] = 0
    assert decoded(saved(Image.fromarray(pixels), "PNG")).max() == 0


def test_palettes_become_rgb() -> None:
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).convert("P")
    palette = np.random.default_rng(4).integers(0, 256, (256, 3), dtype=np.uint8)
    image.putpalette(palette.tobytes())
    expected = palette[np.asarray(image)]
    np.testing.assert_array_equal(decoded(saved(image, "PNG")), expected)
    expected[np.asarray(image) == 5] = 0
    np.testing.assert_array_equal(decoded(saved(image, "PNG", transparency=5)), expected)


def test_an_8_bit_transparent_color_becomes_black() -> None:
    gray = Image.fromarray(np.array([[7, 9]], np.uint8))
    assert decoded(saved(gray, "PNG", transparency=7)).tolist() == [[[0], [9]]]
    color = Image.fromarray(np.array([[[7, 8, 9], [7, 8, 8]]], np.uint8))
    assert decoded(saved(color, "PNG", transparency=(7, 8, 9))).tolist() == [[[0, 0, 0], [7, 8, 8]]]


def test_one_bit_becomes_black_and_white() -> None:
    image = Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert("1")
    assert decoded(saved(image, "PNG")).ravel().tolist() == [0, 255, 0]


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(name: str) -> None:
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    found = decoded(saved(image, name))
    assert found.shape == (16, 16, 3)
    assert np.abs(found.astype(int) - (0, 255, 255)).max() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_images_are_decoded_upright(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98} if name == "JPEG" else {"lossless": True} if name == "WEBP" else {}
    data = saved(Image.fromarray(smooth(16, 40)), name, exif=exif.tobytes(), **options)
    header = read_header(data)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert (header.height, header.width) == wanted.shape[:2] == ((16, 40) if orientation < 5 else (40, 16))
    found = decode(data, header).pixels
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).max() <= (6 if name == "JPEG" else 0)


def test_upright_moves_a_marked_corner_as_exif_says() -> None:
    """EXIF 2.32, table of tag 274: the corner that row 0 and column 0 of the stored picture show."""
    pixels = np.zeros((2, 3, 1), np.uint8)
    pixels[0, 0] = 1
    corners = {1: (0, 0), 2: (0, 2), 3: (1, 2), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (2, 1), 8: (2, 0)}
    for orientation, corner in corners.items():
        found = upright(Picture.whole(pixels), orientation).pixels
        assert tuple(int(index[0]) for index in np.nonzero(found[:, :, 0])) == corner


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_shows_the_same_picture(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    ramps = np.zeros((330, 261, 3), np.uint8)
    ramps[:, :, 0], ramps[:, :, 1] = np.linspace(0, 255, 330)[:, None], np.linspace(0, 255, 261)
    data = saved(Image.fromarray(ramps), "JPEG", quality=98, subsampling=0, exif=exif.tobytes())
    header = read_header(data)
    full = decode(data, header)
    for eighths in (1, 2, 4):
        # A side of 41.25 pixels is reduced to 40, not to 41.
        least = {"min_width": header.width * eighths // 8 - 1, "min_height": header.height * eighths // 8 - 1}
        reduced = decode(data, header, **least)
        left, top, right, bottom = reduced.box
        assert (right - left, bottom - top) == (header.width * eighths / 8, header.height * eighths / 8)
        one, other = (
            np.asarray(Image.fromarray(picture.pixels).resize((10, 10), Image.Resampling.BILINEAR, picture.box), float)
            for picture in (full, reduced)
        )
        # Half a pixel of 33 would be 4 gray levels.
        assert np.abs(one - other)[1:-1, 1:-1].max() <= 2


def test_a_jpeg_is_reduced_only_if_that_is_faster_and_large_enough() -> None:
    data = saved(Image.fromarray(smooth(400, 800)), "JPEG")
    header = read_header(data)
    widths = {width: decode(data, header, min_width=width).pixels.shape[1] for width in (1, 100, 101, 400, 401, 700)}
    assert widths == {1: 100, 100: 100, 101: 200, 400: 400, 401: 800, 700: 800}
    assert decode(data, header).pixels.shape == (400, 800, 3)
    small = saved(Image.fromarray(smooth(7, 7)), "JPEG")
    assert decode(small, read_header(small), min_width=1, min_height=1).pixels.shape == (7, 7, 3)


def test_16_bits_are_scaled_to_the_nearest_8_bit_value() -> None:
    every = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(scaled_to_8_bit(every), rounded_257(every))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_file_truncated_anywhere_is_refused(name: str) -> None:
    data = saved(Image.fromarray(smooth(64, 64)), name, **({"compression": "tiff_lzw"} if name == "TIFF" else {}))
    random = np.random.default_rng(7)
    for length in [0, 1, 11, *random.integers(12, len(data), 40), len(data) - 1]:
        with pytest.raises(UnusableImageError):
            decoded(data[:length])


def test_a_flipped_bit_in_a_png_is_refused() -> None:
    data = saved(Image.fromarray(smooth(64, 64)), "PNG")
    random = np.random.default_rng(8)
    for index in random.integers(0, len(data), 200):
        broken = bytearray(data)
        broken[index] ^= 1 << int(random.integers(8))
        with pytest.raises(UnusableImageError):
            decoded(bytes(broken))


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "TIFF"])
def test_flipped_bytes_give_a_picture_or_unusable_image_error(name: str) -> None:
    """These formats have no checksum: a wrong byte may go unnoticed, but no other error may occur."""
    data = saved(Image.fromarray(smooth(64, 64)), name, **({"compression": "tiff_lzw"} if name == "TIFF" else {}))
    random = np.random.default_rng(9)
    refused = 0
    for _ in range(300):
        broken = bytearray(data)
        for index in random.integers(0, len(data), 3):
            broken[index] = random.integers(256)
        try:
            found = decoded(bytes(broken))
        except UnusableImageError:
            refused += 1
        else:
            assert found.ndim == 3
            assert found.dtype == np.uint8
    assert refused > 30


def test_a_jpeg_with_a_gap_is_refused() -> None:
    data = saved(Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "JPEG")
    middle = len(data) // 2
    with pytest.raises(UnusableImageError, match=r"^damaged: "):
        decoded(data[:middle] + data[middle + 200 :])


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_pixel_formats_without_8_bits_are_refused(mode: str) -> None:
    image = (
        ImageCms.applyTransform(
            Image.new("RGB", (4, 4)),
            ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"),
        )
        if mode == "LAB"
        else Image.new(mode, (4, 4))
    )
    words = "save it as RGB" if mode == "LAB" else r"whose range is not known; set dataset.intensity to \{max: VALUE\}"
    with pytest.raises(UnusableImageError, match=words):
        decoded(saved(image, "TIFF"))
