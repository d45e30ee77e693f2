"""How little two aligned images differ, for images that look alike to begin with."""

import cv2
import numpy as np
import numpy.typing as npt

from foldline.leaks.aligned_correlation import BLOCK, MIN_BLOCKS, SIDE, FloatArray, Matrix, blocks_of, inside
from foldline.leaks.aligned_correlation import block_correlations as correlations

# Correlation of a block that an overlay does not cover, and the number of them from which tones are fitted.
AGREEING, MIN_AGREEING = 0.5, 4
# Samples by which a block varies that shows anything: all blocks without agree.
SHOWN = 1.0
# Pixels at the border that a blur has changed, and the share of pixels of a block that are left without them.
MARGIN, HALF = 3.0, 0.5
# Blurs in pixels of a frame by which a copy may differ, and samples that noise and rounding leave unexplained.
BLURS, FAINT = (0.0, 0.35, 0.6, 0.85, 1.1, 1.4), 4.0
SMOOTH_WARPING = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
# Copies differ by at most this much, where both frames are blurred by so many pixels: noise and compression change the
# finest details, another object also coarser ones.
MOST = ((0.0, 0.028), (1.2, 0.0185), (2.0, 0.015))
# Frames that differ more are not blurred: it does not bring them so close.
WORTH_BLURRING = 0.08


def differ_little(first: FloatArray, second: FloatArray, matrix: Matrix) -> bool:
    """Whether two frames, in samples of 0..255, differ no more than an image and its copy; see `difference`."""
    for blur, most in MOST:
        frames = [_blurred(frame, blur) for frame in (first, second)]
        found = difference(frames[0], frames[1], matrix, enough=most)
        if found <= most or found > WORTH_BLURRING:
            return found <= most
    return False


def difference(first: FloatArray, second: FloatArray, matrix: Matrix, *, enough: float = 0.0) -> float:
    """How much two frames differ, the second one mapped to the first, the sharper one blurred as the other is.

    Args:
        first: a frame in samples of 0..255.
        second: another one.
        matrix: as for `aligned_correlation.correlation`.
        enough: the search for the best blur and tones ends at so little.

    Returns:
        The median over blocks of the standard deviation that a linear relation leaves unexplained, relative to the
        contrast and a few samples of noise; at least 0. 1 if the images overlap in less than a third.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP if (matrix == np.rint(matrix)).all() else SMOOTH_WARPING
    warped = cv2.warpAffine(second, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    moved = np.asarray(warped, np.float32)
    values, _ = correlations(blocks_of(first), blocks_of(moved))
    both = inside(matrix, margin=MARGIN) & inside(np.eye(2, 3), margin=MARGIN)
    compared = blocks_of(both.astype(np.float32))
    counted = (compared.mean(axis=1) > HALF) & (blocks_of(first).std(axis=1) > SHOWN)
    agree = counted & (values >= max(AGREEING, float(np.median(values))))
    if counted.sum() < MIN_BLOCKS or agree.sum() < MIN_AGREEING:
        return 1.0
    best = _least_unexplained(first, moved, compared, counted, enough)
    if best > enough:
        toned = _tones(blocks_of(moved)[agree], blocks_of(first)[agree], moved)
        best = min(best, _least_unexplained(first, toned, compared, counted, enough))
    return best


def _least_unexplained(
    first: FloatArray, second: FloatArray, compared: FloatArray, counted: npt.NDArray[np.bool_], enough: float
) -> float:
    """The least that is unexplained for any blur of the sharper frame."""
    sharp, other = sorted((first, second), key=_sharpness, reverse=True)
    others, best = blocks_of(other)[counted], 1.0
    for blur in BLURS:
        rest = _unexplained(blocks_of(_blurred(sharp, blur))[counted], others, compared[counted])
        if rest > best:
            break
        best = rest
        if best <= enough:
            break
    return best


def _blurred(image: FloatArray, radius: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), radius) if radius else image, np.float32)


def _sharpness(image: FloatArray) -> float:
    """The share of the variance that the finest details have."""
    middle = image[BLOCK:-BLOCK, BLOCK:-BLOCK]
    return float(np.asarray(cv2.Laplacian(image, cv2.CV_32F))[BLOCK:-BLOCK, BLOCK:-BLOCK].var() / (middle.var() + 1))


def _tones(values: FloatArray, wanted: FloatArray, image: FloatArray) -> FloatArray:
    """Change the tones of an image by the cubic that maps values best to the wanted ones: another gamma."""
    center, scale = values.mean(), values.std() + 1e-3
    tones = np.polynomial.polynomial.polyfit(((values - center) / scale).ravel(), wanted.ravel(), 3)
    return np.asarray(np.polynomial.polynomial.polyval(np.clip((image - center) / scale, -3, 3), tones), np.float32)


def _unexplained(first: FloatArray, second: FloatArray, weights: FloatArray) -> float:
    """The median over blocks of what total least squares leaves, see `difference`."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    first = first - (first * weights).sum(axis=1, keepdims=True)
    second = second - (second * weights).sum(axis=1, keepdims=True)
    own, other = (weights * first**2).sum(axis=1), (weights * second**2).sum(axis=1)
    both = (weights * first * second).sum(axis=1)
    rest = np.maximum((own + other) - np.sqrt((own - other) ** 2 + 4 * both**2), 0) / 2
    rest = np.where(both < 0, np.maximum(own, other), rest)
    return float(np.median(np.sqrt(rest) / (np.sqrt(np.minimum(own, other)) + FAINT)))
