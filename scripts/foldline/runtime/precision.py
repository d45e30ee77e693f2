"""Number format in which a network computes: the one of the settings, or the fastest on this device."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from foldline.errors import FoldlineError, tensorflow_message
from foldline.runtime.devices import Device
from foldline.runtime.tensorflow import tf, tf_keras

logger = logging.getLogger(__name__)

AUTO = "auto"
FLOAT32, MIXED_FLOAT16, MIXED_BFLOAT16 = "float32", "mixed_float16", "mixed_bfloat16"
# Formats to try on each kind of device. TPUs do not compute in float16, CPUs only emulate it.
CANDIDATES = {
    "cpu": (FLOAT32, MIXED_BFLOAT16),
    "gpu": (FLOAT32, MIXED_FLOAT16, MIXED_BFLOAT16),
    "tpu": (FLOAT32, MIXED_BFLOAT16),
}
# Smallest gain over float32 that is worth coarser numbers; a smaller one may be chance.
LEAST_GAIN = 1.05


@dataclass(frozen=True)
class Precision:
    """Number format in which a network computes.

    Attributes:
        name: a policy of tf_keras: "float32", or "mixed_float16" or "mixed_bfloat16", with which layers compute in
            16 bits from variables in float32.
        trial: images per second in each candidate; empty where the settings name the precision.
    """

    name: str
    trial: dict[str, float] = field(default_factory=dict)


@contextmanager
def computing_in(name: str) -> Iterator[None]:
    """Make layers that compute in a precision."""
    previous = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(previous)


def check_precision(name: str, device: Device) -> None:
    """Check that a device computes in a precision.

    Raises:
        FoldlineError: float16 on a TPU.
    """
    if name == MIXED_FLOAT16 and device.kind == "tpu":
        raise FoldlineError(f"precision {name} does not exist on TPUs; set precision to {MIXED_BFLOAT16} or {AUTO}")


def fastest_precision(device: Device, images_per_second: Callable[[str], float]) -> Precision:
    """Choose the fastest precision of a device in a short trial of each.

    Args:
        device: the device.
        images_per_second: measures the speed of a training in a precision.
    """
    trial: dict[str, float] = {}
    for name in CANDIDATES[device.kind]:
        try:
            trial[name] = round(images_per_second(name), 1)
        except tf.errors.OpError as error:
            if name == FLOAT32:
                raise
            logger.warning("precision %s does not work here: %s", name, tensorflow_message(error))
    best = max(trial, key=trial.__getitem__)
    name = best if trial[best] >= LEAST_GAIN * trial[FLOAT32] else FLOAT32
    rates = ", ".join(f"{name} {rate:.0f}" for name, rate in trial.items())
    logger.info("precision %s; images/s in a short trial on this %s: %s", name, device.kind, rates)
    return Precision(name, trial)
