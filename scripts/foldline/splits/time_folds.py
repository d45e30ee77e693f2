"""Folds by time: each one holds out a period, and its models are trained on what was known some time before it.

Standard library only, because the process that builds the DAG imports it.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from foldline.dataset.cell_values import number
from foldline.errors import FoldlineError

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class TimeFolds:
    """Folds by time.

    Attributes:
        folds: the fold that holds out each row; None for rows before the first period that is held out, (n_rows,).
        withheld: other folds whose models are not trained on each row, ascending, (n_rows,).
    """

    folds: list[int | None]
    withheld: list[list[int]]


def read_times(cells: Sequence[str]) -> list[float | None]:
    """Times of cells: numbers as they are, or dates in days since 1970 (UTC); None for other cells.

    All cells are numbers, or all are dates such as 2019-05-31, 20190531 or 2019-05-31T08:30. Eight digits are a date if
    all cells are dates.

    Args:
        cells: canonical texts, (n_rows,).
    """
    dates = {cell: _day(cell) for cell in set(cells)}
    numbers = {cell: number(cell) for cell in set(cells)}
    n_dates, n_numbers = (sum(found[cell] is not None for cell in cells) for found in (dates, numbers))
    found = dates if n_dates >= n_numbers and any(map(_looks_like_date, dates)) else numbers
    return [found[cell] for cell in cells]


def _looks_like_date(cell: str) -> bool:
    return "-" in cell[1:] or len(cell) == 8


def _day(cell: str) -> float | None:
    if not _looks_like_date(cell):
        return None
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment.timestamp() / SECONDS_PER_DAY


def period_starts(times: Sequence[float], count: int) -> list[float]:
    """Start of each held-out period: the rows are cut into `count` + 1 periods of about as many rows.

    The first period is not held out. Rows of one time are in one period.

    Args:
        times: (n_rows,).
        count: number of folds.

    Returns:
        Ascending, (n_folds,).

    Raises:
        FoldlineError: there are fewer different times than periods.
    """
    rows = Counter(times)
    different = sorted(rows)
    if len(different) <= count:
        lower = f"lower folds.count to {len(different) - 1} or less" if len(different) > 2 else "name another column"
        raise FoldlineError(
            f"folds.count is {count}, which needs {count + 1} periods, but the times have {len(different)} different "
            f"values; {lower}"
        )
    before, total = [0], 0
    for time in different:
        total += rows[time]
        before.append(total)
    starts, first = [], 1
    for fold in range(count):
        last = len(different) - (count - fold)
        wanted = (fold + 1) * total / (count + 1)
        best = min(range(first, last + 1), key=lambda index: abs(before[index] - wanted))
        starts.append(different[best])
        first = best + 1
    return starts


def folds_by_time(
    times: Sequence[float | None], groups: Sequence[str], starts: Sequence[float], gap: float
) -> TimeFolds:
    """Say for each row which fold holds it out, and which folds are not trained on it.

    A fold is trained on the rows whose time is before the start of its period by more than the gap, without those of
    groups that have rows in the period.

    Args:
        times: time of each row; None for a row without one, such as an external row, which is never held out and may
            be trained on by any fold, (n_rows,).
        groups: group of each row, duplicates merged, (n_rows,).
        starts: see `period_starts`.
        gap: at least 0, in the unit of the times.
    """
    folds: list[int | None] = []
    of_group: dict[str, set[int]] = {}
    for time, group in zip(times, groups, strict=True):
        fold = -1 if time is None else bisect_right(starts, time) - 1
        folds.append(None if fold < 0 else fold)
        if fold >= 0:
            of_group.setdefault(group, set()).add(fold)
    withheld = []
    for time, group, own in zip(times, groups, folds, strict=True):
        related = of_group.get(group, set())
        late = {fold for fold, start in enumerate(starts) if time is not None and time >= start - gap}
        withheld.append(sorted((related | late) - {own}))
    return TimeFolds(folds, withheld)
