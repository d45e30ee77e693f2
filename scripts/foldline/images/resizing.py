"""Make the square 8-bit image of a record from an image file: a JPEG, or the file itself if it fits already."""

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from foldline.images.decoding import decode
from foldline.images.headers import Header, read_header
from foldline.images.options import DEFAULT, ImageOptions
from foldline.images.picture import Picture

ASPECTS = ("stretch", "crop", "pad")


def record_image(data: bytes, options: ImageOptions = DEFAULT, *, size: int, aspect: str, jpeg_quality: int) -> bytes:
    """Make the square image of a record from the bytes of an image file.

    A plain JPEG or PNG of the right size is returned unchanged, after a decode that proves it undamaged. Every other
    file is resized and encoded as JPEG.

    Args:
        data: the bytes of the file.
        options: how to read images.
        size: side of the square, in pixels.
        aspect: "stretch" (both sides to `size`), "crop" (the center square) or "pad" (the whole picture on black).
        jpeg_quality: in 1..100.

    Returns:
        The bytes of a JPEG or PNG, gray or RGB.

    Raises:
        UnusableImageError: the file is damaged or not supported, see `headers.read_header` and `decoding.decode`.
    """
    header = read_header(data, options)
    width, height = minimum_size(header, size=size, aspect=aspect)
    picture = decode(data, header, options, min_width=width, min_height=height)
    if header.plain and header.width == header.height == size:
        return data
    return encode_jpeg(resize_to_square(picture, size=size, aspect=aspect), quality=jpeg_quality)


def minimum_size(header: Header, *, size: int, aspect: str) -> tuple[int, int]:
    """Smallest width and height in pixels of a reduced decode that `resize_to_square` does not have to enlarge."""
    if aspect != "pad":
        return size, size
    longest = max(header.width, header.height)
    return -(-header.width * size // longest), -(-header.height * size // longest)


def resize_to_square(picture: Picture, *, size: int, aspect: str) -> npt.NDArray[np.uint8]:
    """Resize a picture to a square.

    Reduces with Pillow's Hamming filter, which averages over the area of a new pixel with soft edges, and enlarges with
    the bicubic filter. After a reduced JPEG decode and with JPEG quality 95, PSNR is .7 dB below that of a full decode
    and exact area averages (16 photographs of 5 and 6 megapixels to 384 pixels).

    Args:
        picture: the picture.
        size: side of the square, in pixels.
        aspect: one of `ASPECTS`.

    Returns:
        uint8, (size, size, channels).
    """
    left, top, right, bottom = picture.box
    width, height = right - left, bottom - top
    if aspect == "stretch":
        return _resize(picture, size, size)
    if aspect == "crop":
        # Crop at whole pixels, so that a picture that needs no resizing does not change.
        side = min(width, height)
        left, top = left + (width - side) // 2, top + (height - side) // 2
        return _resize(Picture(picture.pixels, (left, top, left + side, top + side)), size, size)
    if aspect == "pad":
        longest = max(width, height)
        inner = _resize(picture, max(1, round(width * size / longest)), max(1, round(height * size / longest)))
        square = np.zeros((size, size, inner.shape[2]), np.uint8)
        row, column = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
        square[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
        return square
    raise ValueError(f"aspect {aspect!r} is not one of {', '.join(ASPECTS)}")


def _resize(picture: Picture, width: int, height: int) -> npt.NDArray[np.uint8]:
    pixels, box = picture.pixels, picture.box
    smaller = width <= box[2] - box[0] and height <= box[3] - box[1]
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    kind = Image.Resampling.HAMMING if smaller else Image.Resampling.BICUBIC
    return np.asarray(image.resize((width, height), kind, box)).reshape(height, width, pixels.shape[2])


def encode_jpeg(pixels: npt.NDArray[np.uint8], *, quality: int) -> bytes:
    """Encode uint8 (height, width, 1) as a gray JPEG, (height, width, 3) as a color JPEG with 4:2:0 subsampling."""
    gray = pixels.shape[2] == 1
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels),
        quality=quality,
        colorspace="GRAY" if gray else "RGB",
        colorsubsampling="Gray" if gray else "420",
    )
    return encoded
