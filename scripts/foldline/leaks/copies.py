"""Near copies among the images of a data set: candidates, aligned, and verified by their details."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.images.perceptual_hash import HASH_BITS
from foldline.images.samples import MIN_CONTRAST
from foldline.leaks.aligned_correlation import COVERED, SIDE, Matrix, correlation, refined
from foldline.leaks.candidates import IntArray, candidate_pairs, orientations
from foldline.leaks.closeness import differ_little
from foldline.leaks.details import Details
from foldline.leaks.similar_groups import strict_pairs
from foldline.leaks.similarity_transform import fit_transform
from foldline.leaks.views import View

# An alignment is looked at if the hashes differ in at most this many bits, or if so many features agree.
MAX_BITS, MIN_FEATURES = 80, 8
# Evidence of a near copy in standard deviations, see `details.Details`; if the hashes differ in so few bits or so many
# features agree, and if the hashes differ in even fewer bits, less is enough.
EVIDENCE, EVIDENCE_IF_LIKELY, EVIDENCE_IF_ALIKE = 10.0, 8.0, 5.0
FEW_BITS, MANY_FEATURES, SAME_BITS = 24, 12, 12
# So little evidence is enough if nearly all pixels agree: an overlay outweighs the details of a faint image.
LITTLE_EVIDENCE, ALMOST_EQUAL = 3.0, 0.9995
# Smallest correlation of an alignment by features that is worth to be refined, and of a near copy; and that of a near
# copy among images that look alike.
WORTH_REFINING, LEAST, LEAST_OF_LOOK_ALIKES = 0.7, 0.6, 0.9
# The share of the blocks that need not agree among look-alikes.
HALF = 0.5
# If nearly all images are copies of one, or if an image is smooth, there are no details to compare: hashes that differ
# in `SAME_BITS` at most are enough, if all but this share of the picture correlate so much.
ANYWHERE, SAME_EVERYWHERE = 0.03, 0.98


@dataclass(frozen=True)
class Copies:
    """Near copies.

    Attributes:
        pairs: numbers of the two images, the smaller first, and the bits in which their hashes differ in the
            orientation with the fewest, int64, (n_pairs, 3); sorted.
        similar: number of images that look so much like many others that they were judged more strictly.
        left_out: number of pairs that were left out by that.
    """

    pairs: IntArray
    similar: int = 0
    left_out: int = 0


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
        candidates = candidate_pairs(hashes, [view.features for view in views], own_start=own_start)
    candidates = np.unique(np.concatenate([candidates, further]), axis=0)
    if not len(candidates):
        return Copies(np.empty((0, 3), np.int64))
    symmetries, bits = orientations(hashes, candidates)
    details = Details([view.frames for view in views], [view.contrast for view in views])
    agreeing: dict[int, Matrix] = {}
    for number, (first, second) in enumerate(candidates):
        symmetry = SYMMETRIES[symmetries[number]]
        matrix = _agreeing_alignment(views, details, (first, second), symmetry, int(bits[number]))
        if matrix is not None:
            agreeing[number] = matrix
    found = np.array(list(agreeing), np.int64)

    def agree_closely(row: int) -> bool:
        first, second = candidates[found[row]]
        return _agree_closely(views[first], views[second], agreeing[int(found[row])])

    kept, similar = strict_pairs(candidates[found], agree_closely, count=len(views))
    return Copies(np.column_stack([candidates, bits])[found[kept]], similar, len(found) - int(kept.sum()))


def _agreeing_alignment(
    views: Sequence[View], details: Details, pair: tuple[int, int], symmetry: Matrix, bits: int
) -> Matrix | None:
    """An alignment in which the images of a pair agree as copies do; None if they agree in none.

    Args:
        views: all images.
        details: of all images.
        pair: numbers of two images.
        symmetry: the map in which their hashes are nearest.
        bits: in which their hashes differ then.
    """
    left, right = views[pair[0]], views[pair[1]]
    shown = _shown(left, right)

    def agree(matrix: Matrix, least: float, features: int = 0) -> bool:
        evidence = details.evidence(*pair, matrix, shown)
        if evidence < LITTLE_EVIDENCE:
            return False
        if evidence >= least:
            return _least_correlation(left, right, matrix) >= LEAST
        least = LEAST_OF_LOOK_ALIKES if features >= MANY_FEATURES else ALMOST_EQUAL
        return _agree_closely(left, right, matrix, least=least)

    same = bits <= SAME_BITS and _least_correlation(left, right, symmetry, covered=ANYWHERE) >= SAME_EVERYWHERE
    if same or (bits <= MAX_BITS and agree(symmetry, _enough(bits, 0))):
        return symmetry
    transform = fit_transform(left.features, right.features, width=left.size[1], least=MIN_FEATURES)
    if transform is None:
        return None
    whole = np.vstack([transform.matrix, [0.0, 0.0, 1.0]])
    matrix = (_to_frame(right.size) @ whole @ np.linalg.inv(_to_frame(left.size)))[:2]
    score = _least_correlation(left, right, matrix)
    if score >= WORTH_REFINING:
        better = _refined(left, right, matrix)
        matrix = better if _least_correlation(left, right, better) > score else matrix
    return matrix if agree(matrix, _enough(HASH_BITS, transform.inliers), transform.inliers) else None


def _enough(bits: int, features: int) -> float:
    """Evidence that is enough for an alignment, by the bits in which the hashes differ or the features that agree."""
    if bits <= SAME_BITS:
        return EVIDENCE_IF_ALIKE
    return EVIDENCE_IF_LIKELY if bits <= FEW_BITS or features >= MANY_FEATURES else EVIDENCE


def _agree_closely(left: View, right: View, matrix: Matrix, *, least: float = LEAST_OF_LOOK_ALIKES) -> bool:
    """Whether the images are copies even if images look alike, and correlate so much."""

    def agree(aligned: Matrix) -> bool:
        if _least_correlation(left, right, aligned, covered=HALF) < least:
            return False
        for channel in _shown(left, right):
            first, second = (view.frames[channel] * np.float32(view.contrast[channel] + 2) for view in (left, right))
            if not differ_little(first, second, aligned):
                return False
        return True

    return agree(matrix) or ((matrix != np.rint(matrix)).any() and agree(_refined(left, right, matrix)))


def _refined(left: View, right: View, matrix: Matrix) -> Matrix:
    """The alignment, improved by the pixels of the channel that shows most."""
    channel = int(np.argmax(np.minimum(left.contrast, right.contrast)))
    return refined(left.frames[channel], right.frames[channel], matrix)


def _shown(left: View, right: View) -> IntArray:
    """The channels that show anything in one of the images."""
    return np.flatnonzero(np.maximum(left.contrast, right.contrast) >= MIN_CONTRAST)


def _least_correlation(left: View, right: View, matrix: Matrix, *, covered: float = COVERED) -> float:
    """The smallest correlation of a channel that shows anything in one of the images."""
    shown = _shown(left, right)
    return min(correlation(left.frames[one], right.frames[one], matrix, covered=covered) for one in shown)


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
