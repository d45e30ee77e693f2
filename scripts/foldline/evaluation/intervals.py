"""Confidence intervals: the cluster bootstrap, its percentiles, and the Wilson interval of a share."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Weights per block of draws: as float64 they fit the L2 cache of a processor.
BLOCK_SIZE = 100_000
# An interval is given only if at least this share of its draws is defined.
MIN_DEFINED_SHARE = 0.9
# 97.5th percentile of the standard normal distribution.
NORMAL_QUANTILE = 1.959963984540054


def bootstrap_weights(groups: Sequence[str], *, draws: int, seed: int) -> Iterator[FloatArray]:
    """Count how often each row is drawn when whole groups are drawn with replacement, as many as there are.

    Rows of one group (patient, lesion, duplicates) are not independent; to draw single rows would make the interval
    too narrow (cluster bootstrap: Field and Welsh, Bootstrapping clustered data, 2007).

    Args:
        groups: group of each row, (n_samples,).
        draws: number of draws.
        seed: seed of the draws, which depend on seed and groups only, not on the size of the blocks.

    Yields:
        Blocks of float64 counts, (at most draws, n_samples); `draws` rows in total.
    """
    names, index = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    generator = np.random.default_rng(seed)
    block = max(1, BLOCK_SIZE // len(index))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        drawn = generator.integers(0, len(names), (size, len(names)))
        drawn += np.arange(size)[:, None] * len(names)
        counts = np.bincount(drawn.ravel(), minlength=size * len(names)).reshape(size, len(names))
        yield counts[:, index].astype(np.float64)


def percentile_interval(values: FloatArray, *, confidence: float) -> tuple[float, float] | None:
    """Compute the percentile interval of bootstrap draws.

    Args:
        values: (n_draws,), NaN where not defined.
        confidence: coverage in (0, 1).

    Returns:
        Lower and upper limit; None if fewer than `MIN_DEFINED_SHARE` of the draws are defined.
    """
    defined = values[np.isfinite(values)]
    if len(defined) < MIN_DEFINED_SHARE * len(values) or not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def wilson_interval(positives: float, rows: float) -> tuple[float, float]:
    """Compute the 95% interval of the share `positives / rows` (Wilson, 1927), in [0, 1].

    Weighted rows have an effective number, (sum w)^2 / sum w^2 (Kish, Survey Sampling, 1965).
    """
    z = NORMAL_QUANTILE
    share = positives / rows
    center = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * (share * (1 - share) / rows + z * z / (4 * rows * rows)) ** 0.5
    return max(0.0, center - half), min(1.0, center + half)
