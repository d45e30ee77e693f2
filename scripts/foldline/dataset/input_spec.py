"""What a model reads of a row: image size, channels and metadata; no image is decoded here."""

from dataclasses import dataclass

from foldline.dataset.channels import image_features
from foldline.dataset.metadata import Encoding

# Inputs of a network.
IMAGE, METADATA = "image", "metadata"
# Draws of the color jitter, which the device applies; beside the inputs of the network in a training batch.
COLOR = "color"


@dataclass(frozen=True)
class InputSpec:
    """What a model sees of a row.

    Attributes:
        image_size: edge S of the images in pixels; None for a model without images.
        encoding: how metadata become a vector; without columns for a model of images alone.
        channels: names of the channels that the model sees, in its order; none for RGB images.
    """

    image_size: int | None
    encoding: Encoding
    channels: tuple[str, ...] = ()

    def columns(self) -> list[str]:
        """Features of a record that are read beside its id and target."""
        images = [] if self.image_size is None else image_features(self.channels)
        return images + [column.name for column in self.encoding.columns]
