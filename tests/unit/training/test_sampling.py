"""Rows of an epoch: which are drawn, in what numbers, and what that does to the probabilities of the classes."""

import numpy as np
import pytest
from fixtures.settings import training_config
from foldline.dataset.labels import SIGMOID, SOFTMAX
from foldline.training.sampling import (
    NEVER,
    DrawnRows,
    RowSampler,
    drawn_classes,
    make_sampler,
    prior_offsets,
    rows_kept,
)
from foldline.training.training_config import SamplingConfig

# 60 rows of class 0, 25 of class 1, 5 of class 2.
COUNTS = [60, 25, 5]
LABELS = np.eye(3)[np.repeat(range(3), COUNTS)]


def sampler(share: float = 1 / 3, hardest: float = 0.0, *, seed: int = 1) -> RowSampler:
    return RowSampler(LABELS, SamplingConfig(share, hardest), batch_size=5, activation=SOFTMAX, seed=seed)


def epochs(one: RowSampler, count: int) -> tuple[list[np.ndarray], DrawnRows]:
    drawn, rows = DrawnRows.before_training(one.rows), []
    for epoch in range(count):
        one.start_epoch(drawn, epoch)
        rows.append(drawn.rows)
    return rows, drawn


def test_an_epoch_has_all_rare_rows_and_a_share_of_the_frequent_ones() -> None:
    one = sampler()
    (rows, *_), drawn = epochs(one, 1)
    assert one.rows_per_epoch == len(rows) == len(set(rows.tolist())) == 45
    assert np.bincount(LABELS[rows].argmax(axis=1)).tolist() == [20, 20, 5]
    assert list(rows) == sorted(rows)
    np.testing.assert_array_equal(np.flatnonzero(drawn.draws), rows)


def test_every_row_is_drawn_before_one_is_drawn_again() -> None:
    rows, drawn = epochs(sampler(), 6)
    assert set(np.concatenate(rows[:3])) == set(range(90))
    assert set(drawn.draws[:60]) == {2}
    assert set(drawn.draws[60:85]) <= {4, 5}
    assert set(drawn.draws[85:]) == {6}


def test_rows_depend_on_seed_and_epoch() -> None:
    first, again, other = (epochs(sampler(seed=seed), 2)[0] for seed in (1, 1, 2))
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    assert (first[0] != first[1]).any()
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize("hardest", [0.5, 1.0])
def test_the_hardest_rows_come_first(hardest: float) -> None:
    """Against the slow version: the rows of a class in the order of their losses, as a list."""
    one = sampler(hardest=hardest)
    _, drawn = epochs(one, 1)
    losses = np.random.default_rng(0).permutation(90).astype(np.float32)
    # Three rows were never drawn.
    losses[[3, 30, 59]] = NEVER
    drawn.losses = losses.copy()
    one.start_epoch(drawn, 1)
    for start, stop in ((0, 60), (60, 85)):
        expected = sorted(range(start, stop), key=lambda row: -losses[row])[: round(hardest * 20)]
        of_class = [row for row in drawn.rows if start <= row < stop]
        assert set(expected) <= set(of_class)
        assert len(of_class) == 20
    assert {3, 30, 59} <= set(drawn.rows.tolist())
    assert {85, 86, 87, 88, 89} <= set(drawn.rows.tolist())


@pytest.mark.parametrize(
    ("counts", "share", "batch", "expected"),
    [
        ([60, 25, 5], 1 / 3, 5, [20, 20, 5]),
        # 45 rows are no whole number of batches of 8; three more of those with the most rows left.
        ([60, 25, 5], 1 / 3, 8, [23, 20, 5]),
        # All 33 rows would be one batch too many.
        ([30, 3], 0.99, 8, [29, 3]),
        ([30, 3], 0.01, 8, [7, 1]),
        ([1000, 2], 0.1, 2, [100, 2]),
    ],
)
def test_rows_are_whole_batches(counts: list[int], share: float, batch: int, expected: list[int]) -> None:
    assert rows_kept(np.array(counts), share, batch).tolist() == expected


def test_a_row_with_several_classes_is_drawn_as_the_rarest() -> None:
    labels = np.array([[1, 1], [1, 0], [1, 0], [0, 0], [0, 1]], float)
    assert drawn_classes(labels, SIGMOID).tolist() == [1, 0, 0, 2, 1]
    assert drawn_classes(np.array([[0.2, 0.5, 0.3], [0.6, 0.4, 0.0]]), SOFTMAX).tolist() == [1, 0]


@pytest.mark.parametrize("activation", [SOFTMAX, SIGMOID])
def test_the_offsets_turn_the_prior_of_all_rows_into_that_of_the_drawn_ones(activation: str) -> None:
    """By counting: the best constant logits on all rows, plus the offsets, are the best ones on the drawn rows."""
    labels = LABELS if activation == SOFTMAX else LABELS[:, 1:]
    one = RowSampler(labels, SamplingConfig(1 / 3, 0), batch_size=5, activation=activation, seed=3)
    (rows, *_), _ = epochs(one, 1)
    everywhere, drawn = labels.mean(axis=0), labels[rows].mean(axis=0)
    if activation == SOFTMAX:
        shares = np.exp(np.log(everywhere) + one.offsets)
        np.testing.assert_allclose(shares / shares.sum(), drawn, rtol=1e-5)
    else:
        odds = np.exp(np.log(everywhere / (1 - everywhere)) + one.offsets)
        np.testing.assert_allclose(odds / (1 + odds), drawn, rtol=1e-5)


def test_a_class_without_rows_has_no_offset() -> None:
    labels = np.array([[1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(prior_offsets(labels, np.array([0.5, 0.5]), SOFTMAX), [np.log(0.5), 0])
    np.testing.assert_allclose(prior_offsets(labels, np.array([0.5, 0.5]), SIGMOID), [np.log(0.5), -np.log(0.5)])


def test_all_rows_need_no_sampler() -> None:
    targets, names = ["100"] * 40 + ["001"] * 4, ("a", "b", "c")

    def made(share: float, batch: int = 8) -> RowSampler | None:
        config = training_config(sampling={"share": share}, batch_size=batch)
        return make_sampler(targets, names, config, SOFTMAX, 0)

    assert made(1) is None
    # The training refuses such a batch.
    assert made(0.5, batch=64) is None
    one = made(0.5)
    assert one is not None
    assert one.rows_per_epoch == 24
