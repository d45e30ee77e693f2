"""Results belong to one configuration; another one does not replace them by accident."""

import json
from pathlib import Path
from typing import Any

import pytest
from foldline.errors import FoldlineError
from foldline.planning.result_owner import ResultOwner

RECORD = "results/keys/configuration.json"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path


def owner(file: str = "skin.yaml", *, section: str | None = "", **config: Any) -> ResultOwner:
    return ResultOwner.of({"folds": {"count": 5}} | config, files=[file], section=section)


def test_a_directory_without_results_is_free() -> None:
    assert owner().check(RECORD, may_replace=False) is None


@pytest.mark.parametrize(
    "other",
    [
        owner(folds={"count": 3}),
        owner(accelerator="gpu", presets={"a": {}}, replace_results=True),
        owner("moved/other.yaml"),
    ],
    ids=["edited", "run elsewhere", "renamed"],
)
def test_the_same_configuration_may_go_on(other: ResultOwner) -> None:
    owner().record(RECORD)
    other.check(RECORD, may_replace=False)
    other.record(RECORD)
    assert json.loads(Path(RECORD).read_text())["files"] == list(other.files)


def test_another_configuration_is_refused_unless_it_may_replace() -> None:
    owner().record(RECORD)
    other = owner("other.yaml", folds={"count": 3})
    with pytest.raises(FoldlineError) as caught:
        other.check(RECORD, may_replace=False)
    assert str(caught.value) == (
        f"{RECORD}: the results in this directory were made from skin.yaml; this run is from other.yaml, and "
        "would replace them. Give each configuration a directory of its own (--directory runs/NAME), or add --config "
        "replace_results=true"
    )
    other.check(RECORD, may_replace=True)
    other.record(RECORD)
    with pytest.raises(FoldlineError, match=r"were made from other\.yaml; this run is from skin\.yaml"):
        owner().check(RECORD, may_replace=False)


def test_files_are_compared_relative_to_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a folder can be copied together with its configuration."""
    owner("../skin.yaml").record(RECORD)
    owner(str(folder / "skin.yaml"), folds={"count": 3}).check(RECORD, may_replace=False)
    (folder / "copy" / "run").mkdir(parents=True)
    (folder / "run" / "results").rename(folder / "copy" / "run" / "results")
    monkeypatch.chdir(folder / "copy" / "run")
    owner("../skin.yaml", folds={"count": 3}).check(RECORD, may_replace=False)
    with pytest.raises(FoldlineError, match="would replace them"):
        owner("skin.yaml", folds={"count": 3}).check(RECORD, may_replace=False)


def test_sections_of_one_file_are_different_configurations() -> None:
    owner(section="skin").record(RECORD)
    with pytest.raises(FoldlineError, match=r"made from skin\.yaml \(skin\); this run is from skin\.yaml \(hair\)"):
        owner(section="hair", folds={"count": 3}).check(RECORD, may_replace=False)
    owner(section="skin", folds={"count": 3}).check(RECORD, may_replace=False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": []}'])
def test_a_damaged_record_is_replaced(text: str) -> None:
    Path(RECORD).parent.mkdir(parents=True)
    Path(RECORD).write_text(text)
    owner().check(RECORD, may_replace=False)
    owner().record(RECORD)
    assert json.loads(Path(RECORD).read_text())["files"] == ["skin.yaml"]
