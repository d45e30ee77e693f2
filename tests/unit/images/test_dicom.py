"""DICOM: values, windows, colors and compressions, against pydicom and the formulas of the standard."""

import importlib.util
import io
import logging
import struct
import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from fixtures.dicom import dicom_file
from fixtures.pictures import saved, smooth
from foldline.images.decoding import decode
from foldline.images.dicom import JPEG_2000, JPEG_LS, RLE
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import ImageOptions
from foldline.images.picture import Picture
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

COLOR, GRAY = smooth(30, 40), smooth(30, 40, 1, seed=3)[:, :, 0]
# 12 bits, from black to white.
DEEP = (np.arange(1200).reshape(30, 40) * 4095 // 1199).astype(np.uint16)
SIGNED = DEEP.astype(np.int16) - 1024
BASELINE, LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
FILES = Path(str(importlib.util.find_spec("pydicom.data").submodule_search_locations[0]), "test_files")  # type: ignore[union-attr,index]


def decoded(data: bytes, **options: Any) -> Picture:
    reading = ImageOptions(**options)
    return decode(data, read_header(data, reading), reading)


def gray_of(data: bytes, **options: Any) -> np.ndarray:
    picture = decoded(data, **options)
    assert picture.pixels.shape[2] == 1
    return picture.pixels[:, :, 0].astype(int)


def window(values: np.ndarray, center: float, width: float) -> np.ndarray:
    """The formula of PS3.3 C.11.2.1.2.1, case by case."""
    out = ((values - (center - 0.5)) / (width - 1) + 0.5) * 255
    out[values <= center - 0.5 - (width - 1) / 2] = 0
    out[values > center - 0.5 + (width - 1) / 2] = 255
    return np.floor(out + 0.5)


def test_gray_is_scaled_from_the_stored_bits() -> None:
    found = decoded(dicom_file(DEEP, BitsStored=12))
    np.testing.assert_array_equal(found.pixels[:, :, 0], np.floor(DEEP / 4095 * 255 + 0.5))
    assert found.peak == (np.percentile(DEEP, 99.9, method="inverted_cdf"), 4095)
    np.testing.assert_array_equal(gray_of(dicom_file(GRAY)), GRAY)
    np.testing.assert_array_equal(gray_of(dicom_file(DEEP, BitsStored=12), white=1e4), np.floor(DEEP / 1e4 * 255 + 0.5))


def test_signed_samples_are_scaled_from_the_lowest() -> None:
    found = gray_of(dicom_file(SIGNED, BitsStored=13))
    np.testing.assert_array_equal(found, np.floor((SIGNED + 4096.0) / 8191 * 255 + 0.5))


def test_values_are_rescaled_before_the_window() -> None:
    data = dicom_file(
        SIGNED, RescaleSlope="2", RescaleIntercept="-100", WindowCenter=["40", "600"], WindowWidth=["80", "9"]
    )
    values = SIGNED * 2.0 - 100
    np.testing.assert_array_equal(gray_of(data), window(values, 40, 80))
    np.testing.assert_array_equal(gray_of(data, window=(500.0, 2000.0)), window(values, 500, 2000))
    whole = (values + 65636) / 131070 * 255
    np.testing.assert_array_equal(gray_of(data, file_window=False), np.floor(whole + 0.5))


def test_functions_of_windows() -> None:
    exact = dicom_file(DEEP, WindowCenter="2000", WindowWidth="1000", VOILUTFunction="LINEAR_EXACT")
    np.testing.assert_array_equal(gray_of(exact), np.floor(((DEEP - 2000.0) / 1000 + 0.5).clip(0, 1) * 255 + 0.5))
    sigmoid = dicom_file(DEEP, WindowCenter="2000", WindowWidth="1000", VOILUTFunction="SIGMOID")
    wanted = 255 / (1 + np.exp(-4 * (DEEP - 2000.0) / 1000))
    np.testing.assert_array_equal(gray_of(sigmoid), np.floor(wanted + 0.5))


def test_monochrome1_is_inverted() -> None:
    data = dicom_file(DEEP, PhotometricInterpretation="MONOCHROME1", WindowCenter="2000", WindowWidth="1000")
    np.testing.assert_allclose(gray_of(data), 255 - window(DEEP.astype(float), 2000, 1000), atol=1)
    np.testing.assert_array_equal(gray_of(dicom_file(GRAY, PhotometricInterpretation="MONOCHROME1")), 255 - GRAY)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_the_inverse_shape_inverts_once(photometric: str) -> None:
    data = dicom_file(GRAY, PhotometricInterpretation=photometric, PresentationLUTShape="INVERSE")
    np.testing.assert_array_equal(gray_of(data), 255 - GRAY)
    same = dicom_file(GRAY, PresentationLUTShape="IDENTITY")
    np.testing.assert_array_equal(gray_of(same), GRAY)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_count(photometric: str) -> None:
    samples = SIGNED.copy()
    samples[:9] = -2000
    samples[9:12] = -1990
    fields = {"RescaleIntercept": "-50", "PixelPaddingRangeLimit": -1980, "PhotometricInterpretation": photometric}
    data = dicom_file(samples, **fields, PixelPaddingValue=-2000)
    found = gray_of(data, white=5000, window=(1000.0, 3000.0))
    wanted = window(samples - 50.0, 1000, 3000)
    wanted = 255 - wanted if photometric == "MONOCHROME1" else wanted
    assert (found[:12] == 0).all()
    np.testing.assert_allclose(found[12:], wanted[12:], atol=1)
    # Without a window, the largest sample of the picture counts, and negative ones around it are allowed.
    around = DEEP.astype(np.int16)
    around[:9] = -2000
    bright = decoded(dicom_file(around, PixelPaddingValue=-2000), white=5000.0)
    assert bright.peak == (np.percentile(DEEP[9:], 99.9, method="inverted_cdf"), 5000)
    around[:9] = 32000
    assert decoded(dicom_file(around, PixelPaddingValue=32000), white=5000.0).peak == bright.peak


def test_padding_beside_the_stored_bits_is_no_sample() -> None:
    data = dicom_file(DEEP, BitsStored=12, PixelPaddingValue=4096 + 2000)
    np.testing.assert_array_equal(gray_of(data), np.floor(DEEP / 4095 * 255 + 0.5))


def test_a_picture_of_padding_alone_is_black() -> None:
    found = decoded(dicom_file(np.full_like(SIGNED, -2000), PixelPaddingValue=-2000), white=4095.0)
    assert not found.pixels.any()


def subsampled(**elements: Any) -> tuple[bytes, np.ndarray]:
    """A file without compression in which two pixels share their colors, and its pixels."""
    ycbcr = np.asarray(Image.fromarray(COLOR).convert("YCbCr"))
    pairs = [ycbcr[:, 0::2, :1], ycbcr[:, 1::2, :1], ycbcr[:, 0::2, 1:]]
    data = np.concatenate(pairs, axis=2).tobytes()
    file = dicom_file(COLOR, PhotometricInterpretation="YBR_FULL_422", **elements)
    dataset = pydicom.dcmread(io.BytesIO(file))
    dataset.PixelData = data
    stream = io.BytesIO()
    dataset.save_as(stream)
    shared = ycbcr.copy()
    shared[:, 1::2, 1:] = shared[:, 0::2, 1:]
    return stream.getvalue(), np.asarray(Image.fromarray(shared, "YCbCr").convert("RGB"))


def test_subsampled_colors_without_compression() -> None:
    data, wanted = subsampled()
    np.testing.assert_array_equal(decoded(data).pixels, wanted)
    with pytest.raises(UnusableImageError, match="bytes of pixels"):
        read_header(subsampled(Rows=31)[0])
    with pytest.raises(UnusableImageError, match=r"YBR_FULL_422\) without compression that has an odd width"):
        read_header(subsampled(Columns=39)[0])


def table(descriptor: list[int], entries: np.ndarray) -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "US", descriptor)
    item.add_new(0x00283006, "OW", entries.astype("<u2").tobytes())
    return item


def test_tables_replace_rescale_and_window() -> None:
    squares = (np.arange(4096) ** 2 // 4096).astype(np.uint16)
    modality, voi = table([4096, 0, 16], squares), table([100, 1000, 12], np.arange(100) * 41)
    tables = {"ModalityLUTSequence": [modality], "VOILUTSequence": [voi]}
    found = gray_of(dicom_file(DEEP, BitsStored=12, **tables, WindowCenter="9", WindowWidth="9"))
    places = (squares[DEEP].astype(int) - 1000).clip(0, 99)
    np.testing.assert_array_equal(found, np.floor(places * 41 / 4095 * 255 + 0.5))


def group(slope: float, intercept: float, center: float, width: float) -> Dataset:
    """A functional group."""
    item, values, shown = Dataset(), Dataset(), Dataset()
    values.RescaleSlope, values.RescaleIntercept = slope, intercept
    shown.WindowCenter, shown.WindowWidth = [center, 9], [width, 9]
    item.PixelValueTransformationSequence, item.FrameVOILUTSequence = [values], [shown]
    return item


def grouped(samples: np.ndarray, **others: Any) -> bytes:
    """An enhanced file, with a rescaling and a window for all frames, and others for the second of two."""
    groups = {
        "SharedFunctionalGroupsSequence": [group(1, -1024, 40, 80)],
        "PerFrameFunctionalGroupsSequence": [Dataset(), group(2, -100, 1000, 3000)][: len(samples)],
    }
    return dicom_file(samples[..., None], BitsStored=12, **(groups | others))


def test_frames_of_enhanced_files_have_their_own_rescaling_and_window() -> None:
    data = grouped(np.stack([DEEP, DEEP]))
    np.testing.assert_array_equal(gray_of(data, page=1), window(DEEP - 1024.0, 40, 80))
    np.testing.assert_array_equal(gray_of(data, page=2), window(DEEP * 2 - 100.0, 1000, 3000))
    np.testing.assert_array_equal(gray_of(data, page=2, window=(600.0, 900.0)), window(DEEP * 2 - 100.0, 600, 900))
    alone = grouped(DEEP[None], RescaleIntercept="7", WindowCenter="7", WindowWidth="7")
    np.testing.assert_array_equal(gray_of(alone), window(DEEP - 1024.0, 40, 80))
    with pytest.raises(UnusableImageError, match="functional groups of 3 frames, but 1 frames"):
        read_header(grouped(DEEP[None], PerFrameFunctionalGroupsSequence=[Dataset(), Dataset(), group(1, 0, 9, 9)]))
    others = grouped(DEEP[None], PerFrameFunctionalGroupsSequence=[Dataset()] * 3)
    np.testing.assert_array_equal(gray_of(others), window(DEEP - 1024.0, 40, 80))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, BIG_ENDIAN])
def test_tables_of_negative_values_agree_with_pydicom(syntax: str) -> None:
    """A table of rescaled values that starts at -1000, which files without types store as 64536."""
    stored = DEEP[:, :30].copy()
    order = ">" if syntax == BIG_ENDIAN else "<"
    voi = Dataset()
    voi.add_new(0x00283002, "SS", [2000, -1000, 10])
    voi.add_new(0x00283006, "OW", (np.arange(2000) // 2).astype(f"{order}u2").tobytes())
    pixels = stored.astype(f"{order}u2").view(np.uint16)
    data = dicom_file(pixels, syntax=syntax, BitsStored=12, RescaleIntercept="-1024", VOILUTSequence=[voi])
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.VOILUTSequence[0]["LUTDescriptor"].value = [2000, -1000, 10]
    values = stored.astype(int) - 1024
    wanted = pydicom.pixels.apply_voi_lut(values, dataset)
    assert np.ptp(wanted) == 999
    np.testing.assert_array_equal(gray_of(data), np.floor(wanted / 1023 * 255 + 0.5))


def test_samples_above_the_stored_bits_are_as_large_as_they_are() -> None:
    """As pydicom reads them; the lowest 12 bits alone of 5000 are 904."""
    high = DEEP.copy()
    high[0] = 5000
    data = dicom_file(high, BitsStored=12)
    with pytest.raises(UnusableImageError, match=r"a sample of 5000, but its 12 bits .* 0 to 4095; set dataset\.dicom"):
        decoded(data)
    np.testing.assert_array_equal(gray_of(data, window=(4000.0, 3000.0)), window(high.astype(float), 4000, 3000))
    np.testing.assert_array_equal(gray_of(data, white=6000.0), np.floor(high / 6000 * 255 + 0.5))
    around = dicom_file(high, BitsStored=12, PixelPaddingValue=5000)
    np.testing.assert_array_equal(gray_of(around)[0], 0)
    signed = SIGNED.copy()
    signed[0] = -2000
    np.testing.assert_array_equal(
        gray_of(dicom_file(signed, BitsStored=11), window=(0.0, 5000.0)), window(signed.astype(float), 0, 5000)
    )


def test_bits_beside_those_that_count_are_ignored() -> None:
    overlay = (DEEP << 2) | 0x8001
    wanted = np.floor(DEEP / 4095 * 255 + 0.5)
    np.testing.assert_array_equal(gray_of(dicom_file(overlay, BitsStored=12, HighBit=13)), wanted)
    dataset, stream = pydicom.dcmread(io.BytesIO(dicom_file(DEEP | 0x1000, BitsStored=12))), io.BytesIO()
    dataset.add_new(0x60000102, "US", 12)  # OverlayBitPosition
    dataset.save_as(stream)
    np.testing.assert_array_equal(gray_of(stream.getvalue()), wanted)
    # Bits above a signed sample repeat its sign, or are 0.
    wanted = window(SIGNED.astype(float), 0, 2000)
    for stored in (SIGNED, SIGNED & 0x1FFF):
        np.testing.assert_array_equal(gray_of(dicom_file(stored, BitsStored=13), window=(0.0, 2000.0)), wanted)


def test_a_wrong_window_does_not_matter_where_another_is_set() -> None:
    data = dicom_file(GRAY, WindowCenter="9", WindowWidth="0")
    np.testing.assert_array_equal(gray_of(data, file_window=False), GRAY)
    np.testing.assert_array_equal(gray_of(data, window=(100.0, 90.0)), window(GRAY.astype(float), 100, 90))


def without_group_2(data: bytes, *, implicit: bool = False) -> bytes:
    """The data set of a file alone."""
    stream = io.BytesIO()
    dataset = pydicom.dcmread(io.BytesIO(data))
    del dataset.file_meta
    dataset.preamble = None
    dataset.save_as(stream, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    return stream.getvalue()


def test_files_without_preamble_are_read() -> None:
    data = dicom_file(DEEP, BitsStored=12, WindowCenter="2000", WindowWidth="1000", Modality="MR")
    wanted = window(DEEP.astype(float), 2000, 1000)
    for file in (data[132:], without_group_2(data), without_group_2(data, implicit=True)):
        assert file[:2] in (b"\2\0", b"\x08\0")
        assert read_header(file).format == "DICOM"
        np.testing.assert_array_equal(gray_of(file), wanted)
        with pytest.raises(UnusableImageError):
            decoded(file[: len(file) // 2])
    packed = dicom_file(GRAY, saved(GRAY, "JPEG"), syntax=BASELINE, Modality="MR")
    with pytest.raises(UnusableImageError, match="compressed pixels that names no transfer syntax"):
        read_header(without_group_2(packed))


@pytest.mark.parametrize(
    "start", [b"\x08\0\5\0CS\0\0" * 3, b"\2\0" * 40, b"\x08\0\5\0CS\1\0" + bytes(99), b"\x08\0\5\0"]
)
def test_files_that_start_like_an_element_are_no_dicom(start: bytes) -> None:
    with pytest.raises(UnusableImageError, match="it is a file that starts with the bytes 0"):
        read_header(start)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_bare_data_set_is_read(syntax: str) -> None:
    whole = dicom_file(GRAY, syntax=syntax)
    bare = whole[whole.index(b"\x08\0\x16\0", 140) :]
    np.testing.assert_array_equal(gray_of(bare), GRAY)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_bare_data_set_with_a_sequence_is_read(syntax: str) -> None:
    sequence = Dataset()
    sequence.CodeValue = "1"
    for undefined in (True, False):
        dataset = pydicom.dcmread(io.BytesIO(dicom_file(GRAY, syntax=syntax)))
        del dataset.SOPInstanceUID
        dataset.AnatomicRegionSequence = [sequence]
        dataset["AnatomicRegionSequence"].is_undefined_length = undefined
        stream = io.BytesIO()
        dataset.save_as(stream)
        whole = stream.getvalue()
        np.testing.assert_array_equal(gray_of(whole[whole.index(b"\x08\0\x16\0", 140) :]), GRAY)


@pytest.mark.parametrize("frames", [1, 2])
def test_more_pixels_than_frames_are_refused(frames: int) -> None:
    samples = np.stack([GRAY[:, :, None]] * 3)
    data = dicom_file(samples, NumberOfFrames=frames if frames > 1 else None)
    reason = f"3600 bytes of pixels, but NumberOfFrames is {frames}, and a frame has 1200"
    with pytest.raises(UnusableImageError, match=reason):
        read_header(data, ImageOptions(page=1))
    # Some programs append a few bytes.
    np.testing.assert_array_equal(gray_of(dicom_file(np.append(GRAY, GRAY[:20], axis=0), Rows=30)), GRAY)
    np.testing.assert_array_equal(gray_of(dicom_file(GRAY[:1, :1])), GRAY[:1, :1])


def fragments(frames: list[bytes], *, pieces: int = 1, offsets: bool = False) -> bytes:
    """Compressed pixel data of frames, each in some fragments."""
    return encapsulate(frames, fragments_per_frame=pieces, has_bot=offsets)


@pytest.mark.parametrize("name", ["JPEG", "JPEG-LS", "JPEG 2000", "RLE"])
@pytest.mark.parametrize("offsets", [False, True])
def test_more_compressed_pictures_than_frames_are_refused(name: str, offsets: bool) -> None:
    frame, syntax = {
        "JPEG": (saved(GRAY, "JPEG"), BASELINE),
        "JPEG-LS": (imagecodecs.jpegls_encode(GRAY), JPEG_LS[0]),
        "JPEG 2000": (imagecodecs.jpeg2k_encode(GRAY, codecformat="j2k", reversible=True), JPEG_2000[0]),
        "RLE": (struct.pack("<16I", 1, 64, *[0] * 14) + imagecodecs.packbits_encode(GRAY.tobytes()), RLE),
    }[name]
    one = dicom_file(GRAY, frame, syntax=syntax)
    for pieces in (1,) if name == "RLE" else (1, 2):
        with pytest.raises(UnusableImageError, match="2 compressed pictures, but NumberOfFrames is 1; save each as"):
            read_header(with_data(one, fragments([frame, frame], pieces=pieces, offsets=offsets)))
        whole = with_data(one, fragments([frame], pieces=pieces, offsets=offsets))
        np.testing.assert_array_equal(gray_of(whole), gray_of(one))


def test_no_bytes_of_pixels_are_damage() -> None:
    with pytest.raises(UnusableImageError, match="damaged: 0 bytes of pixels, not 1200"):
        read_header(with_data(dicom_file(GRAY), b""))


def with_data(data: bytes, pixels: bytes) -> bytes:
    """A file with other compressed pixel data."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.PixelData = pixels
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def test_colors() -> None:
    np.testing.assert_array_equal(decoded(dicom_file(COLOR)).pixels, COLOR)
    planes = np.ascontiguousarray(np.moveaxis(COLOR, 2, 0))
    planar = dicom_file(planes[None].reshape(1, 30, 40, 3), PlanarConfiguration=1)
    np.testing.assert_array_equal(decoded(planar).pixels, COLOR)
    ycbcr = np.asarray(Image.fromarray(COLOR).convert("YCbCr"))
    found = decoded(dicom_file(ycbcr, PhotometricInterpretation="YBR_FULL")).pixels
    assert np.abs(found.astype(int) - COLOR).max() <= 3


def test_palettes() -> None:
    colors = np.random.default_rng(1).integers(0, 65536, (3, 200)).astype(np.uint16)
    parts = {
        f"{name}PaletteColorLookupTable{part}": value
        for name, entries in zip(("Red", "Green", "Blue"), colors, strict=True)
        for part, value in (("Descriptor", [200, 10, 16]), ("Data", entries.astype("<u2").tobytes()))
    }
    found = decoded(dicom_file(GRAY, PhotometricInterpretation="PALETTE COLOR", **parts)).pixels
    np.testing.assert_array_equal(found, (colors[:, (GRAY.astype(int) - 10).clip(0, 199)] >> 8).transpose(1, 2, 0))


def compressed() -> dict[str, tuple[bytes, np.ndarray, int]]:
    """Files with compressed pixels, what must come out, and the largest difference."""
    deep = np.floor(DEEP / 4095 * 255 + 0.5)[:, :, None]
    twelve = {"BitsStored": 12}
    ybr = {"PhotometricInterpretation": "YBR_FULL_422"}
    signed = {"RescaleIntercept": "0", "WindowCenter": "1000", "WindowWidth": "2000"}
    segments = [(DEEP >> 8).astype(np.uint8), DEEP.astype(np.uint8)]
    packed = [imagecodecs.packbits_encode(part) for part in segments]
    head = np.array([2, 64, 64 + len(packed[0]), *[0] * 13], "<u4").tobytes()
    jpeg = saved(COLOR, "JPEG", quality=98, subsampling=0)
    jpeg = jpeg[:2] + jpeg[2 + 18 :]  # without JFIF, as DICOM files have it
    lossless = imagecodecs.jpeg8_encode(DEEP, lossless=True, bitspersample=12)
    stream = {"level": 0, "reversible": True, "codecformat": "j2k"}
    jpeg_ls = [imagecodecs.jpegls_encode(samples) for samples in (DEEP, COLOR)]
    jpeg_2000 = [imagecodecs.jpeg2k_encode(samples, **stream) for samples in (COLOR, SIGNED)]
    shown = window(SIGNED.astype(float), 1000, 2000)[:, :, None]
    return {
        "JPEG": (dicom_file(COLOR, jpeg, syntax=BASELINE, **ybr), COLOR, 8),
        "JPEG, gray": (dicom_file(GRAY, saved(GRAY, "JPEG", quality=98), syntax=BASELINE), GRAY[:, :, None], 8),
        "JPEG, lossless": (dicom_file(DEEP, lossless, syntax=LOSSLESS, **twelve), deep, 0),
        "JPEG-LS": (dicom_file(DEEP, jpeg_ls[0], syntax=JPEG_LS[0], **twelve), deep, 0),
        "JPEG-LS, color": (dicom_file(COLOR, jpeg_ls[1], syntax=JPEG_LS[0]), COLOR, 0),
        "JPEG 2000": (dicom_file(COLOR, jpeg_2000[0], syntax=JPEG_2000[0]), COLOR, 0),
        "JPEG 2000, signed": (dicom_file(SIGNED, jpeg_2000[1], syntax=JPEG_2000[0], **signed), shown, 0),
        "run lengths": (dicom_file(DEEP, head + b"".join(packed), syntax=RLE, **twelve), deep, 0),
    }


@pytest.mark.parametrize("name", compressed())
def test_compressed_pixels(name: str) -> None:
    data, wanted, most = compressed()[name]
    found = decoded(data).pixels
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).max() <= most


@pytest.mark.parametrize("name", compressed())
def test_a_truncated_file_is_refused(name: str) -> None:
    data = compressed()[name][0]
    with pytest.raises(UnusableImageError):
        decoded(data[: -len(data) // 8])


def test_a_frame_of_another_size_is_refused_before_it_is_decoded() -> None:
    large = np.zeros((300, 400), np.uint8)
    frames = {
        BASELINE: saved(large, "JPEG"),
        JPEG_LS[0]: imagecodecs.jpegls_encode(large),
        JPEG_2000[0]: imagecodecs.jpeg2k_encode(large, codecformat="j2k"),
    }
    for syntax, frame in frames.items():
        with pytest.raises(UnusableImageError, match="compressed pixels of 400 x 300 with 1 samples"):
            decoded(dicom_file(GRAY, frame, syntax=syntax))


def test_colors_that_are_said_twice_must_agree() -> None:
    with pytest.raises(UnusableImageError, match="photometric interpretation RGB, of which the markers"):
        decoded(dicom_file(COLOR, saved(COLOR, "JPEG"), syntax=BASELINE))


def test_a_frame_is_chosen_by_the_page() -> None:
    frames = np.stack([smooth(30, 40, seed=seed) for seed in range(3)])
    data = dicom_file(frames)
    with pytest.raises(UnusableImageError, match=r"^3 frames; set dataset\.page"):
        read_header(data)
    with pytest.raises(UnusableImageError, match=r"dataset\.page is 4, but the DICOM file has 3 frames"):
        read_header(data, ImageOptions(page=4))
    np.testing.assert_array_equal(decoded(data, page=2).pixels, frames[1])


def refused() -> dict[str, tuple[bytes, str]]:
    deflated = dicom_file(GRAY).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0")
    return {
        "syntax": (deflated, "transfer syntax"),
        "bits": (dicom_file(GRAY, BitsStored=9), "samples of 9 of 8 bits"),
        "samples": (dicom_file(GRAY, PhotometricInterpretation="RGB"), "interpretation RGB and 1 samples"),
        "CMYK": (dicom_file(GRAY, PhotometricInterpretation="CMYK"), "interpretation CMYK"),
        "no pixels": ((FILES / "test-SR.dcm").read_bytes(), r"no pixels \(modality SR\)"),
        "lost row": (dicom_file(GRAY, Rows=31), "1200 bytes of pixels, not 1240"),
        "YBR of 16 bits": (
            dicom_file(COLOR.astype("u2"), PhotometricInterpretation="YBR_FULL"),
            "YBR colors of 16 bits",
        ),
        "YBR of JPEG 2000": (dicom_file(COLOR, PhotometricInterpretation="YBR_ICT"), "YBR_ICT without JPEG 2000"),
        "no rows": (dicom_file(GRAY, Rows=0), "0 pixels|x 0"),
        "palette of some": (dicom_file(GRAY, PixelPresentation="COLOR"), "gray and a palette for some of it"),
        "no bits": (dicom_file(GRAY, BitsAllocated=None), "lacks BitsAllocated"),
        "window": (dicom_file(GRAY, WindowCenter="9", WindowWidth="0"), r"the window 9, 0 \(LINEAR\)"),
        "slope": (dicom_file(DEEP, RescaleSlope="1e999"), "RescaleSlope of the DICOM file is no finite number"),
        "too large": (dicom_file(GRAY, Rows=65535, Columns=65535), "megapixels"),
    }


@pytest.mark.parametrize("name", refused())
def test_what_is_not_read_is_refused_by_name(name: str) -> None:
    """By the header, so that it is reported before any job."""
    data, reason = refused()[name]
    with pytest.raises(UnusableImageError, match=reason):
        read_header(data)


# Files of pydicom that its own decoders read here: without compression, JPEG and JPEG 2000 (Pillow), run lengths.
ORACLE = ["CT_small", "MR_small", "MR_small_RLE", "MR_small_bigendian", "MR_small_implicit", "MR_small_jp2klossless"]
COLORS = ["SC_rgb_rle", "SC_rgb_small_odd", "SC_rgb_small_odd_big_endian", "examples_rgb_color", "ExplVR_BigEnd"]


@pytest.mark.parametrize("name", [*ORACLE, *COLORS])
def test_files_of_other_programs_agree_with_pydicom(name: str) -> None:
    data = (FILES / f"{name}.dcm").read_bytes()
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(FILES / f"{name}.dcm")
        stored = dataset.pixel_array
    if name in COLORS:
        np.testing.assert_array_equal(decoded(data).pixels, stored)
        return
    values = stored * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    found = gray_of(data, window=(600.0, 1600.0))
    np.testing.assert_array_equal(found, window(values.astype(float), 600, 1600))
    assert np.ptp(found) > 100


def test_lossless_jpeg_of_ycbcr() -> None:
    ycbcr = np.asarray(Image.fromarray(COLOR).convert("YCbCr"))
    frame = imagecodecs.jpeg8_encode(ycbcr, lossless=True)
    start = frame.index(b"\xff\xee")
    frame = frame[:start] + frame[start + 16 :]  # without the marker of Adobe, which says RGB
    found = decoded(dicom_file(COLOR, frame, syntax=LOSSLESS, PhotometricInterpretation="YBR_FULL")).pixels
    np.testing.assert_array_equal(found, np.asarray(Image.fromarray(ycbcr, "YCbCr").convert("RGB")))
