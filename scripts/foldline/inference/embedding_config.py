"""Settings of embeddings; see `embeddings` in `config/config.schema.yaml`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EmbeddingConfig:
    """The network that computes embeddings; it is not trained.

    Attributes:
        image_size: side of the images of the shards in pixels.
        backbone: see `models.backbone_registry`.
        weights: name of pretrained weights, or the path of a weights file.
        channels: names of the channels of a sample; empty for one RGB image.
    """

    image_size: int
    backbone: str
    weights: str
    channels: tuple[str, ...]
