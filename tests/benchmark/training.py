"""Images per CPU-second of a training step against a plain Keras 3 `fit` of the same network, batch and images.

    python tests/benchmark/training.py [STEPS=20] [SIZE=128] [BATCH=32] [--rounds 2]

Both train EfficientNet-B0 of `applications` from random weights with Adam and binary cross-entropy on images in
memory. Each runs in a process of its own, in turns. CPU time counts from the second step on, without imports and the
building of the graph.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

DATA = """
import sys, time
import numpy as np
steps, size, batch = map(int, sys.argv[1:])
random = np.random.default_rng(1)
images = random.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
labels = (np.arange(batch) % 2).astype(np.float32)[:, None]
def report(start):
    print("CPU", time.process_time() - start)
"""
OURS = f"""
sys.path.insert(0, {str(SCRIPTS)!r})
from foldline.models.backbones import build_backbone
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.models.heads import build_model
from foldline.training.losses import make_loss
from foldline.training.training_config import LossConfig
from foldline.training.training_step import StepConfig, make_step
use_device("cpu", threads=1)
backbone = build_backbone("keras-efficientnet-b0", weights="none", image_size=size)
network = build_model(backbone, metadata_width=0, n_classes=1, metadata_units=[], hidden=[], dropout=0.2)
config = LossConfig("cross_entropy", label_smoothing=0, gamma=0, alpha=0.5, hard_labels=False, reduction="mean")
loss = make_loss(config, [dict(positive_weight=1.0, negative_weight=1.0)], activation="sigmoid")
optimizer = tf_keras.optimizers.Adam(1e-3)
optimizer.build(network.trainable_variables)
step = tf.function(make_step(network, optimizer, loss, StepConfig(batch, "sigmoid")))
rows = iter(tf.data.Dataset.from_tensors((dict(image=images), labels)).repeat().prefetch(2))
float(step(*next(rows)).loss)
start = time.process_time()
for _ in range(steps):
    share = step(*next(rows)).loss
float(share)
report(start)
"""
PLAIN = """
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
import keras
assert keras.__version__.startswith("3.")
backbone = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(size, size, 3))
features = keras.layers.GlobalAveragePooling2D()(backbone.output)
outputs = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dropout(0.2)(features))
model = keras.Model(backbone.input, outputs)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy", jit_compile=False)
rows = tf.data.Dataset.from_tensors((images, labels)).repeat().prefetch(2)
model.fit(rows, steps_per_epoch=1, verbose=0)
start = time.process_time()
model.fit(rows, steps_per_epoch=steps, verbose=0)
report(start)
"""
PROGRAMS = {"Keras 3 fit": PLAIN, "ours": OURS}


def cpu_seconds(program: str, steps: int, size: int, batch: int) -> float:
    """CPU seconds of `steps` steps after the first."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", DATA + program, str(steps), str(size), str(batch)],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(next(line for line in done.stdout.splitlines() if line.startswith("CPU")).split()[1])


def main() -> None:
    """Read the command line, run both in turns, print rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="?", type=int, default=20)
    parser.add_argument("size", nargs="?", type=int, default=128)
    parser.add_argument("batch", nargs="?", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(given.rounds):
        for name, program in PROGRAMS.items():
            seconds = cpu_seconds(program, given.steps, given.size, given.batch)
            rates[name].append(given.steps * given.batch / seconds)
    for name, found in rates.items():
        print(f"{name:12s} {statistics.median(found):6.1f} images per CPU-second")
    print(f"ours / Keras 3 fit: {statistics.median(rates['ours']) / statistics.median(rates['Keras 3 fit']):.2f}")


if __name__ == "__main__":
    main()
