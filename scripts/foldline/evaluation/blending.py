"""Blend the models, and choose how by their out-of-fold scores."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from foldline.dataset.submission import SubmissionForm
from foldline.errors import FoldlineError, listing
from foldline.evaluation.metrics import weighted_macro_auc
from foldline.evaluation.oof import BLEND
from foldline.evaluation.roc_auc import macro_auc

FloatArray = npt.NDArray[np.floating]

RULES = ("mean", "rank_mean")
METHODS = (*RULES, "best")


@dataclass(frozen=True)
class BlendConfig:
    """How predictions are blended and submitted; see `blend` in `config/config.schema.yaml`.

    Attributes:
        method: "mean", "rank_mean" or "best"; see `choose_rule`.
        class_names: (n_classes,).
        scored_classes: the classes whose mean AUC decides the rule, and which have columns in the submission.
        activation: see `labels.Labels`.
        submission_form: columns of the submission and what their cells hold; None if there is no test split.
        weighted: whether out-of-fold rows count by their weights.
    """

    method: str
    class_names: tuple[str, ...]
    scored_classes: tuple[str, ...]
    activation: str
    submission_form: SubmissionForm | None
    weighted: bool

    @property
    def scored(self) -> list[int]:
        """Numbers of the scored classes."""
        return [self.class_names.index(name) for name in self.scored_classes]


def scaled_ranks(values: FloatArray) -> npt.NDArray[np.float64]:
    """Compute ranks in (0, 1): (rank - 1/2) / n_samples, counted from 1, where ties have their mean rank.

    Args:
        values: (n_samples,).
    """
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(((last - (counts - 1) / 2) - 0.5)[index] / len(values))


def blend(probabilities: FloatArray, rule: str) -> npt.NDArray[np.float32]:
    """Blend models with equal weights.

    The sum is taken in float64, one model after the other, so that its bits are the same on every machine.

    Args:
        probabilities: (n_models, n_samples, n_classes).
        rule: "mean", or "rank_mean", the mean of `scaled_ranks` among these samples, which orders the samples but is
            no probability.

    Returns:
        float32, (n_samples, n_classes), in [0, 1].
    """
    total = np.zeros(probabilities.shape[1:])
    for model in probabilities:
        for column, values in enumerate(model.T):
            total[:, column] += scaled_ranks(values) if rule == "rank_mean" else values
    return (total / len(probabilities)).astype(np.float32)


def choose_rule(
    probabilities: FloatArray,
    labels: npt.NDArray[np.int64],
    method: str,
    weights: npt.NDArray[np.float64] | None = None,
) -> tuple[str, dict[str, float]]:
    """Choose the blend rule from out-of-fold rows.

    Args:
        probabilities: out-of-fold, (n_models, n_samples, n_classes).
        labels: 0 or 1, (n_samples, n_classes).
        method: "mean", "rank_mean", or "best": the rule with the higher pooled ROC AUC, averaged over the classes that
            have both labels; "mean" if both are equal.
        weights: weight of each sample, (n_samples,); None if each counts the same.

    Returns:
        The rule, and the score of each rule.

    Raises:
        FoldlineError: the method is unknown.
    """
    if method not in METHODS:
        raise FoldlineError(f"blend.method is {method!r}; allowed: {listing(list(METHODS))}")
    blends = {rule: blend(probabilities, rule).astype(np.float64) for rule in RULES}
    auc = macro_auc if weights is None else partial(weighted_macro_auc, weights=weights)
    scores = {rule: auc(labels, values) for rule, values in blends.items()}
    best = "rank_mean" if scores["rank_mean"] > scores["mean"] else "mean"
    return (best if method == "best" else method), scores


def detect_rule(probabilities: FloatArray, blended: FloatArray) -> str:
    """Detect the rule of a blend by blending again.

    Args:
        probabilities: (n_models, n_samples, n_classes).
        blended: (n_samples, n_classes).

    Raises:
        FoldlineError: no rule gives this blend.
    """
    for rule in RULES:
        # The table stores all bits of a float32; the tolerance is one of the last, for a file that was rewritten.
        if np.allclose(blend(probabilities, rule), blended, rtol=0, atol=1e-7):
            return rule
    raise FoldlineError(
        f"OOF table: column {BLEND} is neither the mean nor the rank_mean of the model columns; remove the file and "
        "run the workflow again"
    )
