"""Folds by time: periods of about as many rows, and no training on what was not known before them."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.splits.time_folds import folds_by_time, period_starts, read_times
from sklearn.model_selection import TimeSeriesSplit


@pytest.mark.parametrize(
    ("cells", "times"),
    [
        (["2019", "2020.5", "x", ""], [2019, 2020.5, None, None]),
        (["1970-01-02", "1970-01-01T12:00", "2019"], [1, 0.5, None]),
        (["19700103", "19700102"], [2, 1]),
        # 13 is no month, so these are numbers.
        (["19701301", "12"], [19701301, 12]),
        (["1970-01-01T01:00+01:00", "-5"], [0, None]),
        (["-5", "-1"], [-5, -1]),
    ],
)
def test_times_are_numbers_or_dates(cells: list[str], times: list[float | None]) -> None:
    assert read_times(cells) == times


def test_the_kind_of_most_rows_is_that_of_the_times() -> None:
    """One date among years is the odd one, though both are one value."""
    assert read_times(["2019", "2019", "2019-05-31"]) == [2019, 2019, None]


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_periods_have_as_many_rows_as_those_of_scikit_learn(count: int) -> None:
    rows = 8 * (count + 1)
    times = np.random.default_rng(count).permutation(rows).astype(float).tolist()
    found = folds_by_time(times, list(map(str, range(rows))), period_starts(times, count), 0)
    order = np.argsort(times)
    for fold, (train, test) in enumerate(TimeSeriesSplit(count).split(order)):
        assert {row for row in range(rows) if found.folds[row] == fold} == set(order[test])
        trained = [row for row in range(rows) if found.folds[row] != fold and fold not in found.withheld[row]]
        assert set(trained) == set(order[train])


def test_nothing_is_trained_on_that_was_not_known() -> None:
    """Against a slow oracle, with equal times, groups, gaps, and rows without a time."""
    for seed in range(40):
        random = np.random.default_rng(seed)
        rows, count, gap = 60, int(random.integers(1, 6)), float(random.integers(0, 3))
        times = [None if random.random() < 0.1 else float(random.integers(0, 12)) for _ in range(rows)]
        groups = [f"g{number}" for number in random.integers(0, 40, rows)]
        starts = period_starts([time for time in times if time is not None], count)
        assert len(starts) == count == len(set(starts))
        assert starts == sorted(starts)
        found = folds_by_time(times, groups, starts, gap)
        ends = [*starts[1:], np.inf]
        for fold, (start, end) in enumerate(zip(starts, ends, strict=True)):
            held_out = {row for row, time in enumerate(times) if time is not None and start <= time < end}
            assert held_out == {row for row in range(rows) if found.folds[row] == fold} != set()
            related = {groups[row] for row in held_out}
            for row, time in enumerate(times):
                known = (time is None or start - time > gap) and groups[row] not in related
                assert (found.folds[row] != fold and fold not in found.withheld[row]) == known


def test_rows_of_one_time_are_in_one_period() -> None:
    times = [2018.0] * 3 + [2019.0] * 50 + [2020.0] * 3 + [2021.0] * 3
    assert period_starts(times, 3) == [2019, 2020, 2021]
    assert period_starts(times, 1) == [2020]
    with pytest.raises(
        FoldlineError, match=r"needs 5 periods, but the times have 4 different values; lower folds.count to 3"
    ):
        period_starts(times, 4)
