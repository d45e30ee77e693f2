"""Checks see the right values of a configuration and stop at the wrong ones."""

import pytest
from foldline.planning.usable_values import UnusableValueError, UsableValues

VALUES = {"folds": {"count": 1, "seed": 3}, "models": {"a": {"epochs": "x"}, "b": {"epochs": 2}}, "title": ""}
WRONG = [("folds", "count"), ("models", "a", "epochs"), ("title",), ()]


def test_right_values_are_read_at_every_level() -> None:
    usable = UsableValues(VALUES, WRONG)
    assert usable["folds"]["seed"] == 3
    assert dict(usable["models"]["b"]) == {"epochs": 2}
    assert list(usable["models"]) == ["a", "b"]
    assert (len(usable), "title" in usable, "other" in usable) == (3, True, False)


@pytest.mark.parametrize("path", [["folds", "count"], ["models", "a", "epochs"], ["title"], ["folds", "method"]])
def test_reading_a_wrong_or_missing_value_raises(path: list[str]) -> None:
    *sections, key = path
    mapping = UsableValues(VALUES, WRONG)
    for section in sections:
        mapping = mapping[section]
    with pytest.raises(UnusableValueError):
        mapping[key]


def test_copies_read_every_value() -> None:
    with pytest.raises(UnusableValueError):
        {**UsableValues(VALUES, WRONG)["folds"]}
