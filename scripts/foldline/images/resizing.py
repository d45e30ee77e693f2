"""Make the square 8-bit image of a record from an image file: a JPEG, or the file itself if it fits already.

`inference.serving_images` does the same with TensorFlow, for exported models: change both.
"""

import math

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image

from foldline.images.color_profiles import CONVERTED
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
    if header.plain and header.width == header.height == size and picture.profile != CONVERTED:
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

    A side that shrinks becomes averages over areas: a new pixel is the mean of what it covers, rounded. A side that
    grows is interpolated with the bicubic filter of Pillow (cubic convolution with a = -1/2) after that.

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
        side = min(width, height)
        (left, right), (top, bottom) = _centered(left, right, side), _centered(top, bottom, side)
        return _resize(Picture(picture.pixels, (left, top, right, bottom)), size, size)
    if aspect == "pad":
        longest = max(width, height)
        inner = _resize(picture, max(1, round(width * size / longest)), max(1, round(height * size / longest)))
        square = np.zeros((size, size, inner.shape[2]), np.uint8)
        row, column = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
        square[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
        return square
    raise ValueError(f"aspect {aspect!r} is not one of {', '.join(ASPECTS)}")


def thumbnail(picture: Picture, *, longest: int) -> npt.NDArray[np.uint8]:
    """Shrink a picture to averages over areas; its proportions stay, and a small picture is not enlarged.

    Args:
        picture: the picture.
        longest: most pixels of a side.

    Returns:
        uint8, (height, width, channels).
    """
    left, top, right, bottom = picture.box
    width, height = right - left, bottom - top
    scale = min(1.0, longest / max(width, height))
    return _area_averages(picture, max(1, round(width * scale)), max(1, round(height * scale)))


def _centered(start: float, end: float, side: float) -> tuple[float, float]:
    """Start and end of the center of a side of a box.

    It is cut at whole pixels from the end of the box that is a whole pixel, so that a picture that needs no resizing
    does not change.
    """
    cut = (end - start - side) // 2
    return (start + cut, start + cut + side) if start % 1 == 0 else (end - cut - side, end - cut)


def _resize(picture: Picture, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Resize the box of a picture; uint8, (height, width, channels)."""
    columns, rows = picture.box[2] - picture.box[0], picture.box[3] - picture.box[1]
    pixels = _area_averages(picture, min(width, math.ceil(columns)), min(height, math.ceil(rows)))
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    larger = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    return larger.reshape(height, width, pixels.shape[2])


def _area_averages(picture: Picture, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Shrink the box of a picture to averages over areas; uint8, (height, width, channels)."""
    left, top, right, bottom = picture.box
    pixels = picture.pixels[math.floor(top) : math.ceil(bottom), math.floor(left) : math.ceil(right)]
    if pixels.shape[:2] == (height, width):
        return pixels
    # Imported here: the main process of a step and images that grow do without it, and so start faster.
    import cv2

    # Steps have a process for each core; OpenCV would start a thread for each core in every process.
    cv2.setNumThreads(1)
    # With factors instead of a size, OpenCV averages over parts of pixels. It starts at a whole pixel, so a box that
    # starts within one, that of a reduced JPEG that was flipped, is taken from its end.
    backwards = (slice(None, None, -1 if top % 1 else 1), slice(None, None, -1 if left % 1 else 1))
    smaller = cv2.resize(
        np.ascontiguousarray(pixels[backwards]),
        None,
        fx=width / (right - left),
        fy=height / (bottom - top),
        interpolation=cv2.INTER_AREA,
    )
    # It rounds the size; a row or column too much is the rest of the last pixel.
    whole = smaller.reshape(*smaller.shape[:2], -1)[:height, :width][backwards]
    return np.ascontiguousarray(whole, np.uint8)


def encode_jpeg(pixels: npt.NDArray[np.uint8], *, quality: int) -> bytes:
    """Encode uint8 (height, width, 1) as a gray JPEG, (height, width, 3) as a color JPEG with 4:2:0 subsampling.

    The accurate transform is 0.4 dB nearer to the pixels than the fast one of simplejpeg, and that of TensorFlow.
    """
    gray = pixels.shape[2] == 1
    encoded = imagecodecs.jpeg8_encode(
        np.ascontiguousarray(pixels[:, :, 0] if gray else pixels),
        level=quality,
        colorspace="GRAYSCALE" if gray else "RGB",
        subsampling=None if gray else "420",
    )
    return bytes(encoded)
