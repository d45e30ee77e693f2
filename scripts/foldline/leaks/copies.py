"""Near copies among the images of a data set: candidates, aligned, and verified by their pixels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee

import cv2
import numpy as np
import numpy.typing as npt

from foldline.images.samples import MIN_CONTRAST
from foldline.leaks.aligned_correlation import SIDE, Matrix, correlation, disagreement, inverse, refined
from foldline.leaks.candidates import (
    ComparedPatterns,
    Hypotheses,
    IntArray,
    candidate_pairs,
    compared,
    hypotheses,
    orientations,
)
from foldline.leaks.detail import ENOUGH, Background, background_of, random_pairs
from foldline.leaks.local_features import FloatArray, summaries
from foldline.leaks.patterns import part_matrix, patterns_of
from foldline.leaks.similar_groups import strict_pairs
from foldline.leaks.similarity_transform import fit_transform
from foldline.leaks.views import View

# An alignment is looked at if the patterns of the images, or those of a part, are so much alike, if the hashes differ
# in so few bits, or if so many features agree.
ALIKE, ALIKE_PARTS, MAX_BITS, MIN_FEATURES = 0.3, 0.5, 24, 6
# A part is looked at if it is so much more alike than the whole.
MORE_ALIKE = 0.05
# Without so much correlation in half of the image, images are no copies.
LEAST_ALIKE = 0.3
# Random pairs in which features are compared, and deviations of the lower half of them that more than usual is.
FEATURE_PAIRS, FEATURE_DEVIATIONS = 60, 3.0
# An alignment is refined if the correlation of half of the image is at least this.
WORTH_REFINING, WORTH_REFINING_PARTS = 0.5, 0.4
# Copies of images that look alike correlate so much in half of the image and disagree in so little, in all details or
# where frames are blurred by so many pixels more.
LEAST_CORRELATION, MOST_DISAGREEMENT, MOST_BLURRED, MORE_BLUR = 0.95, 0.026, 0.0195, 1.2
# Frames that disagree more are not blurred: it does not bring them so close.
WORTH_BLURRING = 0.08
# That is enough for images whose details agree no more than usual, if so many blocks do.
CLOSE_PRODUCT, CLOSE_BLOCKS, CLOSE_UNCOVERED = 0.3, 28, 0.8


@dataclass(frozen=True)
class _Rule:
    """What copies have at least, see `detail.Agreement`; and local features that agree."""

    product: float
    blocks: int
    share: float
    features: int
    uncovered: float


# Chosen on 400 tiles of cells with 25 copies of each kind (tests/benchmark/planted_leaks.py, seed 0) and on sets
# without copies: images with one frame, plots, noise.
_MANY_BLOCKS = (_Rule(0.6, 30, 0.7, 0, 0.85), _Rule(0.4, 24, 0.45, 4, 0.85))
_MANY_FEATURES = _Rule(0.32, 8, 0.45, 8, 0.8)
RULES = {
    "symmetry": (_Rule(0.75, 8, 0.5, 0, 0), *_MANY_BLOCKS, _MANY_FEATURES),
    "features": (_Rule(0.9, 12, 0.5, 0, 0), *_MANY_BLOCKS, _MANY_FEATURES),
    "part": (_Rule(0.85, 12, 0.7, 0, 0),),
}
# Smooth images have few details: they are copies if they correlate so much, and so many features agree or their hashes
# differ in so few bits, and their details agree almost as much.
SMOOTH_CORRELATION, SMOOTH_FEATURES, SMOOTH_BITS, ALMOST = 0.9, 12, 12, 0.8
# If nearly all images are copies of one, they have all in common: so much correlation of all but this share of the
# picture is enough.
SAME_EVERYWHERE, ANYWHERE = 0.95, 0.03


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


@dataclass(frozen=True)
class _Alignment:
    """How the second image of a pair may show what the first one shows.

    Attributes:
        kind: "symmetry", "part" or "features".
        matrix: maps pixels of the frame of the first image to those of the second.
        features: local features that agree, beyond those that unrelated images share.
        bits: in which the hashes differ.
    """

    kind: str
    matrix: Matrix
    features: int
    bits: int


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
    if len(views) < 2:
        return Copies(np.empty((0, 3), np.int64))
    patterns = compared(patterns_of([view.frames.mean(axis=0) for view in views]))
    candidates = _candidates(views, patterns, own_start) if full else np.empty((0, 2), np.int64)
    candidates = np.unique(np.concatenate([candidates, further]), axis=0)
    background = background_of([view.frames for view in views])
    bits = orientations(hashes, candidates)[1]
    alike = hypotheses(patterns, candidates)
    shared = usual_features(views)

    def alignments(number: int) -> Iterator[_Alignment]:
        first, second = candidates[number]
        return _alignments(views[first], views[second], alike, number, int(bits[number]), shared)

    # The alignments of each pair that was found, computed once.
    tried = dict[int, Iterator[_Alignment]]()
    for number, (first, second) in enumerate(candidates):
        of_pair, again = tee(alignments(number))
        if any(_agree_in_detail(views[first], views[second], one, background) for one in of_pair):
            tried[number] = again
    found = np.array(list(tried), np.int64)

    def agree_closely(row: int) -> bool:
        first, second = candidates[found[row]]
        return any(_agree_closely(views[first], views[second], one.matrix) for one in tried[int(found[row])])

    kept, similar = strict_pairs(candidates[found], agree_closely, count=len(views))
    return Copies(np.column_stack([candidates, bits])[found[kept]], similar, len(found) - int(kept.sum()))


def _candidates(views: Sequence[View], patterns: ComparedPatterns, own_start: int) -> IntArray:
    return candidate_pairs(patterns, summaries([view.features for view in views]), own_start=own_start)


def usual_features(views: Sequence[View]) -> int:
    """The number of local features that agree in unrelated images, of what images of the data have in common."""
    if len(views) < ENOUGH:
        return 0
    pairs = random_pairs(len(views))[:FEATURE_PAIRS]
    inliers = [_inliers(views[first], views[second]) for first, second in pairs]
    median, low = np.quantile(inliers, (0.5, 0.16)) if inliers else (0, 0)
    return int(median + FEATURE_DEVIATIONS * (median - low))


def _inliers(left: View, right: View) -> int:
    transform = fit_transform(left.features, right.features, width=left.size[1])
    return transform.inliers if transform is not None else 0


def _alignments(
    left: View, right: View, alike: Hypotheses, number: int, bits: int, shared: int
) -> Iterator[_Alignment]:
    """Yield the alignments of a pair that are worth a look, the ones that take least time first."""
    symmetry = SYMMETRIES[alike.symmetries[number]]
    if bits <= MAX_BITS:
        yield _Alignment("symmetry", symmetry, 0, bits)
    transform = fit_transform(left.features, right.features, width=left.size[1])
    found = transform.inliers if transform is not None else 0
    features = max(0, found - shared)
    if alike.alike[number] > ALIKE:
        yield _Alignment("symmetry", symmetry, features, bits)
    if transform is not None and found >= MIN_FEATURES:
        whole = np.vstack([transform.matrix, [0.0, 0.0, 1.0]])
        matrix = (_to_frame(right.size) @ whole @ np.linalg.inv(_to_frame(left.size)))[:2]
        yield _Alignment("features", _better(left, right, matrix, WORTH_REFINING), features, bits)
    if alike.alike_parts[number] > max(ALIKE_PARTS, alike.alike[number] + MORE_ALIKE):
        matrix = part_matrix(alike.parts[number])
        matrix = inverse(matrix) if alike.part_of_second[number] else matrix
        yield _Alignment("part", _better(left, right, matrix, WORTH_REFINING_PARTS), features, bits)


def _better(left: View, right: View, matrix: Matrix, worth: float) -> Matrix:
    """Refine a matrix by the channel that shows most, if that helps."""
    channel = int(np.argmax(np.minimum(left.contrast, right.contrast)))
    frames = left.frames[channel], right.frames[channel]
    before = correlation(*frames, matrix, covered=0.5)
    if before < worth:
        return matrix
    better = refined(*frames, matrix)
    return better if correlation(*frames, better, covered=0.5) > before else matrix


def _agree_in_detail(left: View, right: View, alignment: _Alignment, background: Background) -> bool:
    """Whether the images are copies if they do not look alike to begin with."""
    if _least(left, right, alignment.matrix, _in_half) < LEAST_ALIKE:
        return False
    found = background.agreement(left.frames, right.frames, alignment.matrix, _shown(left, right))
    for rule in RULES[alignment.kind]:
        enough = found.blocks >= rule.blocks and found.share >= rule.share and alignment.features >= rule.features
        if enough and found.uncovered >= rule.uncovered and found.product >= max(rule.product, background.usual):
            return True
    if found.product >= CLOSE_PRODUCT and found.blocks >= CLOSE_BLOCKS and found.uncovered >= CLOSE_UNCOVERED:
        return _agree_closely(left, right, alignment.matrix)
    if alignment.kind == "part":
        return False
    if alignment.bits <= SMOOTH_BITS and _least(left, right, alignment.matrix, _everywhere) >= SAME_EVERYWHERE:
        return True
    known = alignment.features >= SMOOTH_FEATURES or (alignment.kind == "symmetry" and alignment.bits <= SMOOTH_BITS)
    if not known or found.product < ALMOST * background.usual:
        return False
    return _least(left, right, alignment.matrix, correlation) >= SMOOTH_CORRELATION


def _in_half(first: FloatArray, second: FloatArray, matrix: Matrix) -> float:
    """The correlation of half of the blocks."""
    return correlation(first, second, matrix, covered=0.5)


def _everywhere(first: FloatArray, second: FloatArray, matrix: Matrix) -> float:
    """The correlation of nearly all blocks."""
    return correlation(first, second, matrix, covered=ANYWHERE)


def _agree_closely(left: View, right: View, matrix: Matrix) -> bool:
    """Whether the images are copies even if images look alike."""
    if _least(left, right, matrix, _in_half) < LEAST_CORRELATION:
        return False
    shown = _shown(left, right)
    sharp = [disagreement(left.frames[one], right.frames[one], matrix, enough=MOST_DISAGREEMENT) for one in shown]
    if max(sharp) <= MOST_DISAGREEMENT or max(sharp) > WORTH_BLURRING:
        return max(sharp) <= MOST_DISAGREEMENT
    blurred = [
        [np.asarray(cv2.GaussianBlur(view.frames[one], (0, 0), MORE_BLUR), np.float32) for view in (left, right)]
        for one in shown
    ]
    return max(disagreement(one, other, matrix, enough=MOST_BLURRED) for one, other in blurred) <= MOST_BLURRED


def _shown(left: View, right: View) -> IntArray:
    """The channels that show anything in one of the images."""
    return np.flatnonzero(np.maximum(left.contrast, right.contrast) >= MIN_CONTRAST)


def _least(left: View, right: View, matrix: Matrix, measure: Callable[..., float]) -> float:
    """The smallest value of a measure of two aligned frames, of all channels that show anything."""
    return min(measure(left.frames[one], right.frames[one], matrix) for one in _shown(left, right))


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
