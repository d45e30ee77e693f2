"""Two spellings of a value are one value: the completed configuration and the keys of all jobs are equal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.project import REPOSITORY
from foldline.dataset.sample_table import Row
from foldline.errors import FoldlineError
from foldline.planning.config_checks import check_combinations
from foldline.planning.configuration import complete, read_schema, with_preset
from foldline.planning.data_index import DataIndex
from foldline.planning.plan import make_plan
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Sample, Samples
from foldline.planning.workflow_plan import WorkflowPlan

SCHEMA = read_schema(REPOSITORY / "config" / "config.schema.yaml")
CONFIG = """
dataset:
  root: data
  id_column: id
  target_column: target
  train_images: "{id}.png"
  test_images: "{id}.png"
models:
  m:
    backbone: efficientnet-lite0
    image_size: 32
    hidden: [{units: 8}]
"""


def config_with(key: str, text: str) -> dict[str, Any]:
    """The configuration with the YAML text of a value at a dotted key."""
    config = yaml.safe_load(CONFIG)
    *sections, last = key.split(".")
    section = config
    for name in sections:
        section = section.setdefault(name, {})
    section[last] = yaml.safe_load(text)
    return config


def plan_of(config: dict[str, Any]) -> WorkflowPlan:
    completed = complete(config, SCHEMA)
    check_combinations(completed)
    rows = [Row(2 + number, f"image_{number}", str(number % 2), f"group_{number}", ()) for number in range(12)]
    samples = Samples.of(Sample(row, content="", bytes=1000) for row in rows)
    data = RawData({"train": samples, "test": samples}, ["id", "target"], True, {"train": "a.csv", "test": "b.csv"})
    return make_plan(completed, DataIndex.from_raw_data(data))


def keys(config: dict[str, Any]) -> list[str]:
    return [job.key for job in plan_of(config).jobs]


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("models.m.epochs", "10", "10.0"),
        ("models.m.epochs", "10", "1.0e+1"),
        ("models.m.seed", "0", "-0.0"),
        ("models.m.learning_rate", "1", "1.0"),
        ("models.m.learning_rate", "0.001", "1.0e-3"),
        ("models.m.dropout", "0", "-0.0"),
        ("models.m.ema_decay", "null", "~"),
        ("models.m.augment.flip_vertical", "true", "Yes"),
        ("models.m.augment.flip_vertical", "false", "off"),
        ("models.m.augment.rotation", "[5, 10]", "[5.0, 1.0e+1]"),
        ("models.m.hidden", "[{units: 8, dropout: 0}]", "[{units: 8.0}]"),
        ("models.m.early_stopping.patience", "3", "3.0"),
        ("models.m.schedule.final_fraction", "1", "1.0"),
        ("models.m.backbone", "efficientnet-lite0", "'efficientnet-lite0'"),
        ("models.m.fold_overrides", "{3: {seed: 7}}", "{'3': {seed: 7.0}}"),
        ("models.m.fold_overrides", "{3: {learning_rate: 1}}", "{3: {learning_rate: 1.0}}"),
        ("models.m.fold_overrides", "{3: {seed: 333}}", "{}"),
        ("dataset.separator", "auto", "';'"),
        ("dataset.missing", "[default]", "[default, unknown, -1]"),
        ("prediction.views", "4", "4.0"),
        ("evaluation.threshold", "1", "1.0"),
        ("evaluation.threshold", "sensitivity 0.9", "sensitivity .90"),
        ("evaluation.threshold", "cost 10", "cost 10.0"),
        ("evaluation.operating_points", "[sensitivity 0.9]", "[sensitivity 90%]"),
        ("folds.count", "5", "5.0"),
        ("shards.megabytes", "100", "100.0"),
    ],
)
def test_two_spellings_of_a_value_give_the_same_keys(key: str, one: str, other: str) -> None:
    first, second = config_with(key, one), config_with(key, other)
    assert keys(first) == keys(second)


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("models.m.epochs", "10", "11"),
        ("models.m.learning_rate", "0.001", "0.0010001"),
        ("models.m.augment.flip_vertical", "true", "false"),
        ("evaluation.threshold", "0.5", "best_f1"),
        ("prediction.views", "4", "1"),
    ],
)
def test_two_values_give_different_keys(key: str, one: str, other: str) -> None:
    assert keys(config_with(key, one)) != keys(config_with(key, other))


def otherwise_spelled(value: Any) -> Any:
    """Copy with integers as floats, and floats without a fraction as integers."""
    if isinstance(value, dict):
        return {key: otherwise_spelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [otherwise_spelled(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
        return value
    return float(value) if isinstance(value, int) else int(value)


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def test_every_number_of_the_configuration_takes_the_type_of_the_schema() -> None:
    completed = complete(yaml.safe_load(CONFIG), SCHEMA)
    again = complete(otherwise_spelled(completed), SCHEMA)
    assert sum(1 for _ in numbers(completed)) > 40
    assert repr(again) == repr(completed)
    assert "-0.0" not in repr(complete(config_with("models.m.dropout", "-0.0"), SCHEMA))


def test_whole_numbers_written_as_floats_count_epochs() -> None:
    """They came through the schema as floats, and `range(10.0)` is an error."""
    epochs = complete(config_with("models.m.epochs", "10.0"), SCHEMA)["models"]["m"]["epochs"]
    assert list(range(epochs)) == list(range(10))


def test_json_and_the_command_line_spell_the_same_value() -> None:
    written = config_with("models.m.epochs", "10")
    as_json = json.loads(json.dumps(written).replace('"epochs": 10', '"epochs": 1e1'))
    typed = with_preset(written, {"models": {"m": {"epochs": "10.0"}}}, SCHEMA)
    assert keys(as_json) == keys(typed) == keys(written)


def test_the_fold_of_an_override_has_one_spelling() -> None:
    with pytest.raises(FoldlineError, match=r"config: models\.m\.fold_overrides\.03: "):
        complete(config_with("models.m.fold_overrides", "{'03': {seed: 7}}"), SCHEMA)


def test_the_content_of_a_weights_file_counts_and_not_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.h5").write_text("weights")
    Path("copy.h5").write_text("weights")
    Path("other.h5").write_text("other weights")
    plans = {
        path: plan_of(config_with("models.m.weights", path))
        for path in ("w.h5", "./w.h5", str(tmp_path / "w.h5"), "copy.h5", "other.h5")
    }
    same = {path: [job.key for job in plan.jobs] for path, plan in plans.items()}
    different = same.pop("other.h5")
    assert len(set(map(tuple, same.values()))) == 1
    assert different != same["w.h5"]
    for path, plan in plans.items():
        assert plan.arguments["train_fold fold=0 model=m"]["training_config"]["weights"] == path
