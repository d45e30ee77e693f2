"""Images of records: size, aspect, similarity to a full decode with area averages, and unchanged files."""

import io

import cv2
import numpy as np
import pytest
from fixtures.pictures import area_averages, decibels, photograph, saved
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.picture import Picture
from foldline.images.resizing import ASPECTS, encode_jpeg, minimum_size, record_image, resize_to_square
from PIL import Image


def pixels_of(data: bytes) -> np.ndarray:
    return decode(data, read_header(data)).pixels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1201, 1043), (801, 641), (405, 333), (230, 345)])
def test_reduction_is_close_to_a_full_decode_and_area_averages(shape: tuple[int, int], channels: int) -> None:
    source = saved(photograph(*shape, channels), "JPEG", quality=92)
    data = record_image(source, size=96, aspect="stretch", jpeg_quality=95)
    wanted = area_averages(pixels_of(source), 96)
    reference = pixels_of(encode_jpeg(np.rint(wanted).astype(np.uint8), quality=95))
    found = pixels_of(data)
    assert found.shape == (96, 96, channels)
    # An eighth, of the first shape, is the furthest from a full decode.
    assert decibels(found, wanted) > decibels(reference, wanted) - 2


def box_averages(picture: Picture, width: int, height: int) -> np.ndarray:
    """Exact area averages of the box of a picture, slow and obvious; float, (height, width, channels)."""
    left, top, right, bottom = picture.box
    out = picture.pixels.astype(float)
    for axis, start, end, count in ((0, top, bottom, height), (1, left, right, width)):
        edges, cells = np.linspace(start, end, count + 1), np.arange(out.shape[axis])
        overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
        weights = np.clip(overlap, 0, None) * count / (end - start)
        out = np.moveaxis(np.tensordot(weights, out, (1, axis)), 0, axis)
    return out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [90, 45, 31, 7, 1])
@pytest.mark.parametrize(
    "box", [(0, 0, 120, 90), (0, 0, 119.25, 91.125), (0.75, 0, 120, 90.5), (0, 0.5, 118.5, 92), (0.25, 0.875, 120, 92)]
)
def test_shrinking_gives_exact_area_averages(box: tuple[float, float, float, float], size: int, channels: int) -> None:
    """Of parts of pixels too, at either end: those of a reduced JPEG, upright or turned by EXIF orientation."""
    picture = Picture(photograph(92, 120, channels), box)
    found = resize_to_square(picture, size=size, aspect="stretch")
    assert found.shape == (size, size, channels)
    assert np.abs(found - box_averages(picture, size, size)).max() <= 0.5 + 1e-4
    side = min(box[2] - box[0], box[3] - box[1])
    if size < side:
        cropped = resize_to_square(picture, size=size, aspect="crop")
        # It is cut at whole pixels from the end that is one.
        cut = [(box[axis + 2] - box[axis] - side) // 2 for axis in (0, 1)]
        starts = [box[a] + cut[a] if box[a] % 1 == 0 else box[a + 2] - cut[a] - side for a in (0, 1)]
        center = Picture(picture.pixels, (*starts, starts[0] + side, starts[1] + side))
        assert np.abs(cropped - box_averages(center, size, size)).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("shape", [(769, 769), (770, 769), (775, 776), (768, 768)])
def test_a_reduced_jpeg_of_nearly_the_new_size_is_averaged(shape: tuple[int, int]) -> None:
    """At an eighth, 769 pixels are 96.125 in 97: OpenCV would copy the first 96."""
    source = saved(photograph(*shape), "JPEG", quality=95, subsampling=0)
    header = read_header(source)
    width, height = minimum_size(header, size=96, aspect="stretch")
    picture = decode(source, header, min_width=width, min_height=height)
    found = resize_to_square(picture, size=96, aspect="stretch")
    assert decibels(found, area_averages(pixels_of(source), 96)) > 43


@pytest.mark.parametrize("channels", [1, 3])
def test_enlarging_is_bicubic_after_shrinking(channels: int) -> None:
    pixels = photograph(40, 90, channels)
    found = resize_to_square(Picture.whole(pixels), size=60, aspect="stretch")
    narrow = np.rint(box_averages(Picture.whole(pixels), 60, 40))
    # Keys 1981: cubic convolution with a = -1/2, and weights that add up to 1 at the edges.
    centers = (np.arange(60) + 0.5) * 40 / 60 - 0.5
    distance = np.abs(centers[:, None] - np.arange(40))
    near, far = 1.5 * distance**3 - 2.5 * distance**2 + 1, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    wanted = np.tensordot(weights / weights.sum(axis=1, keepdims=True), narrow, (1, 0))
    assert np.abs(found - np.clip(wanted, 0, 255)).max() <= 0.5 + 1e-3


def test_area_averages_agree_with_opencv() -> None:
    pixels = photograph(50, 70)
    wanted = cv2.resize(pixels.astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(area_averages(pixels, 16), wanted, atol=1e-3)


@pytest.mark.parametrize("shape", [(60, 90), (90, 60), (20, 30)])
@pytest.mark.parametrize("channels", [1, 3])
def test_crop_takes_the_center_square(shape: tuple[int, int], channels: int) -> None:
    pixels = photograph(*shape, channels)
    side = min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    center = pixels[top : top + side, left : left + side]
    np.testing.assert_array_equal(resize_to_square(Picture.whole(pixels), size=side, aspect="crop"), center)
    smaller = resize_to_square(Picture.whole(pixels), size=side // 2, aspect="crop")
    assert smaller.shape == (side // 2, side // 2, channels)
    assert decibels(smaller, area_averages(center, side // 2)) > 35


@pytest.mark.parametrize(("shape", "inner"), [((60, 90), (20, 30)), ((90, 60), (30, 20)), ((10, 15), (20, 30))])
def test_pad_shows_the_whole_picture_on_black(shape: tuple[int, int], inner: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 200, np.uint8)
    found = resize_to_square(Picture.whole(pixels), size=30, aspect="pad")
    inside = np.zeros((30, 30), bool)
    top, left = (30 - inner[0]) // 2, (30 - inner[1]) // 2
    inside[top : top + inner[0], left : left + inner[1]] = True
    assert (found[inside] == 200).all()
    assert (found[~inside] == 0).all()


def test_a_very_long_picture_is_padded() -> None:
    assert resize_to_square(Picture.whole(np.full((1, 500, 1), 9, np.uint8)), size=10, aspect="pad").sum() == 90


def test_stretch_uses_the_whole_picture() -> None:
    pixels = np.zeros((40, 80, 1), np.uint8)
    pixels[:, 40:] = 100
    found = resize_to_square(Picture.whole(pixels), size=20, aspect="stretch")[:, :, 0]
    assert found[:, :9].max() == 0
    assert found[:, 11:].min() == 100


def test_an_unknown_aspect_is_refused() -> None:
    with pytest.raises(ValueError, match="'fill' is not one of stretch, crop, pad"):
        resize_to_square(Picture.whole(np.zeros((4, 4, 1), np.uint8)), size=2, aspect="fill")


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize("shape", [(1600, 900), (900, 1600)])
def test_a_reduced_decode_is_never_enlarged(aspect: str, shape: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for options in ({}, {"exif": exif.tobytes()}):
        data = saved(np.zeros((*shape, 3), np.uint8), "JPEG", **options)
        header = read_header(data)
        width, height = minimum_size(header, size=100, aspect=aspect)
        pixels = decode(data, header, min_width=width, min_height=height).pixels
        assert pixels.shape[0] < 800
        side = max(pixels.shape[:2]) if aspect == "pad" else min(pixels.shape[:2])
        assert side >= 100


def test_padding_needs_the_longest_side_only() -> None:
    header = read_header(saved(np.zeros((1600, 400, 3), np.uint8), "JPEG"))
    assert minimum_size(header, size=100, aspect="pad") == (25, 100)
    assert minimum_size(header, size=100, aspect="crop") == (100, 100)
    assert minimum_size(header, size=100, aspect="stretch") == (100, 100)


@pytest.mark.parametrize("aspect", ASPECTS)
@pytest.mark.parametrize(("name", "channels"), [("JPEG", 1), ("JPEG", 3), ("PNG", 1), ("PNG", 3)])
def test_a_plain_file_of_the_right_size_is_unchanged(name: str, channels: int, aspect: str) -> None:
    data = saved(photograph(32, 32, channels), name)
    assert record_image(data, size=32, aspect=aspect, jpeg_quality=50) == data


def test_other_files_become_plain_jpegs() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    pixels = photograph(32, 32)
    others = [
        saved(pixels, "JPEG", exif=exif.tobytes()),
        saved(pixels, "WEBP"),
        saved(pixels, "TIFF"),
        saved(photograph(33, 32), "PNG"),
        saved(np.concatenate([pixels, pixels[:, :, :1]], axis=2), "PNG"),
    ]
    for data in others:
        made = record_image(data, size=32, aspect="stretch", jpeg_quality=90)
        assert made != data
        assert read_header(made).plain
        assert pixels_of(made).shape == (32, 32, 3)


def test_a_damaged_file_of_the_right_size_is_refused() -> None:
    data = saved(photograph(32, 32), "JPEG")
    with pytest.raises(UnusableImageError, match="damaged"):
        record_image(data[:-30], size=32, aspect="stretch", jpeg_quality=90)


def test_orientation_is_applied_before_the_aspect() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = photograph(64, 128)
    oriented = record_image(saved(pixels, "PNG", exif=exif.tobytes()), size=32, aspect="pad", jpeg_quality=98)
    upright = record_image(saved(np.rot90(pixels, -1).copy(), "PNG"), size=32, aspect="pad", jpeg_quality=98)
    assert oriented == upright


def test_gray_pixels_become_a_jpeg_of_one_component() -> None:
    data = encode_jpeg(photograph(16, 16, 1), quality=90)
    assert data[data.index(b"\xff\xc0") + 9] == 1
    assert Image.open(io.BytesIO(data)).mode == "L"


def test_a_higher_quality_gives_a_larger_and_better_file() -> None:
    pixels = photograph(64, 64)
    sizes = [len(encode_jpeg(pixels, quality=quality)) for quality in (30, 60, 95)]
    assert sizes == sorted(sizes)
    assert decibels(pixels_of(encode_jpeg(pixels[:, :, :1], quality=95)), pixels[:, :, :1]) > 38
