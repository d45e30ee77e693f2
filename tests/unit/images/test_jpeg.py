"""JPEG files: kinds that libjpeg-turbo would decode beyond its buffer, harmless oddities, and real damage."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from fixtures.pictures import photograph, saved, smooth
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.jpeg import BAD_ICC, JUNK, PADDING, REVISION, SAMPLING, segments
from foldline.images.picture import Picture
from PIL import Image


def opened(data: bytes, side: int = 0) -> Picture:
    return decode(data, read_header(data), min_width=side, min_height=side)


def inserted(data: bytes, marker: int, extra: bytes) -> bytes:
    """The file with bytes before its last segment with a marker."""
    start = [segment.start for segment in segments(data) if segment.marker == marker][-1]
    return data[:start] + extra + data[start:]


def profile_segment(number: int, count: int) -> bytes:
    body = b"ICC_PROFILE\0" + bytes([number, count]) + b"abcd"
    return b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [0, 8, 40])
def test_lossless_jpeg_is_decoded_exactly_and_never_reduced(channels: int, side: int) -> None:
    """libjpeg-turbo does not reduce it, and would write beyond a buffer of the reduced size."""
    pixels = photograph(450, 600, channels)
    data = imagecodecs.jpeg8_encode(pixels.squeeze(), lossless=True)
    header = read_header(data)
    assert not header.plain
    found = decode(data, header, min_width=side, min_height=side)
    np.testing.assert_array_equal(found.pixels, pixels)
    assert found.box == (0, 0, 600, 450)


@pytest.mark.parametrize(("bits", "lossless"), [(12, False), (12, True), (16, True), (10, True)])
def test_deep_jpeg_keeps_the_range_of_its_bits(bits: int, lossless: bool) -> None:
    wanted = smooth(64, 80, 1)
    samples = np.round(wanted / 255 * (2**bits - 1)).astype(np.uint16)
    level = {} if lossless else {"level": 99}
    data = imagecodecs.jpeg8_encode(samples.squeeze(), lossless=lossless, bitspersample=bits, **level)
    assert np.abs(opened(data, 16).pixels.astype(int) - wanted).max() <= (0 if lossless else 2)
    with pytest.raises(UnusableImageError, match="truncated"):
        opened(data[: len(data) // 2])


def test_a_jpeg_without_its_end_marker_is_refused_by_its_header() -> None:
    """Also if a thumbnail in it has one."""
    data = inserted(saved(photograph(40, 40), "JPEG"), 0xDB, b"\xff\xe1\0\4\xff\xd9")
    read_header(data)
    read_header(data + b"junk")
    with pytest.raises(UnusableImageError, match="damaged: the JPEG file is truncated"):
        read_header(data[:-2])


@pytest.mark.parametrize(
    ("marker", "words"), [(0xC5, "hierarchical"), (0xCB, "arithmetic"), (0xF7, "JPEG-LS"), (0xC7, "hierarchical")]
)
def test_a_frame_that_no_decoder_reads_is_refused_by_name(marker: int, words: str) -> None:
    data = bytearray(saved(smooth(), "JPEG"))
    data[data.index(b"\xff\xc0") + 1] = marker
    with pytest.raises(UnusableImageError, match=words):
        read_header(bytes(data))


FRAMES = {
    "two frames": (lambda frame: frame * 2, "two frames"),
    "no frame": (lambda frame: b"", "no frame"),
    "a length beyond its components": (lambda frame: frame[:9] + b"\x04" + frame[10:], "wrong length"),
    "two components": (
        lambda frame: b"\xff\xc0\0\x0e" + frame[4:9] + b"\x02" + frame[10:16],
        "2 components; save it as RGB",
    ),
    "sampling factors of zero": (lambda frame: frame[:11] + b"\0" + frame[12:], "sampling"),
    "sampling factors of 15": (lambda frame: frame[:11] + b"\xff" + frame[12:], "sampling"),
    "nine bits": (lambda frame: frame[:4] + b"\x09" + frame[5:], "9 bits"),
    "twelve bits and inks": (
        lambda frame: b"\xff\xc1\0\x14\x0c" + frame[5:9] + b"\4" + frame[10:19] + b"\4\x11\0",
        "12 bits with 4 components",
    ),
    "lossless and subsampled": (lambda frame: b"\xff\xc3" + frame[2:], "lossless JPEG with chroma subsampling"),
}


@pytest.mark.parametrize("fault", FRAMES)
def test_a_frame_that_cannot_be_is_refused_before_it_is_decoded(fault: str) -> None:
    change, words = FRAMES[fault]
    data = saved(smooth(), "JPEG")
    frame = next(data[segment.start : segment.end] for segment in segments(data) if segment.marker == 0xC0)
    with pytest.raises(UnusableImageError, match=words):
        read_header(data.replace(frame, change(frame)))


def harmless(data: bytes) -> dict[str, bytes]:
    """Files with the same pixels, by their oddity."""
    start = data.find(b"JFIF") + 5
    return {
        JUNK: inserted(inserted(data, 0xC4, b"\0junk\xff\0"), 0xDA, b"\0\0\0"),
        REVISION: data[:start] + b"\x09" + data[start + 1 :],
        BAD_ICC: inserted(data, 0xDB, profile_segment(2, 3)),
    }


@pytest.mark.parametrize("oddity", [JUNK, REVISION, BAD_ICC])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}])
@pytest.mark.parametrize("side", [0, 20])
def test_oddities_that_touch_no_pixel_are_accepted_and_named(oddity: str, options: dict, side: int) -> None:
    options = dict(options)
    data = saved(Image.fromarray(photograph(64, 96)).convert(options.pop("mode", "RGB")), "JPEG", **options)
    if b"JFIF" not in data:  # Pillow writes none into CMYK files.
        data = inserted(data, 0xDB, b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0")
    found = opened(harmless(data)[oddity], side)
    np.testing.assert_array_equal(found.pixels, opened(data, side).pixels)
    assert found.oddities == (oddity,)
    assert opened(data, side).oddities == ()


def test_bytes_behind_the_start_of_the_file_are_accepted() -> None:
    data = saved(smooth(), "JPEG")
    odd = data[:2] + b"junk" + data[2:]
    np.testing.assert_array_equal(opened(odd).pixels, opened(data).pixels)
    assert opened(odd).oddities == (JUNK,)


def test_padding_behind_the_scans_is_accepted_but_no_other_bytes() -> None:
    data = saved(photograph(64, 96), "JPEG", progressive=True)
    for marker, padding in ((0xC4, bytes(15)), (0xD9, b"\n" * 20), (0xD9, bytes(12))):
        found = opened(inserted(inserted(data, marker, padding), 0xDB, b"\0"))
        assert found.oddities == (JUNK, PADDING)
        np.testing.assert_array_equal(found.pixels, opened(data).pixels)
        with pytest.raises(UnusableImageError, match="extraneous bytes"):
            opened(inserted(data, marker, bytes(range(1, 20))))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}])
@pytest.mark.parametrize("oddity", ["", JUNK, BAD_ICC])
def test_damage_is_refused_beside_any_oddity(oddity: str, options: dict) -> None:
    options = dict(options)
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = saved(image.convert(options.pop("mode", "RGB")), "JPEG", **options)
    odd = harmless(data)[oddity] if oddity else data
    start = odd.rindex(b"\xff\xda")
    middle = start + (odd.rindex(b"\xff\xd9") - start) // 2
    # Of bytes that are lost within a scan, libjpeg notices about two in three gaps.
    for broken in (odd[:middle], odd[:middle] + b"\xff\xd9", odd[:-2] + odd[middle : middle + 200] + odd[-2:]):
        with pytest.raises(UnusableImageError, match="damaged"):
            opened(broken)


def lost(data: bytes, marker: int, number: int) -> bytes:
    """The file without one of its markers, of which the segment stays."""
    start = [segment.start for segment in segments(data) if segment.marker == marker][number]
    return data[:start] + bytes(2) + data[start + 2 :]


@pytest.mark.parametrize("side", [8, 200])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"quality": 1}, {"mode": "L"}])
def test_a_scan_without_its_marker_is_damage(side: int, options: dict) -> None:
    """Libjpeg says of it what it says of harmless bytes: extraneous bytes before a marker."""
    options = dict(options)
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8))
    data = saved(image.convert(options.pop("mode", "RGB")), "JPEG", progressive=True, **options)
    opened(data)
    scans = sum(segment.marker == 0xDA for segment in segments(data))
    assert scans > 5
    for number in range(scans):
        with pytest.raises(UnusableImageError, match=r"^damaged: "):
            opened(lost(data, 0xDA, number))


def test_a_segment_without_its_marker_is_damage() -> None:
    data = saved(smooth(40, 40), "JPEG", optimize=True)
    for marker in (0xC4, 0xDB):
        with pytest.raises(UnusableImageError, match="bytes between the markers of the JPEG file"):
            opened(lost(data, marker, -1))
    # Pillow, which decodes unusual sampling, says nothing of such bytes.
    start = data.index(b"\xff\xc0")
    odd = data[: start + 11] + b"\x31" + data[start + 12 :]
    with pytest.raises(UnusableImageError, match="bytes between the markers of the JPEG file"):
        opened(lost(odd, 0xC4, -1))


def test_long_padding_between_segments_is_harmless() -> None:
    data = saved(smooth(40, 40), "JPEG")
    assert opened(inserted(data, 0xDA, bytes(5000))).oddities == (JUNK,)
    with pytest.raises(UnusableImageError, match="100 bytes between the markers"):
        opened(inserted(data, 0xDA, bytes(range(100))))
    # The decoder of more bits says nothing of bytes between segments.
    deep = imagecodecs.jpeg8_encode(smooth(40, 40, 1).squeeze().astype(np.uint16), bitspersample=12)
    opened(inserted(deep, 0xDA, bytes(100)))
    with pytest.raises(UnusableImageError, match="100 bytes between the markers"):
        opened(inserted(deep, 0xDA, bytes(range(100))))


@pytest.mark.parametrize("factors", [(0x31, 0x11, 0x11), (0x22, 0x21, 0x12), (0x11, 0x22, 0x22)])
def test_unusual_chroma_sampling_is_accepted(factors: tuple[int, int, int]) -> None:
    data = bytearray(saved(np.full((60, 90, 3), (200, 90, 30), np.uint8), "JPEG", subsampling=0))
    start = data.index(b"\xff\xc0")
    for component, pair in enumerate(factors):
        data[start + 11 + 3 * component] = pair
    found = opened(bytes(data))
    assert found.oddities == (SAMPLING,)
    wanted = np.asarray(Image.open(io.BytesIO(bytes(data))))
    np.testing.assert_array_equal(found.pixels, wanted)
    with pytest.raises(UnusableImageError, match="truncated"):
        opened(bytes(data[:-40]))


def test_an_orientation_in_xmp_counts_where_exif_has_none() -> None:
    data = saved(smooth(16, 40), "JPEG")
    for form in (b'tiff:Orientation="6"', b"<tiff:Orientation>6</tiff:Orientation>"):
        body = b"http://ns.adobe.com/xap/1.0/\0<x " + form + b"/>"
        odd = inserted(data, 0xDB, b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
        assert (read_header(odd).width, read_header(odd).orientation) == (16, 6)


def test_a_lossless_jpeg_of_ycbcr_is_refused_by_name() -> None:
    data = bytearray(imagecodecs.jpeg8_encode(smooth(), lossless=True))
    place = data.index(b"Adobe")
    data[place + 11] = 1
    with pytest.raises(UnusableImageError, match=r"^a lossless JPEG with YCbCr colors; save it as PNG$"):
        decode(bytes(data), read_header(bytes(data)))
