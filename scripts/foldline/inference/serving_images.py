"""Make the image that a network reads from an encoded image of any size, inside a TensorFlow graph.

It does what `images.resizing.record_image` and `input_pipeline.decode` do together: change both. Pixels differ by one
level where a mean is halfway between two levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from foldline.images.options import DEFAULT, ImageOptions
from foldline.inference.encoded_header import EncodedHeader, read_encoded_header
from foldline.input_pipeline.decode import decode_image
from foldline.runtime.tensorflow import tf

# Scales of a JPEG decode, 1 / ratio; see `images.jpeg_decoding.REDUCED_SCALES`.
RATIOS = (1, 2, 4, 8)
# Pillow interpolates with whole numbers.
FIXED_POINT = 2.0**22
# Left, top, right and bottom of a picture in its pixels, float64 scalars; see `images.picture.Picture`.
Box = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
# Start and end of a side in pixels, and its new number of pixels, float64 scalars.
Line = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


@dataclass(frozen=True)
class ServingImages:
    """How images become those of the shards; see `shards` and `dataset` in `config/config.schema.yaml`.

    Attributes:
        aspect: "stretch", "crop" or "pad"; see `images.resizing`.
        jpeg_quality: in 1..100.
        reading: how to read images.
    """

    aspect: str
    jpeg_quality: int
    reading: ImageOptions = DEFAULT


def serving_image(
    encoded: Sequence[tf.Tensor], row: tf.Tensor, *, image_size: int, channels: Sequence[str], config: ServingImages
) -> tf.Tensor:
    """The image of a sample from the bytes of its files.

    Args:
        encoded: string () for each file.
        row: number of the sample in the batch, for errors.
        image_size: side S of the square in pixels.
        channels: names of the channels, one for each file; empty for a single RGB image.
        config: how to make the image.

    Returns:
        uint8, (S, S, 3 or number of channels). A file that cannot be used raises `InvalidArgumentError` in the graph.
    """
    planes, first, images = 1 if channels else 3, None, []
    for data, name in zip(encoded, channels or ["image"], strict=True):
        header = read_encoded_header(data, config.reading)
        first = first or header
        problem = header.problem
        if channels:
            colored = "a color image, but the image of a channel is gray; save it with one channel"
            problem = tf.where((problem == "") & ~header.gray, colored, problem)
            other = (header.width != first.width) | (header.height != first.height)
            problem = tf.where((problem == "") & other, "not of the size of the other channels", problem)
        where = tf.strings.join([f"{name}: image ", tf.strings.as_string(row), " of the batch: ", problem])
        with tf.control_dependencies([tf.debugging.Assert(problem == "", [where])]):
            images.append(_record_image(tf.identity(data), header, image_size, config))
    return decode_image(images, image_size, channels=planes)


def _record_image(data: tf.Tensor, header: EncodedHeader, size: int, config: ServingImages) -> tf.Tensor:
    """The bytes of a JPEG or PNG of the right size, string ()."""
    unchanged = header.plain & (header.width == size) & (header.height == size)

    def resized() -> tf.Tensor:
        pixels, box = _decoded(data, header, size, config)
        square = _square(pixels, box, size, config.aspect)
        # As `images.resizing.encode_jpeg`; the number of channels makes it gray or RGB.
        return tf.io.encode_jpeg(square, quality=config.jpeg_quality, chroma_downsampling=True)

    return tf.cond(unchanged, lambda: data, resized)


def _decoded(data: tf.Tensor, header: EncodedHeader, size: int, config: ServingImages) -> tuple[tf.Tensor, Box]:
    """Upright pixels, uint8 (height, width, 1 or 3), and the box that the picture covers."""
    ratio = _ratio(header, size, config.aspect)

    def decoder(ratio: int) -> tf.Tensor:
        return lambda: tf.io.decode_jpeg(data, ratio=ratio, dct_method="INTEGER_ACCURATE")

    def png() -> tf.Tensor:
        white = 65535 if config.reading.white is None else config.reading.white
        return tf.cond(
            header.deep,
            lambda: _eight_bits(tf.io.decode_png(data, dtype=tf.uint16), white, 65535),
            lambda: _eight_bits(tf.io.decode_png(data), 255, 255),
        )

    number = tf.searchsorted(tf.constant(RATIOS, tf.int64), ratio[tf.newaxis])[0]
    pixels = tf.cond(header.jpeg, lambda: tf.switch_case(number, [decoder(each) for each in RATIOS]), png)
    width, height = (tf.cast(side / ratio, tf.float64) for side in (header.width, header.height))
    return _upright(pixels, width, height, header.orientation)


def _eight_bits(samples: tf.Tensor, white: float, opaque: int) -> tf.Tensor:
    """Samples of 8 bits, composited on black if they have alpha; see `images.samples`.

    Args:
        samples: uint8 or uint16, (height, width, 1 to 4).
        white: value of color that becomes 255.
        opaque: value of alpha that hides the black.

    Returns:
        uint8, (height, width, 1 or 3). A sample above `white` raises `InvalidArgumentError`.
    """
    bands, full = tf.shape(samples)[2], int(white)
    has_alpha = bands % 2 == 0

    def composite() -> tf.Tensor:
        wide = tf.cast(samples, tf.int64)
        mixed = (wide[:, :, : bands - 1] * wide[:, :, bands - 1 :] * 255 + full * opaque // 2) // (full * opaque)
        return _checked(mixed, wide[:, :, : bands - 1], full)

    def scaled() -> tf.Tensor:
        if samples.dtype == tf.uint8:
            return samples
        wide = tf.cast(samples, tf.int32)
        return _checked((wide * 510 + full) // (2 * full), wide, full)

    return tf.cond(has_alpha, composite, scaled)


def _checked(pixels: tf.Tensor, samples: tf.Tensor, white: int) -> tf.Tensor:
    most = tf.strings.as_string(tf.reduce_max(samples))
    message = tf.strings.join(["a sample of ", most, f"; samples are from 0 to {white} (dataset.intensity)"])
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(samples <= white), [message])]):
        return tf.cast(pixels, tf.uint8)


def _ratio(header: EncodedHeader, size: int, aspect: str) -> tf.Tensor:
    """Ratio of `RATIOS` at which to decode a JPEG, int64; see `resizing.minimum_size` and `jpeg_decoding`."""
    # Of a stored width and height: turning exchanges both, and their minima.
    sides = tf.stack([header.width, header.height])
    longest = tf.reduce_max(sides)
    least = -(-sides * size // longest) if aspect == "pad" else tf.constant([size, size], tf.int64)
    chosen = tf.constant(1, tf.int64)
    for ratio in RATIOS[1:]:
        part = tf.cast(sides % ratio > 0, tf.int64)
        chosen = tf.where(tf.reduce_all(sides >= ratio * (least + part)), tf.constant(ratio, tf.int64), chosen)
    return tf.where(header.jpeg & (tf.reduce_min(sides) >= 8), chosen, 1)


def _upright(pixels: tf.Tensor, width: tf.Tensor, height: tf.Tensor, orientation: tf.Tensor) -> tuple[tf.Tensor, Box]:
    """Flip and rotate pixels and their box upright; see `images.picture.upright`.

    Args:
        pixels: (height, width, channels), rounded up to whole pixels.
        width: of the picture in pixels, float64.
        height: of the picture in pixels, float64.
        orientation: EXIF orientation, 1 to 8.
    """

    def is_in(*numbers: int) -> tf.Tensor:
        return tf.reduce_any(orientation == tf.constant(numbers, tf.int64))

    turned = is_in(5, 6, 7, 8)
    pixels = tf.cond(turned, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels)
    width, height = tf.where(turned, height, width), tf.where(turned, width, height)
    shape = tf.cast(tf.shape(pixels), tf.float64)
    box = []
    for axis, side, flipped in ((0, height, is_in(3, 4, 7, 8)), (1, width, is_in(2, 3, 6, 7))):
        pixels = _if(flipped, pixels, axis)
        start = tf.where(flipped, shape[axis] - side, 0)
        box.append((start, start + side))
    (top, bottom), (left, right) = box
    return pixels, (left, top, right, bottom)


def _if(flipped: tf.Tensor, pixels: tf.Tensor, axis: int) -> tf.Tensor:
    return tf.cond(flipped, lambda: tf.reverse(pixels, [axis]), lambda: pixels)


def _square(pixels: tf.Tensor, box: Box, size: int, aspect: str) -> tf.Tensor:
    """As `images.resizing.resize_to_square`: uint8, (size, size, channels)."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if aspect == "crop":
        side = tf.minimum(width, height)
        (left, right), (top, bottom) = _centered(left, right, side), _centered(top, bottom, side)
    rows, columns = tf.constant(size, tf.float64), tf.constant(size, tf.float64)
    if aspect == "pad":
        longest = tf.maximum(width, height)
        rows, columns = (tf.maximum(tf.round(side * size / longest), 1) for side in (height, width))
    inner = _resized(pixels, (top, bottom, rows), (left, right, columns))
    if aspect != "pad":
        return inner
    rows, columns = tf.cast(rows, tf.int32), tf.cast(columns, tf.int32)
    return tf.image.pad_to_bounding_box(inner, (size - rows) // 2, (size - columns) // 2, size, size)


def _centered(start: tf.Tensor, end: tf.Tensor, side: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """As `images.resizing._centered`."""
    cut = (end - start - side) // 1 // 2
    first = tf.where(start % 1 == 0, start + cut, end - cut - side)
    return first, first + side


def _resized(pixels: tf.Tensor, rows: Line, columns: Line) -> tf.Tensor:
    """Average over areas where a side shrinks, then interpolate where one grows; see `images.resizing`.

    Returns:
        uint8, (new rows, new columns, channels).
    """
    image, halves = tf.cast(pixels, tf.float32), tf.constant(True)
    for axis, (start, end, count) in enumerate((rows, columns)):
        least = tf.minimum(count, tf.math.ceil(end - start))
        image = _along(axis, _area_weights(start, end, least, tf.shape(pixels)[axis]), image)
        halves &= end - start == 2 * count
    # OpenCV rounds 0.5 up if both sides are halved, and to the even number otherwise.
    image = tf.where(halves, tf.floor(image + 0.5), tf.round(image))
    # Columns first, as Pillow does.
    return tf.cast(_interpolated(_interpolated(image, 1, columns), 0, rows), tf.uint8)


def _interpolated(image: tf.Tensor, axis: int, line: Line) -> tf.Tensor:
    """Enlarge one axis of whole values, if it grows, to whole values in 0..255."""
    start, end, count = line

    def grown() -> tf.Tensor:
        sums = _along(axis, _cubic_weights(end - start, count), tf.cast(image, tf.float64))
        return tf.cast(tf.clip_by_value(tf.floor(sums / FIXED_POINT + 0.5), 0, 255), tf.float32)

    return tf.cond(count > end - start, grown, lambda: image)


def _along(axis: int, weights: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """Multiply one axis, 0 or 1, of an image (height, width, channels) by weights, (new, old)."""
    return tf.einsum("ij,jkl->ikl" if axis == 0 else "ij,kjl->kil", weights, image)


def _area_weights(start: tf.Tensor, end: tf.Tensor, count: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Share of each of `length` pixels in each of `count` equal parts of the line from `start` to `end`, float32."""
    step = (end - start) / count
    edges = start + tf.range(count + 1, dtype=tf.float64) * step
    cells = tf.range(tf.cast(length, tf.float64), dtype=tf.float64)
    overlap = tf.minimum(edges[1:, tf.newaxis], cells + 1) - tf.maximum(edges[:-1, tf.newaxis], cells)
    return tf.cast(tf.maximum(overlap, 0) / step, tf.float32)


def _cubic_weights(length: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Weights of cubic convolution (Keys 1981) with a = -1/2, times `FIXED_POINT`: (count, length), float64."""
    centers = (tf.range(count, dtype=tf.float64) + 0.5) * length / count - 0.5
    distance = tf.abs(centers[:, tf.newaxis] - tf.range(length, dtype=tf.float64))
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = tf.where(distance < 1, near, tf.where(distance < 2, far, tf.zeros_like(distance)))
    return tf.round(weights / tf.reduce_sum(weights, axis=1, keepdims=True) * FIXED_POINT)
