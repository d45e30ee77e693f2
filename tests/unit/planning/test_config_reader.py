"""The configuration of a run: completed, or refused with all of its problems at once."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.example_config import CONFIG_FOLDER, SCHEMA, example_config
from foldline.errors import FoldlineError
from foldline.planning.config_reader import ConfigError, ConfigSource, read_config

SCHEMA_PATH = CONFIG_FOLDER / "config.schema.yaml"


@pytest.fixture(autouse=True)
def schema_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing the schema takes longer than a test."""
    monkeypatch.setattr("foldline.planning.config_reader.read_schema", {SCHEMA_PATH: SCHEMA}.__getitem__)


def read(config: dict[str, Any], *, files: tuple[Path, ...] = (), **command_line: Any) -> dict[str, Any]:
    return read_config(config, schema_path=SCHEMA_PATH, source=ConfigSource(config, command_line, files))


def problems_of(config: dict[str, Any], *, files: tuple[Path, ...] = (), **command_line: Any) -> list[str]:
    with pytest.raises(FoldlineError) as caught:
        read(config, files=files, **command_line)
    lines = str(caught.value).splitlines()
    if len(lines) > 1:
        assert lines.pop(0) == f"{len(lines)} problems"
    return lines


def test_a_configuration_is_completed_and_the_command_line_wins() -> None:
    completed = read(example_config(), folds={"count": 3})
    assert (completed["folds"]["count"], completed["folds"]["seed"]) == (3, 333)
    assert problems_of(example_config(), folds={"count": 1}) == ["config: folds.count is 1; set it to at least 2"]


@pytest.mark.parametrize("classes", [["gru\u0308n", "rot"], []], ids=["named", "found"])
def test_class_names_have_the_spelling_of_label_cells(classes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # With classes that are found in the table, other checks follow when it was read.
    monkeypatch.setattr("foldline.planning.config_reader.combination_problems", lambda config: [])
    labels = {"kind": "multilabel", "classes": classes, "absent": ["grün"], "exclusive": "gru\u0308n"}
    changes = {"dataset__labels": labels, "dataset__submission": {"class": "gru\u0308n"}, "dataset__example": None}
    dataset = read(example_config(**changes))["dataset"]
    assert dataset["labels"]["classes"] == (["grün", "rot"] if classes else [])
    assert (dataset["labels"]["absent"], dataset["labels"]["exclusive"]) == (["grün"], "grün")
    assert dataset["submission"]["class"] == "grün"


def test_numbers_are_names_of_classes() -> None:
    labels = {"kind": "multilabel", "classes": [0, 1, 2], "absent": [2], "exclusive": 0}
    submission = {"class": [1]}
    changes = {"dataset__labels": labels, "dataset__submission": submission, "dataset__example": None}
    dataset = read(example_config(**changes))["dataset"]
    assert dataset["labels"]["classes"] == ["0", "1", "2"]
    assert (dataset["labels"]["absent"], dataset["labels"]["exclusive"]) == (["2"], "0")
    assert dataset["submission"]["class"] == ["1"]


def test_a_module_takes_the_command_line_values_of_its_section() -> None:
    section = example_config(folds__count=2)
    source = ConfigSource({"skin": section, "theirs": 1}, {"skin": {"folds": {"count": "3"}}})
    assert read_config(section, schema_path=SCHEMA_PATH, source=source)["folds"]["count"] == 3
    assert source.section_of(section) == "skin"
    assert source.section_of(source.main_config) == ""
    assert source.section_of(example_config()) is None
    assert read_config(example_config(folds__count=2), schema_path=SCHEMA_PATH, source=source)["folds"]["count"] == 2


def test_faults_of_file_presets_values_and_combinations_are_in_one_report(tmp_path: Path) -> None:
    file = tmp_path / "skin.yaml"
    config = example_config(
        folds__count=1,
        dataset__metadata={"age": {"kind": "numeric"}},
        class_weights={"method": "capped", "rank": 3},
        models__lite0__augment__zoom="big",
        models__lite0__fold_overrides={7: {"seed": 1}},
        presets={"fast": {"models": {"lite0": {"epoch": 1}}}},
        report={"title": "a\0b"},
        preset="slow",
    )
    file.write_text(f"folds: {{}}\n{yaml.safe_dump(config)}")
    lines = problems_of(config, files=(file,))
    starts = [
        f"{file}, line {file.read_text().splitlines().index('folds:') + 1}: key folds occurs twice, first in line 1",
        "config: report.title is 'a\\x00b', which contains a NUL byte",
        "config: presets.fast.models.lite0.epoch is not a known key. Did you mean presets.fast.models.lite0.epochs?",
        "config: preset is 'slow', which is not in presets",
        "config: folds.count is 1; set it to at least 2",
        "config: models.lite0.augment.zoom is 'big'; set it to a list",
        "config: dataset.metadata has 'age', which is not one of dataset.metadata_columns",
        "config: class_weights.rank is 3, but there are 2 classes",
    ]
    assert len(lines) == len(starts), lines
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)


def test_a_fault_of_a_chosen_preset_is_named_once() -> None:
    presets = {"fast": {"folds": {"count": 1}}}
    lines = problems_of(example_config(presets=presets, preset="fast"))
    assert lines == ["config: presets.fast.folds.count is 1; set it to at least 2"]


def paths_in(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of keys to all values of a mapping, mappings included."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from paths_in(item, (*path, key))


COMPLETED = read(
    example_config(
        dataset__metadata={"cell_type": {"kind": "categorical", "vocabulary": ["mono"]}},
        models__lite0__fold_overrides={1: {"seed": 3}},
    )
)


@pytest.mark.parametrize("path", list(paths_in(COMPLETED)), ids=".".join)
def test_a_value_of_a_wrong_type_is_named_whatever_the_other_checks_read(path: tuple[str, ...]) -> None:
    config = copy.deepcopy(COMPLETED)
    *sections, key = path
    section = config
    for name in sections:
        section = section[name]
    section[key] = 3.25 if isinstance(section[key], dict) else {"x": 1}
    name = ".".join(path)
    assert any(name in line.partition(";")[0] for line in problems_of(config))


@pytest.mark.parametrize("path", list(paths_in(COMPLETED)), ids=".".join)
def test_a_missing_value_is_completed_or_named(path: tuple[str, ...]) -> None:
    config = copy.deepcopy(COMPLETED)
    *sections, key = path
    section = config
    for name in sections:
        section = section[name]
    del section[key]
    try:
        completed = read(config)
    except FoldlineError as error:
        assert path[0] in str(error)
    else:
        assert completed.keys() == COMPLETED.keys()


def test_a_typo_asks_for_no_key_that_the_right_word_makes_needless() -> None:
    config = {
        "dataset": {"root": "data", "class_folder": "train"},
        "models": {"a": {"backbone": "efficientnet-lite0", "image_size": 64}},
    }
    with pytest.raises(ConfigError) as error:
        read(config)
    problems = "\n".join(error.value.problems)
    assert "config: dataset.class_folder is not a known key. Did you mean dataset.class_folders?" in problems
    assert "is missing" not in problems


def test_a_typo_hides_no_other_problem() -> None:
    changes = {"dataset__labels__kind": "multiclas", "dataset__group_colum": "image_name", "models__lite0__lr": 1}
    lite0 = {"backbone": "resnet", "image_size": 1, "batch_sise": 0}
    starts = [
        "config: dataset.group_colum is not a known key. Did you mean dataset.group_column?",
        "config: dataset.labels.kind is 'multiclas'; set it to one of 'binary', 'multilabel', 'multiclass', 'soft'",
        "config: models.lite0.lr is not a known key",
        "config: models.lite0.batch_sise is not a known key. Did you mean models.lite0.batch_size?",
        "config: models.lite0.image_size is 1; set it to at least 32",
        "config: models.lite0.batch_size is 0; set it to at least 1",
        "config: dataset names column 'image_name' twice",
        "config: dataset.metadata.a.kind is 3",
        "config: dataset.metadata has 'a'",
        "config: dataset.metadata has 'b'",
        "config: models.lite0: no backbone 'resnet'",
    ]
    metadata = {"a": {"kind": 3}, "b": {"kind": "numeric"}}
    config = example_config(dataset__example=None, dataset__metadata=metadata, **changes)
    config["models"]["lite0"] |= lite0
    del config["dataset"]["group_column"]
    with pytest.raises(ConfigError) as caught:
        read(config)
    assert caught.value.config is not None
    lines = caught.value.problems
    assert len(lines) == len(starts), lines
    assert all(any(line.startswith(start) for line in lines) for start in starts), lines
    dataset = caught.value.config["dataset"]
    assert (dataset["labels"]["kind"], dataset["group_column"]) == ("multiclass", None)


@pytest.mark.parametrize(
    ("change", "models"),
    [({"dataset__rot": "data"}, ["lite0"]), ({"models__lite0__epochs": 0}, []), ({"folds__count": 0}, [])],
    ids=str,
)
def test_batches_are_checked_beside_wrong_values_that_do_not_count(change: dict[str, Any], models: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        read(example_config(**change))
    assert error.value.config is not None
    assert list(error.value.config["models"]) == models


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize("place", ["key", "value", "item"])
def test_texts_that_no_file_can_hold_are_named(text: str, place: str) -> None:
    changes = {
        "key": {"presets": {text: {}}},
        "value": {"report__title": text},
        "item": {"dataset__train_records": [text]},
    }
    (line,) = [line for line in problems_of(example_config(**changes[place])) if "NUL" in line or "UTF-8" in line]
    expected = {"key": "the key ", "value": "report.title is ", "item": "dataset.train_records[0] is "}
    assert line.startswith(f"config: {expected[place]}")
    assert line.isprintable()


@pytest.mark.parametrize(
    ("change", "readable"),
    [
        ({"prediction__views": 3}, True),
        ({"models__lite0__epochs": 0}, True),
        ({"folds__count": 0}, True),
        ({"folds__cuont": 3}, True),
        ({"dataset__color_profile": "rgb"}, True),
        ({"dataset__rot": "data"}, True),
        ({"dataset__root": 3}, False),
        ({"dataset__train_table": 3}, False),
        ({"dataset__labels": {"kind": "many"}, "dataset__example": None}, True),
        (
            {
                "dataset__row_per_class": "{id}_{class}",
                "dataset__labels": {"kind": "multilabel"},
                "dataset__example": None,
            },
            False,
        ),
        ({"dataset__test_columns": {"foo": "bar"}}, True),
        ({"dataset__target_columns": ["target", "image_name"], "dataset__example": None}, True),
        ({"dataset__target_column": 3, "dataset__example": None}, True),
        ({"dataset__train_images": "images"}, False),
        ({"preset": "slow"}, False),
        ({"folds__stratify_by": ["age"]}, True),
    ],
    ids=str,
)
def test_data_are_read_if_the_sections_that_describe_them_are_right(change: dict[str, Any], *, readable: bool) -> None:
    with pytest.raises(ConfigError) as error:
        read(example_config(**change))
    assert (error.value.config is not None) == readable
