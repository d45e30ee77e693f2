"""Files that hold all channels of a sample: each plane becomes a gray picture, or the file is refused."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from fixtures.pictures import decibels, png_16_bit, saved, smooth
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import ImageOptions
from foldline.images.planes import decode_planes
from foldline.tfrecords.image_reading import SampleImages
from foldline.tfrecords.image_sources import record_images, scan_sample
from PIL import Image

FIVE = smooth(30, 44, 5)
DEEP = FIVE.astype(np.uint16) * 257


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, metadata=None, **{"photometric": "minisblack"} | options)
    return stream.getvalue()


def npy(samples: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, samples)
    return stream.getvalue()


def pages(samples: np.ndarray, **options: Any) -> bytes:
    """A TIFF with a page for each channel."""
    return tiff(np.moveaxis(samples, 2, 0), **options)


def files() -> dict[str, tuple[bytes, int]]:
    """Files with the first planes of `FIVE`, and how many they are."""
    alpha = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    return {
        "pages": (pages(FIVE), 5),
        "pages of 16 bits": (pages(DEEP, compression="lzw"), 5),
        "samples": (tiff(FIVE, planarconfig="contig"), 5),
        "separate samples": (tiff(np.moveaxis(FIVE, 2, 0), planarconfig="separate", compression="deflate"), 5),
        "pages of two samples": (tiff(np.stack([FIVE[:, :, :2], FIVE[:, :, 2:4]]), planarconfig="contig"), 4),
        "TIFF with alpha": (tiff(FIVE[:, :, :4], **alpha), 4),
        "RGB TIFF": (tiff(FIVE[:, :, :3], photometric="rgb"), 3),
        "gray TIFF": (tiff(FIVE[:, :, 0]), 1),
        "npy": (npy(FIVE), 5),
        "npy of 16 bits": (npy(DEEP), 5),
        "PNG with alpha": (saved(Image.fromarray(FIVE[:, :, :4]), "PNG"), 4),
        "PNG of 16 bits": (png_16_bit(DEEP[:, :, :4]), 4),
        "RGB PNG": (saved(FIVE[:, :, :3], "PNG"), 3),
        "WebP": (saved(FIVE[:, :, :3], "WEBP", lossless=True), 3),
    }


def decoded(data: bytes, planes: int, **options: Any) -> list[np.ndarray]:
    reading = ImageOptions(planes=planes, color_profile="ignore", **options)
    header = read_header(data, reading)
    found = [picture.pixels for picture in decode_planes(data, header, reading)]
    assert {(header.height, header.width, 1)} == {pixels.shape for pixels in found}
    return found


@pytest.mark.parametrize("name", files())
def test_each_plane_is_a_gray_picture_in_the_order_of_the_file(name: str) -> None:
    data, count = files()[name]
    np.testing.assert_array_equal(np.concatenate(decoded(data, count), axis=2), FIVE[:, :, :count])


@pytest.mark.parametrize("name", files())
@pytest.mark.parametrize("more", [-1, 1])
def test_another_number_of_channels_is_refused(name: str, more: int) -> None:
    data, count = files()[name]
    wanted = count + more if count + more else 7
    with pytest.raises(UnusableImageError, match=rf"{wanted} (names|channels)") as caught:
        decoded(data, wanted)
    assert str(count) in str(caught.value)


def test_intensity_counts_for_each_plane() -> None:
    for data in (pages(DEEP >> 4), npy(DEEP >> 4)):
        found = decoded(data, 5, white=4095.0)
        np.testing.assert_array_equal(np.concatenate(found, axis=2), np.floor((DEEP >> 4) / 4095 * 255 + 0.5))


def test_what_is_no_plane_is_refused() -> None:
    inverted = tiff(FIVE[:, :, 0], photometric="miniswhite")
    inks = saved(Image.fromarray(FIVE[:, :, :4], "CMYK"), "TIFF")
    for data, count in ((inverted, 1), (inks, 4)):
        with pytest.raises(UnusableImageError, match="channels are a palette, inks or inverted"):
            decoded(data, count)
    with pytest.raises(UnusableImageError, match="damaged"):
        decoded(pages(FIVE)[:-1000], 5)
    with pytest.raises(UnusableImageError, match=r"dataset\.page is set"):
        decoded(pages(FIVE), 5, page=1)


def test_pages_of_several_sizes_are_refused() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for side in (20, 21):
            writer.write(np.zeros((side, 20), np.uint8), metadata=None)
    with pytest.raises(UnusableImageError, match="pages differ in size"):
        decoded(stream.getvalue(), 2)


def test_all_planes_count_for_the_memory() -> None:
    data = pages(np.zeros((1000, 1000, 20), np.uint16), compression="deflate")
    with pytest.raises(UnusableImageError, match="MB to decode"):
        decoded(data, 20, max_megapixels=1.1)
    assert len(decoded(data, 20, max_megapixels=4)) == 20


def test_a_sample_of_one_file_is_scanned_and_becomes_a_record(tmp_path: Path) -> None:
    path = tmp_path / "a|b.tif"
    path.write_bytes(pages(FIVE))
    reading = ImageOptions(planes=5, color_profile="ignore")
    scanned = scan_sample([str(path)], image_feature="image", gray=True, reading=reading)
    assert (scanned.cells["problem"], scanned.cells["width"], scanned.cells["height"]) == ("", 44, 30)
    source = SampleImages("a|b", (str(path),), str(scanned.cells["sha256"]))
    images = record_images(source, image_feature="image", size=30, aspect="crop", jpeg_quality=95, reading=reading)
    assert len(images) == 5
    for number, data in enumerate(images):
        found = decode(data, read_header(data)).pixels
        assert found.shape == (30, 30, 1)
        assert decibels(found, FIVE[:, 7:37, number : number + 1]) > 40
    wrong = scan_sample([str(path)], image_feature="image", gray=True, reading=ImageOptions(planes=4))
    assert "5 channels in one file (5 pages), but dataset.channels has 4 names" in str(wrong.cells["problem"])
