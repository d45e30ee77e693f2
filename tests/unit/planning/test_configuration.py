"""A configuration is completed with presets, command line and defaults, or one line names the key that is wrong."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fixtures.example_config import SCHEMA, example_config
from foldline.errors import FoldlineError
from foldline.planning.config_checks import check_combinations
from foldline.planning.configuration import complete, with_preset
from foldline.planning.schema_errors import BOUNDS, MINIMA, PATTERNS, TYPES
from jsonschema import Draft202012Validator

# Keywords that have no messages of their own.
STRUCTURE = {"properties", "items"}


def test_defaults_are_filled_in_at_every_level() -> None:
    models = {"m": {"backbone": "efficientnet-b0", "image_size": 64}}
    config = complete({**example_config(), "models": models}, SCHEMA)
    assert config["folds"]["seed"] == 333
    assert config["leaks"]["contradictory_labels"] == "report"
    assert config["models"]["m"]["schedule"]["name"] == "cosine"
    assert config["models"]["m"]["fold_overrides"] == {}
    check_combinations(config)


def test_overrides_of_a_fold_take_no_defaults() -> None:
    config = complete(example_config(models__lite0__fold_overrides={3: {"seed": 7}}), SCHEMA)
    assert config["models"]["lite0"]["fold_overrides"] == {"3": {"seed": 7}}


def test_complete_does_not_change_its_argument() -> None:
    config = example_config()
    complete(config, SCHEMA)
    assert config == example_config()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"fold__count": 3},
            "config: fold is not a known key. Did you mean folds? Rename or remove it; known keys: accelerator, blend,",
        ),
        (
            {"models__lite0__learning_rte": 1},
            "config: models.lite0.learning_rte is not a known key. Did you mean models.lite0.learning_rate?",
        ),
        (
            {"models__lite0__loss__gama": 1},
            "config: models.lite0.loss.gama is not a known key. Did you mean models.lite0.loss.gamma? Rename or remove "
            "it; known keys of models.lite0.loss: alpha, gamma,",
        ),
        (
            {"models__lite0__hidden": [{"units": 3, "unit": 3}]},
            "config: models.lite0.hidden[0].unit is not a known key. Did you mean models.lite0.hidden[0].units?",
        ),
        (
            {"models__lite0__fold_overrides": {1: {"image_size": 64}}},
            "config: models.lite0.fold_overrides.1.image_size is not a known key. Did you mean",
        ),
        ({"folds__count": 1}, "config: folds.count is 1; set it to at least 2"),
        ({"models__lite0__dropout": 1}, "config: models.lite0.dropout is 1; set it to less than 1"),
        (
            {"models__lite0__augment": {"rotation": [-5]}},
            "config: models.lite0.augment.rotation[0] is -5; set it to more than 0",
        ),
        (
            {"blend__method": "median"},
            "config: blend.method is 'median'; set it to one of 'auto', 'mean', 'rank_mean', 'geometric',",
        ),
        (
            {"blend__method": "best"},
            "config: blend.method is 'best'; set it to one of 'auto', 'mean', 'rank_mean', 'geometric', 'subset', "
            "'weights', 'greedy', 'stacking'; auto is what best was",
        ),
        (
            {"calibration__method": "sigmoid"},
            "config: calibration.method is 'sigmoid'; set it to one of 'none', 'temperature', 'platt', 'beta',",
        ),
        (
            {"leaks__policy": {"near": {"test": "grouped"}}},
            "config: leaks.policy.near.test is 'grouped'; set it to one of 'report', 'drop', 'error'; test images are",
        ),
        ({"dataset__example": "mnist"}, "config: dataset.example is 'mnist'; set it to one of 'elpv', null"),
        (
            {"dataset__labels": {"kind": "several"}},
            "config: dataset.labels.kind is 'several'; set it to one of 'binary', 'multilabel', 'multiclass'",
        ),
        (
            {"models__Big Model": {"image_size": 64}},
            "config: models.Big Model: this name is not allowed; use lowercase letters, digits, _ and -,",
        ),
        (
            {"models__lite0__fold_overrides": {"last": {"seed": 1}}},
            "config: models.lite0.fold_overrides.last: this name is not allowed; use the number of a fold, counted",
        ),
        (
            {"evaluation": {"threshold": "best"}},
            "config: evaluation.threshold is 'best'; set it to a number from 0 to 1 such as 0.5, to best_f1, prev",
        ),
        (
            {"evaluation": {"operating_points": ["sensitivity 90"]}},
            "config: evaluation.operating_points[0] is 'sensitivity 90'; write sensitivity or specificity and a share",
        ),
        (
            {"evaluation": {"operating_points": [{"sensitivity": 0.9}]}},
            "config: evaluation.operating_points[0] is {'sensitivity': 0.9}; write sensitivity or specificity and",
        ),
        (
            {"evaluation": {"operating_points": ["sensitivity 0.9", "sensitivity 90%"]}},
            "config: evaluation.operating_points is ['sensitivity 0.9', 'sensitivity 0.9']; list every entry once",
        ),
        ({"evaluation": {"threshold": 1.5}}, "config: evaluation.threshold is 1.5; set it to at most 1"),
        ({"models": {}}, "config: models is empty; add at least one entry"),
        ({"models__lite0__inputs": []}, "config: models.lite0.inputs is empty; list at least one entry"),
        ({"dataset__root": ""}, "config: dataset.root is empty; write a text, or remove the key"),
        (
            {"dataset__channels": [f"c{number}" for number in range(65)]},
            "config: dataset.channels has 65 entries; list at most 64",
        ),
        (
            {"dataset__channels": ["red", "red"]},
            "config: dataset.channels is ['red', 'red']; list every entry once",
        ),
    ],
)
def test_an_error_names_key_value_and_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FoldlineError, match=f"^{re.escape(message)}") as caught:
        complete(example_config(**changes), SCHEMA)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds__count": "five"}, "folds.count is 'five'; set it to a whole number such as 5"),
        ({"folds__count": 2.5}, "folds.count is 2.5; set it to a whole number such as 5"),
        (
            {"preset": 2020},
            "preset is 2020; set it to a text such as abc, or a list such as [a, b], or null; write a number that is a "
            "name in quotes, as '2020', with all of its digits",
        ),
        (
            {"dataset__labels": {"kind": "multiclass", "classes": [False, "yes"]}},
            "dataset.labels.classes[0] is false; set it to a text such as abc; YAML reads no, off and false as false, "
            "so write such a text in quotes, as 'no'",
        ),
        (
            {"dataset__labels": {"kind": "multiclass", "classes": [1.1, "1.2"]}},
            "dataset.labels.classes[0] is 1.1; set it to a text such as abc; write a number that is a name in quotes, "
            "as '1.1', with all of its digits",
        ),
        (
            {"dataset__intensity": 4095},
            "dataset.intensity is 4095; set it to full, to the bits of the camera such as {bits: 12}, or to the white "
            "sample such as {max: 1}",
        ),
        (
            {"dataset__dicom_window": 400},
            "dataset.dicom_window is 400; set it to file, to full, or to a window such as {center: 40, width: 400}",
        ),
        ({"presets": None, "preset": "seed"}, "presets is null; set it to a mapping such as {a: 1}"),
        ({"folds__count": "3"}, "folds.count is '3'; set it to a whole number such as 5; remove the quotes"),
        ({"shards__megabytes": math.nan}, "shards.megabytes is nan; set it to a number such as 100"),
        ({"checkpoints__seconds": math.inf}, "checkpoints.seconds is inf; set it to a number such as 60"),
        ({"folds": None}, "folds is null; set it to a mapping such as {method: grouped}"),
        ({"dataset__metadata_columns": "age"}, "dataset.metadata_columns is 'age'; set it to a list such as [a, b]"),
        (
            {"dataset__group_column": 3},
            "dataset.group_column is 3; set it to a text such as abc, or a list such as [a, b], or null; write a "
            "number that is a name in quotes, as '3', with all of its digits",
        ),
        (
            {"models__lite0__augment__rotation": 15},
            "models.lite0.augment.rotation is 15; set it to a list such as [1, 2]",
        ),
        (
            {"models__lite0__inputs": "image"},
            "models.lite0.inputs is 'image'; set it to a list such as [image, metadata]",
        ),
        (
            {"models__lite0__augment__flip_vertical": "yes"},
            "models.lite0.augment.flip_vertical is 'yes'; set it to true or false",
        ),
        (
            {"models__lite0__image_size": None},
            "models.lite0.image_size is null; set it to a whole number such as 32",
        ),
        (
            {"models__lite0__learning_rate": "1e-3"},
            "models.lite0.learning_rate is '1e-3'; set it to a number such as 0.5; YAML reads 1e-3 as text, write "
            "1.0e-3",
        ),
    ],
)
def test_a_wrong_type_is_named_in_words_with_an_example(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FoldlineError, match=f"^config: {re.escape(message)}$"):
        complete(example_config(**changes), SCHEMA)


def test_a_missing_key_is_named_with_its_meaning() -> None:
    config = example_config()
    del config["dataset"]["id_column"]
    meaning = " ".join(SCHEMA["properties"]["dataset"]["properties"]["id_column"]["description"].split())
    assert len(meaning) > 10
    with pytest.raises(FoldlineError, match=f"^config: dataset.id_column is missing; set it. {re.escape(meaning)}$"):
        complete(config, SCHEMA)


def keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """All keywords of a schema with their values, at every level."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            yield name, value
            yield from keywords(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from keywords(item)


def test_every_pattern_and_type_of_the_schema_has_words() -> None:
    found = list(keywords(SCHEMA))
    assert {value for name, value in found if name == "pattern"} == set(PATTERNS)
    types = [value if isinstance(value, list) else [value] for name, value in found if name == "type"]
    assert {name for names in types for name in names} == set(TYPES)


def test_every_keyword_of_the_schema_has_words() -> None:
    """Messages of the validator itself have words of JSON and patterns."""
    worded = {*BOUNDS, *MINIMA, "enum", "type", "pattern", "propertyNames", "maxItems", "maxProperties", "uniqueItems"}
    worded |= {"additionalProperties", "required"}
    used = {name for name, _ in keywords(SCHEMA)}
    known = {name for name in Draft202012Validator.VALIDATORS if not name.startswith("$")} - STRUCTURE
    assert used & known <= worded


@pytest.mark.parametrize("changes", [{"preset": 2020}, {"presets": None, "preset": "seed"}])
def test_presets_of_a_wrong_type_are_left_to_the_schema(changes: dict[str, Any]) -> None:
    config = example_config(**changes)
    assert with_preset(config, {}, SCHEMA) == config


def test_presets_win_over_the_file_and_the_command_line_wins_over_presets() -> None:
    presets = {"quick": {"models": {"lite0": {"epochs": 1, "augment": {"hue": 0.1}}}}}
    config = example_config(presets=presets, preset="quick")
    completed = complete(with_preset(config, {"folds": {"count": 4}}, SCHEMA), SCHEMA)
    assert completed["models"]["lite0"]["epochs"] == 1
    assert completed["models"]["lite0"]["augment"]["hue"] == 0.1
    assert completed["models"]["lite0"]["schedule"]["warmup_epochs"] == 0.5
    assert completed["folds"]["count"] == 4
    command_line = {"models": {"lite0": {"epochs": 7}}}
    assert with_preset(config, command_line, SCHEMA)["models"]["lite0"] == {
        **config["models"]["lite0"],
        "epochs": 7,
        "augment": {"hue": 0.1},
    }


def test_the_last_of_several_presets_is_on_top() -> None:
    presets = {"one": {"folds": {"count": 2, "seed": 1}}, "other": {"folds": {"seed": 2}}}
    config = example_config(folds={}, presets=presets, preset=["one", "other"])
    assert with_preset(config, {}, SCHEMA)["folds"] == {"count": 2, "seed": 2}


@pytest.mark.parametrize(
    ("presets", "remedy"),
    [({"quick": {}, "long": {}}, "set it to one of long, quick"), ({}, "remove it: presets has no entry")],
)
def test_an_unknown_preset_is_refused(presets: dict[str, Any], remedy: str) -> None:
    with pytest.raises(FoldlineError, match=f"^config: preset is 'slow', which is not in presets; {remedy}$"):
        with_preset(example_config(presets=presets, preset="slow"), {}, SCHEMA)


def test_texts_in_braces_on_the_command_line_become_numbers_and_null() -> None:
    """Snakemake hands over everything in braces as text."""
    command_line = {
        "dataset": {"group_column": "null", "metadata_columns": ["1"]},
        "folds": {"count": "3"},
        "prediction": {"views": "8"},
        "models": {"lite0": {"learning_rate": "0.1", "weights": "none", "augment": {"flip_vertical": "false"}}},
    }
    completed = complete(with_preset(example_config(), command_line, SCHEMA), SCHEMA)
    assert (completed["dataset"]["group_column"], completed["dataset"]["metadata_columns"]) == (None, ["1"])
    assert (completed["folds"]["count"], completed["prediction"]["views"]) == (3, 8)
    model = completed["models"]["lite0"]
    assert (model["learning_rate"], model["weights"], model["augment"]["flip_vertical"]) == (0.1, "none", False)


def test_a_word_in_braces_instead_of_a_number_is_refused() -> None:
    with pytest.raises(FoldlineError, match=r"^config: folds\.count is 'three'; set it to a whole number such as 5$"):
        complete(with_preset(example_config(), {"folds": {"count": "three"}}, SCHEMA), SCHEMA)


def test_a_fold_of_the_file_and_of_the_command_line_is_one_fold() -> None:
    """YAML reads `3:` as a number, and the command line hands it over as text; Snakemake keeps both keys."""
    overrides = {3: {"seed": 7}, "3": {"epochs": 1}}
    config = complete(example_config(models__lite0__fold_overrides=overrides), SCHEMA)
    assert config["models"]["lite0"]["fold_overrides"] == {"3": {"seed": 7, "epochs": 1}}


def test_all_problems_are_named_at_once() -> None:
    config = example_config(folds__count=1, folds__sed=3, blend__method="median", colour=1)
    del config["dataset"]["id_column"]
    with pytest.raises(FoldlineError) as caught:
        complete(config, SCHEMA)
    first, *lines = str(caught.value).splitlines()
    assert first == "5 problems"
    for key in ("colour is not", "folds.sed is not", "folds.count is 1", "blend.method is", "dataset.id_column is"):
        assert sum(line.startswith(f"config: {key}") for line in lines) == 1


def test_a_word_of_another_key_is_no_typo() -> None:
    """Copies of test images cannot be grouped; to drop them is something else, and leaves out training rows."""
    with pytest.raises(FoldlineError) as error:
        complete(example_config(leaks={"policy": {"near": {"test": "group"}}}), SCHEMA)
    assert str(error.value) == (
        "config: leaks.policy.near.test is 'group'; set it to one of 'report', 'drop', 'error'; test images are in no "
        "fold, so there is nothing to group"
    )
    with pytest.raises(FoldlineError, match="did you mean 'drop'"):
        complete(example_config(leaks={"policy": {"near": {"test": "dropp"}}}), SCHEMA)
