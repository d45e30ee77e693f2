"""Folds with and without groups on a set that leaks: each patient has a mark, and a label by chance.

    python tests/benchmark/leaky_set.py [--folder FOLDER] [--patients 40] [--images 12] [--folds 2] [--seed 1]

No image says anything about the label but the mark (the colors and the grain of the patient's pictures). A model can
only know the label of a patient whom it has seen. The workflow runs twice, from the images to the scores, with a small
network: without `dataset.group_column` and with it. The table has the pooled out-of-fold AUC of both with its interval;
the warnings of planning that name groups are printed above it. It takes 6 CPU-minutes. The exit status is 1 if the
first AUC is below 0.95, the second interval excludes 0.5, or a warning is missing or wrong.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import numpy as np
import yaml
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = 64
# Least AUC that counts as near 1.
NEAR_ONE = 0.95


def picture(palette: np.ndarray, grain: float, generator: np.random.Generator) -> np.ndarray:
    """A random texture in the colors of a patient, uint8, (SIZE, SIZE, 3)."""
    frequencies = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)) * SIZE
    band = np.exp(-((frequencies - grain) ** 2) / 8)
    field = np.fft.irfft2(np.fft.rfft2(generator.normal(size=(SIZE, SIZE))) * band, s=(SIZE, SIZE))
    shares = 1 / (1 + np.exp(-2 * field / field.std()))[..., None]
    colors = shares * palette[0] + (1 - shares) * palette[1] + generator.normal(0, 8, (SIZE, SIZE, 3))
    return np.clip(colors, 0, 255).round().astype(np.uint8)


def write_set(folder: Path, *, patients: int, images: int, seed: int) -> None:
    """Write the images and `train.csv`; half of the patients have the label 1."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(patients) % 2)
    (folder / "images").mkdir(parents=True)
    with (folder / "train.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["image", "patient", "sick"])
        for patient, label in enumerate(labels.tolist()):
            palette, grain = generator.uniform(20, 235, (2, 3)), generator.uniform(2, 16)
            for number in range(images):
                name = f"Patient{patient:03d}Slice{number}"
                Image.fromarray(picture(palette, grain, generator)).save(folder / "images" / f"{name}.png")
                table.writerow([name, f"p{patient}", label])


def configuration(data: Path, *, group: str | None, folds: int) -> dict[str, Any]:
    """The configuration of a run."""
    return {
        "dataset": {
            "root": str(data),
            "id_column": "image",
            "target_column": "sick",
            "group_column": group,
            "train_images": "images/{id}.png",
            "test_table": None,
            "test_images": None,
            "sample_submission": None,
        },
        "embeddings": {"enabled": False},
        "folds": {"count": folds},
        "models": {
            "small": {
                "backbone": "efficientnet-lite0",
                "image_size": SIZE,
                "trainable": "upper",
                "epochs": 8,
                "batch_size": 16,
                "dropout": 0,
            }
        },
    }


def run(folder: Path, config: dict[str, Any]) -> list[str]:
    """Run the workflow up to the scores; gives its warnings of groups."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "results/metrics.json", "--cores", "1"]
    command += ["--snakefile", str(REPOSITORY / "workflow" / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "config.yaml")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout)
    return [line for line in done.stdout.splitlines() if "group_column" in line and "make scores too good" in line]


def main(folder: Path, *, patients: int, images: int, folds: int, seed: int) -> int:
    """Print the warnings and the table; gives 1 if a score or a warning is not as expected."""
    write_set(folder / "data", patients=patients, images=images, seed=seed)
    rows, as_expected = [], []
    for name, group in (("none", None), ("patient", "patient")):
        before = getrusage(RUSAGE_CHILDREN)
        warnings = run(folder / name, configuration(folder / "data", group=group, folds=folds))
        after = getrusage(RUSAGE_CHILDREN)
        auc, low, high = scores(folder / name / "results" / "metrics.json")
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print("\n".join(warnings) or f"group_column: {name}: no warning of groups", flush=True)
        rows.append(f"| {name} | {auc:.3f} | {low:.3f} to {high:.3f} | {seconds:.0f} |")
        as_expected += [auc >= NEAR_ONE if group is None else low <= 0.5 <= high, bool(warnings) == (group is None)]
    print("\n| `group_column` | out-of-fold AUC | 95 % interval | CPU-s |\n|---|---:|---:|---:|", *rows, sep="\n")
    return 0 if all(as_expected) else 1


def scores(path: Path) -> tuple[float, float, float]:
    """Pooled out-of-fold AUC and its interval."""
    auc = json.loads(path.read_text())["models"]["blend"]["auc"]
    return auc["value"], auc["low"], auc["high"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder for data and runs; without it they are removed at the end")
    for option, default in (("patients", 40), ("images", 12), ("folds", 2), ("seed", 1)):
        parser.add_argument(f"--{option}", type=int, default=default)
    given = vars(parser.parse_args())
    kept = given.pop("folder")
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(kept or Path(temporary), **given))
