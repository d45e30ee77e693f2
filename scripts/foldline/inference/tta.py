"""Test-time augmentation: probabilities of a network, averaged over views of each image."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.dataset.input_spec import IMAGE
from foldline.errors import FoldlineError
from foldline.evaluation.activations import probabilities
from foldline.inference.forward_pass import Forward
from foldline.input_pipeline.decode import Inputs
from foldline.runtime.tensorflow import tf

# The symmetries of a square: transpose, then flip vertically, then flip horizontally. The first view is the image
# itself, the first two are the image and its mirror image, the first four are all without quarter turns.
VIEWS = tuple(itertools.product((False, True), repeat=3))


def view(images: tf.Tensor, number: int) -> tf.Tensor:
    """View `number` of `VIEWS` of square images.

    Args:
        images: (batch, S, S, C).
        number: 0 to 7; view 0 is the images as they are.

    Returns:
        (batch, S, S, C), of the same dtype.
    """
    transpose, flip_rows, flip_columns = VIEWS[number]
    if transpose:
        images = tf.transpose(images, (0, 2, 1, 3))
    axes = [axis for axis, flip in ((1, flip_rows), (2, flip_columns)) if flip]
    return tf.reverse(images, axes) if axes else images


def view_of_inputs(inputs: Inputs, number: int) -> Inputs:
    """Inputs of a network whose images, if there are any, are replaced by view `number`; see `view`."""
    return {**inputs, IMAGE: view(inputs[IMAGE], number)} if IMAGE in inputs else inputs


def predict(
    forward: Forward, batches: Iterable[tuple[Any, ...]], *, views: Sequence[int], activation: str
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Predict every row.

    Args:
        forward: function of `make_forward`.
        batches: dataset of `batches.ordered_batches`.
        views: numbers of the views to average; see `VIEWS`.
        activation: how logits become probabilities; see `activations.probabilities`.

    Returns:
        Ids in the order of the dataset, and probabilities, (n_samples, n_classes), in [0, 1]: means over the views.

    Raises:
        FoldlineError: a logit is not finite.
    """
    ids: list[str] = []
    means: list[npt.NDArray[np.float64]] = []
    for names, inputs, _ in batches:
        logits = np.stack([forward(view_of_inputs(inputs, number)) for number in views])
        ids += [name.decode() for name in names.numpy()]
        means.append(probabilities(logits, activation).mean(axis=0))
        if not np.isfinite(logits).all():
            raise FoldlineError(
                f"the network gives logits that are not finite for rows near {ids[-1]}; remove its weights file and "
                "run the workflow again"
            )
    return ids, np.concatenate(means)
