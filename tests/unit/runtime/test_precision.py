"""The precision of a network is that of the settings, or the fastest; float32 where it matters."""

import logging

import numpy as np
import pytest
from fixtures.settings import model_config
from foldline.dataset.metadata import Encoding
from foldline.errors import FoldlineError
from foldline.models.networks import build_network, input_spec_of
from foldline.runtime.devices import Device
from foldline.runtime.precision import check_precision, computing_in, fastest_precision
from foldline.runtime.tensorflow import tf, tf_keras


def device(kind: str = "cpu") -> Device:
    return Device(kind, "the test", tf.distribute.get_strategy())


def test_the_backbone_computes_in_16_bits_and_the_head_in_float32() -> None:
    config = model_config(backbone="efficientnet-lite0", hidden=[{"units": 4}])
    network = build_network(
        config,
        input_spec_of(config, Encoding(())),
        weights="none",
        n_classes=2,
        device=device(),
        precision="mixed_bfloat16",
    )
    formats = {layer.name: layer.compute_dtype for layer in network.layers}
    assert formats["conv_head"] == formats["blocks_3_bn1"] == "bfloat16"
    assert formats["pool"] == formats["hidden_0"] == formats["logits"] == "float32"
    assert {variable.dtype for variable in network.weights} == {tf.float32}
    assert network({"image": np.zeros((1, 32, 32, 3), np.uint8)}).dtype == tf.float32
    assert tf_keras.mixed_precision.global_policy().name == "float32"


def test_an_error_resets_the_precision() -> None:
    with pytest.raises(ZeroDivisionError), computing_in("mixed_float16"):
        raise ZeroDivisionError
    assert tf_keras.layers.Dense(1).compute_dtype == "float32"


@pytest.mark.parametrize(
    ("kind", "speeds", "expected"),
    [
        ("cpu", {"float32": 30.0, "mixed_bfloat16": 15.0}, "float32"),
        ("cpu", {"float32": 30.0, "mixed_bfloat16": 31.0}, "float32"),
        ("tpu", {"float32": 30.0, "mixed_bfloat16": 60.0}, "mixed_bfloat16"),
        ("gpu", {"float32": 30.0, "mixed_float16": 70.0, "mixed_bfloat16": 60.0}, "mixed_float16"),
    ],
)
def test_the_fastest_precision_is_chosen_and_logged(
    kind: str, speeds: dict[str, float], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A gain of less than a twentieth does not count."""
    with caplog.at_level(logging.INFO):
        precision = fastest_precision(device(kind), speeds.__getitem__)
    assert (precision.name, precision.trial) == (expected, speeds)
    rates = ", ".join(f"{name} {speed:.0f}" for name, speed in speeds.items())
    assert caplog.messages == [f"precision {expected}; images/s in a short trial on this {kind}: {rates}"]


def test_a_precision_that_does_not_work_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    def speed(name: str) -> float:
        if name == "mixed_bfloat16":
            raise tf.errors.UnimplementedError(None, None, "no such kernel")
        return {"float32": 10.0, "mixed_float16": 20.0}[name]

    assert fastest_precision(device("gpu"), speed).name == "mixed_float16"
    assert "precision mixed_bfloat16 does not work here: no such kernel" in caplog.text


def test_float16_on_a_tpu_is_an_error() -> None:
    check_precision("mixed_bfloat16", device("tpu"))
    check_precision("mixed_float16", device("gpu"))
    with pytest.raises(FoldlineError, match="mixed_float16 does not exist on TPUs; set precision to mixed_bfloat16"):
        check_precision("mixed_float16", device("tpu"))
