"""Rows of an epoch if it does not have all: all of the rare classes, and a share of the frequent ones.

A class that is drawn less often than others would get too small a probability from the network. So each step adds to
the logits what the draw has added to the log-odds of the classes, and the network learns the logits of all rows: King
and Zeng 2001, Logistic regression in rare events data (Political Analysis 9, 137-163), section 4.1, for several classes
Menon et al. 2021, Long-tail learning via logit adjustment (arXiv 2007.07314), equation 10. That is exact for rows that
are drawn at random within their class, and approximate if the hardest ones are preferred.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.dataset.label_arrays import label_array, share_array
from foldline.dataset.labels import SOFTMAX
from foldline.training.training_config import SamplingConfig, TrainingConfig

# Added to the seed of a training, so that rows are drawn apart from the other random numbers.
STREAM = 5
# Loss of a row that was never drawn: larger than any other, and finite, so that a checkpoint can hold it.
NEVER = np.finfo(np.float32).max

Rows = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float64]


@dataclass
class DrawnRows:
    """What the draw of the next epoch depends on, and the rows of the current one; part of the state of a training.

    Attributes:
        losses: the last known loss of each row, (n_rows,), `NEVER` without one.
        draws: how often each row was drawn, (n_rows,).
        rows: rows of the current epoch, ascending.
    """

    losses: npt.NDArray[np.float32]
    draws: Rows
    rows: Rows

    @classmethod
    def before_training(cls, count: int) -> "DrawnRows":
        """No row of so many is drawn yet."""
        return cls(np.full(count, NEVER, np.float32), np.zeros(count, np.int32), np.zeros(0, np.int32))


class RowSampler:
    """Draws the rows of each epoch.

    Attributes:
        rows: number of rows to draw from.
        rows_per_epoch: rows of an epoch, a multiple of the batch size, so that no batch has rows of two epochs.
        offsets: what the draw adds to the logit of each class, (n_classes,).
        prefers_hard: whether rows are drawn by their losses, which the training then has to report.
    """

    def __init__(self, labels: Numbers, config: SamplingConfig, *, batch_size: int, activation: str, seed: int):
        """Decide how many rows of each class are drawn.

        Args:
            labels: of the training rows, in [0, 1], (n_rows, n_classes), n_rows at least the batch size.
            config: settings of the draw.
            batch_size: rows of a step.
            activation: see `labels.Labels`.
            seed: seed of the training.
        """
        self.rows = len(labels)
        self._classes = drawn_classes(labels, activation)
        self._hardest, self._seed = config.hardest, seed
        counts = np.bincount(self._classes)
        self._kept = rows_kept(counts, config.share, batch_size)
        self.rows_per_epoch = int(self._kept.sum())
        self.offsets = prior_offsets(labels, (self._kept / np.maximum(counts, 1))[self._classes], activation)
        self.prefers_hard = config.hardest > 0

    def start_epoch(self, drawn: DrawnRows, epoch: int) -> None:
        """Draw the rows of an epoch (from 0)."""
        random = np.random.default_rng([self._seed, STREAM, epoch])
        chosen = []
        for number, kept in enumerate(self._kept):
            rows = random.permutation(np.flatnonzero(self._classes == number))
            if kept < len(rows):
                hard = rows[np.argsort(-drawn.losses[rows], kind="stable")][: round(self._hardest * kept)]
                others = rows[~np.isin(rows, hard)]
                rarest = others[np.argsort(drawn.draws[others], kind="stable")]
                rows = np.concatenate([hard, rarest[: kept - len(hard)]])
            chosen.append(rows)
        drawn.rows = np.sort(np.concatenate(chosen)).astype(np.int32)
        drawn.draws[drawn.rows] += 1


def make_sampler(
    targets: Sequence[str], class_names: Sequence[str], config: TrainingConfig, activation: str, seed: int
) -> RowSampler | None:
    """The sampler of a training; None if every epoch has all rows, or if they are fewer than a batch.

    Args:
        targets: label code of each training row, see `labels`.
        class_names: (n_classes,).
        config: settings of the training.
        activation: see `labels.Labels`.
        seed: seed of the training.
    """
    if config.sampling.share == 1 or len(targets) < config.batch_size:
        return None
    shares = share_array(targets, class_names)
    labels = (label_array(targets, class_names) if shares is None else shares).astype(np.float64)
    return RowSampler(labels, config.sampling, batch_size=config.batch_size, activation=activation, seed=seed)


def drawn_classes(labels: Numbers, activation: str) -> npt.NDArray[np.int64]:
    """The class by which each row is drawn, (n_rows,).

    That of exclusive classes with the largest share; else the rarest class that the row has, or n_classes if none.
    """
    if activation == SOFTMAX:
        return np.asarray(labels.argmax(axis=1), np.int64)
    has = labels > 1 / 2
    counts = np.where(has.any(axis=0), has.sum(axis=0), np.inf)
    rarest = np.where(has, counts, np.inf).argmin(axis=1)
    return np.asarray(np.where(has.any(axis=1), rarest, labels.shape[1]), np.int64)


def rows_kept(counts: npt.NDArray[np.int64], share: float, batch_size: int) -> npt.NDArray[np.int64]:
    """Rows of each class in an epoch: at most a share of the most frequent class, in whole batches.

    Args:
        counts: rows of each class.
        share: share of the most frequent class, in (0, 1].
        batch_size: rows of a step, at most all rows.
    """
    kept = np.minimum(counts, int(np.ceil(share * counts.max())))
    missing = -int(kept.sum()) % batch_size
    if kept.sum() + missing > counts.sum():
        missing -= batch_size
    for _ in range(abs(missing)):
        if missing > 0:
            kept[np.argmax(counts - kept)] += 1
        else:
            kept[np.argmax(kept)] -= 1
    return kept


def prior_offsets(labels: Numbers, rates: Numbers, activation: str) -> npt.NDArray[np.float32]:
    """What a draw adds to the logits of the classes, (n_classes,).

    Args:
        labels: in [0, 1], (n_rows, n_classes).
        rates: probability of each row to be drawn, (n_rows,).
        activation: see `labels.Labels`.
    """
    positive = _rate(labels, rates)
    if activation == SOFTMAX:
        return np.log(positive).astype(np.float32)
    return (np.log(positive) - np.log(_rate(1 - labels, rates))).astype(np.float32)


def _rate(shares: Numbers, rates: Numbers) -> Numbers:
    """Share of each column's sum that is drawn; 1 for a column of zeros."""
    sums = shares.sum(axis=0)
    return np.where(sums > 0, rates @ shares / np.where(sums > 0, sums, 1), 1.0)
