"""The samples of images with more than 8 bits as their files have them, before `dataset.intensity` scales them."""

from dataclasses import dataclass

from foldline.images.dicom import PALETTE as DICOM_PALETTE
from foldline.images.dicom_decoding import has_window, rescaled_samples
from foldline.images.headers import Header
from foldline.images.jpeg_decoding import deep_samples
from foldline.images.options import ImageOptions
from foldline.images.png_decoding import png_samples
from foldline.images.raster_decoding import raster_samples
from foldline.images.samples import Samples
from foldline.images.tiff import COLORS, PALETTE, UNSIGNED, TiffPage
from foldline.images.tiff_decoding import read_samples


@dataclass(frozen=True)
class StoredSamples:
    """Samples of one picture, or of a page that holds channels.

    Attributes:
        samples: (height, width, channels), without alpha, of any kind of number; of gray DICOM files, rescaled values.
        bits: of each sample in the file.
        white: the largest value of these bits; None if the samples have no such range.
    """

    samples: Samples
    bits: int
    white: float | None


def stored_samples(data: bytes, header: Header, options: ImageOptions) -> list[StoredSamples]:
    """Read the samples that `dataset.intensity` scales.

    Args:
        data: the bytes of the file.
        header: its header, read with the same options.
        options: how to read images; `white` does not count.

    Returns:
        The samples of each page that holds channels, or of the picture; none of a picture with 8 bits or fewer, with a
        palette, and of a DICOM file that is in color or shown in a window.

    Raises:
        UnusableImageError: the file is damaged.
    """
    if header.pages:
        return [_of_page(data, page, page.samples) for page in header.pages]
    if header.tiff:
        page = header.tiff
        if page.bits <= 8 or page.photometric == PALETTE:
            return []
        return [_of_page(data, page, COLORS[page.photometric])]
    if header.dicom:
        picture = header.dicom
        is_gray = picture.samples == 1 and picture.photometric != DICOM_PALETTE
        if picture.stored <= 8 or not is_gray or has_window(picture, options):
            return []
        values, most = rescaled_samples(picture)
        return [StoredSamples(values, picture.stored, most)]
    return _of_picture(data, header, options)


def _of_page(data: bytes, page: TiffPage, channels: int) -> StoredSamples:
    white = 2.0**page.bits - 1 if page.kind == UNSIGNED and page.bits <= 16 else None
    return StoredSamples(read_samples(data, page)[0][:, :, :channels], page.bits, white)


def _of_picture(data: bytes, header: Header, options: ImageOptions) -> list[StoredSamples]:
    """Samples of files of the other formats, which have whole numbers of at most 16 bits."""
    white = None
    if header.jpeg:
        bits = header.jpeg.precision
    elif header.raster:
        bits, white = header.raster.bits, header.raster.white
    else:
        bits = 16 if ";16" in header.raw_mode else 8
    if bits <= 8:
        return []
    if header.jpeg:
        samples: Samples = deep_samples(data, header.jpeg)
    elif header.raster:
        samples = raster_samples(data, header.raster)
    else:
        samples = png_samples(data)
    # Of a file with all channels of a sample, alpha is a channel like any other.
    if samples.shape[2] in (2, 4) and not (options.planes and header.format in ("PNG", "NPY")):
        samples = samples[:, :, :-1]
    return [StoredSamples(samples, bits, float(white or 2**bits - 1))]
