"""Read the header of an image file, and refuse files that cannot be used before any pixel is decoded."""

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageFile, UnidentifiedImageError

from foldline.images.errors import UnusableImageError, damaged
from foldline.images.exif import ORIENTATION_TAG, UPRIGHT, valid_orientation
from foldline.images.jpeg import HUFFMAN, JpegHeader, read_jpeg_header
from foldline.images.options import DEFAULT, SRGB, ImageOptions
from foldline.images.other_formats import name_of_format
from foldline.images.png import SIGNATURE as PNG_SIGNATURE
from foldline.images.png import read_png_chunks, without_text
from foldline.images.raster import Raster, check_memory, check_sides
from foldline.images.tiff import (
    CMYK,
    COLORS,
    NONE,
    PALETTE,
    SIGNED,
    WHITE_IS_ZERO,
    Tags,
    TiffPage,
    check_color,
    parse_page,
    read_pages,
)
from foldline.images.tiff import SIGNATURES as TIFF_SIGNATURES
from foldline.images.tiff_stacks import whole_stack
from foldline.images.webp import is_webp, read_webp_header

if TYPE_CHECKING:
    from foldline.images.dicom import DicomPicture

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PNM", "JPEG2000", "JXL", "AVIF", "HEIC", "NPY", "DICOM")
NAMES = "JPEG, PNG, WebP, TIFF, BMP, GIF, PNM, JPEG 2000, JPEG XL, AVIF, HEIC, DICOM or npy"
JPEG_SIGNATURE = b"\xff\xd8"
DICOM_MARK, DICOM_PREAMBLE = b"DICM", 128
# With which a DICOM file without preamble starts: numbers of groups of elements.
DICOM_GROUPS = (b"\x02\0", b"\x08\0")
# By the number of components.
JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
NATIVE_ORDER = ";16L" if sys.byteorder == "little" else ";16B"


@dataclass(frozen=True)
class Header:
    """The parsed header of an image file.

    Attributes:
        format: one of `FORMATS`.
        mode: Pillow's name of the pixel format.
        raw_mode: Pillow's name of the sample format in the file, "" if it has none.
        width: pixels, after EXIF orientation.
        height: pixels, after EXIF orientation.
        orientation: EXIF orientation that is still to be applied, in 1..8.
        plain: the file is a JPEG or PNG with nothing but one upright 8-bit image, gray or RGB.
        jpeg: the markers of a JPEG file.
        tiff: the page of a TIFF file.
        pages: the pages of a TIFF file that has all channels of a sample, in place of `tiff`.
        profile: the ICC profile; b"" if there is none.
        has_other_gamma: see `png.PngChunks`.
        dicom: the picture of a DICOM file.
        raster: the header of a file of another format than JPEG, PNG, WebP and TIFF.
    """

    format: str
    mode: str
    raw_mode: str
    width: int
    height: int
    orientation: int
    plain: bool
    jpeg: JpegHeader | None = None
    tiff: TiffPage | None = None
    pages: tuple[TiffPage, ...] = ()
    profile: bytes = b""
    has_other_gamma: bool = False
    raster: Raster | None = None
    dicom: "DicomPicture | None" = None

    @property
    def unranged(self) -> str:
        """Samples of which none is known to be white until the configuration names it, in words; "" for others."""
        pages = (self.tiff, *self.pages) if self.tiff else self.pages
        return next((page.unranged for page in pages if page.unranged), "")


def read_header(data: bytes, options: ImageOptions = DEFAULT) -> Header:
    """Parse the header of an image file; no memory is allocated for pixels.

    Args:
        data: the bytes of the file.
        options: how to read images.

    Raises:
        UnusableImageError: the file is empty, of an unknown format, truncated, animated, has several pages, or has
            more pixels than `options.max_megapixels`.
    """
    if not data:
        raise UnusableImageError("empty file")
    # First, because the bytes before its mark may be the header of a TIFF file.
    if data.startswith(DICOM_MARK, DICOM_PREAMBLE) or data.startswith(DICOM_GROUPS):
        # Imported here, as below: most data sets have no such files, and each worker process starts faster without it.
        from foldline.images.dicom import is_dicom

        if is_dicom(data):
            return _dicom_header(data, options)
    if data.startswith(JPEG_SIGNATURE):
        return _jpeg_header(data, options)
    if data.startswith(TIFF_SIGNATURES):
        return _tiff_header(data, options)
    if is_webp(data):
        webp = read_webp_header(data)
        check_area(webp.width, webp.height, options)
        if webp.frames > 1:
            raise UnusableImageError(f"animated: {webp.frames} frames; save one of them")
        width, height = (webp.width, webp.height) if webp.orientation < 5 else (webp.height, webp.width)
        return Header("WEBP", "RGB", "", width, height, webp.orientation, plain=False, profile=webp.profile)
    if not data.startswith(PNG_SIGNATURE):
        return _raster_header(data, options)
    chunks = read_png_chunks(data)
    _check_colors(chunks.colors, options)
    with open_png(data) as image:
        check_area(*image.size, options)
        with pillow_errors():
            frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise UnusableImageError(f"animated: {frames} frames; save one of them")
        if chunks.exif:
            image.info["exif"] = chunks.exif
        orientation = _orientation(image)
        width, height = image.size if orientation < 5 else image.size[::-1]
        raw_mode = _raw_mode(image)
        plain = (
            image.format == "PNG"
            and image.mode in ("L", "RGB")
            and raw_mode in ("L", "RGB")
            and "transparency" not in image.info
            and orientation == 1
        )
        return Header(
            *(str(image.format), image.mode, raw_mode, width, height, orientation, plain),
            profile=chunks.profile,
            has_other_gamma=chunks.has_other_gamma,
        )


def _dicom_header(data: bytes, options: ImageOptions) -> Header:
    from foldline.images.dicom import check_layout, read_dicom_header

    picture = read_dicom_header(data, options)
    check_sides(picture.width, picture.height, "a DICOM picture")
    check_area(picture.width, picture.height, options)
    # The file, its pixel data, a copy of a frame, its samples as stored, numbers of 64 bits of them, and the picture.
    check_memory(
        3 * len(data) + picture.width * picture.height * (4 * picture.samples * picture.allocated // 8), options
    )
    check_layout(picture)
    mode = "RGB" if picture.samples == 3 or picture.palette else "L"
    facts = (picture.width, picture.height, UPRIGHT)
    return Header("DICOM", mode, "", *facts, plain=False, profile=picture.profile, dicom=picture)


def _raster_header(data: bytes, options: ImageOptions) -> Header:
    from foldline.images.raster_headers import read_raster

    raster = read_raster(data, options.planes)
    if raster is None:
        name = name_of_format(data)
        start = f"a file that starts with the bytes {data[:4].hex(' ')}"
        raise UnusableImageError(f"it is {name or start}, not a {NAMES} image")
    check_area(raster.width, raster.height, options)
    check_memory(raster.decoded_bytes, options)
    _check_colors(raster.colors, options)
    width, height = (raster.width, raster.height) if raster.orientation < 5 else (raster.height, raster.width)
    mode = "L" if raster.channels[0] < 3 else "RGB"
    return Header(
        raster.format, mode, "", width, height, raster.orientation, plain=False, profile=raster.profile, raster=raster
    )


def _check_colors(colors: str, options: ImageOptions) -> None:
    """Refuse colors that would have to be converted, and for which there is no ICC profile."""
    if colors and options.color_profile == SRGB:
        raise UnusableImageError(
            f"its colors are {colors}, without an ICC profile to convert them; save it as sRGB, or set "
            "dataset.color_profile to ignore"
        )


def _jpeg_header(data: bytes, options: ImageOptions) -> Header:
    jpeg = read_jpeg_header(data)
    check_area(jpeg.width, jpeg.height, options)
    width, height = jpeg.width, jpeg.height
    if jpeg.orientation >= 5:
        width, height = height, width
    mode = JPEG_MODES[len(jpeg.sampling)]
    usual = jpeg.frame in HUFFMAN and jpeg.precision == 8 and not jpeg.more_images
    plain = usual and mode in ("L", "RGB") and jpeg.orientation == UPRIGHT
    return Header("JPEG", mode, mode, width, height, jpeg.orientation, plain, jpeg, profile=jpeg.profile)


def _tiff_header(data: bytes, options: ImageOptions) -> Header:
    pages, missing = whole_stack(read_pages(data), data)
    if missing and options.planes:
        raise UnusableImageError(f"{missing}; save each as a page")
    if missing and options.page is None:
        raise UnusableImageError(f"{missing}; save each as a page, or set dataset.page to 1 to read the first")
    if options.planes:
        return _planes_header(data, pages, options)
    number = options.page or 1
    if len(pages) > 1 and options.page is None:
        raise UnusableImageError(f"{len(pages)} pages; set dataset.page to the number of the page to read, from 1")
    if number > len(pages):
        raise UnusableImageError(f"dataset.page is {number}, but the TIFF file has {len(pages)} pages")
    page = parse_page(pages[number - 1], data)
    _check_page(data, page, options)
    check_color(page)
    width, height = (page.width, page.height) if page.orientation < 5 else (page.height, page.width)
    mode = "L" if COLORS[page.photometric] == 1 and page.photometric != PALETTE else "RGB"
    return Header("TIFF", mode, "", width, height, page.orientation, plain=False, tiff=page, profile=page.profile)


def _check_page(data: bytes, page: TiffPage, options: ImageOptions, beside: int = 0) -> int:
    """Refuse signed bytes and too large pages; gives the bytes of its samples, beside which there are others."""
    if page.kind == SIGNED and page.bits == 8:
        raise UnusableImageError("a TIFF with signed samples of 8 bits; save it with unsigned ones")
    # Tiles may be larger than the picture.
    check_area(page.width, page.height, options)
    check_area(page.across * page.tile[1], page.down * page.tile[0], options)
    samples = page.width * page.height * page.samples * page.sample_bytes
    strip = page.tile[0] * page.tile[1] * page.samples * page.sample_bytes if page.compression != NONE else 0
    # One byte for each pixel of the picture.
    check_memory(len(data) + samples + strip + beside + round(options.max_megapixels * 1e6), options)
    return samples


def _planes_header(data: bytes, tags: Sequence[Tags], options: ImageOptions) -> Header:
    """Header of a file that has all channels of a sample, as samples of a pixel, pages, or both."""
    if options.page is not None:
        raise UnusableImageError("dataset.page is set, but the pages of a file are its channels; set it to null")
    pages = tuple(parse_page(of_page, data) for of_page in tags[: options.planes])
    count = sum(page.samples for page in pages) + max(0, len(tags) - options.planes)
    if count != options.planes:
        raise UnusableImageError(
            f"{count} channel{'' if count == 1 else 's'} in one file ({len(tags)} pages), but dataset.channels has "
            f"{options.planes} names; name each channel of the file, or write {{channel}} in the path if each has a "
            "file of its own"
        )
    first = pages[0]
    beside = 0
    for page in pages:
        if (page.width, page.height, page.orientation) != (first.width, first.height, first.orientation):
            raise UnusableImageError("a TIFF whose pages differ in size; save all channels with the same size")
        if page.photometric in (PALETTE, CMYK, WHITE_IS_ZERO):
            raise UnusableImageError("a TIFF whose channels are a palette, inks or inverted; save them as gray")
        # The samples of a page give way to a picture of each.
        beside += _check_page(data, page, options, beside) // page.sample_bytes
    width, height = (first.width, first.height) if first.orientation < 5 else (first.height, first.width)
    return Header("TIFF", "L", "", width, height, first.orientation, plain=False, pages=pages)


def check_area(width: int, height: int, options: ImageOptions) -> None:
    """Refuse an image with more pixels than `options.max_megapixels`."""
    megapixels = width * height / 1e6
    if megapixels > options.max_megapixels:
        raise UnusableImageError(
            f"{width} x {height} pixels, {megapixels:,.1f} megapixels; dataset.max_megapixels allows "
            f"{options.max_megapixels:g}"
        )


@contextlib.contextmanager
def pillow_errors() -> Iterator[None]:
    """Raise `UnusableImageError` for every error of Pillow: what its plugins raise on damage is not documented."""
    limit = Image.MAX_IMAGE_PIXELS
    try:
        # `check_area` has the limit.
        Image.MAX_IMAGE_PIXELS = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnidentifiedImageError as error:
        raise UnusableImageError("damaged: its header cannot be read") from error
    except Exception as error:
        raise damaged(error) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def open_png(data: bytes) -> ImageFile.ImageFile:
    """Open a PNG file with Pillow, which reads its header only."""
    with pillow_errors():
        return Image.open(io.BytesIO(without_text(data)), formats=["PNG"])


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF orientation in 1..8; 1 if the EXIF block is unreadable, which says nothing about the pixels."""
    try:
        with pillow_errors():
            # The PNG plugin's own `getexif` would decode all pixels first.
            value = Image.Image.getexif(image).get(ORIENTATION_TAG)
    except UnusableImageError:
        return UPRIGHT
    return valid_orientation(value) or UPRIGHT


def _raw_mode(image: ImageFile.ImageFile) -> str:
    if not image.tile:
        return ""
    arguments = image.tile[0].args
    name = arguments[0] if isinstance(arguments, tuple) else arguments
    # libtiff returns samples in the byte order of the machine, which Pillow calls N.
    return name.replace(";16N", NATIVE_ORDER) if isinstance(name, str) else ""
