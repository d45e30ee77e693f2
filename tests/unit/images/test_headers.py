"""Headers: format, orientation, and files that are refused before a pixel is decoded."""

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from fixtures.pictures import png_16_bit, png_chunk, saved, smooth
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import NAMES, read_header
from foldline.images.options import MAX_MEGAPIXELS
from foldline.images.picture import upright
from PIL import Image


def test_the_format_follows_from_the_content() -> None:
    image = Image.fromarray(smooth())
    found = {name: read_header(saved(image, name)).format for name in ("JPEG", "PNG", "WEBP", "TIFF")}
    assert found == {name: name for name in found}


def test_an_orientation_behind_the_pixels_of_a_png_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(smooth(16, 40)), "PNG")
    late = data[:-12] + png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + data[-12:]
    assert (read_header(data).width, read_header(late).width) == (40, 16)
    found = decode(late, read_header(late)).pixels
    wanted = upright(decode(data, read_header(data)), 6).pixels
    np.testing.assert_array_equal(found, wanted)


def test_unreadable_exif_counts_as_upright() -> None:
    data = saved(Image.fromarray(smooth()), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_header(data).orientation == 1


def test_only_8_bit_upright_gray_and_rgb_files_are_plain() -> None:
    pixels = Image.fromarray(smooth())
    exif = Image.Exif()
    exif[0x0112] = 3
    plain = [saved(pixels, "JPEG"), saved(pixels, "PNG"), saved(pixels.convert("L"), "JPEG")]
    others = [
        saved(pixels, "TIFF"),
        saved(pixels, "WEBP"),
        saved(pixels, "JPEG", exif=exif.tobytes()),
        saved(pixels.convert("CMYK"), "JPEG"),
        saved(pixels.convert("P"), "PNG"),
        saved(pixels.convert("RGBA"), "PNG"),
        saved(pixels.convert("1"), "PNG"),
        saved(pixels.convert("L"), "PNG", transparency=3),
        png_16_bit(np.zeros((4, 4, 3), np.uint16)),
    ]
    assert [read_header(data).plain for data in plain + others] == [True] * 3 + [False] * 9


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"hello" * 9, "it is a text file, not a"),
        (b"8BPS" + bytes(30), "it is a Photoshop file, not a"),
    ],
)
def test_files_of_other_formats_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableImageError, match=reason):
        read_header(data)


def other_files() -> dict[str, bytes]:
    """Files that are no images which Foldline reads, by what they are."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as handle:
        handle.writestr("a.txt", "a")
    return {
        "a ZIP archive": archive.getvalue(),
        "a file with gzip compression": gzip.compress(b"a"),
        "a web page (the download failed)": b"\n<!doctype html><html>404</html>",
        "a pointer of Git LFS (run `git lfs pull`)": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    }


@pytest.mark.parametrize("name", other_files())
def test_what_a_file_is_instead_of_an_image_is_said(name: str) -> None:
    with pytest.raises(UnusableImageError) as caught:
        read_header(other_files()[name])
    assert str(caught.value) == f"it is {name}, not a {NAMES} image"


@pytest.mark.parametrize(("name", "reason"), [("PNG", "animated: 3"), ("WEBP", "animated: 3"), ("TIFF", "3 pages")])
def test_a_file_with_several_pictures_is_refused(name: str, reason: str) -> None:
    frames = [Image.fromarray(smooth(seed=seed)) for seed in range(3)]
    with pytest.raises(UnusableImageError, match=reason):
        read_header(saved(frames[0], name, save_all=True, append_images=frames[1:]))


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    side = int((MAX_MEGAPIXELS * 1e6) ** 0.5) + 1
    sizes = {"just above": (side, side), "far above": (60_000, 60_000), "above Pillow's": (14_000, 14_000)}
    for width, height in sizes.values():
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        data = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")
        with pytest.raises(UnusableImageError, match=r"megapixels; dataset.max_megapixels allows 150"):
            read_header(data)
    jpeg = bytearray(saved(Image.fromarray(smooth()), "JPEG"))
    start = jpeg.index(b"\xff\xc0") + 5
    jpeg[start : start + 4] = struct.pack(">HH", 60_000, 60_000)
    with pytest.raises(UnusableImageError, match=r"megapixels; dataset.max_megapixels allows 150"):
        read_header(bytes(jpeg))


@pytest.mark.parametrize("offset", [5, 7])
def test_a_picture_without_area_is_refused(offset: int) -> None:
    jpeg = bytearray(saved(Image.fromarray(smooth()), "JPEG"))
    start = jpeg.index(b"\xff\xc0") + offset
    jpeg[start : start + 2] = b"\0\0"
    with pytest.raises(UnusableImageError, match=r"a JPEG of \d+ x \d+ pixels"):
        read_header(bytes(jpeg))


def test_the_first_picture_of_a_jpeg_with_a_preview_counts() -> None:
    frames = [Image.fromarray(smooth(seed=seed)) for seed in range(2)]
    data = saved(frames[0], "MPO", save_all=True, append_images=frames[1:])
    header = read_header(data)
    assert (header.format, header.plain) == ("JPEG", False)
    assert np.abs(decode(data, header).pixels.astype(int) - smooth(seed=0)).mean() < 4
