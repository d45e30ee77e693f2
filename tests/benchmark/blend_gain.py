"""What `blend.method: auto` gains and loses, on simulated out-of-fold rows and on as many new rows.

    python tests/benchmark/blend_gain.py [--draws 100] [--rows 1000] [--positives 0.1] [--seed 0]

Each draw has five folds. The AUC of the blend is that of new rows, 20,000 of them, so that it is not judged by what it
was fitted on. "Claimed" counts the draws in which the interval of the gain over the best single model is above 0, and
"left the mean" those in which another method than the mean was chosen. In the last three cases no blend can gain.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from foldline.evaluation.blend_choice import choose_blend
from foldline.evaluation.blend_fitting import BlendRows
from foldline.evaluation.estimates import Rows
from foldline.evaluation.gains import AUTO, Judge
from foldline.evaluation.roc_auc import roc_auc
from scipy.special import expit

Logits = Callable[[np.random.Generator, np.ndarray], list[np.ndarray]]
NEW_ROWS = 20_000


def good_and_random(random: np.random.Generator, labels: np.ndarray) -> list[np.ndarray]:
    """One model with an AUC of .92, nine without any signal."""
    return [2 * labels + random.normal(size=len(labels))] + [random.normal(size=len(labels)) for _ in range(9)]


def complementary(random: np.random.Generator, labels: np.ndarray) -> list[np.ndarray]:
    """Two models of the same quality whose errors are independent."""
    return [1.3 * labels + random.normal(size=len(labels)) for _ in range(2)]


def correlated_and_weak(random: np.random.Generator, labels: np.ndarray) -> list[np.ndarray]:
    """Five models that share 90 % of their variance, and a weak one."""
    shared = random.normal(size=len(labels))
    own = [1.5 * labels + 0.9**0.5 * shared + 0.1**0.5 * random.normal(size=len(labels)) for _ in range(5)]
    return [*own, 0.3 * labels + random.normal(size=len(labels))]


def few_useful(random: np.random.Generator, labels: np.ndarray) -> list[np.ndarray]:
    """Three models of the same quality with independent errors, and five without any signal."""
    useful = [1.2 * labels + random.normal(size=len(labels)) for _ in range(3)]
    return useful + [random.normal(size=len(labels)) for _ in range(5)]


def copies(random: np.random.Generator, labels: np.ndarray) -> list[np.ndarray]:
    """Five models that are one, but for noise too small to matter."""
    shared = 1.5 * labels + random.normal(size=len(labels))
    return [shared + 0.01 * random.normal(size=len(labels)) for _ in range(5)]


def only_random(random: np.random.Generator, labels: np.ndarray) -> list[np.ndarray]:
    """Five models without any signal."""
    return [random.normal(size=len(labels)) for _ in range(5)]


CASES: dict[str, Logits] = {
    "1 good, 9 random": good_and_random,
    "2 that complement each other": complementary,
    "5 correlated, 1 weak": correlated_and_weak,
    "3 useful, 5 random": few_useful,
    "null: 5 copies": copies,
    "null: 1 good, 9 random": good_and_random,
    "null: 5 random": only_random,
}


def probabilities(random: np.random.Generator, labels: np.ndarray, case: Logits) -> np.ndarray:
    """Scores of the models, (n_models, n_rows, 1)."""
    return np.stack([expit(logits - 2) for logits in case(random, labels)])[:, :, None].astype(np.float32)


def draw(case: Logits, seed: int, *, rows: int, positives: float) -> tuple[float, bool, bool]:
    """AUC of the blend above that of the best model, on new rows; whether a gain is claimed; and the mean left."""
    random = np.random.default_rng(seed)
    labels, new_labels = ((random.random(count) < positives).astype(np.int64) for count in (rows, NEW_ROWS))
    folds = random.integers(0, 5, rows)
    values, new_values = (probabilities(random, each, case) for each in (labels, new_labels))
    made = BlendRows(values, labels[:, None].astype(np.float64), np.ones(rows), folds, "sigmoid", [0])
    models = [str(number) for number in range(len(values))]
    judge = Judge(labels[:, None], Rows.single(rows), [0])
    choice = choose_blend(made, judge, method=AUTO, calibration="none", models=models)
    best = max(roc_auc(new_labels, model[:, 0]) for model in new_values)
    difference = roc_auc(new_labels, choice.fit.apply(new_values, "sigmoid")[:, 0]) - best
    return difference, choice.gains[-1].is_shown, choice.method != "mean"


def main(draws: int, rows: int, positives: float, seed: int) -> None:
    """Print the table."""
    print(f"{draws} draws of {rows:,} rows, {positives:.1%} positives\n")
    print("| models | blend minus best model, mean | lowest | gain claimed | left the mean |")
    print("|---|---:|---:|---:|---:|")
    for number, (name, case) in enumerate(CASES.items()):
        found = [draw(case, seed + 1000 * number + one, rows=rows, positives=positives) for one in range(draws)]
        differences, claimed, left = map(np.array, zip(*found, strict=True))
        shown = f"{differences.mean():+.4f} | {differences.min():+.4f} | {claimed.sum()} | {left.sum()}"
        print(f"| {name} | {shown} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--positives", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
