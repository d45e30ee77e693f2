"""The head of a network: from the features of a backbone, metadata, or both to logits."""

from collections.abc import Sequence

from foldline.dataset.input_spec import IMAGE, METADATA
from foldline.errors import FoldlineError
from foldline.models.model_config import HiddenLayer
from foldline.runtime.tensorflow import tf_keras


def build_model(
    backbone: tf_keras.Model | None,
    *,
    metadata_width: int,
    n_classes: int,
    metadata_units: Sequence[int],
    hidden: Sequence[HiddenLayer],
    dropout: float,
) -> tf_keras.Model:
    """Add a head to a backbone: global average pooling, joined metadata, dense layers, dropout, logits.

    Args:
        backbone: model from images to features (batch, h, w, n_features); None for a model of metadata alone.
        metadata_width: length W of the metadata vector; 0 for a model of images alone.
        n_classes: number of classes, one logit each.
        metadata_units: units of the dense layers of the metadata, each with batch normalization, then ReLU.
        hidden: dense layers of the joined features, each with ReLU, batch normalization and dropout.
        dropout: share of the last features that is dropped in training, in [0, 1).

    Returns:
        Model from {"image": (batch, S, S, C), "metadata": float32 (batch, W)}, or one of these, to logits, (batch,
        n_classes), float32 even if the backbone computes in 16 bits.

    Raises:
        FoldlineError: there is neither a backbone nor metadata.
    """
    layers = tf_keras.layers
    inputs, joined = {}, []
    if backbone is not None:
        inputs[IMAGE] = backbone.input
        joined.append(layers.GlobalAveragePooling2D(name="pool")(backbone.output))
    if metadata_width:
        inputs[METADATA] = features = tf_keras.Input((metadata_width,), name=METADATA)
        for number, units in enumerate(metadata_units):
            features = layers.Dense(units, use_bias=False, name=f"metadata_{number}")(features)
            features = layers.BatchNormalization(name=f"metadata_{number}_norm")(features)
            features = layers.ReLU(name=f"metadata_{number}_relu")(features)
        joined.append(features)
    if not joined:
        raise FoldlineError("a model needs images, metadata or both; set inputs to image, metadata, or both")
    features = layers.Concatenate(name="join")(joined) if len(joined) > 1 else joined[0]
    for number, layer in enumerate(hidden):
        features = layers.Dense(layer.units, activation="relu", name=f"hidden_{number}")(features)
        features = layers.BatchNormalization(name=f"hidden_{number}_norm")(features)
        features = layers.Dropout(layer.dropout, name=f"hidden_{number}_dropout")(features)
    features = layers.Dropout(dropout, name="dropout")(features)
    logits = layers.Dense(n_classes, dtype="float32", name="logits")(features)
    return tf_keras.Model(inputs, logits)
