"""Where a job computes: a TPU, GPUs or the CPU, chosen once, with the reason in the log."""

import importlib.util
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from foldline.engine import tf
from foldline.errors import FoldlineError, listing

logger = logging.getLogger(__name__)

ACCELERATORS = ("auto", "cpu", "gpu", "tpu")


@dataclass(frozen=True)
class Device:
    """What a job computes on.

    Attributes:
        kind: "tpu", "gpu" or "cpu".
        reason: why it was chosen, one line.
        strategy: how computation is spread over its replicas.
    """

    kind: str
    reason: str
    strategy: tf.distribute.Strategy

    @property
    def replicas(self) -> int:
        """Number of devices that each compute a part of every batch."""
        return self.strategy.num_replicas_in_sync

    def spread(self, *batches: Any) -> tuple[Any, ...]:
        """Cut arrays, alone or in dicts, along their first axis into equal parts, one for each replica."""
        if self.replicas == 1:
            return batches

        def part(array: Any) -> Any:
            size = len(array) // self.replicas
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: array[
                    context.replica_id_in_sync_group * size : (context.replica_id_in_sync_group + 1) * size
                ]
            )

        return tuple(
            {name: part(array) for name, array in batch.items()} if isinstance(batch, dict) else part(batch)
            for batch in batches
        )

    def gather(self, spread: Any) -> np.ndarray:
        """Put the parts of all replicas together again, in the order of `spread`."""
        return np.concatenate([part.numpy() for part in self.strategy.experimental_local_results(spread)])

    def check_batch_size(self, batch_size: int) -> None:
        """Refuse a batch that cannot be cut into equal parts.

        Raises:
            FoldlineError: the number of replicas does not divide the batch size.
        """
        if batch_size % self.replicas:
            raise FoldlineError(
                f"batch_size {batch_size} cannot be cut into equal parts for {self.replicas} devices; give a multiple "
                f"of {self.replicas}"
            )


def use_device(accelerator: str, *, threads: int) -> Device:
    """Choose the device of a job and say why in the log.

    Args:
        accelerator: "auto" takes a TPU, else all GPUs, else the CPU; "tpu", "gpu" and "cpu" take that or fail.
        threads: CPU threads that operations may use; must be called before anything is computed.

    Raises:
        FoldlineError: the device asked for is not there.
    """
    if accelerator not in ACCELERATORS:
        raise FoldlineError(f"accelerator is {accelerator!r}; allowed: {listing(list(ACCELERATORS))}")
    limit_threads(threads)
    device = (
        _tpu(accelerator) or _gpu(accelerator) or Device("cpu", _cpu_reason(accelerator), tf.distribute.get_strategy())
    )
    logger.info("runs on %s: %s", device.kind, device.reason)
    return device


def limit_threads(threads: int) -> None:
    """Let TensorFlow's operations use this many CPU threads; the input pipeline has a pool of its own."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        logger.warning("TensorFlow has computed before; it keeps its threads instead of %d", threads)


def _cpu_reason(accelerator: str) -> str:
    return "accelerator is cpu" if accelerator == "cpu" else "there is no TPU and no GPU"


def _tpu(accelerator: str) -> Device | None:
    # TPUs are driven by libtpu, which comes with tensorflow-tpu only; without it there is no need to search.
    if accelerator not in ("auto", "tpu"):
        return None
    if importlib.util.find_spec("libtpu") is None:
        if accelerator == "tpu":
            raise FoldlineError(
                "accelerator is tpu, but the package libtpu is not installed; use the environment for TPUs "
                "(envs/train-tpu.yaml) on a TPU VM, or set accelerator to auto"
            )
        return None
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.tpu.experimental.initialize_tpu_system(resolver)
        strategy = tf.distribute.TPUStrategy(resolver)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        if accelerator == "auto":
            logger.info("libtpu is installed, but no TPU answers: %s", error)
            return None
        raise FoldlineError(
            f"accelerator is tpu, but no TPU answers ({error}); run on a TPU VM, or set accelerator to auto"
        ) from error
    return Device("tpu", f"{strategy.num_replicas_in_sync} TPU cores answered", strategy)


def _gpu(accelerator: str) -> Device | None:
    if accelerator not in ("auto", "gpu"):
        return None
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if accelerator == "gpu":
            raise FoldlineError(
                "accelerator is gpu, but TensorFlow finds none; look at nvidia-smi and at the environment "
                "(envs/train-gpu.yaml), or set accelerator to auto"
            )
        return None
    for gpu in gpus:
        # Without growth the first job takes all memory of a GPU that others share.
        tf.config.experimental.set_memory_growth(gpu, True)
    strategy = tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
    return Device("gpu", f"{len(gpus)} found", strategy)
