"""Subgroups are values with enough rows of both labels; the others are counted."""

import numpy as np
import pandas as pd
from foldline.evaluation.results import OmittedValues
from foldline.evaluation.subgroups import find_subgroups

REASON = "fewer than 10 positives or negatives"


def test_values_with_ten_rows_of_each_label_are_subgroups() -> None:
    values = pd.Series(["few"] * 19 + ["leg"] * 20 + ["arm"] * 21)
    labels = np.array([[1] * 9 + [0] * 10 + [1] * 10 + [0] * 10 + [1] * 11 + [0] * 10]).T
    found = find_subgroups(values, labels, [0])
    assert [row.value for row in found.subgroups] == ["arm", "leg"]
    assert [row.classes for row in found.subgroups] == [[0], [0]]
    assert (found.subgroups[0].mask == (values == "arm")).all()
    assert found.omitted == OmittedValues(values=1, rows=19, reason=REASON)


def test_equally_frequent_values_are_in_alphabetical_order() -> None:
    values = pd.Series(["leg"] * 20 + ["arm"] * 20)
    labels = np.array([[0, 1] * 20]).T
    assert [row.value for row in find_subgroups(values, labels, [0]).subgroups] == ["arm", "leg"]


def test_a_subgroup_has_the_scored_classes_with_enough_rows() -> None:
    values = pd.Series(["arm"] * 40 + ["leg"] * 30)
    labels = np.zeros((70, 3), int)
    labels[:10, 0] = labels[:9, 1] = labels[:10, 2] = labels[40:50, 2] = 1
    found = find_subgroups(values, labels, [0, 1])
    assert [(row.value, row.classes) for row in found.subgroups] == [("arm", [0])]
    # Labels are classes here, and no positives.
    reason = "fewer than 10 images with or without a class"
    assert found.omitted == OmittedValues(values=1, rows=30, reason=reason)
    assert find_subgroups(values, labels, [2, 0]).subgroups[0].classes == [2, 0]


def test_numbers_are_divided_into_bands_of_about_equal_size() -> None:
    ages = np.random.default_rng(0).permutation(np.arange(20, 80).repeat(5))
    values = pd.Series([str(age) for age in ages] + [""] * 30)
    labels = np.arange(330)[:, np.newaxis] % 2
    found = find_subgroups(values, labels, [0])
    assert [row.value for row in found.subgroups] == ["20 to 31", "32 to 43", "44 to 55", "56 to 67", "68 to 79", ""]
    assert [row.mask.sum() for row in found.subgroups] == [60] * 5 + [30]
    for row, low, high in zip(found.subgroups, range(20, 80, 12), range(31, 80, 12), strict=False):
        assert (row.mask[:300] == ((ages >= low) & (ages <= high))).all()


def test_few_numbers_and_mixed_values_are_values() -> None:
    labels = np.arange(200)[:, np.newaxis] % 2
    numbers = pd.Series([str(number % 10) for number in range(200)])
    assert len(find_subgroups(numbers, labels, [0]).omitted.reason) > 0
    assert find_subgroups(numbers, labels, [0]).omitted.values == 10
    mixed = pd.Series(["unknown", *(str(number) for number in range(199))])
    assert find_subgroups(mixed, labels, [0]).omitted.values == 200


def test_a_frequent_number_is_a_band_of_its_own() -> None:
    values = pd.Series(["0"] * 100 + [f"{number}.5" for number in range(100)])
    found = find_subgroups(values, np.arange(200)[:, np.newaxis] % 2, [0])
    assert [row.value for row in found.subgroups] == ["0", "0.5 to 19.5", "20.5 to 59.5", "60.5 to 99.5"]
