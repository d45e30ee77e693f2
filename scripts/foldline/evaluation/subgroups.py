"""Subgroups: rows with one value, or one band of numbers, of a metadata column, enough of them for a score.

A column whose values are all numbers, more than `MOST_NUMBERS` different ones, is divided into bands at its quintiles;
its missing values are a subgroup of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.evaluation.results import OmittedValues

# With fewer rows of a label the AUC of a subgroup depends more on chance than on the subgroup.
MIN_ROWS_PER_LABEL = 10
# With more different numbers a column is divided into bands.
MOST_NUMBERS = 10
BANDS = 5


@dataclass(frozen=True)
class Subgroup:
    """Rows with one value of a metadata column, or with numbers in one band.

    Attributes:
        value: the value, or the lowest and the highest number of the band that occur.
        mask: which samples have it, (n_samples,).
        classes: numbers of the scored classes with enough positives and negatives among these rows.
    """

    value: str
    mask: npt.NDArray[np.bool_]
    classes: list[int]


@dataclass(frozen=True)
class MetadataColumn:
    """Subgroups of one metadata column, the most frequent value first, and the values that are omitted.

    Bands of numbers are in ascending order instead.
    """

    subgroups: list[Subgroup]
    omitted: OmittedValues


def find_subgroups(values: pd.Series, labels: npt.NDArray[np.int64], scored: Sequence[int]) -> MetadataColumn:
    """Find the values of a metadata column that have enough rows of both labels of at least one scored class.

    Args:
        values: value of each sample, (n_samples,).
        labels: 0 or 1, (n_samples, n_classes).
        scored: numbers of the scored classes.
    """
    subgroups = []
    omitted_values, omitted_rows = 0, 0
    bands = _bands(values)
    if bands is None:
        counts = values.value_counts()
        order = sorted(counts.index, key=lambda value: (-counts[value], value))
    else:
        values, order = bands
    for value in order:
        mask = (values == value).to_numpy()
        rows = int(mask.sum())
        positives = labels[mask].sum(axis=0)
        rarer = np.minimum(positives, rows - positives)
        classes = [number for number in scored if rarer[number] >= MIN_ROWS_PER_LABEL]
        if classes:
            subgroups.append(Subgroup(value, mask, classes))
        else:
            omitted_values += 1
            omitted_rows += rows
    both = "positives or negatives" if labels.shape[1] == 1 else "images with or without a class"
    reason = f"fewer than {MIN_ROWS_PER_LABEL} {both}"
    return MetadataColumn(subgroups, OmittedValues(omitted_values, omitted_rows, reason))


def _bands(values: pd.Series) -> tuple[pd.Series, list[str]] | None:
    """Name of each value's band and the names in ascending order, "" last; None if the values are no numbers."""
    missing = values == ""
    numbers = pd.to_numeric(values[~missing], errors="coerce")
    if not np.isfinite(numbers).all() or numbers.nunique() <= MOST_NUMBERS:
        return None
    borders = np.unique(np.quantile(numbers, np.arange(1, BANDS) / BANDS, method="inverted_cdf"))
    # A border belongs to the band below it.
    band = np.searchsorted(borders, numbers, side="left")
    extent = numbers.groupby(band).agg(["min", "max"])
    names = [f"{low:g} to {high:g}" if low != high else f"{low:g}" for low, high in extent.itertuples(index=False)]
    named = pd.Series("", values.index).astype(object)
    named[~missing] = np.asarray(names, dtype=object)[np.searchsorted(extent.index, band)]
    return named, [*names, ""] if missing.any() else names
