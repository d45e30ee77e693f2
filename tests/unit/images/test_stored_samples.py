"""Samples of images with more than 8 bits, as they are in their files."""

import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from fixtures.dicom import dicom_file
from fixtures.pictures import png_16_bit, saved, smooth
from foldline.images.headers import read_header
from foldline.images.options import ImageOptions
from foldline.images.samples import bright_sample
from foldline.images.stored_samples import StoredSamples, stored_samples
from PIL import Image

DEEP = smooth(30, 44, 4).astype(np.uint16) * 16
GRAY = DEEP[:, :, :1]


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, metadata=None, **{"photometric": "minisblack"} | options)
    return stream.getvalue()


def npy(samples: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, samples)
    return stream.getvalue()


def stored(data: bytes, **options: Any) -> list[StoredSamples]:
    reading = ImageOptions(**options)
    return stored_samples(data, read_header(data, reading), reading)


PICTURES = {
    "gray PNG": (png_16_bit(GRAY), GRAY, 16, 65535),
    "PNG with alpha": (png_16_bit(DEEP), DEEP[:, :, :3], 16, 65535),
    "gray PNG with alpha": (png_16_bit(DEEP[:, :, :2]), GRAY, 16, 65535),
    "TIFF of 16 bits": (tiff(DEEP[:, :, 0]), GRAY, 16, 65535),
    "TIFF of 12 bits": (tiff(DEEP[:, :, 0], bitspersample=12, byteorder="<"), GRAY, 12, 4095),
    "TIFF with alpha": (
        tiff(DEEP, photometric="rgb", extrasamples=["unassalpha"]),
        DEEP[:, :, :3],
        16,
        65535,
    ),
    "float TIFF": (tiff(GRAY[:, :, 0].astype(np.float32) / 7), GRAY.astype(np.float32) / 7, 32, None),
    "signed TIFF": (tiff(GRAY[:, :, 0].astype(np.int16) - 99), GRAY.astype(np.int16) - 99, 16, None),
    "npy": (npy(DEEP[:, :, :3]), DEEP[:, :, :3], 16, 65535),
    "JPEG of 12 bits, without loss": (
        imagecodecs.jpeg8_encode(np.ascontiguousarray(DEEP[:, :, 0]), lossless=True, bitspersample=12),
        GRAY,
        12,
        4095,
    ),
    "JPEG 2000": (
        imagecodecs.jpeg2k_encode(np.ascontiguousarray(DEEP[:, :, :3]), level=0, mct=False),
        DEEP[:, :, :3],
        16,
        65535,
    ),
    "PNM": (b"P5 44 30 4080\n" + GRAY.astype(">u2").tobytes(), GRAY, 12, 4080),
    "DICOM": (dicom_file(DEEP[:, :, 0], BitsStored=12), GRAY, 12, 4095),
    "rescaled DICOM": (
        dicom_file(DEEP[:, :, 0], BitsStored=12, RescaleSlope=2, RescaleIntercept=-1024),
        GRAY * 2.0 - 1024,
        12,
        4095 * 2 - 1024,
    ),
    "DICOM of more": (dicom_file(DEEP[:, :, 0], BitsStored=11), GRAY, 11, 2047),
}


@pytest.mark.parametrize("name", PICTURES)
def test_samples_are_those_of_the_file(name: str) -> None:
    data, samples, bits, white = PICTURES[name]
    (found,) = stored(data)
    np.testing.assert_array_equal(found.samples, samples)
    assert found.white == white
    assert found.bits == bits or name == "PNM"


def test_intensity_and_what_it_refuses_do_not_count() -> None:
    (found,) = stored(PICTURES["float TIFF"][0], white=0.5)
    assert found.samples.max() > 0.5


@pytest.mark.parametrize(
    "data",
    [
        saved(smooth(30, 44), "PNG"),
        saved(smooth(30, 44), "JPEG"),
        saved(Image.fromarray(smooth(30, 44)).quantize(), "PNG"),
        saved(smooth(30, 44), "BMP"),
        tiff(smooth(30, 44), photometric="rgb"),
        dicom_file(smooth(30, 44)),
        dicom_file(DEEP[:, :, 0], BitsStored=12, WindowCenter=100, WindowWidth=50),
    ],
    ids=["PNG", "JPEG", "palette", "BMP", "TIFF", "color DICOM", "DICOM in a window"],
)
def test_pictures_that_intensity_does_not_change_have_none(data: bytes) -> None:
    assert stored(data) == []


def test_a_window_of_the_configuration_counts_and_full_takes_it_away() -> None:
    in_window = dicom_file(DEEP[:, :, 0], BitsStored=12, WindowCenter=100, WindowWidth=50)
    assert len(stored(in_window, file_window=False)) == 1
    assert stored(PICTURES["DICOM"][0], window=(40, 80)) == []


@pytest.mark.parametrize(
    "data", [tiff(np.moveaxis(DEEP, 2, 0)), npy(DEEP), png_16_bit(DEEP)], ids=["pages", "npy", "PNG"]
)
def test_all_planes_of_a_file_with_channels_count(data: bytes) -> None:
    found = stored(data, planes=4)
    np.testing.assert_array_equal(np.concatenate([part.samples for part in found], axis=2), DEEP)


def test_hot_pixels_do_not_count_as_bright() -> None:
    samples = np.full((250, 260), 4000, np.uint16)
    samples[5:10, 5:18] = 65535
    assert bright_sample(samples) == 4000
    samples[5, 18] = 65535
    assert bright_sample(samples) == 65535
    # A large picture is looked at on a grid.
    assert bright_sample(np.repeat(np.repeat(samples, 4, axis=0), 4, axis=1)) == 65535
