"""A configuration is completed, or refused in one line that names the key, the value and what is allowed."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from configuration import RESERVED, check_combinations, check_data, complete, read_schema, with_preset
from foldline.errors import FoldlineError
from foldline.records import feature_kinds
from foldline.rows import Row
from foldline.tables import FOLDS, INVENTORY
from raw_data import RawData, Sample

CONFIG = Path(__file__).resolve().parents[2] / "config"
SCHEMA = read_schema(CONFIG / "config.schema.yaml")


def example(**changes: Any) -> dict[str, Any]:
    config = yaml.safe_load((CONFIG / "config.yaml").read_text())
    for path, value in changes.items():
        *above, last = path.split("__")
        place = config
        for key in above:
            place = place.setdefault(key, {})
        place[last] = value
    return config


def refusal(config: dict[str, Any]) -> str:
    with pytest.raises(FoldlineError) as caught:
        check_combinations(complete(config, SCHEMA))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults_are_filled_in_at_every_level() -> None:
    config = complete({**example(), "models": {"m": {"backbone": "efficientnet-b0", "image_size": 64}}}, SCHEMA)
    assert config["folds"]["seed"] == 333
    assert config["leaks"]["contradictory_labels"] == "report"
    assert config["models"]["m"]["schedule"]["name"] == "cosine"
    assert config["models"]["m"]["fold_overrides"] == {}
    check_combinations(config)


def test_an_override_takes_no_defaults() -> None:
    config = complete(example(models__lite0__fold_overrides={3: {"seed": 7}}), SCHEMA)
    assert config["models"]["lite0"]["fold_overrides"] == {"3": {"seed": 7}}


def test_completing_leaves_the_argument_alone() -> None:
    config = example()
    complete(config, SCHEMA)
    assert config == example()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fold__count": 3}, ["config: fold is not a known key", "Did you mean folds?"]),
        ({"models__lite0__learning_rte": 1}, ["models.lite0.learning_rte", "models.lite0.learning_rate?"]),
        ({"models__lite0__loss__gama": 1}, ["models.lite0.loss.gama", "gamma"]),
        ({"folds__count": "five"}, ["folds.count is 'five'", "integer"]),
        ({"folds__count": 1}, ["folds.count is 1", "at least 2"]),
        ({"models__lite0__learning_rate": "1e-3"}, ["models.lite0.learning_rate", "1.0e-3"]),
        ({"models__lite0__dropout": 1}, ["models.lite0.dropout is 1", "less than 1"]),
        ({"blend__method": "median"}, ["blend.method is 'median'", "'mean', 'rank_mean', 'best'"]),
        ({"dataset__train_images": "images/cell.png"}, ["dataset.train_images", "{id"]),
        ({"models": {}}, ["models"]),
        ({"models": {"Big Model": {"backbone": "efficientnet-b0", "image_size": 64}}}, ["models.Big Model"]),
        ({"models__lite0__fold_overrides": {1: {"image_size": 64}}}, ["fold_overrides.1.image_size"]),
        ({"models__lite0__fold_overrides": {5: {"seed": 1}}}, ["fold_overrides.5", "folds are 0 to 4"]),
        ({"models__lite0__backbone": "resnet50"}, ["models.lite0", "resnet50", "efficientnet-lite0"]),
        ({"models__lite0__weights": "noisy-student"}, ["models.lite0", "noisy-student", "imagenet"]),
        ({"models__lite0__weights": "absent.h5"}, ["models.lite0.weights", "absent.h5"]),
        ({"folds__stratify_by": ["age"]}, ["folds.stratify_by[0] is 'age'", "cell_type"]),
        ({"dataset__group_column": "image_name"}, ["'image_name'", "two purposes"]),
        ({"dataset__metadata_columns": ["width", "cell_type"]}, ["dataset.metadata_columns", "'width'"]),
        ({"dataset__train_images": None}, ["dataset.train_images and dataset.train_records", "neither"]),
        ({"dataset__train_records": ["a*.tfrec"]}, ["dataset.train_images and dataset.train_records", "both"]),
        ({"dataset__metadata": {"age": {"kind": "numeric"}}}, ["dataset.metadata.age", "cell_type"]),
        ({"dataset__metadata": {"cell_type": {"kind": "categorical"}}}, ["dataset.metadata.cell_type", "vocabulary"]),
        ({"models__lite0__inputs": ["metadata"]}, ["models.lite0.inputs", "dataset.metadata"]),
        ({"models__lite0__backbone": None}, ["models.lite0", "backbone"]),
        ({"models__lite0__inputs": []}, ["models.lite0.inputs"]),
        (
            {"models__lite0__augment": {"cutmix": {"probability": 0.7}, "mixup": {"probability": 0.6}}},
            ["models.lite0.augment", "1.3"],
        ),
        ({"models__lite0__augment": {"rotation": [-5]}}, ["models.lite0.augment.rotation.0", "-5"]),
        ({"folds__method": "files"}, ["folds.method", "dataset.train_records"]),
        ({"models__lite0__hidden": [{"unit": 3}]}, ["models.lite0.hidden.0"]),
        ({"models": {"blend": {"backbone": "efficientnet-b0", "image_size": 64}}}, ["models.blend"]),
    ],
)
def test_what_is_refused(changes: dict[str, Any], words: list[str]) -> None:
    message = refusal(example(**changes))
    assert message.startswith("config: ")
    for word in words:
        assert word in message


def test_a_missing_key_is_named_with_its_meaning() -> None:
    config = example()
    del config["dataset"]["id_column"]
    assert "dataset.id_column is missing. Column of the sample's name" in refusal(config)


@pytest.mark.parametrize(
    ("groups", "labels", "words"),
    [
        (["a", "b", "c", "d", "d"], "01010", "4 groups (column patient) of any label"),
        (["a", "b", "c", "d", "e"], "01111", "1 groups (column patient) with label 0"),
    ],
)
def test_more_folds_than_groups_are_refused(groups: list[str], labels: str, words: str) -> None:
    config = complete(example(dataset__group_column="patient"), SCHEMA)
    rows = [Row(2 + i, f"s{i}", label, group, ()) for i, (group, label) in enumerate(zip(groups, labels, strict=True))]
    data = RawData({"train": [Sample(row, "", 0) for row in rows], "test": []}, [], written=True)
    with pytest.raises(FoldlineError) as caught:
        check_data(config, data)
    assert words in str(caught.value)
    assert "folds.count is 5" in str(caught.value)


def test_a_preset_is_laid_over_and_the_command_line_over_it() -> None:
    config = example(presets={"quick": {"models": {"lite0": {"epochs": 1, "augment": {"hue": 0.1}}}}}, preset="quick")
    found = complete(with_preset(config, {"folds": {"count": 4}}), SCHEMA)
    assert found["models"]["lite0"]["epochs"] == 1
    assert found["models"]["lite0"]["augment"]["hue"] == 0.1
    assert found["models"]["lite0"]["schedule"]["warmup_epochs"] == 0.5
    assert found["folds"]["count"] == 4
    typed = {"models": {"lite0": {"epochs": 7}}}
    assert with_preset(config, typed)["models"]["lite0"] | {} == {
        **config["models"]["lite0"],
        "epochs": 7,
        "augment": {"hue": 0.1},
    }


def test_the_reserved_names_are_those_that_are_written() -> None:
    assert set(RESERVED) == {*INVENTORY, *FOLDS, *feature_kinds([], labelled=True)}


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(FoldlineError, match="preset is 'slow'; presets has quick"):
        with_preset(example(presets={"quick": {}}, preset="slow"), {})


@pytest.mark.parametrize("name", ["config", "melanoma", "ham10000"])
def test_every_configuration_is_whole_with_each_of_its_presets(name: str) -> None:
    config = yaml.safe_load((CONFIG / f"{name}.yaml").read_text())
    for preset in [None, *config.get("presets", {})]:
        check_combinations(complete(with_preset({**config, "preset": preset}, {}), SCHEMA))


def test_the_melanoma_preset_has_the_numbers_of_the_notebook() -> None:
    """Rows 5 to 12."""
    config = yaml.safe_load((CONFIG / "melanoma.yaml").read_text())
    found = complete(with_preset({**config, "preset": ["records", "seed"]}, {}), SCHEMA)
    model = found["models"]["b3"]
    augment = model["augment"]
    assert [augment[key] for key in ("hue", "saturation", "contrast", "brightness")] == [0.01, 0.3, 0.2, 0.1]
    assert [augment[key] for key in ("rotation", "shear", "zoom")] == [[15, 180], [5, 2], [0.1, 0.125]]
    assert [384 * share for share in augment["shift"]] == pytest.approx([16, 8], rel=1e-4)
    assert (augment["quarter_turns"], augment["cutmix"]["probability"]) == (False, 0)
    loss = {"name": "focal", "gamma": 2, "alpha": 0.8, "label_smoothing": 0, "hard_labels": True, "reduction": "sum"}
    assert model["loss"] == loss
    assert [(layer["units"], layer["dropout"]) for layer in model["hidden"]] == [(512, 0.2), (182, 0.3)]
    assert (model["metadata_units"], model["dropout"], model["backbone"]) == ([50], 0, "efficientnet-b3")
    assert [model[key] for key in ("learning_rate", "batch_size", "epochs", "image_size")] == [0.001, 128, 15, 384]
    assert model["early_stopping"] == {"patience": 5, "min_delta": 0.0001}
    plateau = [model["schedule"][key] for key in ("name", "factor", "patience", "min_delta", "warmup_epochs")]
    assert plateau == ["plateau", 0.4, 2, 0.0001, 0]
    assert (found["folds"]["method"], found["folds"]["count"], found["folds"]["seed"]) == ("files", 5, 333)
    assert (found["prediction"]["views"], model["select_epoch"], model["seed"]) == (1, "best", 333)
