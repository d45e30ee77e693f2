"""Planted wrong labels are found, and clean labels are left alone."""

import numpy as np
import pytest
from foldline.evaluation.estimates import Rows
from foldline.evaluation.label_issues import COLUMNS, find_label_issues, unproven_classes
from foldline.evaluation.reasons import ONE_GROUP, UNDEFINED

NAMES = ("mole", "melanoma", "other")


def predicted(seed: int = 2, rows: int = 600, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """True classes and probabilities of a good model, whose last class is rare and underrated."""
    random = np.random.default_rng(seed)
    true = random.choice(classes, rows, p=[0.6, 0.3, 0.1][:classes])
    logits = random.normal(size=(rows, classes)) + 4 * np.eye(classes)[true] - np.array([0, 0, 1.5])
    exponentials = np.exp(logits)
    return true, exponentials / exponentials.sum(axis=1, keepdims=True)


def test_planted_wrong_labels_come_first() -> None:
    true, scores = predicted()
    wrong = np.random.default_rng(3).choice(600, 30, replace=False)
    label = true.copy()
    label[wrong] = (label[wrong] + 1) % 3
    found = find_label_issues(np.eye(3, dtype=np.int64)[label], scores, NAMES, one_class_per_sample=True)
    assert tuple(found.columns) == COLUMNS
    hits = len(set(found["row"]) & set(wrong))
    assert hits >= 22
    assert len(found) - hits <= 2
    assert found["label_probability"].is_monotonic_increasing
    right = [NAMES[true[row]] for row in found["row"][:20]]
    assert sum(found["suggested"][:20] == right) >= 18
    for row in found.itertuples():
        assert row.label == NAMES[label[row.row]] != row.suggested
        assert row.label_probability == scores[row.row, label[row.row]]
        assert row.suggested_probability == scores[row.row, NAMES.index(row.suggested)]


def test_the_rows_are_those_of_the_definition() -> None:
    """Against the definition, a row at a time."""
    true, scores = predicted(5, 200)
    means = [scores[true == number, number].mean() for number in range(3)]
    expected = []
    for row in range(200):
        confident = [number for number in range(3) if scores[row, number] >= means[number]]
        if confident and max(scores[row, number] for number in confident) > scores[row, true[row]]:
            expected.append(row)
    found = find_label_issues(np.eye(3, dtype=np.int64)[true], scores, NAMES, one_class_per_sample=True)
    assert sorted(found["row"]) == expected


def test_a_label_that_is_more_probable_than_the_suggestion_is_left_alone() -> None:
    labels = np.array([[1], [1], [0], [0], [0], [0]])
    scores = np.array([[0.5], [0.3], [0.45], [0.1], [0.1], [0.9]])
    found = find_label_issues(labels, scores, ("a",), one_class_per_sample=False)
    # The mean of rows 0 and 1 is 0.4: rows 2 and 5 are confident in "a", but row 2 does not favor it.
    assert list(found["row"]) == [5, 1]


def test_classes_of_their_own_have_two_labels_each() -> None:
    labels = np.array([[1, 0], [0, 0], [1, 1], [0, 1], [0, 0]])
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.9], [0.1, 0.9], [0.1, 0.8]])
    found = find_label_issues(labels, scores, ("a", "b"), one_class_per_sample=False)
    rows = [(row.row, row.label, row.suggested) for row in found.itertuples()]
    assert rows == [(1, "not a", "a")]
    assert found["label_probability"].tolist() == pytest.approx([0.1])


def test_a_class_without_rows_is_never_suggested() -> None:
    labels, scores = np.array([[1, 0], [1, 0]]), np.array([[0.1, 0.9], [0.2, 0.8]])
    assert find_label_issues(labels, scores, ("a", "b"), one_class_per_sample=True).empty


def test_a_model_at_chance_questions_no_label() -> None:
    random = np.random.default_rng(0)
    labels = (random.random((400, 3)) < 0.3).astype(np.int64)
    labels[:, 2] = 0
    scores = random.random((400, 3))
    scores[:, 0] = 0.6 * labels[:, 0] + 0.4 * scores[:, 0]
    rows = Rows.single(400)
    unproven = unproven_classes(labels, scores, rows, confidence=0.95)
    assert set(unproven) == {1, 2}
    assert unproven[1].endswith(", where 0.5 is chance")
    assert unproven[2] == f"ROC AUC: {UNDEFINED}"
    every = find_label_issues(labels, scores, NAMES, one_class_per_sample=False)
    assert every["suggested"].isin(["melanoma", "not melanoma"]).any()
    found = find_label_issues(labels, scores, NAMES, one_class_per_sample=False, unproven=unproven)
    assert set(found["suggested"]) <= {"mole", "not mole"}
    nothing = find_label_issues(labels, scores, NAMES, one_class_per_sample=False, unproven=range(3))
    assert nothing.empty
    assert tuple(nothing.columns) == COLUMNS
    one_group = unproven_classes(labels[:, :1], scores[:, :1], Rows.of(["g"] * 400), confidence=0.95)
    assert one_group == {0: f"ROC AUC: {ONE_GROUP}"}


def test_a_class_at_chance_is_not_suggested_beside_others() -> None:
    true, scores = predicted(5, 200)
    true[:20] = (true[:20] + 1) % 3
    labels = np.eye(3, dtype=np.int64)[true]
    every = find_label_issues(labels, scores, NAMES, one_class_per_sample=True)
    name = every["suggested"].iloc[0]
    found = find_label_issues(labels, scores, NAMES, one_class_per_sample=True, unproven=[NAMES.index(name)])
    assert found.to_dict("list") == every[every["suggested"] != name].to_dict("list")
