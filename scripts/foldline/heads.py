"""What turns a backbone's feature map into logits."""

from collections.abc import Sequence

from foldline.backbones import NORM_MOMENTUM
from foldline.engine import tf_keras


def build_model(
    backbone: tf_keras.Model, *, class_count: int, hidden_units: Sequence[int], dropout: float
) -> tf_keras.Model:
    """Put a head on a backbone: mean over the map, dense layers, dropout, logits.

    Args:
        backbone: from images to a feature map (batch, h, w, channels).
        class_count: number of classes, each a yes or no of its own.
        hidden_units: units of the dense layers (each with batch normalisation and ReLU), from the pooled features on.
        dropout: share of the last features that is dropped in training, in [0, 1).

    Returns:
        Model from the backbone's images to logits (batch, class_count), float32 also where the rest computes in halves.
    """
    layers = tf_keras.layers
    features = layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    for number, units in enumerate(hidden_units):
        features = layers.Dense(units, use_bias=False, name=f"hidden_{number}")(features)
        features = layers.BatchNormalization(momentum=NORM_MOMENTUM, name=f"hidden_{number}_norm")(features)
        features = layers.ReLU(name=f"hidden_{number}_relu")(features)
    features = layers.Dropout(dropout, name="dropout")(features)
    logits = layers.Dense(class_count, dtype="float32", name="logits")(features)
    return tf_keras.Model(backbone.input, logits)
