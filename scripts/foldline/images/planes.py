"""Files that hold all channels of a sample: the planes of a TIFF, npy or PNG file, in its order, as gray pictures."""

import numpy as np

from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import Header
from foldline.images.options import ImageOptions
from foldline.images.picture import Peak, Picture, upright
from foldline.images.png_decoding import png_samples
from foldline.images.raster_samples import npy_samples
from foldline.images.samples import Samples, bright_sample, scaled_to_8_bit
from foldline.images.tiff_decoding import read_samples, white_of


def decode_planes(data: bytes, header: Header, options: ImageOptions) -> list[Picture]:
    """Decode each channel of a file to an upright gray picture of 8 bits.

    The planes of a TIFF file are the samples of its first page, then those of the next one; alpha is a plane like any
    other, and so it is in a PNG file. The planes of other images are gray, or red, green and blue.

    Args:
        data: the bytes of the file.
        header: its header, read with the same options.
        options: how to read images; `planes` is the number of channels.

    Raises:
        UnusableImageError: the file is damaged, or has another number of channels.
    """
    pictures: list[Picture] = []
    if header.pages:
        for page in header.pages:
            samples, oddities = read_samples(data, page)
            pictures += _pictures(samples, white_of(page, options), page.bits, oddities)
    elif header.raster and header.format == "NPY":
        pictures += _pictures_of_bits(npy_samples(data, header.raster), header.raster.bits, options)
    elif header.format == "PNG" and header.mode != "P":
        bits = 16 if ";16" in header.raw_mode else 8
        pictures += _pictures_of_bits(png_samples(data), bits, options)
    else:
        whole = decode(data, header, options)
        check_count(whole.pixels.shape[2], options)
        return [_plane(whole, number) for number in range(whole.pixels.shape[2])]
    check_count(len(pictures), options)
    return [upright(picture, header.orientation) for picture in pictures]


def check_count(found: int, options: ImageOptions) -> None:
    """Refuse a file with another number of channels than `options.planes`."""
    if found != options.planes:
        raise UnusableImageError(
            f"{found} channel{'' if found == 1 else 's'} in one file, but dataset.channels has {options.planes} names; "
            "name each channel of the file, or write {channel} in the path if each has a file of its own"
        )


def _pictures_of_bits(samples: Samples, bits: int, options: ImageOptions) -> list[Picture]:
    white = options.white if options.white is not None and bits > 8 else 2**bits - 1
    return _pictures(samples, white, bits, ())


def _pictures(samples: Samples, white: float, bits: int, oddities: tuple[str, ...]) -> list[Picture]:
    """A picture of each sample of the pixels."""
    peak = Peak(bright_sample(samples), white) if bits > 8 else None
    whole = Picture.whole(scaled_to_8_bit(samples, white), oddities=oddities, peak=peak)
    return [_plane(whole, number) for number in range(samples.shape[2])]


def _plane(whole: Picture, number: int) -> Picture:
    pixels = np.ascontiguousarray(whole.pixels[:, :, number : number + 1])
    return Picture.whole(pixels, oddities=whole.oddities, peak=whole.peak)
