"""Compare the training and the test images by columns of what is known of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.evaluation.drift import FEWEST_GROUPS, SplitRows, coded, column_scores, forest_scores, linear_scores
from foldline.evaluation.drift_results import EMBEDDINGS, Drift, DriftColumn, DriftImage, DriftSet
from foldline.evaluation.intervals import SHARE
from foldline.evaluation.reasons import UNDEFINED
from foldline.evaluation.results import Score
from foldline.evaluation.score_intervals import with_interval

FloatArray = npt.NDArray[np.float64]

TRAIN, TEST = "train", "test"
# Values of a text column, and images of each kind, that are listed.
SHOWN_VALUES, SHOWN_IMAGES = 5, 10
ONE_VALUE = "one value in all images"
NO_VALUE = "no value in the {} split"
TOO_FEW = f"a split has too few groups, or images without one (at least {FEWEST_GROUPS} are needed)"


def find_drift(
    sets: Mapping[str, pd.DataFrame],
    *,
    ids: Sequence[str],
    is_test: npt.NDArray[np.bool_],
    groups: Sequence[str],
    confidence: float,
    vectors: FloatArray | None = None,
) -> Drift:
    """Compare the training and the test images.

    Args:
        sets: name -> columns of numbers (NaN is missing) or text ("" is missing), (n_rows, n_columns).
        ids: id of each image, (n_rows,).
        is_test: (n_rows,).
        groups: group of each image, (n_rows,).
        confidence: coverage of the intervals, in (0, 1).
        vectors: embedding of each image, (n_rows, n_values); None if there are none.
    """
    masks = {TRAIN: ~is_test, TEST: is_test}
    images = {name: int(mask.sum()) for name, mask in masks.items()}
    counts = {name: len(set(np.asarray(groups, dtype=object)[mask])) for name, mask in masks.items()}
    split = SplitRows.of(is_test, groups)
    if split is None:
        return Drift(confidence, images, counts, reason=TOO_FEW)
    found: list[tuple[DriftSet, FloatArray]] = []
    columns: list[DriftColumn] = []
    left_out: dict[str, str] = {}
    for name, table in sets.items():
        reasons = {column: _reason(table[column], masks) for column in table.columns}
        left_out |= {column: reason for column, reason in reasons.items() if reason}
        codes = {column: coded(table[column]) for column, reason in reasons.items() if reason is None}
        if codes:
            scores = forest_scores(codes, split)
            found.append((DriftSet(name, tuple(codes), _score(split, scores, confidence)), scores))
        for column, code in codes.items():
            auc = _score(split, column_scores(code, split), confidence)
            columns.append(DriftColumn(column, name, auc, *_summaries(table[column], masks)))
    if vectors is not None:
        scores = linear_scores(vectors, split)
        found.append((DriftSet(EMBEDDINGS, (), _score(split, scores, confidence)), scores))
    if not found:
        return Drift(confidence, images, counts, left_out=left_out, reason=ONE_VALUE)
    found.sort(key=lambda pair: _order(pair[0].auc))
    ranks = split.ranks(found[0][1])
    return Drift(
        confidence=confidence,
        images=images,
        groups=counts,
        sets=tuple(one for one, _ in found),
        columns=tuple(sorted(columns, key=lambda column: _order(column.auc))),
        left_out=left_out,
        by=found[0][0].name,
        most_like_test=_first(ids, -ranks, masks[TRAIN]),
        least_like_test=_first(ids, ranks, masks[TRAIN]),
        least_like_train=_first(ids, -ranks, masks[TEST]),
    )


def _reason(values: pd.Series, masks: Mapping[str, npt.NDArray[np.bool_]]) -> str | None:
    """Why a column is not compared; None if it is."""
    known = (values.notna() if pd.api.types.is_numeric_dtype(values) else values != "").to_numpy()
    for name, mask in masks.items():
        if not known[mask].any():
            return NO_VALUE.format(name)
    return None if values.nunique(dropna=False) > 1 else ONE_VALUE


def _score(split: SplitRows, scores: FloatArray, confidence: float) -> Score:
    return with_interval(split.auc(scores), SHARE, confidence=confidence, undefined=UNDEFINED)


def _order(auc: Score) -> float:
    return -(auc.value if auc.value is not None else -1.0)


def _summaries(values: pd.Series, masks: Mapping[str, npt.NDArray[np.bool_]]) -> list[dict[str, float]]:
    """What the values of a column are in the training images and in the test images."""
    parts = [values[masks[name]] for name in (TRAIN, TEST)]
    if pd.api.types.is_numeric_dtype(values):
        return [
            {"0.1": _quantile(part, 0.1), "0.5": _quantile(part, 0.5), "0.9": _quantile(part, 0.9)}
            | {"missing": float(part.isna().mean())}
            for part in parts
        ]
    shares = [part.value_counts(normalize=True) for part in parts]
    together = pd.concat(shares, axis=1, keys=[TRAIN, TEST]).fillna(0.0)
    differences = (together[TEST] - together[TRAIN]).abs()
    shown = sorted(differences.index, key=lambda value: (-differences[value], value))[:SHOWN_VALUES]
    return [{str(value): float(together.loc[value, name]) for value in shown} for name in (TRAIN, TEST)]


def _quantile(values: pd.Series, share: float) -> float:
    return float(values.quantile(share))


def _first(ids: Sequence[str], order: FloatArray, mask: npt.NDArray[np.bool_]) -> tuple[DriftImage, ...]:
    """The images of a split that come first."""
    numbers = sorted(np.flatnonzero(mask).tolist(), key=lambda number: (order[number], ids[number]))[:SHOWN_IMAGES]
    return tuple(DriftImage(ids[number], float(abs(order[number]))) for number in numbers)
