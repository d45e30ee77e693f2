"""Where a job computes: a TPU, GPUs or the CPU, chosen once, with the reason in the log."""

import importlib.util
import logging
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from foldline.errors import FoldlineError, listing, tensorflow_message
from foldline.runtime.tensorflow import tf

logger = logging.getLogger(__name__)

ACCELERATORS = ("auto", "cpu", "gpu", "tpu")
# A TPU would wait for the host between steps; some seconds of steps are the longest that a wish to leave waits.
TPU_STEPS_PER_CALL = 16
Nested = TypeVar("Nested")


@dataclass(frozen=True)
class Device:
    """What a job computes on.

    Attributes:
        kind: "tpu", "gpu" or "cpu".
        reason: why it was chosen, one line.
        strategy: how computation is spread over its replicas.
        steps_per_call: training steps that TensorFlow does for one call from Python.
    """

    kind: str
    reason: str
    strategy: tf.distribute.Strategy
    steps_per_call: int = 1

    @property
    def replicas(self) -> int:
        """Number of devices that each compute a part of every batch."""
        return self.strategy.num_replicas_in_sync

    @property
    def wants_full_batches(self) -> bool:
        """Whether all batches must have one size: to be cut into equal parts, or since each shape is compiled anew."""
        return self.kind == "tpu" or self.replicas > 1

    def spread(self, batch: Nested) -> Nested:
        """Cut the tensors of a batch along their first axis into equal parts, one for each replica."""
        if self.replicas == 1:
            return batch

        def cut(tensor: tf.Tensor) -> tf.distribute.DistributedValues:
            # The batch is in the host's memory: each part shall travel to its own device only.
            with tf.device("CPU:0"):
                parts = tf.split(tensor, self.replicas)
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: parts[context.replica_id_in_sync_group]
            )

        return tf.nest.map_structure(cut, batch)

    def gather(self, spread: tf.Tensor | tf.distribute.DistributedValues) -> np.ndarray:
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
        said = tensorflow_message(error)
        if accelerator == "auto":
            # Another process that holds the chips looks the same; the job would go on for days on a CPU.
            logger.warning("libtpu is installed, but no TPU answers (%s); set accelerator to tpu to insist on it", said)
            return None
        raise FoldlineError(
            f"accelerator is tpu, but no TPU answers ({said}); run on a TPU VM, one job at a time (--resources tpu=1), "
            "or set accelerator to auto"
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
