"""Presets are checked whether they are chosen or not."""

from typing import Any

import pytest
from fixtures.example_config import SCHEMA, example_config
from foldline.planning.configuration import plain
from foldline.planning.preset_checks import preset_problems


def problems_of(presets: Any, **changes: Any) -> list[str]:
    return preset_problems(plain(example_config(presets=presets, **changes)), SCHEMA)[0]


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ({"folds": {"cuont": 3}}, "presets.p.folds.cuont is not a known key. Did you mean presets.p.folds.count?"),
        ({"fold": {"count": 3}}, "presets.p.fold is not a known key. Did you mean presets.p.folds?"),
        ({"folds": {"count": 1}}, "presets.p.folds.count is 1; set it to at least 2"),
        ({"folds": 3}, "presets.p.folds is 3; set it to a mapping"),
        (
            {"models": {"lite0": {"fold_overrides": {"x": {}}}}},
            "presets.p.models.lite0.fold_overrides.x: this name is not allowed; use the number of a fold",
        ),
        (
            {"models": {"lite0": {"hidden": [{"dropout": 0.1}]}}},
            "presets.p.models.lite0.hidden[0].units is missing; set it. Number of units",
        ),
        (
            {"models": {"lit0": {"epochs": 3}}},
            "presets.p.models.lit0 is no model of this configuration (lite0) and has no image_size. Did you mean lite0",
        ),
        ({"preset": "other"}, "presets.p has preset or presets; list the presets to combine in preset"),
    ],
)
def test_a_fault_of_a_preset_that_is_not_chosen_is_named(preset: Any, message: str) -> None:
    (line,) = problems_of({"p": preset})
    assert line.startswith(f"config: {message}")


@pytest.mark.parametrize(
    "presets",
    [
        {},
        {"p": {}},
        {"p": {"dataset": {"group_column": None}, "models": {"lite0": {"epochs": 3}}}},
        {"p": {"models": {"big": {"backbone": "efficientnet-b0", "image_size": 64}}}},
        {"p": {"models": {"big": {"image_size": 64}}}, "q": {"models": {"big": {"epochs": 2}}}},
    ],
)
def test_a_preset_may_hold_parts_of_a_configuration(presets: Any) -> None:
    assert problems_of(presets) == []


@pytest.mark.parametrize("presets", [None, 3, {"p": None}])
def test_presets_of_a_wrong_type_are_left_to_the_schema(presets: Any) -> None:
    assert problems_of(presets) == []


def test_lines_of_chosen_presets_are_known_where_they_are_laid_over() -> None:
    presets = {"p": {"folds": {"count": 1}}, "q": {"folds": {"seed": -1}}}
    config = plain(example_config(presets=presets, preset=["q"]))
    assert preset_problems(config, SCHEMA)[1] == {"config: folds.seed is -1; set it to at least 0"}
