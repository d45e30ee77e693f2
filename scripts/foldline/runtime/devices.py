"""Choose the device of a job once, a TPU, GPUs or the CPU, and log the reason."""

import importlib.util
import logging
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from foldline.errors import FoldlineError, listing, tensorflow_message
from foldline.runtime.tensorflow import tf

logger = logging.getLogger(__name__)

ACCELERATORS = ("auto", "cpu", "gpu", "tpu")
# A TPU would wait for the host between steps. A stop request waits for the end of a call, a few seconds.
TPU_STEPS_PER_CALL = 16
Nested = TypeVar("Nested")


@dataclass(frozen=True)
class Device:
    """The device of a job.

    Attributes:
        kind: "tpu", "gpu" or "cpu".
        reason: why it was chosen, one line.
        strategy: how computation is distributed over its replicas.
        steps_per_call: training steps that TensorFlow does for one call from Python.
    """

    kind: str
    reason: str
    strategy: tf.distribute.Strategy
    steps_per_call: int = 1

    @property
    def replicas(self) -> int:
        """Number of replicas; each computes an equal share of every batch."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def wants_full_batches(self) -> bool:
        """Whether all batches must have one size: replicas need equal shares, and a TPU compiles each shape anew."""
        return self.kind == "tpu" or self.replicas > 1

    def spread(self, batch: Nested) -> Nested:
        """Split the tensors of a batch along their first axis into equal shares, one for each replica."""
        if self.replicas == 1:
            return batch

        def split(tensor: tf.Tensor) -> tf.distribute.DistributedValues:
            # The batch is in the host's memory, and each replica copies its own share only.
            with tf.device("CPU:0"):
                shares = tf.split(tensor, self.replicas)
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: shares[context.replica_id_in_sync_group]
            )

        distributed: Nested = tf.nest.map_structure(split, batch)
        return distributed

    def gather(self, distributed: tf.Tensor | tf.distribute.DistributedValues) -> npt.NDArray[Any]:
        """Concatenate the shares of all replicas, in the order of `spread`."""
        shares = self.strategy.experimental_local_results(distributed)
        return np.concatenate([share.numpy() for share in shares])

    def check_batch_size(self, batch_size: int) -> None:
        """Check that the replicas can share a batch equally.

        Raises:
            FoldlineError: the number of replicas does not divide the batch size.
        """
        if batch_size % self.replicas:
            raise FoldlineError(
                f"batch_size {batch_size} cannot be split into equal shares for {self.replicas} devices; set a "
                f"multiple of {self.replicas}"
            )


def use_device(accelerator: str, *, threads: int) -> Device:
    """Choose the device of a job and log the reason.

    Args:
        accelerator: "auto" takes a TPU, else all GPUs, else the CPU; "tpu", "gpu" and "cpu" take that or fail.
        threads: CPU threads that operations may use; call this function before anything is computed.

    Raises:
        FoldlineError: the requested device does not exist.
    """
    if accelerator not in ACCELERATORS:
        raise FoldlineError(f"accelerator is {accelerator!r}; allowed: {listing(ACCELERATORS)}")
    limit_threads(threads)
    device = _tpu(accelerator) or _gpu(accelerator) or _cpu(accelerator)
    logger.info("device %s: %s", device.kind, device.reason)
    return device


def limit_threads(threads: int) -> None:
    """Let TensorFlow's operations use this many CPU threads; the input pipeline has a pool of its own."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        logger.warning("TensorFlow has computed before; it keeps its threads instead of %d", threads)


def _cpu(accelerator: str) -> Device:
    reason = "accelerator is cpu" if accelerator == "cpu" else "there is no TPU and no GPU"
    return Device("cpu", reason, tf.distribute.get_strategy())


def _tpu(accelerator: str) -> Device | None:
    if accelerator not in ("auto", "tpu"):
        return None
    # libtpu drives TPUs; it comes with tensorflow-tpu only.
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
        message = tensorflow_message(error)
        if accelerator == "auto":
            # Another process that holds the chips looks the same; the job would run on a CPU for days.
            logger.warning(
                "libtpu is installed, but no TPU answers (%s); set accelerator to tpu to make this an error", message
            )
            return None
        raise FoldlineError(
            f"accelerator is tpu, but no TPU answers ({message}); run on a TPU VM, one job at a time "
            "(--resources tpu=1), or set accelerator to auto"
        ) from error
    return Device("tpu", f"{strategy.num_replicas_in_sync} TPU cores answered", strategy, TPU_STEPS_PER_CALL)


def _gpu(accelerator: str) -> Device | None:
    if accelerator not in ("auto", "gpu"):
        return None
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if accelerator == "gpu":
            raise FoldlineError(
                "accelerator is gpu, but TensorFlow finds none; check nvidia-smi and the environment "
                "(envs/train-gpu.yaml), see TensorFlow's reasons with TF_CPP_MIN_LOG_LEVEL=0, or set accelerator to "
                "auto"
            )
        return None
    for gpu in gpus:
        # Without growth the first job takes all memory of a GPU that others share.
        tf.config.experimental.set_memory_growth(gpu, True)
    strategy = tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
    return Device("gpu", f"{len(gpus)} found", strategy)
