"""One stage of a network, for a figure of its architecture; no TensorFlow here, because the report reads it too."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """Consecutive layers of a network whose output has one resolution, or one length.

    Attributes:
        shape: shape of the last output without the batch axis, (height, width, channels) or (units,).
        layers: number of layers.
        parameters: number of weights of these layers.
        metadata: whether the stage processes metadata only.
    """

    shape: tuple[int, ...]
    layers: int
    parameters: int
    metadata: bool
