"""Wrong sets of external rows are found in the configuration, all problems at once."""

from typing import Any

import pytest
from fixtures.project import REPOSITORY
from foldline.errors import FoldlineError
from foldline.planning.config_checks import combination_problems
from foldline.planning.configuration import complete, read_schema

SCHEMA = read_schema(REPOSITORY / "config" / "config.schema.yaml")
OLD = {"table": "old.csv", "images": "old/{id}.png"}
KEY = "dataset.external.old"
RECORDS = {"records": ["old*.tfrec"]}
MOLES = {"labels": {"kind": "multiclass", "classes": ["mole", "melanoma"]}}
ONE_HOT = {"target_column": None, "target_columns": ["mole", "melanoma"], "labels": {"kind": "multiclass"}}
AGES = {"metadata_columns": ["age"]}


def config_of(sets: dict[str, Any], **dataset: Any) -> dict[str, Any]:
    section = {"root": "data", "id_column": "id", "target_column": "sick", "group_column": "patient", **dataset}
    section |= {"train_images": "{id}.png", "test_images": "{id}.png", "external": sets}
    return {"dataset": section, "models": {"m": {"image_size": 64, "backbone": "efficientnet-b0", "weights": "none"}}}


@pytest.mark.parametrize(
    ("section", "dataset", "words"),
    [
        ({}, {}, [f"neither {KEY}.table nor", f"neither of {KEY}.images and {KEY}.records is set"]),
        (RECORDS, {}, []),
        (OLD, {}, []),
        ({**OLD, **RECORDS}, {}, ["records have the labels too", f"{KEY}.images, {KEY}.records are both set"]),
        ({**OLD, "columns": {"patient": None, "age": None}}, AGES, []),
        ({**OLD, "columns": {"sick": None}}, {}, [f"{KEY}.columns says that the table has no column 'sick'"]),
        ({**OLD, "columns": {"ill": "dx"}}, {}, [f"{KEY}.columns has 'ill', which is not a column"]),
        ({**OLD, "labels": {"yes": 1, "no": "0", "scar": None}}, {}, []),
        ({**OLD, "labels": {"yes": 2}}, {}, ["labels has yes: 2, but the classes are 0, 1; use one of them, or null"]),
        (
            {**OLD, "labels": {"MM": "Mole"}},
            MOLES,
            ["labels has MM: Mole (did you mean 'mole'?), but the classes are mole, melanoma; use"],
        ),
        ({**OLD, "labels": {"3": "mole", "3.0": "mole"}}, MOLES, ["labels has 3, 3.0, which are one value"]),
        ({**OLD, "labels": {}, "target_column": "dx"}, ONE_HOT, []),
        ({**OLD, "labels": {}}, ONE_HOT, [f"set {KEY}.target_column to the column with the labels"]),
        ({**OLD, "target_column": "dx"}, ONE_HOT, [f"set {KEY}.labels to the class of each word"]),
        ({**OLD, "labels": {}, "target_column": "dx"}, {}, [f"rename the column in {KEY}.columns"]),
    ],
)
def test_problems_of_a_set(section: dict[str, Any], dataset: dict[str, Any], words: list[str]) -> None:
    problems = combination_problems(complete(config_of({"old": section}, **dataset), SCHEMA))
    assert len(problems) == len(words)
    for problem, part in zip(problems, words, strict=True):
        assert part in problem


def test_sets_have_names_of_their_own() -> None:
    (problem,) = combination_problems(complete(config_of({"test": OLD}), SCHEMA))
    assert problem.startswith("config: dataset.external.test: other rows have this name; rename the set")


def test_the_keys_of_a_set_need_its_name() -> None:
    words = r"dataset\.external\.images is 'old/{id}\.png'; set it to .*; give each set a name"
    with pytest.raises(FoldlineError, match=words):
        complete(config_of(OLD), SCHEMA)
