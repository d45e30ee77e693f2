"""A training on several devices is the training on one device with the same batch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures import mirrored
from fixtures.project import REPOSITORY, with_environment

pytestmark = pytest.mark.slow

Trained = dict[str, np.ndarray]
# Devices add up the same numbers in another order: each sum may differ in its last bits (6e-8 of a value near 1), and
# 12 steps carry that on. Found: 2e-7. Batch statistics of each device by itself would change the losses by 4e-2.
TOLERANCE = {"rtol": 1e-5, "atol": 2e-6}
# The running variance of the images' normalization: on one device a kernel makes it that of all images, which is larger
# by n / (n - 1) than that of a batch, with n values to a channel.
VARIANCE, VALUES = "w4", mirrored.BATCH * 6 * 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `fixtures.mirrored` leaves, with 1, 2, 4 and 8 devices."""
    folder = tmp_path_factory.mktemp("mirrored")
    for count in (1, 2, 4, 8):
        command = [sys.executable, mirrored.__file__, str(folder), str(count)]
        environment = {**with_environment(), "PYTHONPATH": str(REPOSITORY / "scripts")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder


def trained(folder: Path, name: str) -> Trained:
    with np.load(folder / f"{name}.npz") as found:
        return dict(found)


def check_equal(one: Trained, other: Trained) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_any_number_of_devices_gives_the_losses_and_weights_of_one(folder: Path, count: int) -> None:
    """Two batch normalizations, averaged weights, colors changed on the device, the best epoch kept."""
    one, several = trained(folder, "devices1"), trained(folder, f"devices{count}")
    for name in one.keys() - {VARIANCE, "logits"}:
        np.testing.assert_allclose(several[name], one[name], **TOLERANCE, err_msg=name)
    # What is left of the 1 that it starts at.
    start = 0.9 ** (one["epoch"] * mirrored.ROWS // mirrored.BATCH)
    expected = start + (one[VARIANCE] - start) * (VALUES - 1) / VALUES
    np.testing.assert_allclose(several[VARIANCE], expected, **TOLERANCE)
    # Predictions take that variance in.
    np.testing.assert_allclose(several["logits"], one["logits"], rtol=1 / VALUES, atol=1 / VALUES)


def test_statistics_of_each_device_by_itself_would_be_seen(folder: Path) -> None:
    difference = trained(folder, "apart")["losses"] - trained(folder, "devices1")["losses"]
    assert np.abs(difference).max() > 1e-2


@pytest.mark.parametrize(("unbroken", "resumed"), [("unbroken", "resumed"), ("halves", "halves_resumed")])
def test_an_interrupted_training_on_two_devices_ends_as_an_unbroken_one(
    folder: Path, unbroken: str, resumed: str
) -> None:
    """To the last bit, with dropout on each device, in float32 and in float16 with its loss scale."""
    check_equal(trained(folder, unbroken), trained(folder, resumed))


def test_several_steps_in_a_call_are_those_steps(folder: Path) -> None:
    """Three in a call, the fourth of each epoch alone."""
    check_equal(trained(folder, "unbroken"), trained(folder, "called"))


def test_halves_are_other_numbers(folder: Path) -> None:
    one, halves = trained(folder, "unbroken"), trained(folder, "halves")
    assert not np.array_equal(one["losses"], halves["losses"])
    np.testing.assert_allclose(halves["losses"], one["losses"], rtol=1e-2)
