"""Settings of predictions; see `prediction` in `config/config.schema.yaml`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PredictionConfig:
    """How rows are predicted.

    Attributes:
        views: test-time augmentation: mean over this many flips and quarter turns, 1, 2, 4 or 8.
        batch_size: images per step, over all devices together.
    """

    views: int
    batch_size: int
