"""Blend the models by the configuration, fitted and judged on out-of-fold rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.dataset.submission import SubmissionForm
from foldline.evaluation.blend_choice import Choice, choose_blend
from foldline.evaluation.blend_fitting import BlendRows
from foldline.evaluation.estimates import Rows
from foldline.evaluation.gains import Judge
from foldline.evaluation.oof import Oof
from foldline.evaluation.recipe import Recipe


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
