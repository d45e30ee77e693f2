"""A recipe that is read gives the blend that was written."""

from pathlib import Path

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.evaluation.blend_choice import Fit
from foldline.evaluation.calibrators import Calibrator
from foldline.evaluation.combination import Combination
from foldline.evaluation.recipe import Recipe, check_blend, read_recipe
from foldline.io.files import write_json

RANDOM = np.random.default_rng(0)
SCORES = {name: RANDOM.random((30, 2)).astype(np.float32) for name in ("a", "b", "c")}
FOLDS = np.arange(30) % 2


def fit(first: float) -> Fit:
    weights = np.array([[first] * 2, [0.0] * 2, [1 - first] * 2])
    return Fit(Combination("log", weights, np.array([0.1, 0])), Calibrator("platt", (0.5, 2.0), (), (0.0, first)))


RECIPE = Recipe(("a", "b", "c"), "sigmoid", fit(0.5), {0: fit(0.25), 1: fit(0.75)})


def test_a_recipe_survives_its_file(tmp_path: Path) -> None:
    write_json(tmp_path / "blend.json", {**RECIPE.as_json(), "method": "stacking"})
    again = read_recipe(tmp_path / "blend.json")
    assert again.as_json() == RECIPE.as_json()
    assert (again.apply(SCORES) == RECIPE.apply(SCORES)).all()
    found = again.apply_out_of_fold(SCORES, FOLDS)
    assert found.dtype == np.float32
    for fold in (0, 1):
        alone = Recipe(RECIPE.models, "sigmoid", RECIPE.of_fold[fold], {})
        assert (found[fold == FOLDS] == alone.apply(SCORES)[fold == FOLDS]).all()


def test_models_without_weight_are_not_needed_for_new_rows() -> None:
    used = RECIPE.without_unused_models()
    assert used.models == ("a", "c")
    assert (used.apply({"a": SCORES["a"], "c": SCORES["c"]}) == RECIPE.apply(SCORES)).all()


def test_a_recipe_without_calibration_is_the_blend_before_it() -> None:
    plain = RECIPE.without_calibration()
    assert (RECIPE.is_calibrated, plain.is_calibrated) == (True, False)
    assert (plain.apply_out_of_fold(SCORES, FOLDS) != RECIPE.apply_out_of_fold(SCORES, FOLDS)).any()
    assert plain.of_fold[0].combination is RECIPE.of_fold[0].combination


def test_a_blend_that_does_not_follow_is_an_error() -> None:
    blended = RECIPE.apply_out_of_fold(SCORES, FOLDS)
    check_blend(RECIPE, SCORES, blended, FOLDS, "oof.parquet")
    with pytest.raises(FoldlineError, match=r"oof\.parquet: column blend does not follow"):
        check_blend(RECIPE, SCORES, blended + 1e-3, FOLDS, "oof.parquet")
    with pytest.raises(FoldlineError, match=r"oof\.parquet: no column b, c; remove"):
        check_blend(RECIPE, {"a": SCORES["a"]}, blended, FOLDS, "oof.parquet")


def test_another_file_is_an_error(tmp_path: Path) -> None:
    write_json(tmp_path / "blend.json", {"rule": "mean"})
    with pytest.raises(FoldlineError, match=r"blend\.json: is not a recipe of a blend .*run the workflow again"):
        read_recipe(tmp_path / "blend.json")
