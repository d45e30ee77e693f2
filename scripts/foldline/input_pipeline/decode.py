"""Make the inputs of a network from the features of a parsed record."""

from collections.abc import Mapping, Sequence

from foldline.dataset.channels import image_features
from foldline.dataset.input_spec import IMAGE, METADATA, InputSpec
from foldline.input_pipeline.metadata_tensors import metadata_vector
from foldline.runtime.tensorflow import tf

Inputs = dict[str, tf.Tensor]


def network_inputs(row: Mapping[str, tf.Tensor], input_spec: InputSpec) -> Inputs:
    """The inputs "image", uint8 (S, S, C), and "metadata", float32 (W,), each if the model reads it."""
    inputs = {}
    if input_spec.image_size is not None:
        images = [row[name] for name in image_features(input_spec.channels)]
        inputs[IMAGE] = decode_image(images, input_spec.image_size, channels=1 if input_spec.channels else 3)
    if input_spec.encoding.width:
        inputs[METADATA] = metadata_vector(row, input_spec.encoding)
    return inputs


def decode_image(data: Sequence[tf.Tensor], image_size: int, *, channels: int) -> tf.Tensor:
    """Decode the JPEGs or PNGs of a sample.

    Args:
        data: the bytes of each image: string, ().
        image_size: side S of every image in pixels.
        channels: channels of each image: 3 (a gray image becomes three equal channels) or 1.

    Returns:
        uint8, (S, S, C), the channels of all images in order.
    """
    # decode_jpeg decodes PNG too. The accurate transform gives the pixels of other decoders.
    images = [tf.io.decode_jpeg(one, channels=channels, dct_method="INTEGER_ACCURATE") for one in data]
    image = images[0] if len(images) == 1 else tf.concat(images, axis=-1)
    return tf.ensure_shape(image, (image_size, image_size, channels * len(images)))
