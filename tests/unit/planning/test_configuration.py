"""A configuration is completed, or refused in one line that names the key, the value and what is allowed."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from foldline.dataset.sample_table import Row
from foldline.errors import FoldlineError
from foldline.io.tables import FOLDS, INVENTORY
from foldline.planning.config_checks import RESERVED, check_combinations, check_data
from foldline.planning.configuration import complete, read_schema, typed_part, with_preset
from foldline.planning.raw_data import RawData, Sample, submission_columns
from foldline.tfrecords.shards import feature_kinds
from foldline.training.schedules import make_schedule

CONFIG = Path(__file__).resolve().parents[3] / "config"
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
    assert "dataset.id_column is missing. Column with the unique id" in refusal(config)


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
    found = complete(with_preset(config, {"folds": {"count": 4}}, SCHEMA), SCHEMA)
    assert found["models"]["lite0"]["epochs"] == 1
    assert found["models"]["lite0"]["augment"]["hue"] == 0.1
    assert found["models"]["lite0"]["schedule"]["warmup_epochs"] == 0.5
    assert found["folds"]["count"] == 4
    typed = {"models": {"lite0": {"epochs": 7}}}
    assert with_preset(config, typed, SCHEMA)["models"]["lite0"] == {
        **config["models"]["lite0"],
        "epochs": 7,
        "augment": {"hue": 0.1},
    }


def test_numbers_in_braces_on_the_command_line_are_numbers() -> None:
    """Snakemake hands all that stands in braces over as text."""
    typed = {
        "dataset": {"group_column": "null", "metadata_columns": ["1"]},
        "folds": {"count": "3"},
        "prediction": {"views": "8"},
        "models": {"lite0": {"learning_rate": "0.1", "weights": "none", "augment": {"flip_vertical": "false"}}},
    }
    found = complete(with_preset(example(), typed, SCHEMA), SCHEMA)
    assert (found["dataset"]["group_column"], found["dataset"]["metadata_columns"]) == (None, ["1"])
    assert (found["folds"]["count"], found["prediction"]["views"]) == (3, 8)
    model = found["models"]["lite0"]
    assert (model["learning_rate"], model["weights"], model["augment"]["flip_vertical"]) == (0.1, "none", False)


def test_a_module_takes_what_was_typed_for_its_section() -> None:
    whole = {"skin": {"folds": {"count": 2}}, "theirs": 1}
    typed = {"skin": {"folds": {"count": "3"}}}
    assert typed_part(whole, whole=whole, typed=typed) is typed
    assert typed_part(whole["skin"], whole=whole, typed=typed) == {"folds": {"count": "3"}}
    assert typed_part({"folds": {"count": 2}}, whole=whole, typed=typed) == {}


def test_a_word_in_braces_where_a_number_is_wanted_is_refused() -> None:
    with pytest.raises(FoldlineError, match=r"folds.count is 'three'; it must be of type integer"):
        complete(with_preset(example(), {"folds": {"count": "three"}}, SCHEMA), SCHEMA)


def test_the_reserved_names_are_those_that_are_written() -> None:
    assert set(RESERVED) == {*INVENTORY, *FOLDS, *feature_kinds([], labeled=True)}


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(FoldlineError, match="preset is 'slow'; presets has quick"):
        with_preset(example(presets={"quick": {}}, preset="slow"), {}, SCHEMA)


@pytest.mark.parametrize("name", ["config", "melanoma", "ham10000", "hpa"])
def test_every_configuration_is_whole_with_each_of_its_presets(name: str) -> None:
    config = yaml.safe_load((CONFIG / f"{name}.yaml").read_text())
    for preset in [None, *config.get("presets", {})]:
        check_combinations(complete(with_preset({**config, "preset": preset}, {}, SCHEMA), SCHEMA))


def test_the_melanoma_preset_has_the_numbers_of_the_notebook() -> None:
    """Rows 5 to 12."""
    config = yaml.safe_load((CONFIG / "melanoma.yaml").read_text())
    found = complete(with_preset({**config, "preset": ["records", "seed"]}, {}, SCHEMA), SCHEMA)
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
    assert model["early_stopping"] == {"patience": 5, "min_delta": 0.0001, "monitor": "auc"}
    plateau = [model["schedule"][key] for key in ("name", "factor", "patience", "min_delta", "warmup_epochs")]
    assert plateau == ["plateau", 0.4, 2, 0.0001, 0]
    assert (found["folds"]["method"], found["folds"]["count"], found["folds"]["seed"]) == ("files", 5, 333)
    assert (found["prediction"]["views"], model["select_epoch"], model["seed"]) == (1, "best", 333)


ATLAS = {"kind": "multilabel", "classes": ["a", "b", "c", "Negative"], "exclusive": "Negative"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset__labels": {"kind": "several"}}, ["dataset.labels.kind is 'several'", "'multilabel'"]),
        ({"dataset__labels": {"kind": "multilabel"}}, ["name at least two classes in dataset.labels.classes"]),
        ({"dataset__labels": {"classes": ["a", "b"]}}, ["dataset.labels.kind is binary"]),
        ({"dataset__labels": {**ATLAS, "exclusive": "None"}}, ["dataset.labels.exclusive is 'None'", "a, b, c"]),
        ({"dataset__labels": {**ATLAS, "classes": ["image_name", "Negative"]}}, ["the name of the id column"]),
        ({"dataset__submission": {"class": "d"}, "dataset__labels": ATLAS}, ["submission.class is 'd'", "a, b, c"]),
        ({"dataset__submission": {"form": "labels"}}, ["dataset.submission.form is 'labels'", "'columns'"]),
        (
            {"dataset__submission": {"column": "x"}, "dataset__labels": ATLAS},
            ["dataset.submission.column is 'x'", "a column for each class"],
        ),
        ({"class_weights": {"method": "capped", "rank": 3}}, ["class_weights.rank is 3", "there are 2 classes"]),
        ({"evaluation": {"threshold": "best"}}, ["evaluation.threshold is 'best'", "best_f1"]),
        ({"evaluation": {"threshold": 1.5}}, ["evaluation.threshold is 1.5"]),
    ],
)
def test_labels_that_cannot_be(changes: dict[str, Any], words: list[str]) -> None:
    message = refusal(example(dataset__example=None, **changes))
    for word in words:
        assert word in message


def test_the_example_has_its_own_labels_and_submission() -> None:
    assert "dataset.example has labels of 0 and 1" in refusal(example(dataset__labels=ATLAS))
    assert "dataset.example has labels of 0 and 1" in refusal(example(dataset__submission={"column": "p"}))


def test_columns_of_the_submission() -> None:
    def columns(labels: dict[str, Any], **submission: Any) -> list[str]:
        config = complete(
            example(dataset__example=None, dataset__labels=labels, dataset__submission=submission), SCHEMA
        )
        check_combinations(config)
        return submission_columns(config["dataset"])

    one_of = {"kind": "multiclass", "classes": ["mole", "melanoma"]}
    assert columns({}) == ["target"]
    assert columns({}, column="p") == ["p"]
    assert columns(ATLAS) == ATLAS["classes"]
    assert columns(ATLAS, form="labels") == ["target"]
    assert columns(ATLAS, form="labels", column="Predicted") == ["Predicted"]
    assert columns(one_of) == ["mole", "melanoma"]
    assert columns(one_of, **{"class": "melanoma"}) == ["target"]


def test_rare_classes_among_others_are_no_error() -> None:
    rows = [Row(2 + i, f"s{i}", "1000" if i else "0100", f"s{i}", ()) for i in range(6)]
    data = RawData({"train": [Sample(row, "", 0) for row in rows], "test": []}, [], written=True)
    check_data(complete(example(dataset__labels=ATLAS), SCHEMA), data)
    single = complete(example(dataset__labels=ATLAS, dataset__submission={"class": "b"}), SCHEMA)
    with pytest.raises(FoldlineError, match="has 1 rows with label 1 of b; take fewer folds"):
        check_data(single, data)


def test_the_atlas_preset_has_the_numbers_of_the_notebook() -> None:
    """Rows 15, 16, 18 to 21 and 23."""
    config = yaml.safe_load((CONFIG / "hpa.yaml").read_text())
    found = complete(with_preset({**config, "preset": "seed"}, {}, SCHEMA), SCHEMA)
    labels, model = found["dataset"]["labels"], found["models"]["b0"]
    assert (labels["kind"], labels["separator"], len(labels["classes"]), labels["classes"][18]) == (
        *("multilabel", "|"),
        *(19, "Negative"),
    )
    assert (found["class_weights"]["method"], found["class_weights"]["rank"]) == ("capped", 4)
    assert (model["backbone"], model["weights"], model["dropout"]) == ("keras-efficientnet-b0", "imagenet", 0.5)
    assert (model["loss"]["name"], model["loss"]["label_smoothing"]) == ("cross_entropy", 0)
    assert (model["early_stopping"]["monitor"], model["early_stopping"]["patience"]) == ("loss", 10)
    assert [model[key] for key in ("image_size", "batch_size", "epochs")] == [224, 64 * 8, 150]
    augment = model["augment"]
    assert [augment[key] for key in ("flip_horizontal", "flip_vertical", "quarter_turns")] == [True] * 3
    assert [augment[key] for key in ("contrast", "brightness")] == [0.1, 0.075]
    rate = make_schedule(
        model["schedule"], learning_rate=model["learning_rate"], epochs=model["epochs"], steps_per_epoch=1
    ).rate
    policy = [1e-5, 4e-5, 7e-5, 1e-4, 1e-4, 9e-5 * 0.9**2 + 1e-5, 9e-5 * 0.9**3 + 1e-5]
    assert [rate(epoch) for epoch in range(7)] == pytest.approx(policy)
    corrected = complete(config, SCHEMA)["models"]["b0"]["schedule"]
    assert (corrected["decay_from"], corrected["stepped"]) == ("hold", False)
