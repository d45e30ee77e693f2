"""Images of records are decoded to the pixels that other decoders give, channel by channel."""

import io

import numpy as np
from fixtures.pictures import photograph, saved
from foldline.input_pipeline.decode import decode_image
from foldline.runtime.tensorflow import tf
from PIL import Image

SIZE = 64


def by_pillow(data: bytes, mode: str) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode))


def test_a_jpeg_has_the_pixels_of_pillow_eagerly_and_in_a_pipeline() -> None:
    """Row 3: the fast transform of TensorFlow's default differs by up to some levels."""
    data = saved(photograph(SIZE, SIZE), "JPEG", quality=90)
    found = decode_image([tf.constant(data)], SIZE, channels=3)
    assert (found.shape, found.dtype) == ((SIZE, SIZE, 3), tf.uint8)
    np.testing.assert_array_equal(found, by_pillow(data, "RGB"))
    pipeline = tf.data.Dataset.from_tensors(data).map(lambda one: decode_image([one], SIZE, channels=3))
    np.testing.assert_array_equal(next(pipeline.as_numpy_iterator()), found)


def test_gray_channels_keep_their_order() -> None:
    """Row 17."""
    pictures = [np.rot90(photograph(SIZE, SIZE)[..., 0], number) for number in range(3)]
    data = [saved(np.ascontiguousarray(picture), "PNG") for picture in pictures]
    found = decode_image([tf.constant(one) for one in data], SIZE, channels=1)
    np.testing.assert_array_equal(found, np.stack(pictures, axis=2))
    alone = decode_image([tf.constant(data[0])], SIZE, channels=3)
    np.testing.assert_array_equal(alone, np.repeat(pictures[0][..., np.newaxis], 3, axis=2))
