"""The table of the epochs of a training, and its line in the log."""

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.dataset.label_arrays import hard_labels
from foldline.errors import counted
from foldline.evaluation.activations import accuracy, ordering
from foldline.evaluation.roc_auc import macro_auc
from foldline.training.running_metrics import accuracy_of_counts, auc_of_counts
from foldline.training.state import TrainingState

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]

# Columns: of the training rows, "loss", "auc" and "accuracy" are those of the training steps; see `running_metrics`.
# Weights of rows count in "loss" alone.
HISTORY = {
    "epoch": "int64",
    "learning_rate": "float64",
    "loss": "float64",
    "auc": "float64",
    "accuracy": "float64",
    "val_loss": "float64",
    "val_auc": "float64",
    "val_accuracy": "float64",
    "images": "int64",
    "seconds": "float64",
}
# Without held-out rows.
HISTORY_OF_FINAL = {name: kind for name, kind in HISTORY.items() if not name.startswith("val_")}


def training_scores(name: str, state: TrainingState, activation: str) -> dict[str, float]:
    """Scores of the training rows of the current epoch, see `HISTORY`.

    Args:
        name: name of the training, for the warning that an AUC is missing.
        state: the training after the steps of the epoch.
        activation: see `labels.Labels`.
    """
    area = auc_of_counts(state.counts)
    if np.isnan(area):
        logger.warning(
            "%s  epoch %d: no class has both labels in its %s; its training AUC is recorded as 0.5",
            name,
            len(state.history) + 1,
            counted(len(state.losses), "training step"),
        )
        area = 0.5
    return {
        "loss": float(np.array(state.losses).mean()),
        "auc": area,
        "accuracy": accuracy_of_counts(state.correct, state.counts, activation=activation),
    }


def validation_scores(labels: Array, logits: Array, losses: Array, activation: str) -> dict[str, float]:
    """Scores of the held-out rows, see `HISTORY`; NaN for an AUC if no class has both labels.

    Args:
        labels: in [0, 1], (n_validation, n_classes).
        logits: (n_validation, n_classes).
        losses: loss of each row, (n_validation,).
        activation: see `labels.Labels`.
    """
    return {
        "val_loss": float(losses.mean(dtype=np.float64)),
        "val_auc": macro_auc(hard_labels(labels, activation), ordering(logits, activation)),
        "val_accuracy": accuracy(labels, logits, activation),
    }


def log_epoch(name: str, row: dict[str, float], *, epochs: int, seconds: float) -> None:
    """Log the line of an epoch.

    Args:
        name: name of the training.
        row: row of `HISTORY` or `HISTORY_OF_FINAL`.
        epochs: most epochs of the training.
        seconds: time of the training steps.
    """
    shown = {"loss": "loss", "val_loss": "val loss", "val_auc": "val AUC"}
    logger.info(
        "%s  epoch %d/%d  lr %s  %s  %d images/s",
        name,
        row["epoch"],
        epochs,
        f"{row['learning_rate']:.1e}".replace("e-0", "e-"),
        "  ".join(f"{word} {row[key]:.3f}".replace(" 0.", " .") for key, word in shown.items() if key in row),
        round(row["images"] / seconds),
    )
