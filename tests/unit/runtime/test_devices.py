"""The requested device is used, or its absence is an error."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.inference.forward_pass import make_forward
from foldline.runtime.devices import Device, use_device
from foldline.runtime.tensorflow import tf


@pytest.mark.parametrize("accelerator", ["auto", "cpu"])
def test_without_accelerators_the_device_is_the_cpu(accelerator: str) -> None:
    """Row 1: the device that exists is used."""
    device = use_device(accelerator, threads=2)
    assert device.kind == "cpu"
    assert device.strategy.num_replicas_in_sync == 1


@pytest.mark.parametrize("accelerator", ["tpu", "gpu"])
def test_an_absent_accelerator_is_an_error(accelerator: str) -> None:
    """Row 1 corrected: no silent fallback from a requested accelerator."""
    with pytest.raises(FoldlineError, match=f"accelerator is {accelerator}"):
        use_device(accelerator, threads=2)


@pytest.fixture
def with_libtpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment for TPUs on a machine that has none."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


@pytest.mark.usefixtures("with_libtpu")
def test_a_tpu_that_does_not_answer_is_an_error_of_one_line() -> None:
    with pytest.raises(FoldlineError) as caught:
        use_device("tpu", threads=2)
    message = str(caught.value)
    assert message.startswith("accelerator is tpu, but no TPU answers (")
    assert message.endswith("run on a TPU VM, one job at a time (--resources tpu=1), or set accelerator to auto")
    assert "\n" not in message


@pytest.mark.usefixtures("with_libtpu")
def test_with_auto_a_tpu_that_does_not_answer_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert use_device("auto", threads=2).kind == "cpu"
    levels = [record.levelname for record in caplog.records if "no TPU answers" in record.getMessage()]
    assert levels == ["WARNING"]


def test_a_tpu_that_answers_is_used(monkeypatch: pytest.MonkeyPatch, with_libtpu: None) -> None:
    """Resolver, initialization, strategy, in this order; several steps for each call from Python."""
    called: list[str] = []
    strategy = SimpleNamespace(num_replicas_in_sync=8)

    def fake(name: str, result: object) -> object:
        return lambda *given, **named: called.append(name) or result

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", fake("resolve", "tpu"))
    monkeypatch.setattr(tf.tpu.experimental, "initialize_tpu_system", fake("initialize", None))
    monkeypatch.setattr(tf.distribute, "TPUStrategy", fake("strategy", strategy))
    device = use_device("tpu", threads=2)
    assert called == ["resolve", "initialize", "strategy"]
    assert (device.kind, device.replicas, device.reason) == ("tpu", 8, "8 TPU cores answered")
    assert device.steps_per_call > 1
    assert device.wants_full_batches


def test_all_gpus_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 1: mirrored over all of them."""
    grown: list[str] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu 0", "gpu 1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, wanted: grown.append(gpu))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda: SimpleNamespace(num_replicas_in_sync=2))
    device = use_device("gpu", threads=2)
    assert (device.kind, device.replicas, device.reason) == ("gpu", 2, "2 found")
    assert grown == ["gpu 0", "gpu 1"]


def test_a_batch_that_devices_cannot_share_is_an_error() -> None:
    device = Device("gpu", "the test", SimpleNamespace(num_replicas_in_sync=8))
    device.check_batch_size(32)
    with pytest.raises(FoldlineError, match="batch_size 20 cannot be split into equal shares for 8 devices; set a"):
        device.check_batch_size(20)


def test_a_tpu_gets_batches_of_one_shape() -> None:
    """A smaller last batch is padded, and the padding is removed from the logits."""
    shapes: list[tuple[int, ...]] = []

    def network(inputs: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        shapes.append(tuple(inputs["image"].shape))
        return tf.reduce_mean(tf.cast(inputs["image"], tf.float32), axis=(1, 2))

    images = np.random.default_rng(1).integers(0, 256, (20, 4, 4, 3), np.uint8)
    forward = make_forward(network, Device("tpu", "the test", tf.distribute.get_strategy()), batch_size=8)
    splits = [forward({"image": tf.constant(split)}) for split in (images[:8], images[8:16], images[16:])]
    assert shapes == [(8, 4, 4, 3)]
    np.testing.assert_allclose(np.concatenate(splits), images.mean(axis=(1, 2)), rtol=1e-6)
