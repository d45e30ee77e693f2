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
COVERED = 0.7
# Pixels at the border of a frame by which no alignment is improved.
BORDER = 4
# An alignment by features is a pixel off at most.
REFINING = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-4)
WARPING = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def frame_of(image: FloatArray) -> FloatArray:
    """Normalize an image, float32, (`SIDE`, `SIDE`), to mean 0 and a standard deviation of almost 1."""
    centered = image - image.mean()
    return np.asarray(centered / (centered.std() + 2), np.float32)


def correlation(first: FloatArray, second: FloatArray, matrix: Matrix, *, covered: float = COVERED) -> float:
    """Compare two frames, the second one mapped to the first.

    Args:
        first: a frame.
        second: another one.
        matrix: float64, (2, 3): maps pixels (x, y, 1) of the first frame to pixels of the second.
        covered: share of the blocks that need not agree.

    Returns:
        In [-1, 1]: the least correlation of the blocks that agree best, without the share `covered` of the others.
        Blocks are weighted by their contrast in the image that has less of it. 0 if the images overlap in less than a
        third.
    """
    counted = blocks_of(inside(matrix).astype(np.float32)).mean(axis=1) > INSIDE
    if counted.sum() < MIN_BLOCKS:
        return 0.0
    other = cv2.warpAffine(second, matrix, (SIDE, SIDE), flags=WARPING, borderMode=cv2.BORDER_REPLICATE)
    values, weights = block_correlations(blocks_of(first)[counted], blocks_of(np.asarray(other, np.float32))[counted])
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, covered * total[-1])])


def refined(first: FloatArray, second: FloatArray, matrix: Matrix) -> Matrix:
    """Improve an alignment by the pixels themselves (ECC: Evangelidis and Psarakis, PAMI 30, 2008).

    Args:
        first: a frame.
        second: another one.
        matrix: as for `correlation`.

    Returns:
        The better matrix, or the same one if that fails.
    """
    start, middle = matrix.astype(np.float32), np.zeros((SIDE, SIDE), np.uint8)
    middle[BORDER:-BORDER, BORDER:-BORDER] = 1
    # The part of the second frame that the middle of the first one shows: beyond it, a rotated copy has filled corners.
    mask = cv2.warpAffine(middle, start, (SIDE, SIDE), flags=cv2.INTER_NEAREST)
    with suppress(cv2.error):
        _, better = cv2.findTransformECC(
            first, second, start, cv2.MOTION_AFFINE, REFINING, inputMask=mask, gaussFiltSize=1
        )
        return np.asarray(better, np.float64)
    return matrix


def inside(matrix: Matrix, *, side: int = SIDE, margin: float = 0) -> npt.NDArray[np.bool_]:
    """Which pixels of a square are mapped into the other square, so far from its border; (side, side)."""
    grid = np.arange(side, dtype=np.float64)
    x = matrix[0, 0] * grid[None, :] + matrix[0, 1] * grid[:, None] + matrix[0, 2]
    y = matrix[1, 0] * grid[None, :] + matrix[1, 1] * grid[:, None] + matrix[1, 2]
    low, high = margin - 0.6, side - 0.4 - margin
    return np.asarray((x > low) & (x < high) & (y > low) & (y < high))


def blocks_of(image: FloatArray) -> FloatArray:
    """Blocks of a frame, (n_blocks, `BLOCK`**2)."""
    count = SIDE // BLOCK
    return image.reshape(count, BLOCK, count, BLOCK).transpose(0, 2, 1, 3).reshape(-1, BLOCK * BLOCK)


def block_correlations(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correlation and weight of each block, (n_blocks,) each."""
    first, second = first - first.mean(axis=1, keepdims=True), second - second.mean(axis=1, keepdims=True)
    contrast, other = np.sqrt((first**2).mean(axis=1)), np.sqrt((second**2).mean(axis=1))
    weights = np.minimum(contrast, other)
    # No block of strong contrast decides alone.
    weights = np.minimum(weights, 2 * np.median(weights) + 1e-9)
    values = (first * second).mean(axis=1) / (contrast * other + 1e-6)
    return np.asarray(values, np.float32), np.asarray(weights, np.float32)
