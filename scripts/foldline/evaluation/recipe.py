"""The recipe of a blend: all that turns the predictions of the models into those of the blend, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.errors import FoldlineError, listing
from foldline.evaluation.blend_choice import Fit, apply_by_fold
from foldline.evaluation.calibration import NONE
from foldline.evaluation.calibrators import Calibrator
from foldline.evaluation.combination import CLIP, RANK, Combination
from foldline.io.files import read_json
from foldline.io.result_paths import FINAL, Member, members_of

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """How models are blended and calibrated.

    Attributes:
        models: names of the models of the blend, in the order of its weights.
        activation: see `labels.Labels`.
        fit: fitted on all out-of-fold rows, for all other rows.
        of_fold: fold -> fitted on the rows of the other folds, for the out-of-fold rows of this fold; empty if `fit`
            holds for them too, because nothing is fitted.
    """

    models: tuple[str, ...]
    activation: str
    fit: Fit
    of_fold: Mapping[int, Fit]

    @property
    def blends_ranks(self) -> bool:
        """Whether scores of the blend are ranks, which are no probabilities."""
        return self.fit.combination.scale == RANK

    @property
    def is_calibrated(self) -> bool:
        """Whether the blend is calibrated."""
        return self.fit.calibrator.method != NONE

    def without_calibration(self) -> "Recipe":
        """The blend before it is calibrated."""
        plain = {fold: replace(fit, calibrator=Calibrator(NONE)) for fold, fit in self.of_fold.items()}
        return replace(self, fit=replace(self.fit, calibrator=Calibrator(NONE)), of_fold=plain)

    def without_unused_models(self) -> "Recipe":
        """The blend of new rows without the models whose weights are all 0; out-of-fold rows may need them."""
        used = np.flatnonzero(self.fit.combination.weights.any(axis=1)).tolist()
        combination = replace(self.fit.combination, weights=self.fit.combination.weights[used])
        models = tuple(self.models[number] for number in used)
        return replace(self, models=models, fit=replace(self.fit, combination=combination), of_fold={})

    def apply(self, probabilities: Mapping[str, npt.NDArray[np.floating]]) -> npt.NDArray[np.float32]:
        """Blend rows that nothing was fitted on, such as test rows.

        Args:
            probabilities: model -> (n_rows, n_classes), in [0, 1].

        Returns:
            float32, (n_rows, n_classes), in [0, 1].
        """
        return self.fit.apply(self._stacked(probabilities), self.activation).astype(np.float32)

    def apply_out_of_fold(
        self, probabilities: Mapping[str, npt.NDArray[np.floating]], folds: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Blend out-of-fold rows, each by what was fitted on the rows of the other folds; `folds` is (n_rows,)."""
        if not self.of_fold:
            return self.apply(probabilities)
        found = apply_by_fold(self.of_fold, self._stacked(probabilities), folds, self.activation)
        return found.astype(np.float32)

    def _stacked(self, probabilities: Mapping[str, npt.NDArray[np.floating]]) -> npt.NDArray[np.floating]:
        return np.stack([probabilities[model] for model in self.models])

    def as_json(self) -> dict[str, Any]:
        """Convert to a mapping."""
        return {
            "blended": list(self.models),
            "activation": self.activation,
            "clip": CLIP,
            **self._fit_json(self.fit),
            "cross_fitted": {str(fold): self._fit_json(fit) for fold, fit in self.of_fold.items()},
        }

    def _fit_json(self, fit: Fit) -> dict[str, Any]:
        return {"blend": fit.combination.as_json(self.models), "calibration": fit.calibrator.as_json()}


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Raises:
        FoldlineError: the file is not one.
    """
    content = read_json(path)
    try:
        models = tuple(content["blended"])
        return Recipe(
            models=models,
            activation=content["activation"],
            fit=_fit(content, models),
            of_fold={int(fold): _fit(part, models) for fold, part in content["cross_fitted"].items()},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FoldlineError(
            f"{path}: is not a recipe of a blend ({error!r}); remove the file and run the workflow again"
        ) from error


def test_members(content: Mapping[str, Any]) -> list[Member]:
    """The members of each model that predict the test rows and the holdout, from the content of a recipe."""
    if content.get("test_models") == str(FINAL):
        return [FINAL]
    return members_of(content["folds"], content.get("repeats", 1))


def check_blend(
    recipe: Recipe,
    scores: Mapping[str, npt.NDArray[np.floating]],
    blended: npt.NDArray[np.floating],
    folds: npt.NDArray[np.int64],
    where: str | Path,
) -> None:
    """Check that the blend of an out-of-fold table follows from its models.

    Args:
        recipe: how it was made.
        scores: model -> (n_rows, n_classes).
        blended: (n_rows, n_classes).
        folds: fold of each row, (n_rows,).
        where: the table, for messages.

    Raises:
        FoldlineError: a model is missing, or the blend is another one.
    """
    missing = [model for model in recipe.models if model not in scores]
    if missing:
        raise FoldlineError(f"{where}: no column {listing(missing)}; remove the file and run the workflow again")
    # The table stores all bits of a float32; the tolerance is one of the last, for a file that was rewritten.
    if not np.allclose(recipe.apply_out_of_fold(scores, folds), blended, rtol=0, atol=1e-6):
        raise FoldlineError(
            f"{where}: column blend does not follow from the model columns by the recipe of the blend; remove the file "
            "and run the workflow again"
        )


def _fit(content: Mapping[str, Any], models: Sequence[str]) -> Fit:
    return Fit(Combination.from_json(content["blend"], models), Calibrator.from_json(content["calibration"]))
