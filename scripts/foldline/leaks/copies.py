"""Near copies among the images of a data set: candidates, aligned, and verified by their pixels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from foldline.images.samples import MIN_CONTRAST
from foldline.leaks.aligned_correlation import SIDE, Matrix, correlation, disagreement, evidence, inverse, refined
from foldline.leaks.candidates import (
    ComparedPatterns,
    Hypotheses,
    IntArray,
    candidate_pairs,
    compared,
    hypotheses,
    orientations,
)
from foldline.leaks.detail import Details, details_of
from foldline.leaks.local_features import summaries
from foldline.leaks.patterns import part_matrix, patterns_of
from foldline.leaks.similarity_transform import fit_transform
from foldline.leaks.views import View

# An alignment is looked at if the patterns of the images, or those of a part, are so much alike, if the hashes differ
# in so few bits, or if so many features agree.
ALIKE, ALIKE_PARTS, MAX_BITS, MIN_FEATURES = 0.3, 0.5, 24, 5
# An alignment is refined if the correlation of half of the image is at least this.
WORTH_REFINING, WORTH_REFINING_PARTS = 0.5, 0.4
# Least evidence, in nats, of an alignment whose details are looked at.
LEAST_EVIDENCE = 3.0
# Images look alike if more than the share of them correlates so much even with the image on this place of their
# candidates, in the order of the correlation.
LOOK_ALIKE, PLACE, SHARE = 0.95, 8, 0.05
# Where images look alike, copies correlate so much in half of the image and disagree in so little, in all details or
# where frames are blurred by so many pixels more.
LEAST_CORRELATION, MOST_DISAGREEMENT, MOST_BLURRED, MORE_BLUR = 0.95, 0.026, 0.0195, 1.2


@dataclass(frozen=True)
class _Rule:
    """What copies have at least: product of details, evidence in nats, and local features that agree."""

    product: float
    evidence: float
    features: int


# Found on data of three kinds: of unrelated images, the product is below .47 if they are not aligned by what they show,
# and larger ones have few features or little evidence: two images with a corner of a nucleus, or with equal rulers.
RULES = {
    "symmetry": (_Rule(0.48, LEAST_EVIDENCE, 0), _Rule(0.32, LEAST_EVIDENCE, 6)),
    "features": (_Rule(0.5, LEAST_EVIDENCE, 8), _Rule(0.3, 25.0, 10), _Rule(0.85, 10.0, MIN_FEATURES)),
    "part": (_Rule(0.92, 6.0, 0),),
}
# Smooth images are copies if they correlate so much, with so many features and so much evidence.
SMOOTH_CORRELATION, SMOOTH_FEATURES, SMOOTH_EVIDENCE = 0.95, 12, 20.0


@dataclass(frozen=True)
class Copies:
    """Near copies.

    Attributes:
        pairs: numbers of the two images, the smaller first, and the bits in which their hashes differ in the
            orientation with the fewest, int64, (n_pairs, 3); sorted.
        look_alike: whether images of the data look alike to begin with, so that more was required.
    """

    pairs: IntArray
    look_alike: bool


@dataclass(frozen=True)
class _Alignment:
    """How the second image of a pair may show what the first one shows.

    Attributes:
        kind: "symmetry", "part" or "features".
        matrix: maps pixels of the frame of the first image to those of the second.
        features: local features that agree.
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
        return Copies(np.empty((0, 3), np.int64), False)
    patterns = compared(patterns_of([view.frames.mean(axis=0) for view in views]))
    candidates = _candidates(views, patterns, own_start) if full else np.empty((0, 2), np.int64)
    candidates = np.unique(np.concatenate([candidates, further]), axis=0)
    details = details_of([frame for view in views for frame in view.frames])
    bits = orientations(hashes, candidates)[1]
    alike = hypotheses(patterns, candidates)
    found = np.zeros(len(candidates), bool)
    scores, matrices = np.zeros(len(candidates)), []
    for number, (first, second) in enumerate(candidates):
        pair = views[first], views[second]
        alignments = list(_alignments(*pair, alike, number, int(bits[number])))
        found[number] = any(_agree_in_detail(*pair, alignment, details) for alignment in alignments)
        whole = [alignment.matrix for alignment in alignments if alignment.kind != "part"]
        scores[number] = max((_least(*pair, matrix, correlation) for matrix in whole), default=0)
        matrices.append(whole)
    look_alike = images_look_alike(candidates, scores)
    if look_alike:
        pairs = ((views[first], views[second]) for first, second in candidates)
        found[:] = [
            any(_agree_closely(*pair, matrix) for matrix in whole) for pair, whole in zip(pairs, matrices, strict=True)
        ]
    return Copies(np.column_stack([candidates, bits])[found], look_alike)


def images_look_alike(pairs: IntArray, scores: npt.NDArray[np.float64]) -> bool:
    """Whether images have so much in common that correlation alone does not tell copies.

    Args:
        pairs: numbers of two images, int64, (n_pairs, 2).
        scores: their correlation, float64, (n_pairs,).
    """
    images = np.concatenate([pairs[:, 0], pairs[:, 1]])
    both = np.concatenate([scores, scores])
    order = np.lexsort((-both, images))
    images, both = images[order], both[order]
    start = np.flatnonzero(np.r_[True, images[1:] != images[:-1]])
    counts = np.diff(np.r_[start, len(images)])
    look_alikes = both[start[counts >= PLACE] + PLACE - 1]
    return len(look_alikes) > 0 and float(np.quantile(look_alikes, 1 - SHARE, method="lower")) >= LOOK_ALIKE


def _candidates(views: Sequence[View], patterns: ComparedPatterns, own_start: int) -> IntArray:
    return candidate_pairs(patterns, summaries([view.features for view in views]), own_start=own_start)


def _alignments(left: View, right: View, alike: Hypotheses, number: int, bits: int) -> Iterator[_Alignment]:
    """Yield the alignments of a pair that are worth a look."""
    transform = fit_transform(left.features, right.features, width=left.size[1])
    features = transform.inliers if transform is not None else 0
    if alike.alike[number] > ALIKE or bits <= MAX_BITS:
        yield _Alignment("symmetry", SYMMETRIES[alike.symmetries[number]], features, bits)
    if transform is not None and features >= MIN_FEATURES:
        whole = np.vstack([transform.matrix, [0.0, 0.0, 1.0]])
        matrix = (_to_frame(right.size) @ whole @ np.linalg.inv(_to_frame(left.size)))[:2]
        yield _Alignment("features", _better(left, right, matrix, WORTH_REFINING), features, bits)
    if alike.alike_parts[number] > ALIKE_PARTS:
        matrix = part_matrix(alike.parts[number])
        matrix = inverse(matrix) if alike.part_of_second[number] else matrix
        yield _Alignment("part", _better(left, right, matrix, WORTH_REFINING_PARTS), features, bits)


def _better(left: View, right: View, matrix: Matrix, worth: float) -> Matrix:
    """Refine a matrix by the channel that shows most, if that helps."""
    channel = int(np.argmax(np.minimum(left.contrast, right.contrast)))
    frames = left.frames[channel], right.frames[channel]
    if correlation(*frames, matrix, covered=0.5) < worth:
        return matrix
    better = refined(*frames, matrix)
    return better if correlation(*frames, better) > correlation(*frames, matrix) else matrix


def _agree_in_detail(left: View, right: View, alignment: _Alignment, details: Details) -> bool:
    """Whether the images are copies if images do not look alike to begin with."""
    proof = _least(left, right, alignment.matrix, evidence)
    if proof < LEAST_EVIDENCE:
        return False
    product = _least(left, right, alignment.matrix, details.product)
    rules = RULES[alignment.kind]
    if any(product > rule.product and proof > rule.evidence and alignment.features >= rule.features for rule in rules):
        return True
    # Smooth images have no details.
    known = alignment.features >= SMOOTH_FEATURES or (alignment.kind == "symmetry" and alignment.bits <= MAX_BITS)
    return known and proof > SMOOTH_EVIDENCE and _least(left, right, alignment.matrix, correlation) > SMOOTH_CORRELATION


def _agree_closely(left: View, right: View, matrix: Matrix) -> bool:
    """Whether the images are copies even if images look alike."""
    shown = _shown(left, right)
    halves = [correlation(left.frames[one], right.frames[one], matrix, covered=0.5) for one in shown]
    if min(halves) < LEAST_CORRELATION:
        return False
    if max(disagreement(left.frames[one], right.frames[one], matrix) for one in shown) < MOST_DISAGREEMENT:
        return True
    blurred = [
        [np.asarray(cv2.GaussianBlur(view.frames[one], (0, 0), MORE_BLUR), np.float32) for view in (left, right)]
        for one in shown
    ]
    return max(disagreement(first, second, matrix) for first, second in blurred) < MOST_BLURRED


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
