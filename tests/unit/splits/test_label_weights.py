"""Weights of labels: by their formulas and against scikit-learn."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.splits.class_weights import ClassWeights, ClassWeightsConfig, label_weights
from sklearn.utils.class_weight import compute_class_weight

LABELS = np.array([[1, 0], [0, 0], [0, 1], [0, 1], [0, 1]])
# Each row has one class, which 1, 2, 4 and 8 rows have.
ONE_HOT = np.eye(4, dtype=int)[np.repeat(range(4), [1, 2, 4, 8])]


def weights(
    labels: np.ndarray, *, method: str, rank: int = 4, beta: float = 0.9, activation: str = "sigmoid"
) -> list[ClassWeights]:
    names = tuple(f"class {number}" for number in range(labels.shape[1]))
    return label_weights(labels, ClassWeightsConfig(method, rank, beta, names, activation))


def pairs(found: Sequence[ClassWeights]) -> list[tuple[float, float]]:
    return [(row.negative_weight, row.positive_weight) for row in found]


def test_balanced_weights_are_those_of_scikit_learn_per_class() -> None:
    found = weights(LABELS, method="balanced")
    assert [row.name for row in found] == ["class 0", "class 1"]
    assert [(row.positives, row.negatives) for row in found] == [(1, 4), (3, 2)]
    for row, column in zip(found, LABELS.T, strict=True):
        expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=column)
        assert [row.negative_weight, row.positive_weight] == pytest.approx(list(expected))
        assert row.positives * row.positive_weight == pytest.approx(row.negatives * row.negative_weight)


def test_balanced_weights_are_those_of_scikit_learn_if_each_row_has_one_class() -> None:
    found = weights(ONE_HOT, method="balanced", activation="softmax")
    expected = compute_class_weight("balanced", classes=np.arange(4), y=ONE_HOT.argmax(axis=1))
    assert [row.positive_weight for row in found] == pytest.approx(list(expected))


def test_none_weights_all_rows_by_1() -> None:
    assert set(pairs(weights(LABELS, method="none"))) == {(1.0, 1.0)}


def test_capped_weights_follow_the_formula_of_the_notebook() -> None:
    """Row 16: min(1, threshold / count), where the threshold is the 4th smallest count."""
    random = np.random.default_rng(0)
    labels = (random.random((500, 19)) < random.uniform(0.02, 0.5, 19)).astype(int)
    counts = Counter(number for row in labels for number in np.flatnonzero(row))
    threshold = sorted(counts.values())[3]
    expected = {number: min(1.0, threshold / count) for number, count in counts.items()}
    found = weights(labels, method="capped", rank=4)
    assert [row.positives for row in found] == [counts[number] for number in range(19)]
    assert [row.positive_weight for row in found] == pytest.approx([expected[number] for number in range(19)])
    assert [row.negative_weight for row in found] == [row.positive_weight for row in found]


def test_the_rank_counts_classes_with_rows_only() -> None:
    labels = np.hstack([np.zeros((15, 1), int), ONE_HOT])
    assert [row.positive_weight for row in weights(labels, method="capped", rank=2)] == [1, 1, 1, 0.5, 0.25]


def test_effective_number_weights_follow_their_formula_with_a_mean_of_1() -> None:
    found = [row.positive_weight for row in weights(ONE_HOT, method="effective_number", beta=0.9, activation="softmax")]
    raw = np.array([0.1 / (1 - 0.9**count) for count in (1, 2, 4, 8)])
    assert found == pytest.approx(list(raw / raw.mean()))
    assert np.mean(found) == pytest.approx(1)
    even = weights(ONE_HOT, method="effective_number", beta=0)
    assert set(pairs(even)) == {(1.0, 1.0)}


@pytest.mark.parametrize("method", ["capped", "effective_number"])
def test_both_labels_of_the_only_class_are_weighted_as_classes(method: str) -> None:
    labels = np.array([[1], [0], [0], [0]])
    two = np.array([[0, 1], [1, 0], [1, 0], [1, 0]])
    expected = tuple(row.positive_weight for row in weights(two, method=method, rank=1))
    assert pairs(weights(labels, method=method, rank=1)) == [pytest.approx(expected)]
    assert expected[0] < expected[1]


@pytest.mark.parametrize("method", ["none", "balanced", "capped", "effective_number"])
def test_a_class_without_rows_has_the_weight_1(method: str) -> None:
    found = weights(np.hstack([LABELS, np.zeros((5, 1), int)]), method=method, rank=1)
    assert found[2].positives == 0
    assert found[2].positive_weight == 1.0
    assert np.isfinite(pairs(found)).all()


@pytest.mark.parametrize("method", ["balanced", "effective_number"])
def test_a_class_without_rows_does_not_change_the_other_weights(method: str) -> None:
    wider = np.hstack([ONE_HOT, np.zeros((15, 1), int)])
    found = [row.positive_weight for row in weights(wider, method=method, activation="softmax")]
    assert found[:4] == pytest.approx(
        [row.positive_weight for row in weights(ONE_HOT, method=method, activation="softmax")]
    )


@pytest.mark.parametrize("method", ["none", "balanced"])
@pytest.mark.parametrize(("label", "word"), [(0, "positive"), (1, "negative")])
def test_the_only_class_needs_both_labels(method: str, label: int, word: str) -> None:
    with pytest.raises(FoldlineError, match=f"class class 0: no {word} among 4 training rows; lower folds.count"):
        weights(np.full((4, 1), label), method=method)


def test_unknown_methods_and_other_numbers_of_classes_are_refused() -> None:
    with pytest.raises(FoldlineError, match=r"class_weights\.method is 'sqrt'; allowed: none, balanced, capped, eff"):
        weights(LABELS, method="sqrt")
    with pytest.raises(FoldlineError, match="2 columns of labels for 1 class"):
        label_weights(LABELS, ClassWeightsConfig("none", 1, 0.9, ("mark",), "sigmoid"))


def test_soft_labels_count_by_their_shares() -> None:
    """Two rows of one vote each weigh as one row of two; labels of 0 and 1 are a special case."""
    shares = np.array([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0], [0.25, 0.75, 0.0]])
    found = weights(shares, method="balanced", activation="softmax")
    assert [(row.positives, row.negatives) for row in found] == [(1.0, 2.0), (2.0, 1.0), (0.0, 3.0)]
    assert [row.positive_weight for row in found] == pytest.approx([3 / 2, 3 / 4, 1])
    single = weights(np.array([[0.1], [0.3], [0.2]]), method="balanced")
    assert pairs(single) == [(pytest.approx(3 / 2.4 / 2), pytest.approx(3 / 0.6 / 2))]
    one_hot = weights(ONE_HOT.astype(float), method="capped", rank=2, activation="softmax")
    assert pairs(one_hot) == pairs(weights(ONE_HOT, method="capped", rank=2, activation="softmax"))
