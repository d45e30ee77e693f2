"""The configurations of the repository are valid with each preset, and have the numbers of the notebooks."""

import pytest
import yaml
from fixtures.example_config import CONFIG_FOLDER, SCHEMA
from foldline.io.settings import build
from foldline.planning.config_checks import check_combinations
from foldline.planning.configuration import complete, with_preset
from foldline.training.schedules import make_schedule
from foldline.training.training_config import ScheduleConfig


@pytest.mark.parametrize("name", ["config", "melanoma", "ham10000", "hpa"])
def test_every_configuration_is_valid_with_each_of_its_presets(name: str) -> None:
    config = yaml.safe_load((CONFIG_FOLDER / f"{name}.yaml").read_text())
    for preset in [None, *config.get("presets", {})]:
        completed = complete(with_preset({**config, "preset": preset}, {}, SCHEMA), SCHEMA)
        check_combinations(completed)
        assert completed["models"]


def test_the_melanoma_preset_has_the_numbers_of_the_notebook() -> None:
    """Rows 5 to 12."""
    config = yaml.safe_load((CONFIG_FOLDER / "melanoma.yaml").read_text())
    completed = complete(with_preset({**config, "preset": ["records", "seed"]}, {}, SCHEMA), SCHEMA)
    model = completed["models"]["b3"]
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
    assert (completed["folds"]["method"], completed["folds"]["count"], completed["folds"]["seed"]) == ("files", 5, 333)
    assert (completed["prediction"]["views"], model["select_epoch"], model["seed"]) == (1, "best", 333)


def test_the_atlas_preset_has_the_numbers_of_the_notebook() -> None:
    """Rows 15, 16, 18 to 21 and 23."""
    config = yaml.safe_load((CONFIG_FOLDER / "hpa.yaml").read_text())
    completed = complete(with_preset({**config, "preset": "seed"}, {}, SCHEMA), SCHEMA)
    labels, model = completed["dataset"]["labels"], completed["models"]["b0"]
    assert (labels["kind"], labels["separator"], len(labels["classes"]), labels["classes"][18]) == (
        *("multilabel", "|"),
        *(19, "Negative"),
    )
    assert (completed["class_weights"]["method"], completed["class_weights"]["rank"]) == ("capped", 4)
    assert (model["backbone"], model["weights"], model["dropout"]) == ("keras-efficientnet-b0", "imagenet", 0.5)
    assert (model["loss"]["name"], model["loss"]["label_smoothing"]) == ("cross_entropy", 0)
    assert (model["early_stopping"]["monitor"], model["early_stopping"]["patience"]) == ("loss", 10)
    assert [model[key] for key in ("image_size", "batch_size", "epochs")] == [224, 64 * 8, 150]
    augment = model["augment"]
    assert [augment[key] for key in ("flip_horizontal", "flip_vertical", "quarter_turns")] == [True] * 3
    assert [augment[key] for key in ("contrast", "brightness")] == [0.1, 0.075]
    schedule = build(ScheduleConfig, model["schedule"])
    rate = make_schedule(schedule, learning_rate=model["learning_rate"], epochs=model["epochs"], steps_per_epoch=1).rate
    policy = [1e-5, 4e-5, 7e-5, 1e-4, 1e-4, 9e-5 * 0.9**2 + 1e-5, 9e-5 * 0.9**3 + 1e-5]
    assert [rate(epoch) for epoch in range(7)] == pytest.approx(policy)
    corrected = complete(config, SCHEMA)["models"]["b0"]["schedule"]
    assert (corrected["decay_from"], corrected["stepped"]) == ("hold", False)
