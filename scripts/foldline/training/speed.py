"""How fast a model trains and predicts, and how large its files are. No TensorFlow."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Speed:
    """Times in seconds and sizes in bytes of a model.

    Attributes:
        step: one training step, its batch being ready.
        batch: one batch of the input pipeline.
        predict: one row, one view.
        start: all that a training does once: network, weights, first batch, compilation.
        predict_start: all that a prediction does once: network, weights, compilation.
        weights: size of the weights file.
        checkpoints: size of the checkpoints while a fold is trained.
        predictions: size of a row of predictions.
    """

    step: float
    batch: float
    predict: float
    start: float
    predict_start: float
    weights: int
    checkpoints: int
    predictions: float

    def with_imports(self, seconds: float) -> "Speed":
        """The same with the imports at the start of each job added to both starts."""
        return replace(self, start=self.start + seconds, predict_start=self.predict_start + seconds)
