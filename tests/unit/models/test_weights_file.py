"""Weights files: equal weights give equal bytes, and other weights are an error."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.models.weights_file import load_weights, save_weights
from foldline.runtime.tensorflow import tf_keras


def network(*, units: int = 3) -> tf_keras.Model:
    """A small network with two layers and random weights."""
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [tf_keras.Input((4,)), layers.Dense(5), layers.BatchNormalization(), layers.Dense(units)]
    )


@pytest.fixture
def saved(tmp_path: Path) -> tuple[tf_keras.Model, Path]:
    model = network()
    save_weights(model, tmp_path / "model.weights.h5")
    return model, tmp_path / "model.weights.h5"


def test_loaded_weights_equal_the_saved_ones_and_give_the_same_bytes(
    saved: tuple[tf_keras.Model, Path], tmp_path: Path
) -> None:
    model, path = saved
    other = network()
    assert not np.array_equal(other.get_weights()[0], model.get_weights()[0])
    load_weights(other, path)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    save_weights(other, tmp_path / "again.weights.h5")
    assert (tmp_path / "again.weights.h5").read_bytes() == path.read_bytes()


def test_weights_of_another_network_are_an_error(saved: tuple[tf_keras.Model, Path]) -> None:
    with pytest.raises(FoldlineError, match="not the weights of this network"):
        load_weights(network(units=2), saved[1])


def test_a_truncated_file_is_an_error_that_names_it(saved: tuple[tf_keras.Model, Path], tmp_path: Path) -> None:
    shutil.copy(saved[1], tmp_path / "cut.weights.h5")
    with (tmp_path / "cut.weights.h5").open("r+b") as handle:
        handle.truncate(5000)
    with pytest.raises(FoldlineError, match=r"cut\.weights\.h5"):
        load_weights(network(), tmp_path / "cut.weights.h5")
