"""Repairs of an assignment of folds: a few groups change their folds until rows and labels are even."""

import numpy as np
import numpy.typing as npt

from foldline.splits.group_features import Assignment, FloatArray, GroupFeatures

# A deviation of less than a row, or of less than this share of the rows of a label, is left alone.
TOLERANCE = 0.001
# A step must lower the cost of its two folds by this share; otherwise groups would move for nothing where a large group
# makes even folds impossible.
MIN_GAIN = 0.001
# Cost of a fold without a label that it could have; a deviation costs less than 1.
MISSING_COST = 100.0
# Weight of a value of a column beside a label.
VALUE_WEIGHT = 0.01
MAX_STEPS = 200
# Groups of a fold that a step considers, and numbers in the array of all exchanges between two folds (16 MB).
MAX_CANDIDATES = 100
MAX_EXCHANGES = 2_000_000

Moves = list[tuple[int, int]]


def missing_labels(features: GroupFeatures, assignment: Assignment) -> int:
    """How many labels are missing in folds, beyond those of labels that are in fewer groups than there are folds."""
    present = assignment.fold_rows[: features.n_label_features] > 0
    return int((np.minimum(features.groups_per_label[: len(present)], present.shape[1]) - present.sum(axis=1)).sum())


def repair(features: GroupFeatures, assignment: Assignment, order: npt.NDArray[np.intp]) -> Assignment:
    """Move or exchange groups as long as that makes uneven rows and labels more even.

    The cost of an assignment is the sum over labels and folds of (fold's share of the label - 1 / n_folds)^2, and
    `MISSING_COST` for each label that is missing in a fold though as many groups as there are folds have it. A step
    starts from the label and fold with the largest deviation; of all moves and exchanges of a group with another fold
    it takes the one that costs least. Values of columns
    count as labels of a small weight. Strata are ignored: the steps are few.

    Args:
        features: rows of the groups.
        assignment: the assignment; it is not changed.
        order: order in which the groups were assigned; the last ones are candidates for a step, (n_groups,).
    """
    state = _State(features, assignment, order)
    for _ in range(MAX_STEPS):
        moves = next(filter(None, (state.best_moves(label, fold) for label, fold in state.uneven())), None)
        if moves is None:
            break
        for group, fold in moves:
            state.move(group, fold)
    return Assignment(state.group_folds, state.fold_rows)


class _State:
    """An assignment that changes step by step."""

    def __init__(self, features: GroupFeatures, assignment: Assignment, order: npt.NDArray[np.intp]) -> None:
        self.features = features
        self.group_folds = assignment.group_folds.copy()
        self.fold_rows = assignment.fold_rows.copy()
        self.last_first = order[::-1]
        self.totals = np.maximum(features.totals[: features.n_even_features], 1)[:, None]
        self.weights = np.where(np.arange(len(self.totals)) < features.n_label_features, 1, VALUE_WEIGHT)
        self.n_candidates = min(MAX_CANDIDATES, int((MAX_EXCHANGES / len(self.totals)) ** 0.5) // 2)

    def uneven(self) -> list[tuple[int, int]]:
        """Labels and folds that deviate too much, the largest share first."""
        rows, count = self.fold_rows[: len(self.totals)], self.fold_rows.shape[1]
        deviation = np.abs(rows - self.features.totals[: len(self.totals), None] / count)
        missing = (rows == 0) & (self.features.groups_per_label >= count)[:, None]
        shares = np.where(missing | (deviation >= np.maximum(1, TOLERANCE * self.totals)), deviation / self.totals, 0)
        places = np.argsort(-shares - missing, axis=None, kind="stable")[: np.count_nonzero(shares)]
        return [divmod(int(place), count) for place in places]

    def best_moves(self, label: int, fold: int) -> Moves:
        """The moves of one or two groups between the fold and another that cost least; none if none is worth it."""
        best: tuple[float, Moves] = (-MIN_GAIN, [])
        own = self._candidates(label, fold)
        for other in range(self.fold_rows.shape[1]):
            if other != fold:
                theirs = self._candidates(label, other)
                gain, first, second = self._best_exchange((own, fold), (theirs, other))
                if gain < best[0]:
                    moves = [(own[first], other)] if first < len(own) else []
                    best = (gain, moves + ([(theirs[second], fold)] if second < len(theirs) else []))
        return best[1]

    def move(self, group: int, fold: int) -> None:
        """Give a group another fold."""
        change = self.features.counts[[group]].toarray()[0]
        self.fold_rows[:, self.group_folds[group]] -= change
        self.fold_rows[:, fold] += change
        self.group_folds[group] = fold

    def _candidates(self, label: int, fold: int) -> list[int]:
        """The groups of a fold that were assigned last, with the label and any."""
        in_fold = self.last_first[self.group_folds[self.last_first] == fold]
        having = in_fold[self.features.has_label(label)[in_fold]]
        return list(dict.fromkeys([*having[: self.n_candidates].tolist(), *in_fold[: self.n_candidates].tolist()]))

    def _best_exchange(self, first: tuple[list[int], int], second: tuple[list[int], int]) -> tuple[float, int, int]:
        """Change of the cost, relative to that of both folds, and the two groups; the number after the last is none."""
        (groups, fold), (others, other) = first, second
        change = self._rows(groups)[:, None] - self._rows(others)[None]
        rows = self.fold_rows[: len(self.totals)]
        before = float(self._cost(rows[:, fold]) + self._cost(rows[:, other]))
        costs = self._cost(rows[:, fold] - change) + self._cost(rows[:, other] + change)
        best = int(costs.argmin())
        own, theirs = divmod(best, costs.shape[1])
        return (float(costs.flat[best]) - before) / max(before, 1e-300), own, theirs

    def _rows(self, groups: list[int]) -> FloatArray:
        """Rows of each group and label, and a last line of zeros for no group, (n_groups + 1, n_even_features)."""
        rows = self.features.counts[groups][:, : len(self.totals)].toarray()
        return np.concatenate([rows, np.zeros((1, len(self.totals)))])

    def _cost(self, rows: FloatArray) -> FloatArray:
        """Cost of a fold with these rows of each label, (..., n_even_features) -> (...)."""
        deviation = rows / self.totals[:, 0] - 1 / self.fold_rows.shape[1]
        missing = (rows == 0) & (self.features.groups_per_label >= self.fold_rows.shape[1])
        cost: FloatArray = ((np.square(deviation) + MISSING_COST * missing) * self.weights).sum(axis=-1)
        return cost
