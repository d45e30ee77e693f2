"""TIFF files with more pictures than directories, as tifffile reads them, or refused by name."""

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import DEFAULT, ImageOptions
from foldline.images.planes import decode_planes
from PIL import Image, TiffImagePlugin

STACK = np.random.default_rng(1).integers(0, 256, (3, 32, 40), dtype=np.uint8)
ONE_DIRECTORY: dict[str, dict[str, Any]] = {
    "ImageJ": {"imagej": True, "metadata": {"axes": "CYX", "mode": "composite"}},
    "tifffile": {"photometric": "minisblack", "rowsperstrip": 10},
}


def written(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


def opened(data: bytes, options: ImageOptions = DEFAULT) -> np.ndarray:
    return decode(data, read_header(data, options), options).pixels


def described(description: str | bytes, samples: np.ndarray = STACK[0], **tags: Any) -> bytes:
    """A file with one page and a description."""
    stream, directory = io.BytesIO(), TiffImagePlugin.ImageFileDirectory_v2()
    directory[270] = description
    Image.fromarray(samples).save(stream, "TIFF", tiffinfo=directory, **tags)
    return stream.getvalue()


@pytest.mark.parametrize("program", ONE_DIRECTORY)
def test_pictures_behind_the_only_directory_are_pages_and_channels(program: str) -> None:
    data = written(STACK, truncate=True, **ONE_DIRECTORY[program])
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert len(file.pages) == 1
        np.testing.assert_array_equal(file.asarray(), STACK)
    with pytest.raises(UnusableImageError, match=r"^3 pages; set dataset\.page"):
        read_header(data)
    for number, picture in enumerate(STACK, start=1):
        np.testing.assert_array_equal(opened(data, ImageOptions(page=number))[:, :, 0], picture)
    options = ImageOptions(planes=3)
    planes = decode_planes(data, read_header(data, options), options)
    np.testing.assert_array_equal([plane.pixels[:, :, 0] for plane in planes], STACK)
    with pytest.raises(UnusableImageError, match=f"{program} says that it has 3 pictures, but 1 can be read"):
        read_header(data[:-1])


OME = "<OME><Image><Pixels SizeC='2' SizeT='1' SizeX='40' SizeY='32' SizeZ=\"3\">{}</Pixels></Image></OME>"


def test_stacks_of_metamorph() -> None:
    """Their number of pictures is the number of the values of a tag."""
    layout = {"photometric": "minisblack", "truncate": True, "metadata": None}
    data = written(STACK, **layout, extratags=[(33629, 5, 3, (1, 1) * 3)])
    np.testing.assert_array_equal(opened(data, ImageOptions(page=3))[:, :, 0], STACK[2])
    with pytest.raises(UnusableImageError, match="3 pages"):
        read_header(data)


@pytest.mark.parametrize(
    ("program", "description"),
    [
        ("OME", OME.format("<TiffData/>")),
        ("OME", OME.replace("OME>", "o:OME>").replace("Pixels", "o:Pixels").format("")),
        ("ImageJ", "ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\nhyperstack=true\n"),
        ("ImageJ", "ImageJ=1.53t\nchannels=2\nframes=3\n"),
        ("tifffile", '{"shape": [6, 32, 40]}'),
    ],
)
def test_pictures_that_are_not_in_the_file_are_missed(program: str, description: str) -> None:
    data = described(description)
    missing = f"^a TIFF of which {program} says that it has 6 pictures, but 1 can be read; save each as a page"
    with pytest.raises(UnusableImageError, match=missing + r", or set dataset\.page to 1 to read the first"):
        read_header(data)
    with pytest.raises(UnusableImageError, match=missing + "$"):
        read_header(data, ImageOptions(planes=6))
    np.testing.assert_array_equal(opened(data, ImageOptions(page=1))[:, :, 0], STACK[0])


@pytest.mark.parametrize(
    "description",
    [
        # A set of files, and samples of a pixel.
        OME.format("<TiffData><UUID FileName='a.tif'/></TiffData><TiffData><UUID FileName='b.tif'/></TiffData>"),
        OME.replace("'2'", "'1'").replace('"3"', '"1"').format(""),
        "ImageJ=1.53t\nunit=inch\n",
        # A picture that was cropped, and text of other forms.
        '{"shape": [64, 40]}',
        '{"shape": 3}',
        '{"shape": [Infinity, 32, 40]}',
        '{"shape": ',
        "a slide",
    ],
)
def test_other_descriptions_change_nothing(description: str) -> None:
    np.testing.assert_array_equal(opened(described(description))[:, :, 0], STACK[0])


def test_channels_of_ome_may_be_samples() -> None:
    colors = np.ascontiguousarray(np.moveaxis(STACK, 0, 2))
    np.testing.assert_array_equal(opened(written(colors, ome=True, photometric="rgb")), colors)
    np.testing.assert_array_equal(opened(written(colors, photometric="rgb")), colors)


@pytest.mark.parametrize("options", [DEFAULT, ImageOptions(page=1), ImageOptions(planes=3)])
def test_volumes_are_refused(options: ImageOptions) -> None:
    with pytest.raises(UnusableImageError, match="a TIFF with a volume in one page"):
        read_header(written(STACK, volumetric=True, photometric="minisblack", metadata=None), options)


def test_a_file_with_thumbnails_alone_is_refused() -> None:
    with pytest.raises(UnusableImageError, match="thumbnails alone"):
        read_header(written(STACK[0], subfiletype=1))
