"""A training on several devices gives the results of one device with the same batch."""

import os
from pathlib import Path

import numpy as np
import pytest
from fixtures import mirrored
from fixtures.forked import SCRIPT_SERVER
from fixtures.project import REPOSITORY

pytestmark = pytest.mark.slow

Trained = dict[str, np.ndarray]
# Devices add up the same numbers in another order: each sum may differ in its last bits (6e-8 of a value near 1), and
# 12 steps accumulate that. Measured: 2e-7. Batch statistics of each device by itself change the losses by 4e-2.
TOLERANCE = {"rtol": 1e-5, "atol": 2e-6}
# The running variance of the images' normalization: on one device a kernel makes it that of all images, which is larger
# by n / (n - 1) than that of a batch, with n values to a channel.
VARIANCE, VALUES = "w4", mirrored.BATCH * 6 * 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of `fixtures.mirrored` with 1, 2 and 8 devices."""
    folder = tmp_path_factory.mktemp("mirrored")
    packages = os.pathsep.join(str(REPOSITORY / name) for name in ("scripts", "tests"))
    environment = {**os.environ, "PYTHONPATH": packages}
    for count in (1, 2, 8):
        done = SCRIPT_SERVER.run(mirrored.__file__, [str(folder), str(count)], folder=folder, environment=environment)
        assert done.returncode == 0, done.stderr
    return folder


def trained(folder: Path, name: str) -> Trained:
    with np.load(folder / f"{name}.npz") as arrays:
        return dict(arrays)


def check_equal(one: Trained, other: Trained) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.mark.parametrize("count", [2, 8])
def test_any_number_of_devices_gives_the_losses_and_weights_of_one(folder: Path, count: int) -> None:
    """With two batch normalizations, averaged weights, color jitter on the device, and the best epoch selected."""
    one, several = trained(folder, "devices1"), trained(folder, f"devices{count}")
    for name in one.keys() - {VARIANCE, "logits", "training"}:
        np.testing.assert_allclose(several[name], one[name], **TOLERANCE, err_msg=name)
    # A last bit can move one of 64 rows to the next bin, or to the other side of a threshold.
    np.testing.assert_allclose(several["training"], one["training"], atol=1.5 / mirrored.ROWS)
    assert 0.5 < one["training"].min() < one["training"].max() <= 1
    # What remains of its start, 1.
    start = 0.9 ** (one["epoch"] * mirrored.ROWS // mirrored.BATCH)
    expected = start + (one[VARIANCE] - start) * (VALUES - 1) / VALUES
    np.testing.assert_allclose(several[VARIANCE], expected, **TOLERANCE)
    # Predictions use that variance.
    np.testing.assert_allclose(several["logits"], one["logits"], rtol=1 / VALUES, atol=1 / VALUES)


def test_statistics_of_each_device_by_itself_change_the_losses(folder: Path) -> None:
    difference = trained(folder, "unsynchronized")["losses"] - trained(folder, "devices1")["losses"]
    assert np.abs(difference).max() > 1e-2


def test_a_stopped_training_on_two_devices_ends_like_an_unbroken_one(folder: Path) -> None:
    """To the last bit, with dropout on each device, in float16 with its loss scale."""
    check_equal(trained(folder, "float16"), trained(folder, "float16_resumed"))


def test_several_steps_in_one_call_give_the_same_results(folder: Path) -> None:
    """Three in a call, the fourth of each epoch alone."""
    check_equal(trained(folder, "unbroken"), trained(folder, "three_per_call"))


def test_float16_rounds_differently(folder: Path) -> None:
    one, float16 = trained(folder, "unbroken"), trained(folder, "float16")
    assert not np.array_equal(one["losses"], float16["losses"])
    np.testing.assert_allclose(float16["losses"], one["losses"], rtol=1e-2)
