"""The configurations of the repository are valid with each preset, and have the numbers of the notebooks."""

from typing import Any

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


def completed(name: str, preset: str | list[str] | None) -> dict[str, Any]:
    """A recipe with presets, defaults filled in."""
    config = yaml.safe_load((CONFIG_FOLDER / f"{name}.yaml").read_text())
    return complete(with_preset({**config, "preset": preset}, {}, SCHEMA), SCHEMA)


# Sections of the melanoma notebook, whole: a key that is not written down here is an error, so that none can change
# unseen. The rows are those of `tests/conftest.py`.
NO_COARSE_DROPOUT = {"probability": 0, "holes": 8, "size": 0.1}
NOTEBOOK_AUGMENT = {
    # Row 5: `random_flip_left_right` and `_up_down`, `random_hue(.01)`, `random_saturation(.7, 1.3)`,
    # `random_contrast(.8, 1.2)`, `random_brightness(.1)`.
    "flip_horizontal": True,
    "flip_vertical": True,
    "quarter_turns": False,
    "views": "random",
    "operations": None,
    "color_space": "hsv",
    "hue": 0.01,
    "saturation": 0.3,
    "contrast": 0.2,
    "brightness": 0.1,
    # Row 6: degrees, and shares of the image; the shift is 16 or 8 of 384 pixels.
    "rotation": [15, 180],
    "shear": [5, 2],
    "zoom": [1 / 10, 1 / 8],
    "shift": pytest.approx([16 / 384, 8 / 384], abs=1e-6),
    "crop": 1,
    "coarse_dropout": NO_COARSE_DROPOUT,
    # Row 7: the notebook defines CutMix with a probability of .30 and never calls it.
    "cutmix": {"probability": 0, "alpha": 1},
    "mixup": {"probability": 0, "alpha": 0.2},
}
MELANOMA: dict[str, Any] = {
    # Rows 4 and 9.
    "inputs": ["image", "metadata"],
    "backbone": "efficientnet-b3",
    "weights": "imagenet",
    "channels": [],
    "trainable": "all",
    "metadata_units": [50],
    "hidden": [{"units": 512, "dropout": 0.2}, {"units": 182, "dropout": 0.3}],
    "dropout": 0,
    "batch_norm_momentum": 0.99,
    # Row 10: 16 images on each of 8 cores.
    "image_size": 384,
    "epochs": 15,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "seed": 333,
    "fold_overrides": {},
    "precision": "float32",
    "ema_decay": None,
    "ema_warmup": False,
    "head_epochs": 0,
    "sampling": {"share": 1, "hardest": 0},
    "size_schedule": [],
    "prediction_size": None,
    "accumulate": 1,
    "swa_epochs": 0,
    "final": False,
    "normalization": "train",
    "optimizer": {"weight_decay": 0, "layer_decay": 1, "clip_norm": None},
    # Row 11.
    "early_stopping": {"patience": 5, "min_delta": 1e-4, "monitor": "auc"},
    "select_epoch": "best",
    "schedule": {
        "name": "plateau",
        "factor": 0.4,
        "patience": 2,
        "min_delta": 1e-4,
        "monitor": "auc",
        "reduce_on_plateau": False,
        "warmup_epochs": 0,
        "hold_epochs": 0,
        # Without effect on this schedule.
        "initial_fraction": 0,
        "stepped": False,
        "final_fraction": 0.01,
        "decay": 0.9,
        "decay_from": "hold",
    },
    # Row 8.
    "loss": {
        "name": "focal",
        "gamma": 2,
        "alpha": 0.8,
        "hard_labels": True,
        "reduction": "sum",
        "label_smoothing": 0,
    },
    "augment": NOTEBOOK_AUGMENT,
}


def test_the_melanoma_preset_is_the_notebook() -> None:
    """Rows 3 to 13."""
    config = completed("melanoma", ["records", "seed"])
    assert config["models"] == {"b3": MELANOMA}
    dataset, folds = config["dataset"], config["folds"]
    assert (dataset["id_column"], dataset["target_column"]) == ("image_name", "target")
    assert dataset["metadata_columns"] == ["age_approx", "sex", "anatom_site_general_challenge"]
    numbers = {column: section["vocabulary"] for column, section in dataset["metadata"].items()}
    # One-hot of 7 sites, of which -1 is none.
    assert numbers == {
        "age_approx": [],
        "sex": ["0", "1"],
        "anatom_site_general_challenge": ["0", "1", "2", "3", "4", "5"],
    }
    assert [section["kind"] for section in dataset["metadata"].values()] == ["numeric", "categorical", "categorical"]
    assert [section["missing"] for section in dataset["metadata"].values()] == [[], ["-1"], ["-1"]]
    assert (dataset["labels"]["kind"], dataset["channels"], dataset["external"]) == ("binary", [], None)
    assert (folds["method"], folds["count"], folds["seed"]) == ("files", 5, 333)
    assert config["class_weights"]["method"] == "none"
    # Row 13: the mean over the folds, of one view.
    assert (config["prediction"]["views"], config["blend"]["method"]) == (1, "auto")


def test_the_melanoma_preset_reads_the_competition_as_well() -> None:
    config = completed("melanoma", "seed")
    assert config["models"] == {"b3": MELANOMA}
    sites = ["head/neck", "lower extremity", "oral/genital", "palms/soles", "torso", "upper extremity"]
    metadata = config["dataset"]["metadata"]
    assert metadata["sex"]["vocabulary"] == ["female", "male"]
    assert metadata["anatom_site_general_challenge"]["vocabulary"] == sites
    assert config["dataset"]["group_column"] == "patient_id"


def test_the_ham10000_preset_is_the_notebook_but_for_its_size() -> None:
    config = completed("ham10000", "seed")
    sizes = {"backbone": "efficientnet-lite0", "image_size": 160, "epochs": 6, "batch_size": 32}
    # A plateau has no final fraction; that of the recipe's cosine remains.
    schedule = {"schedule": MELANOMA["schedule"] | {"final_fraction": 0.02}}
    assert config["models"] == {"lite0": MELANOMA | sizes | schedule}
    assert (config["folds"]["count"], config["folds"]["seed"], config["prediction"]["views"]) == (4, 333, 1)
    dataset = config["dataset"]
    assert (dataset["target_column"], dataset["labels"]["kind"]) == ("target", "binary")
    assert dataset["submission"]["class"] is None
    assert config["class_weights"]["method"] == "none"


# Row 15: the classes in the order of their numbers.
ATLAS_CLASSES = [
    *("Nucleoplasm", "Nuclear Membrane", "Nucleoli", "Nucleoli Fibrillar Center", "Nuclear Speckles", "Nuclear Bodies"),
    *("Endoplasmic Reticulum", "Golgi Apparatus", "Intermediate Filaments", "Actin Filaments", "Microtubules"),
    *("Mitotic Spindle", "Centrosome", "Plasma Membrane", "Mitochondria", "Aggresome", "Cytosol", "Vesicles"),
    "Negative",
]
ATLAS = {
    # Rows 17 and 19.
    "inputs": ["image"],
    "channels": ["red", "green", "blue"],
    "backbone": "keras-efficientnet-b0",
    "weights": "imagenet",
    "trainable": "all",
    "metadata_units": [50],
    "hidden": [],
    "dropout": 0.5,
    "batch_norm_momentum": 0.99,
    # Row 22: 64 images on each of 8 cores.
    "image_size": 224,
    "epochs": 150,
    "batch_size": 512,
    "seed": 333,
    "fold_overrides": {},
    "precision": "float32",
    "ema_decay": None,
    "ema_warmup": False,
    "head_epochs": 0,
    "sampling": {"share": 1, "hardest": 0},
    "size_schedule": [],
    "prediction_size": None,
    "accumulate": 1,
    "swa_epochs": 0,
    "final": False,
    "normalization": "train",
    "optimizer": {"weight_decay": 0, "layer_decay": 1, "clip_norm": None},
    "early_stopping": {"patience": 10, "min_delta": 0, "monitor": "loss"},
    "select_epoch": "best_loss",
    # Row 21, and from row 22 the plateau: Keras's factor and smallest change.
    "learning_rate": 1e-4,
    "schedule": {
        "name": "exponential",
        "warmup_epochs": 3,
        "initial_fraction": 0.1,
        "hold_epochs": 2,
        "decay": 0.9,
        "decay_from": "warmup",
        "stepped": True,
        "reduce_on_plateau": True,
        "factor": 0.1,
        "patience": 5,
        "min_delta": 1e-4,
        "monitor": "loss",
        # Without effect on this schedule.
        "final_fraction": 0.01,
    },
    # Row 20.
    "loss": {
        "name": "cross_entropy",
        "label_smoothing": 0,
        "hard_labels": False,
        "reduction": "mean",
        # Without effect on this loss.
        "gamma": 2,
        "alpha": 0.8,
    },
    # Row 18.
    "augment": {
        "flip_horizontal": True,
        "flip_vertical": True,
        "quarter_turns": True,
        "views": "random",
        "operations": None,
        "contrast": 0.1,
        "brightness": 0.075,
        # It would mix the channels.
        "saturation": 0,
        "hue": 0,
        "color_space": "yiq",
        "rotation": [],
        "shear": [],
        "zoom": [],
        "shift": [],
        "crop": 1,
        "coarse_dropout": NO_COARSE_DROPOUT,
        "cutmix": {"probability": 0, "alpha": 1},
        "mixup": {"probability": 0, "alpha": 0.2},
    },
}


@pytest.mark.parametrize("presets", ["seed", ["records", "seed"]])
def test_the_atlas_preset_is_the_notebook(presets: str | list[str]) -> None:
    """Rows 15 to 23."""
    config = completed("hpa", presets)
    assert config["models"] == {"b0": ATLAS}
    labels = config["dataset"]["labels"]
    assert (labels["kind"], labels["separator"], labels["exclusive"]) == ("multilabel", "|", "Negative")
    assert labels["classes"] == ATLAS_CLASSES
    assert config["dataset"]["channels"] == ["red", "green", "blue", "yellow"]
    assert (config["dataset"]["id_column"], config["dataset"]["target_column"]) == ("ID", "Label")
    # Row 16.
    assert (config["class_weights"]["method"], config["class_weights"]["rank"]) == ("capped", 4)
    assert (config["prediction"]["views"], config["evaluation"]["threshold"]) == (1, 0.5)


def test_the_atlas_policy_has_the_rates_of_the_notebook() -> None:
    """Row 21."""
    model = completed("hpa", "seed")["models"]["b0"]
    schedule = build(ScheduleConfig, model["schedule"])
    rate = make_schedule(schedule, learning_rate=model["learning_rate"], epochs=model["epochs"], steps_per_epoch=1).rate
    policy = [1e-5, 4e-5, 7e-5, 1e-4, 1e-4, 9e-5 * 0.9**2 + 1e-5, 9e-5 * 0.9**3 + 1e-5]
    assert [rate(epoch) for epoch in range(7)] == pytest.approx(policy)
    corrected = completed("hpa", None)["models"]["b0"]["schedule"]
    assert (corrected["decay_from"], corrected["stepped"], corrected["reduce_on_plateau"]) == ("hold", False, False)
