"""Weights of a network in an HDF5 file of their own: only numbers, because a saved model could contain code."""

import os
import shutil
import tempfile
from pathlib import Path

from foldline.errors import FoldlineError
from foldline.io.files import atomic_write
from foldline.runtime.tensorflow import tf_keras

# More than HDF5 needs for the names and shapes of a network's weights.
HDF5_BYTES = 4 << 20
# What HDF5 and Keras raise on a damaged file, or on one of another network.
UNUSABLE = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError, OverflowError)


def save_weights(model: tf_keras.Model, path: str | Path) -> None:
    """Write the weights of a network; equal weights give equal bytes.

    Raises:
        OSError: the file or the temporary folder cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        _reserve(Path(folder), sum(array.nbytes for array in model.get_weights()))
        # Keras chooses the format by the file name, and does not write atomically.
        temporary = Path(folder) / "model.weights.h5"
        model.save_weights(temporary)
        with temporary.open("rb") as source, atomic_write(path) as handle:
            shutil.copyfileobj(source, handle)


def _reserve(folder: Path, size: int) -> None:
    """Check that a folder has space for a file, because HDF5 crashes if its disk is full.

    Raises:
        OSError: it has not.
    """
    with tempfile.TemporaryFile(dir=folder) as handle:
        try:
            os.posix_fallocate(handle.fileno(), 0, size + HDF5_BYTES)
        except OSError as error:
            error.filename = str(folder)
            raise


def load_weights(model: tf_keras.Model, path: str | Path) -> None:
    """Load a file of `save_weights` into a network that was built with the same settings.

    Raises:
        FoldlineError: the file is damaged, or its weights belong to another network.
    """
    try:
        model.load_weights(path)
    except UNUSABLE as error:
        raise FoldlineError(
            f"{path}: not the weights of this network ({' '.join(str(error).split())}); remove the file and run the "
            "workflow again"
        ) from error
