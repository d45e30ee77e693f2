"""All formats: files of independent encoders give the pixels that went in, or are refused by name."""

import io
import re
import struct

import numpy as np
import pytest
from faults.campaign.images import originals
from fixtures.image_files import COLOR, image_files
from fixtures.pictures import saved, smooth
from fixtures.project import REPOSITORY
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import FORMATS, NAMES, read_header
from foldline.images.picture import Picture, upright
from PIL import Image

READ = [name for name, file in image_files().items() if not file.reason]
REFUSED = [name for name, file in image_files().items() if file.reason]
# Formats whose decoders must notice that the end of the file is missing; others have no end.
COMPRESSED = ["GIF", "JPEG 2000", "JPEG XL", "AVIF", "BMP", "PGM", "PPM, text", "npy"]


@pytest.mark.parametrize("name", READ)
def test_a_file_is_decoded_as_it_was_encoded(name: str) -> None:
    file = image_files()[name]
    assert file.pixels is not None
    header = read_header(file.data)
    found = decode(file.data, header).pixels
    assert (header.height, header.width) == found.shape[:2] == (48, 64)
    assert found.shape == file.pixels.shape
    assert np.abs(found.astype(int) - file.pixels).max() <= file.most


@pytest.mark.parametrize("width", [1, 2, 3, 4, 61])
@pytest.mark.parametrize("upward", [True, False])
def test_bmp_files_of_24_bits_equal_those_of_pillow(width: int, upward: bool) -> None:
    data = bytearray(saved(Image.fromarray(smooth(20, width)), "BMP"))
    if not upward:
        struct.pack_into("<i", data, 22, -20)
    with Image.open(io.BytesIO(data)) as image:
        wanted = np.asarray(image)
    found = decode(bytes(data), read_header(bytes(data))).pixels
    np.testing.assert_array_equal(found, wanted)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused_by_name(name: str) -> None:
    file = image_files()[name]
    with pytest.raises(UnusableImageError, match=file.reason) as caught:
        decode(file.data, read_header(file.data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("lost", [1, 30, 0.5])
def test_a_truncated_file_is_refused(name: str, lost: float) -> None:
    data = image_files()[name].data
    cut = data[: len(data) - lost] if isinstance(lost, int) else data[: int(len(data) * lost)]
    if name == "PPM, text" and lost == 1:
        # The last byte is a space.
        cut = cut.rstrip()[:-4]
    with pytest.raises(UnusableImageError):
        decode(cut, read_header(cut))


# What decoders may say of damage; a user need not know the names of their functions and constants.
JARGON = re.compile(r"_|returned|0x|object at|[A-Z]{2,}Decode")


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_truncated_files_of_every_kind_are_refused_in_plain_words(share: float) -> None:
    files = {**{name: image_files()[name].data for name in READ}, **originals()}
    for name, data in files.items():
        cut = data[: int(len(data) * share)]
        with pytest.raises(UnusableImageError) as caught:
            decode(cut, read_header(cut))
        assert not JARGON.search(str(caught.value)), (name, str(caught.value))


def test_the_manual_has_a_row_for_each_format() -> None:
    manual = (REPOSITORY / "config" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) \| [^|]+ \| [^|]+ \|$", manual, re.MULTILINE)
    named = re.split(", | or ", NAMES)
    assert len(named) == len(FORMATS)
    assert [name for name in named if name not in rows] == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_file_is_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(COLOR), "AVIF", exif=exif.tobytes(), quality=98, subsampling="4:4:4")
    header = read_header(data)
    wanted = upright(Picture.whole(COLOR), orientation).pixels
    assert (header.height, header.width) == wanted.shape[:2]
    assert np.abs(decode(data, header).pixels.astype(int) - wanted).max() <= 12
