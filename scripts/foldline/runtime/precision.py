"""In which number format a network computes: the one that the settings name, or the fastest of this device."""

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
# What each kind of device is tried in. TPUs do not compute in float16, CPUs only emulate it.
CANDIDATES = {
    "cpu": (FLOAT32, MIXED_BFLOAT16),
    "gpu": (FLOAT32, MIXED_FLOAT16, MIXED_BFLOAT16),
    "tpu": (FLOAT32, MIXED_BFLOAT16),
}
# A smaller gain over float32 may be chance, and is not worth coarser numbers.
LEAST_GAIN = 1.05


@dataclass(frozen=True)
class Precision:
    """What a network computes in.

    Attributes:
        name: "float32", or a policy of tf_keras: with "mixed_float16" and "mixed_bfloat16" layers compute in 16 bits
            from variables in float32.
        trial: images per second in each candidate; empty where the settings name the precision.
    """

    name: str
    trial: dict[str, float] = field(default_factory=dict)


@contextmanager
def computing_in(name: str) -> Iterator[None]:
    """Let layers that are made meanwhile compute in a precision."""
    before = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)


def check_precision(name: str, device: Device) -> None:
    """Refuse what a device does not compute in.

    Raises:
        FoldlineError: float16 on a TPU.
    """
    if name == MIXED_FLOAT16 and device.kind == "tpu":
        raise FoldlineError(f"precision {name} is not for TPUs; take {MIXED_BFLOAT16} or {AUTO}")


def fastest_precision(device: Device, images_per_second: Callable[[str], float]) -> Precision:
    """Try what a kind of device can compute in, and take the fastest.

    Args:
        device: the device.
        images_per_second: measures a short training in a precision.
    """
    trial: dict[str, float] = {}
    for name in CANDIDATES[device.kind]:
        try:
            trial[name] = round(images_per_second(name), 1)
        except tf.errors.OpError as error:
            if name == FLOAT32:
                raise
            logger.warning("precision %s is left out: %s", name, tensorflow_message(error))
    best = max(trial, key=trial.__getitem__)
    name = best if trial[best] >= LEAST_GAIN * trial[FLOAT32] else FLOAT32
    told = ", ".join(f"{name} {rate:.0f}" for name, rate in trial.items())
    logger.info("computes in %s: images/s in a short trial on this %s: %s", name, device.kind, told)
    return Precision(name, trial)
