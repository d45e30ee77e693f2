"""Near copies among the images of a data set: candidates, aligned, and verified by their correlation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.images.samples import MIN_CONTRAST
from foldline.leaks.aligned_correlation import SIDE, Matrix, correlation, refined
from foldline.leaks.candidates import IntArray, candidate_pairs, orientations
from foldline.leaks.local_features import summaries
from foldline.leaks.similarity_transform import fit_transform
from foldline.leaks.views import View

# An alignment counts as evidence if the hashes differ in at most this many bits, or if so many features agree.
MAX_BITS, MIN_FEATURES = 24, 12
# Smallest correlation of a near copy, and that where images of the data set look alike to begin with.
LEAST, LEAST_OF_LOOK_ALIKES = 0.95, 0.9995
# If the hashes differ in this many bits at most, less correlation is enough: noise and blur remain of faint images.
FEW_BITS, LEAST_OF_FEW_BITS = 12, 0.8
# An alignment by features is refined if the correlation is at least this.
WORTH_REFINING = 0.7
# Images look alike if more than this share of them correlate as copies do even with the image on this place of their
# candidates, in the order of the correlation.
PLACE, SHARE = 8, 0.05


@dataclass(frozen=True)
class Copies:
    """Near copies.

    Attributes:
        pairs: numbers of the two images, the smaller first, and the bits in which their hashes differ in the
            orientation with the fewest, int64, (n_pairs, 3); sorted.
        scores: correlation of each pair, see `aligned_correlation.correlation`, float64, (n_pairs,).
        least: the correlation that was required.
    """

    pairs: IntArray
    scores: npt.NDArray[np.float64]
    least: float


def near_copies(
    views: Sequence[View], hashes: npt.NDArray[np.uint8], *, own_start: int, further: IntArray, full: bool = True
) -> Copies:
    """Find the pairs of images one of which was made from the other.

    Args:
        views: the images; none of them blank.
        hashes: their perceptual hashes, uint8, (n_images, 32).
        own_start: number of the first image of the own split; pairs of two images before it are not searched.
        further: candidates besides those that are found here, (n, 2), the smaller number first.
        full: whether to find candidates at all; their number grows with that of the images, the time with its square.
    """
    candidates = np.empty((0, 2), np.int64)
    if full and len(views) > 1:
        candidates = candidate_pairs(hashes, summaries([view.features for view in views]), own_start=own_start)
    candidates = np.unique(np.concatenate([candidates, further]), axis=0)
    if not len(candidates):
        return Copies(np.empty((0, 3), np.int64), np.empty(0), LEAST)
    symmetries, bits = orientations(hashes, candidates)
    scores = np.zeros(len(candidates))
    for number, (first, second) in enumerate(candidates):
        left, right = views[first], views[second]
        if bits[number] <= MAX_BITS:
            scores[number] = _channel_correlation(left, right, SYMMETRIES[symmetries[number]])
        if scores[number] < LEAST_OF_LOOK_ALIKES:
            scores[number] = max(scores[number], _correlation_by_features(left, right))
    least = required_correlation(candidates, scores)
    enough = np.where((bits <= FEW_BITS) & (least == LEAST), LEAST_OF_FEW_BITS, least)
    found = scores >= enough
    return Copies(np.column_stack([candidates, bits])[found], scores[found], least)


def required_correlation(pairs: IntArray, scores: npt.NDArray[np.float64]) -> float:
    """Correlation from which a pair is a near copy, by what images of this kind have in common anyway.

    Args:
        pairs: numbers of two images, int64, (n_pairs, 2).
        scores: their correlation, float64, (n_pairs,).

    Returns:
        `LEAST` or `LEAST_OF_LOOK_ALIKES`.
    """
    images = np.concatenate([pairs[:, 0], pairs[:, 1]])
    both = np.concatenate([scores, scores])
    order = np.lexsort((-both, images))
    images, both = images[order], both[order]
    start = np.flatnonzero(np.r_[True, images[1:] != images[:-1]])
    counts = np.diff(np.r_[start, len(images)])
    look_alikes = both[start[counts >= PLACE] + PLACE - 1]
    if not len(look_alikes):
        return LEAST
    level = float(np.quantile(look_alikes, 1 - SHARE, method="lower"))
    return LEAST if level < LEAST else LEAST_OF_LOOK_ALIKES


def _channel_correlation(left: View, right: View, matrix: Matrix) -> float:
    """The smallest correlation of a channel that shows anything in one of the images."""
    shown = np.flatnonzero(np.maximum(left.contrast, right.contrast) >= MIN_CONTRAST)
    return min(correlation(left.frames[channel], right.frames[channel], matrix) for channel in shown)


def _correlation_by_features(left: View, right: View) -> float:
    """The same, aligned by local features; 0 if too few of them agree."""
    transform = fit_transform(left.features, right.features, width=left.size[1], least=MIN_FEATURES)
    if transform is None:
        return 0.0
    whole = np.vstack([transform.matrix, [0.0, 0.0, 1.0]])
    matrix = (_to_frame(right.size) @ whole @ np.linalg.inv(_to_frame(left.size)))[:2]
    score = _channel_correlation(left, right, matrix)
    if WORTH_REFINING <= score < LEAST_OF_LOOK_ALIKES:
        channel = int(np.argmax(np.minimum(left.contrast, right.contrast)))
        better = refined(left.frames[channel], right.frames[channel], matrix)
        score = max(score, _channel_correlation(left, right, better))
    return score


def _to_frame(size: tuple[int, int]) -> Matrix:
    """Map from the pixels of an image of a height and width to those of a frame, (3, 3); centers are whole numbers."""
    down, right = SIDE / size[0], SIDE / size[1]
    return np.array([[right, 0.0, (right - 1) / 2], [0.0, down, (down - 1) / 2], [0.0, 0.0, 1.0]])


def _symmetry(number: int) -> Matrix:
    """Map a frame under a symmetry, in the order of `perceptual_hash.symmetric_hashes`, (2, 3).

    The number has three binary digits: transposed, then turned upside down, then mirrored left to right.
    """
    last = SIDE - 1.0
    matrix = np.eye(3)
    if number & 4:
        matrix = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) @ matrix
    if number & 2:
        matrix = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, last], [0.0, 0.0, 1.0]]) @ matrix
    if number & 1:
        matrix = np.array([[-1.0, 0.0, last], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ matrix
    return matrix[:2]


SYMMETRIES = [_symmetry(number) for number in range(8)]
