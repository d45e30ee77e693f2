"""Intervals: against published formulas and simulated coverage."""

from math import exp, inf, log

import numpy as np
import pytest
from foldline.evaluation.estimates import Estimate, Rows, average
from foldline.evaluation.intervals import LOSS, SHARE, Range, interval, wilson_interval
from foldline.evaluation.ranking import ranking_estimates
from scipy.stats import binomtest, norm, t


def score(value: float, variance: float = 0.01, degrees: float = 9.0, size: float = 10.0) -> Estimate:
    return Estimate(value, np.array([variance**0.5, 0.0]), degrees, size)


def test_an_interval_is_symmetric_on_its_scale() -> None:
    width = 0.1 * t.ppf(0.95, 9)
    assert interval(score(0.3), None, confidence=0.9) == pytest.approx((0.3 - width, 0.3 + width))
    low, high = interval(score(0.3), SHARE, confidence=0.9) or (0, 0)
    center, spread = log(0.3 / 0.7), width / 0.21
    assert (log(low / (1 - low)), log(high / (1 - high))) == pytest.approx((center - spread, center + spread))
    found = interval(score(0.3), LOSS, confidence=0.9)
    assert found == pytest.approx((0.3 * exp(-width / 0.3), 0.3 * exp(width / 0.3)))
    twice = interval(score(0.6, variance=0.04), Range(0.0, 2.0), confidence=0.9)
    assert twice == pytest.approx((2 * low, 2 * high))
    assert interval(score(-0.4, variance=0.04), Range(-1.0, 1.0), confidence=0.9) == pytest.approx(
        (2 * low - 1, 2 * high - 1)
    )


def test_a_score_at_a_limit_has_a_wilson_interval() -> None:
    low, high = interval(score(1.0, variance=0.0), SHARE, confidence=0.95) or (0, 0)
    assert (low, high) == pytest.approx(wilson_interval(10, 10))
    assert low < 0.8
    assert interval(score(-1.0, variance=0.0), Range(-1.0, 1.0), confidence=0.95) == pytest.approx((-1, 1 - 2 * low))
    # Rounding of fractional weights.
    assert interval(score(1 - 1e-16, variance=1e-40), SHARE, confidence=0.95) == pytest.approx((low, 1))


def test_an_extreme_interval_stays_in_its_range() -> None:
    low, high = interval(score(1e-6, variance=0.1, degrees=1.0), SHARE, confidence=0.95) or (2, 2)
    assert 0 <= low < 1e-6 < high <= 1
    # Two groups at a level of .9999: the quantile of Student's t distribution is in the thousands.
    low, high = interval(score(0.3, variance=0.09, degrees=1.0, size=2.0), LOSS, confidence=0.9999) or (2, 2)
    assert 0 <= low < 0.3 < high < inf


def test_one_group_has_no_interval_and_a_constant_score_no_width() -> None:
    assert interval(score(0.3, size=1.0), SHARE, confidence=0.95) is None
    assert interval(score(0.3, variance=0.0), SHARE, confidence=0.95) == (0.3, 0.3)


def binormal(random: np.random.Generator, rows: int, positives: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    labels = (np.arange(rows) < positives).astype(np.int64)
    return labels, random.normal(size=rows) + shift * labels


@pytest.mark.parametrize(
    ("rows", "positives", "shift", "at_least", "at_most"),
    [(200, 60, 1.2, 0.92, 0.98), (300, 10, 1.2, 0.90, 1.0), (300, 10, 2.5, 0.90, 1.0)],
)
def test_an_auc_is_covered(rows: int, positives: int, shift: float, at_least: float, at_most: float) -> None:
    """The seven cases of tests/benchmark/interval_coverage.py, small; without groups."""
    random = np.random.default_rng(5)
    truth = norm.cdf(shift / 2**0.5)
    hits = []
    for _ in range(400):
        area, _ = ranking_estimates(*binormal(random, rows, positives, shift), Rows.single(rows))
        assert area is not None
        low, high = interval(area, SHARE, confidence=0.95) or (inf, inf)
        hits.append(low <= truth <= high)
    assert at_least <= np.mean(hits) <= at_most


@pytest.mark.parametrize(("positives", "rows"), [(81, 263), (0, 20), (20, 20), (1, 1), (5, 7)])
def test_the_wilson_interval_is_that_of_scipy(positives: int, rows: int) -> None:
    for confidence in (0.95, 0.8):
        expected = binomtest(positives, rows).proportion_ci(confidence, method="wilson")
        found = wilson_interval(positives, rows, confidence=confidence)
        assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert 0 <= found[0] < found[1] <= 1


def test_the_wilson_interval_is_that_of_the_literature() -> None:
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_a_class_of_two_images_does_not_hide_what_is_known_of_others() -> None:
    """Its t distribution has one degree of freedom, which alone would widen the interval of the mean to .03 to 1."""
    known = [score(0.92, variance=1e-4, degrees=50, size=60) for _ in range(9)]
    unknown = score(0.88, variance=0.04, degrees=1, size=2)
    mean = average([*known, unknown])
    assert mean is not None
    low, high = interval(mean, SHARE, confidence=0.95) or (0, 0)
    lows, highs = zip(*(interval(one, SHARE, confidence=0.95) or (0, 0) for one in (*known, unknown)), strict=True)
    assert (low, high) == pytest.approx((np.mean(lows), np.mean(highs)))
    assert low > 0.75
    perfect = average([score(1.0, variance=0, size=60), score(1.0, variance=0, size=2)])
    assert perfect is not None
    low, high = interval(perfect, SHARE, confidence=0.95) or (0, 0)
    assert low == pytest.approx((wilson_interval(60, 60)[0] + wilson_interval(2, 2)[0]) / 2)
    assert high == 1
    even = average([score(0.8, variance=0.001, degrees=30), score(0.9, variance=0.001, degrees=30)])
    assert even is not None
    # Independent classes of equal size: the interval of their mean is the narrower one.
    apart = Estimate(even.value, np.array([0.02, 0.0]), 40, 20.0, averaged=even.averaged)
    alone = Estimate(even.value, np.array([0.02, 0.0]), 40, 20.0)
    assert interval(apart, SHARE, confidence=0.95) == interval(alone, SHARE, confidence=0.95)
