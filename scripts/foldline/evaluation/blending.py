"""Blend the models by the configuration, fitted and judged on out-of-fold rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.dataset.labels import SOFTMAX
from foldline.dataset.submission import SubmissionForm
from foldline.evaluation.blend_choice import Choice, choose_blend
from foldline.evaluation.blend_fitting import BlendRows
from foldline.evaluation.estimates import Rows
from foldline.evaluation.gains import Judge
from foldline.evaluation.oof import Oof
from foldline.evaluation.recipe import Recipe
from foldline.evaluation.score_columns import one_class_of


@dataclass(frozen=True)
class BlendConfig:
    """How predictions are blended, calibrated and submitted; see `blend` in `config/config.schema.yaml`.

    Attributes:
        method: one of `blend_choice.BLEND_METHODS`.
        models: names of the models to blend; None for all.
        calibration: one of `calibrators.CALIBRATIONS`.
        class_names: (n_classes,).
        scored_classes: the classes whose mean AUC judges a blend, and which have columns in the submission.
        activation: see `labels.Labels`.
        submission_form: columns of the submission and what their cells hold; None if there is no test split.
        weighted: whether out-of-fold rows count by their weights.
        threshold: decides the class of out-of-fold rows that have exactly one, see `score_columns.one_class_of`.
        test_models: which networks predict the test rows, "folds" or "final".
    """

    method: str
    models: tuple[str, ...] | None
    calibration: str
    class_names: tuple[str, ...]
    scored_classes: tuple[str, ...]
    activation: str
    submission_form: SubmissionForm | None
    weighted: bool
    threshold: float | str
    test_models: str = "folds"

    @property
    def scored(self) -> list[int]:
        """Numbers of the scored classes."""
        return [self.class_names.index(name) for name in self.scored_classes]


def fit_blend(
    oof: Oof, groups: Sequence[str], weights: npt.NDArray[np.float64] | None, config: BlendConfig
) -> tuple[Recipe, Choice]:
    """Fit and judge the blend.

    Args:
        oof: out-of-fold table, without a blend.
        groups: group of each row, (n_rows,).
        weights: weight of each row, (n_rows,); None if each counts the same.
        config: how models are blended.

    Raises:
        FoldlineError: there is a single fold, and something has to be fitted on other folds.
    """
    models = tuple(name for name in oof.models if config.models is None or name in config.models)
    rows = Rows.of(groups, weights)
    choice = choose_blend(
        BlendRows(
            probabilities=np.stack([oof.scores[model] for model in models]),
            targets=oof.targets.astype(np.float64),
            weights=rows.weights,
            folds=oof.folds,
            activation=config.activation,
            scored=config.scored,
        ),
        Judge(oof.labels, rows, config.scored),
        method=config.method,
        calibration=config.calibration,
        models=models,
    )
    return Recipe(models, config.activation, choice.fit, choice.of_fold), choice


def judgment(choice: Choice, config: BlendConfig) -> dict[str, Any]:
    """What is known of a blend, for a file: its rule, the ROC AUC of methods and models, gains, exceptions."""
    uncalibrated = {config.class_names[number]: reason for number, reason in choice.uncalibrated.items()}
    return {
        "calibration_method": config.calibration,
        **({"uncalibrated": uncalibrated} if uncalibrated else {}),
        "rule": choice.method,
        "scores": dict(choice.aucs),
        "model_scores": dict(choice.model_aucs),
        "gains": [asdict(gain) | {"is_shown": gain.is_shown} for gain in choice.gains],
    }


def predicted_classes_of(
    oof: Oof, recipe: Recipe, weights: npt.NDArray[np.float64] | None, config: BlendConfig
) -> npt.NDArray[np.int64] | None:
    """Number of the class that the blend predicts for each out-of-fold row, (n_rows,).

    Args:
        oof: out-of-fold table with the blend.
        recipe: the blend.
        weights: weight of each row, (n_rows,); None if each counts the same.
        config: how predictions are blended and submitted.

    Returns:
        None if a row may have several classes, or if the scores are ranks.
    """
    if config.activation != SOFTMAX or recipe.blends_ranks:
        return None
    return one_class_of(oof, config.threshold, weights)
