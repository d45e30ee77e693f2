"""Weights of a network in a file of their own: numbers only, since a saved model could carry code."""

import shutil
import tempfile
from pathlib import Path

from foldline.errors import FoldlineError
from foldline.io.files import atomic_write
from foldline.runtime.tensorflow import tf_keras


def save_weights(model: tf_keras.Model, path: str | Path) -> None:
    """Write the weights of a network as HDF5; equal weights give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder) / "model.weights.h5"
        model.save_weights(aside)
        with aside.open("rb") as source, atomic_write(path) as handle:
            shutil.copyfileobj(source, handle)


def load_weights(model: tf_keras.Model, path: str | Path) -> None:
    """Fill a network that was built by the same settings.

    Raises:
        FoldlineError: the file is damaged or of another network.
    """
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise FoldlineError(f"{path}: not the weights of this network ({error}); remove it and train again") from error
