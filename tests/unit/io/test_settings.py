"""Settings become frozen dataclasses, or an error that names each wrong field."""

from dataclasses import dataclass

import pytest
from foldline.errors import FoldlineError
from foldline.io.settings import build


@dataclass(frozen=True)
class Inner:
    units: int


@dataclass(frozen=True)
class Settings:
    threshold: float | str
    names: tuple[str, ...]
    inner: Inner
    limit: int | None = None


VALID = {"threshold": 0.5, "names": ["a", "b"], "inner": {"units": 3}}


def test_nested_sections_and_lists_become_dataclasses_and_tuples() -> None:
    assert build(Settings, VALID) == Settings(0.5, ("a", "b"), Inner(3), None)
    assert build(Settings, {**VALID, "limit": 4}).limit == 4


@pytest.mark.parametrize("threshold", [0.5, 1, "best_f1"])
def test_a_field_that_is_a_number_or_a_name_takes_either(threshold: float | str) -> None:
    built = build(Settings, {**VALID, "threshold": threshold}).threshold
    assert (built, type(built)) == (threshold, type(threshold))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"extra": 1}, "extra"),
        ({"inner": {}}, "units"),
        ({"inner": {"units": "many"}}, "units"),
        ({"threshold": None}, "threshold"),
    ],
)
def test_unknown_missing_and_wrong_fields_are_named(change: dict, words: str) -> None:
    with pytest.raises(FoldlineError, match=f"settings of another version: .*{words}.*; run the workflow again"):
        build(Settings, {**VALID, **change})
