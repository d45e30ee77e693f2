"""A configuration is completed, or refused in one line that names the key, the value and what is allowed."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from configuration import check_combinations, check_data, complete, read_schema
from foldline.errors import FoldlineError
from foldline.rows import Row
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
