"""Words of the configuration that no cell can have are refused."""

import re
from typing import Any

import pytest
from fixtures.settings import dataset_settings
from foldline.planning.word_checks import word_problems


def problems(vocabulary: list[str], own: list[str | float] | None = None, **changes: Any) -> list[str]:
    section = {"kind": "categorical", "vocabulary": vocabulary, "missing": own or []}
    dataset = dataset_settings(metadata_columns=["continent"], metadata={"continent": section}, **changes)
    return list(word_problems(dataset))


@pytest.mark.parametrize("word", ["NA", "None", "n/a", "null", "<NA>"])
def test_a_word_that_counts_as_missing_is_refused(word: str) -> None:
    """North America and the grade None are no missing values, but their cells would be."""
    labels = {"kind": "multiclass", "classes": ["mild", word]}
    end = f" has '{word}', but such cells count as missing; remove the word there, or set dataset.missing to a list "
    end += "without it, such as ['', NaN]"
    vocabulary = f"config: dataset.metadata.continent.vocabulary{end}"
    assert problems(["EU", word]) == [vocabulary]
    assert problems(["EU"], labels=labels) == [f"config: dataset.labels.classes{end}"]
    assert problems(["EU", word], labels=labels) == [f"config: dataset.labels.classes{end}", vocabulary]
    assert problems(["EU", word], labels=labels, missing=[]) == []


@pytest.mark.parametrize(
    ("vocabulary", "own", "changes", "words"),
    [
        (["EU", "Unknown"], None, {"missing": ["default", "unknown"]}, r"has 'Unknown', .* or set dataset\.missing to"),
        (["EU", "-1"], None, {"missing": ["default", -1]}, r"has '-1', .* or set dataset\.missing to"),
        (["EU", "-1"], [-1], {}, r"has '-1', .* or set dataset\.metadata\.continent\.missing to"),
        (["3", "4", "3.0"], None, {}, r"vocabulary has 3, 3\.0, which are one value; keep one"),
        (["True", "1"], None, {}, "vocabulary has True, 1, which are one value"),
        (
            ["EU"],
            None,
            {"labels": {"kind": "multiclass", "classes": ["a", "b"], "absent": ["c"]}},
            r"dataset\.labels\.absent has c, not one of dataset\.labels\.classes",
        ),
        (
            ["EU"],
            None,
            {"labels": {"kind": "multiclass", "classes": ["MEL", "NV"], "absent": ["mel"]}},
            r"dataset\.labels\.absent has mel \(did you mean 'MEL'\?\), not one of dataset\.labels\.classes",
        ),
    ],
)
def test_words_that_contradict_each_other_are_refused(
    vocabulary: list[str], own: list[str | float] | None, changes: dict[str, Any], words: str
) -> None:
    (problem,) = problems(vocabulary, own, **changes)
    assert re.match(f"^config: .*{words}", problem)
