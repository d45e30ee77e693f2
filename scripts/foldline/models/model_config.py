"""Settings of a network: all that decides its variables and what it reads of a row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HiddenLayer:
    """A dense layer between the joined features and the output.

    Attributes:
        units: units of the layer, at least 1.
        dropout: share of its outputs that is dropped in training, in [0, 1).
    """

    units: int
    dropout: float


@dataclass(frozen=True)
class ModelConfig:
    """A network; see `models.MODEL` in `config/config.schema.yaml` for the meaning of each key.

    Attributes:
        inputs: what the model reads, "image", "metadata" or both.
        backbone: name in `backbone_registry.BACKBONES`; None for a model without images.
        image_size: edge S of the square images in pixels.
        prediction_size: edge of the images in predictions, at most S, to which the network shrinks them; None for S.
        channels: names of the channels that the model reads, in its order; empty for RGB images.
        metadata_units: units of the dense layers of the metadata.
        hidden: dense layers of the joined features.
        dropout: share of the last features that is dropped in training, in [0, 1).
    """

    inputs: tuple[str, ...]
    backbone: str | None
    image_size: int
    prediction_size: int | None
    channels: tuple[str, ...]
    metadata_units: tuple[int, ...]
    hidden: tuple[HiddenLayer, ...]
    dropout: float
