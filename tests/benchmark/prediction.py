"""CPU time of predictions with and without batch normalization folded into the kernels, as a ratio, and of their start.

    python tests/benchmark/prediction.py [--backbones efficientnet-lite0 efficientnet-b0] [--size 160] [--rounds 8]

Both networks predict the same batch in turn. The start is that of a job: imports, the network, its weights, the first
batch. Divided by the time of a batch it says for how many images a job of its own costs as much as the predictions.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fixtures.settings import model_config
from foldline.dataset.metadata import Encoding
from foldline.inference.folded_norms import fold_batch_norms
from foldline.inference.forward_pass import make_forward
from foldline.inference.predictions import predict_rows  # noqa: F401  (what a job imports)
from foldline.models.networks import build_network, input_spec_of
from foldline.models.weights_file import load_weights, save_weights
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf

# Of this process until now.
IMPORTS = time.process_time()
BATCH = 32


def main(*, backbones: Sequence[str], size: int, rounds: int) -> None:
    """Print a line for each backbone."""
    device = use_device("cpu", threads=1)
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3))
    batch = {"image": tf.constant(pixels, tf.uint8)}
    for backbone in backbones:
        config = model_config(backbone=backbone, image_size=size, inputs=["image"])
        plain, folded = (
            build_network(config, input_spec_of(config, Encoding(())), weights="none", n_classes=1, device=device)
            for _ in range(2)
        )
        layers = fold_batch_norms(folded, device)
        times: dict[str, list[float]] = {"plain": [], "folded": []}
        passes = {"plain": plain, "folded": folded}
        forward = {name: make_forward(network, device, batch_size=BATCH) for name, network in passes.items()}
        for number in range(rounds + 1):
            for name, one in forward.items():
                start = time.process_time()
                one(batch)
                # The first round traces.
                times[name] += [time.process_time() - start] if number else []
        ratio = np.median(times["plain"]) / np.median(times["folded"])
        print(f"{backbone} at {size} px, {layers} layers folded: {ratio:.2f} times as fast")
        print(f"{backbone} starts: {_start(backbone, size, batch)}; next ones {np.median(times['folded']):.2f} s")


def _start(backbone: str, size: int, batch: dict[str, tf.Tensor]) -> str:
    """CPU time of each part of the start of a job."""
    device = use_device("cpu", threads=1)
    config = model_config(backbone=backbone, image_size=size, inputs=["image"])
    marks = [time.process_time()]
    network = build_network(config, input_spec_of(config, Encoding(())), weights="none", n_classes=1, device=device)
    marks.append(time.process_time())
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.weights.h5"
        save_weights(network, weights)
        saved = time.process_time() - marks[-1]
        load_weights(network, weights)
    marks.append(time.process_time())
    fold_batch_norms(network, device)
    marks.append(time.process_time())
    make_forward(network, device, batch_size=BATCH)(batch)
    marks.append(time.process_time())
    seconds = np.diff(marks) - [0, saved, 0, 0]
    names = ("network", "weights", "folding", "first batch")
    return f"imports {IMPORTS:.2f} s, " + ", ".join(
        f"{name} {of_part:.2f} s" for name, of_part in zip(names, seconds, strict=True)
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=["efficientnet-lite0", "efficientnet-b0"])
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=8)
    main(**vars(parser.parse_args()))
