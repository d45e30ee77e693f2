"""How often 95 % intervals cover the true score, in simulated tables whose truth is known.

    python tests/benchmark/interval_coverage.py [--simulations 2000] [--seed 1] [--cases "15 positives" ...]

Each case draws tables from one model: single rows or groups of rows, with normal or heavy-tailed scores. The truth is
the score of one table of at least a million rows. Printed are, for ROC AUC, average precision, accuracy and F1 at the
threshold .5, for the specificity at a sensitivity of .9 and for the reverse, the share of intervals that hold the truth
and their mean width, and at the end of a line the share of tables whose interval of the AUC, and of the specificity, is
marked as resting on few groups. The standard error of a share of .95 from 2,000 tables is .005.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from foldline.evaluation.estimates import Rows
from foldline.evaluation.intervals import FEW_GROUPS, interval
from foldline.evaluation.metrics import LIMITS, class_estimates
from foldline.evaluation.roc_point import roc_point

# Labels, logits and group of each row.
Table = tuple[np.ndarray, np.ndarray, np.ndarray]
SHOWN = ("auc", "average_precision", "accuracy", "f1")
POINTS = ("sensitivity 0.9", "specificity 0.9")
CONFIDENCE = 0.95
TRUTH_ROWS = 1_000_000


def single(random: np.random.Generator, rows: int, share: float, shift: float) -> Table:
    """Independent rows with a share of positives; a whole number of positives if `share` is 1 or more."""
    labels = (np.arange(rows) < share if share >= 1 else random.random(rows) < share).astype(np.int64)
    return labels, random.normal(size=rows) + shift * (labels - 0.5), np.arange(rows)


def grouped(random: np.random.Generator, sizes: np.ndarray, shift: float, *, effect: float, share: float) -> Table:
    """Groups with a share of positives and an effect on scores of their own."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    shares = random.beta(5 * share, 5 * (1 - share), len(sizes))
    labels = (random.random(len(groups)) < shares[groups]).astype(np.int64)
    effects = effect * random.normal(size=len(sizes))
    return labels, random.normal(size=len(groups)) + shift * (labels - 0.5) + effects[groups], groups


def heavy(random: np.random.Generator) -> Table:
    """Groups of 1 to 200 rows, most of them small, and scores with heavy tails."""
    sizes = np.minimum(1 + 2 * random.pareto(1.2, 80).astype(int), 200)
    labels, _, groups = grouped(random, sizes, 0, effect=0, share=0.25)
    effects = 0.4 * random.standard_t(2, 80)
    return labels, 0.7 * random.standard_t(2, len(labels)) + 1.3 * (labels - 0.5) + effects[groups], groups


def patients(random: np.random.Generator, count: int, images: int, shift: float) -> Table:
    """Patients whose images all have the same label."""
    sick = (random.random(count) < 0.3).astype(np.int64)
    groups = np.repeat(np.arange(count), images)
    logits = random.normal(size=len(groups)) + random.normal(size=count)[groups] + shift * (sick[groups] - 0.5)
    return sick[groups], logits, groups


CASES: dict[str, Callable[[np.random.Generator], Table]] = {
    "500 rows": lambda random: single(random, 500, 0.3, 1.2),
    "3 % positives": lambda random: single(random, 2000, 0.03, 1.2),
    "AUC .98": lambda random: single(random, 500, 0.2, 2.9),
    "15 groups of 20": lambda random: grouped(random, np.full(15, 20), 1.2, effect=0.7, share=0.4),
    "12 groups of 5 to 80": lambda random: grouped(random, random.integers(5, 80, 12), 1.2, effect=0.5, share=0.4),
    "heavy tails": heavy,
    "60 patients, one label each": lambda random: patients(random, 60, 6, 1.5),
    "1,000 groups of 1 to 6": lambda random: grouped(random, random.integers(1, 7, 1000), 1.5, effect=0.8, share=0.15),
    "30 positives": lambda random: single(random, 300, 30, 1.2),
    "15 positives": lambda random: single(random, 300, 15, 1.2),
    "15 positives, AUC .96": lambda random: single(random, 300, 15, 2.5),
    "10 positives": lambda random: single(random, 300, 10, 1.2),
    "10 positives, AUC .96": lambda random: single(random, 300, 10, 2.5),
}


def estimates(table: Table) -> dict[str, object]:
    labels, logits, groups = table
    scores = expit(logits)
    return class_estimates(labels, scores, scores >= 0.5, Rows(np.ones(len(labels)), groups, int(groups.max()) + 1))


def truth(case: Callable[[np.random.Generator], Table], random: np.random.Generator) -> dict[str, float]:
    """Scores of many tables as one."""
    tables = [case(random)]
    while sum(len(table[0]) for table in tables) < TRUTH_ROWS:
        tables.append(case(random))
    labels, logits = (np.concatenate([table[part] for table in tables]) for part in (0, 1))
    found = {name: found.value for name, found in estimates((labels, logits, np.arange(len(labels)))).items()}
    positives, negatives = logits[labels == 1], logits[labels == 0]
    specificity = (negatives < np.quantile(positives, 0.1)).mean()
    return found | dict(zip(POINTS, (specificity, (positives >= np.quantile(negatives, 0.9)).mean()), strict=True))


def intervals(table: Table) -> dict[str, tuple[float, float, bool]]:
    """Limits of each score that has an interval, and whether few groups are behind it."""
    found = {}
    for name, one in estimates(table).items():
        limits = interval(one, LIMITS[name], confidence=CONFIDENCE) if one else None
        if limits is not None:
            found[name] = (*limits, one.size < FEW_GROUPS)
    labels, logits, groups = table
    rows = Rows(np.ones(len(labels)), groups, int(groups.max()) + 1)
    for rule in POINTS:
        point = roc_point(labels, logits, rows, rule, confidence=CONFIDENCE)
        if point is not None and point.low is not None:
            found[rule] = (point.low, point.high, point.size < FEW_GROUPS)
    return found


def main(*, simulations: int, seed: int, cases: list[str]) -> None:
    """Print a line for each case."""
    columns = (*SHOWN, *POINTS)
    print(f"{'coverage (mean width)':30}" + "".join(f"{name:>19}" for name in columns) + f"{'few groups':>14}")
    for number, (name, case) in enumerate(CASES.items()):
        if cases and name not in cases:
            continue
        random = np.random.default_rng([seed, number])
        expected = truth(case, random)
        drawn = [intervals(case(random)) for _ in range(simulations)]
        cells = []
        for column in columns:
            limits = np.array([found[column][:2] for found in drawn if column in found])
            hits = (limits[:, 0] <= expected[column]) & (expected[column] <= limits[:, 1])
            cells.append(f"{hits.mean():.3f} ({np.diff(limits).mean():.3f})")
        marked = [np.mean([found[column][2] for found in drawn if column in found]) for column in ("auc", POINTS[0])]
        print(f"{name:30}" + "".join(f"{cell:>19}" for cell in cells) + "{:>7.2f}{:>7.2f}".format(*marked), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", nargs="*", default=[])
    main(**vars(parser.parse_args()))
