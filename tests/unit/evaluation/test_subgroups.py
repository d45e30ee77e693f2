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
    assert found.omitted == OmittedValues(values=1, rows=30, reason=REASON)
    assert find_subgroups(values, labels, [2, 0]).subgroups[0].classes == [2, 0]
