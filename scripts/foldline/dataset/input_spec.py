"""The input spec of a model: image size, channels and metadata that it reads from a row."""

from dataclasses import dataclass

from foldline.dataset.channels import image_features
from foldline.dataset.metadata import Encoding

# Inputs of a network.
IMAGE, METADATA = "image", "metadata"
# Parameters of the color jitter, which the device applies; beside the inputs of the network in a training batch.
COLOR = "color"
# Weights of the rows of a batch in the loss, which no model reads.
ROW_WEIGHT = "row_weight"
# Their numbers among all training rows, which no model reads either.
ROW = "row"


@dataclass(frozen=True)
class InputSpec:
    """What a model reads from a row.

    Attributes:
        image_size: side S of the square images in pixels; None for a model without images.
        encoding: encoding of the metadata as a vector; without columns for a model of images alone.
        channels: names of the channels that the model reads, in its order; empty for RGB images.
    """

    image_size: int | None
    encoding: Encoding
    channels: tuple[str, ...] = ()

    def columns(self) -> list[str]:
        """Features of a record to read beside its id and target."""
        images = [] if self.image_size is None else image_features(self.channels)
        return images + [column.name for column in self.encoding.columns]
