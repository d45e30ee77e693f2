"""Weights of labels: what they are, and what they even out."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.weights import label_weights
from sklearn.utils.class_weight import compute_class_weight

LABELS = np.array([[1, 0], [0, 0], [0, 1], [0, 1], [0, 1]])


def test_balanced_is_that_of_scikit_learn_for_each_class() -> None:
    found = label_weights(LABELS, method="balanced", class_names=["mark", "spot"])
    assert [row["name"] for row in found] == ["mark", "spot"]
    assert [(row["positives"], row["negatives"]) for row in found] == [(1, 4), (3, 2)]
    for row, column in zip(found, LABELS.T, strict=True):
        expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=column)
        assert [row["negative_weight"], row["positive_weight"]] == pytest.approx(list(expected))
        assert row["positives"] * row["positive_weight"] == pytest.approx(row["negatives"] * row["negative_weight"])


def test_none_weighs_every_row_alike() -> None:
    found = label_weights(LABELS, method="none", class_names=["mark", "spot"])
    assert {row[name] for row in found for name in ("positive_weight", "negative_weight")} == {1.0}


@pytest.mark.parametrize("method", ["none", "balanced"])
@pytest.mark.parametrize(("label", "word"), [(0, "positive"), (1, "negative")])
def test_a_class_without_a_label_is_an_error(method: str, label: int, word: str) -> None:
    with pytest.raises(FoldlineError, match=f"class mark: no {word} among 4 training rows; lower folds.count"):
        label_weights(np.full((4, 1), label), method=method, class_names=["mark"])


def test_other_methods_and_numbers_of_classes_are_refused() -> None:
    with pytest.raises(FoldlineError, match=r"class_weights\.method is 'sqrt'; allowed: none, balanced"):
        label_weights(LABELS, method="sqrt", class_names=["mark", "spot"])
    with pytest.raises(FoldlineError, match="2 columns of labels for 1 classes"):
        label_weights(LABELS, method="none", class_names=["mark"])
