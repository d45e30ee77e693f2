"""How much two aligned images agree, block by block."""

from contextlib import suppress

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

# Side of a frame and of a block in pixels: a copy at a quarter of the size, or blurred, still agrees.
SIDE, BLOCK = 64, 8
# A block counts if this share of it is inside both images; a pair counts with this many blocks, a third of the frame.
INSIDE, MIN_BLOCKS = 0.95, 21
# The share of blocks, weighted by their contrast, that may be covered by a text, a ruler or the corners of a rotation.
COVERED = 0.3
# Contrast of a block, in samples of 0..255, that noise alone has.
NOISE = 0.5
# Correlation of a block that an overlay does not cover, for a better alignment.
AGREEING = 0.5
# Agreeing blocks of a comparison in detail.
MIN_AGREEING = 4
# Pixels at the border that a blur has changed, and the share of pixels of a block that are left without them.
MARGIN, HALF = 3.0, 0.5
# Blurs in pixels of a frame by which a copy may differ, and samples that noise and rounding leave unexplained.
BLURS, FAINT = (0.0, 0.35, 0.6, 0.85, 1.1, 1.4), 4.0
# An alignment by features is a pixel off at most.
REFINING = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-4)
WARPING = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
SMOOTH_WARPING = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP


def correlation(first: FloatArray, second: FloatArray, matrix: Matrix, *, covered: float = COVERED) -> float:
    """Compare two frames, the second one mapped to the first.

    Args:
        first: a frame, float32, (`SIDE`, `SIDE`), in samples of 0..255.
        second: another one.
        matrix: float64, (2, 3): maps pixels (x, y, 1) of the first frame to pixels of the second.
        covered: share of the blocks, weighted by their contrast, that need not agree.

    Returns:
        In [-1, 1]: the correlation that all but the best blocks, those beyond the share 1 - `covered`, reach at most.
        Blocks are weighted by their contrast in the image that has less of it. 0 if the images overlap in less than a
        third, or show nothing.
    """
    counted = _counted(matrix)
    if counted.sum() < MIN_BLOCKS:
        return 0.0
    values, weights = _block_correlations(blocks_of(first)[counted], blocks_of(mapped(second, matrix))[counted])
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, covered * total[-1])]) if total[-1] > 0 else 0.0


def refined(first: FloatArray, second: FloatArray, matrix: Matrix) -> Matrix:
    """Improve an alignment by the pixels themselves (ECC: Evangelidis and Psarakis, PAMI 30, 2008).

    Args:
        first: a frame.
        second: another one.
        matrix: as for `correlation`.

    Returns:
        The better matrix, or the same one if that fails.
    """
    start = inverse(matrix).astype(np.float32)
    with suppress(cv2.error):
        _, better = cv2.findTransformECC(
            second,
            first,
            start,
            cv2.MOTION_AFFINE,
            REFINING,
            inputMask=np.ones((SIDE, SIDE), np.uint8),
            gaussFiltSize=1,
        )
        return inverse(np.asarray(better, np.float64))
    return matrix


def disagreement(first: FloatArray, second: FloatArray, matrix: Matrix, *, enough: float = 0.0) -> float:
    """How much two frames differ, the second one mapped to the first, the sharper one blurred as the other is.

    Args:
        first: a frame.
        second: another one.
        matrix: as for `correlation`.
        enough: the search for the best blur and tones ends at so little.

    Returns:
        The median over blocks of the standard deviation that a linear relation leaves unexplained, relative to the
        contrast and a few samples of noise; at least 0. 1 if the images overlap in less than a third.
    """
    moved = mapped(second, matrix)
    values, _ = _block_correlations(blocks_of(first), blocks_of(moved))
    both = inside(matrix, margin=MARGIN) & inside(np.eye(2, 3), margin=MARGIN)
    compared = blocks_of(both.astype(np.float32))
    counted = compared.mean(axis=1) > HALF
    agree = counted & (values > max(AGREEING, float(np.median(values))))
    if counted.sum() < MIN_BLOCKS or agree.sum() < MIN_AGREEING:
        return 1.0
    toned, best = _tones(blocks_of(moved)[agree], blocks_of(first)[agree], moved), 1.0
    for second_image in (moved, toned):
        sharp, other = sorted((first, second_image), key=_sharpness, reverse=True)
        others, last = blocks_of(other)[counted], 1.0
        for blur in BLURS:
            blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), blur) if blur else sharp, np.float32)
            rest = _unexplained(blocks_of(blurred)[counted], others, compared[counted])
            best = min(best, rest)
            if best <= enough or rest > last:
                break
            last = rest
        if best <= enough:
            break
    return best


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
    """The median over blocks of what total least squares leaves, see `disagreement`."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    first = first - (first * weights).sum(axis=1, keepdims=True)
    second = second - (second * weights).sum(axis=1, keepdims=True)
    own, other = (weights * first**2).sum(axis=1), (weights * second**2).sum(axis=1)
    both = (weights * first * second).sum(axis=1)
    rest = np.maximum((own + other) - np.sqrt((own - other) ** 2 + 4 * both**2), 0) / 2
    rest = np.where(both < 0, np.maximum(own, other), rest)
    return float(np.median(np.sqrt(rest) / (np.sqrt(np.minimum(own, other)) + FAINT)))


def mapped(second: FloatArray, matrix: Matrix) -> FloatArray:
    """Map a frame to another one, see `correlation`."""
    flags = WARPING if (matrix == np.rint(matrix)).all() else SMOOTH_WARPING
    moved = cv2.warpAffine(second, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def inverse(matrix: Matrix) -> Matrix:
    """The inverse of an affine map, (2, 3)."""
    return np.asarray(np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))[:2])


def _counted(matrix: Matrix) -> npt.NDArray[np.bool_]:
    """Which blocks of the first frame are inside the second one, (n_blocks,)."""
    return np.asarray(blocks_of(inside(matrix).astype(np.float32)).mean(axis=1) > INSIDE)


def inside(matrix: Matrix, *, margin: float = 0) -> npt.NDArray[np.bool_]:
    """Which pixels of a frame are mapped into the other frame, so far from its border; (`SIDE`, `SIDE`)."""
    grid = np.arange(SIDE, dtype=np.float64)
    x = matrix[0, 0] * grid[None, :] + matrix[0, 1] * grid[:, None] + matrix[0, 2]
    y = matrix[1, 0] * grid[None, :] + matrix[1, 1] * grid[:, None] + matrix[1, 2]
    low, high = margin - 0.6, SIDE - 0.4 - margin
    return np.asarray((x > low) & (x < high) & (y > low) & (y < high))


def blocks_of(image: FloatArray) -> FloatArray:
    """Blocks of a frame, (n_blocks, `BLOCK`**2)."""
    count = SIDE // BLOCK
    return image.reshape(count, BLOCK, count, BLOCK).transpose(0, 2, 1, 3).reshape(-1, BLOCK * BLOCK)


def _centered(blocks: FloatArray) -> FloatArray:
    return np.asarray(blocks - blocks.mean(axis=1, keepdims=True))


def _block_correlations(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correlation and weight of each block, (n_blocks,) each."""
    first, second = _centered(first), _centered(second)
    contrast, other = np.sqrt((first**2).mean(axis=1)), np.sqrt((second**2).mean(axis=1))
    weights = np.maximum(np.minimum(contrast, other) - NOISE, 0)
    if weights.any():
        # No block of strong contrast decides alone.
        weights = np.minimum(weights, 2 * np.median(weights[weights > 0]))
    values = (first * second).mean(axis=1) / (contrast * other + NOISE**2)
    return np.asarray(values, np.float32), np.asarray(weights, np.float32)
