"""How much two aligned images agree in details, beyond what the images of the data have in common.

Details are normalized by the local contrast and whitened: a frame, a ruler or axes that many images show count little.
The evidence of an agreement grows with the number of independent details, which smooth and regular images have few of.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from foldline.leaks.aligned_correlation import SIDE, WARPING, Matrix, inside

FloatArray = npt.NDArray[np.float32]

# Side of the details in pixels; surroundings by which they are normalized, in pixels of a frame; largest value.
DETAIL_SIDE, SURROUNDINGS, LIMIT = 32, 2.0, 1.0
# Largest whitened value in standard deviations: overlays do not outweigh the rest.
WHITENED_LIMIT = 2.5
# Contrast below which there is nothing but noise, in samples of 0..255.
NOISE = 2.0
# Fewer images do not show what they have in common; of more, this many do.
FEW, SAMPLE = 9, 2000
# Random pairs of images from which the usual agreement is learned, and the seed of the choice.
PAIRS, SEED = 300, 0
# The share of the details that must be in both images, and the degrees of freedom that a correlation takes.
OVERLAP, TAKEN = 1 / 3, 3
# Products of the coefficients of a real transform count twice but for the first and last column.
TWICE = np.full(DETAIL_SIDE // 2 + 1, 2.0)
TWICE[[0, -1]] = 1
FAINT, ALMOST_ONE = 1e-3, 0.9999


class Details:
    """The whitened details of images.

    Args:
        frames: of each image, float32, (C, `SIDE`, `SIDE`), see `aligned_correlation.frame_of`.
        contrasts: standard deviation of each channel in samples of 0..255, (C,) each.
    """

    def __init__(self, frames: Sequence[FloatArray], contrasts: Sequence[npt.NDArray[np.float64]]) -> None:
        details = np.stack(
            [
                [_normalized(frame, contrast) for frame, contrast in zip(of_image, of_channels, strict=True)]
                for of_image, of_channels in zip(frames, contrasts, strict=True)
            ]
        )
        count, channels = details.shape[:2]
        flat = details.reshape(count, channels, -1)
        whitened = np.stack([_whitened(flat[:, channel]) for channel in range(channels)], axis=1)
        self._details = np.asarray(whitened.reshape(details.shape), np.float32)
        self._median, self._deviation = 0.0, 1.0
        if count >= FEW:
            pairs = np.random.default_rng(SEED).integers(0, count, (PAIRS, 2))
            upright, every = np.eye(2, 3), np.arange(channels)
            usual = [self.evidence(one, other, upright, every) for one, other in pairs if one != other]
            # The lower half: a minority of copies among the pairs changes nothing.
            median, low = np.quantile(usual, (0.5, 0.16))
            self._median, self._deviation = max(0.0, float(median)), max(1.0, float(median - low))

    def evidence(self, first: int, second: int, matrix: Matrix, channels: npt.NDArray[np.int64]) -> float:
        """Tell by how many standard deviations the details of two images agree more than those of unrelated ones.

        It is Fisher's transform of their correlation, in units of its standard deviation for as many values as there
        are independent details: Bartlett's formula, by the spectra of both images.

        Args:
            first: number of an image.
            second: number of another one.
            matrix: maps pixels of the frame of the first to those of the second, see `correlation`.
            channels: those that count; the least agreement of them is returned.
        """
        scaled = TO_DETAILS @ np.vstack([matrix, [0.0, 0.0, 1.0]]) @ FROM_DETAILS
        both = inside(scaled[:2], side=DETAIL_SIDE)
        if both.mean() < OVERLAP:
            return 0.0
        found = []
        for channel in channels:
            own = self._details[first, channel] * both
            moved = cv2.warpAffine(
                self._details[second, channel], scaled[:2], (DETAIL_SIDE, DETAIL_SIDE), flags=WARPING
            )
            found.append(_fisher(own, np.asarray(moved * both, np.float32)))
        return (min(found) - self._median) / self._deviation


def _fisher(first: FloatArray, second: FloatArray) -> float:
    """Correlation of two fields with mean 0 in standard deviations, see `Details.evidence`."""
    squares = float((first**2).sum()) * float((second**2).sum())
    correlation = float((first * second).sum()) / (np.sqrt(squares) + FAINT)
    powers = np.abs(np.fft.rfft2(first)) ** 2 * np.abs(np.fft.rfft2(second)) ** 2
    independent = squares / (float((powers * TWICE).sum()) / DETAIL_SIDE**4 + FAINT**2)
    return float(np.arctanh(min(correlation, ALMOST_ONE)) * np.sqrt(max(independent - TAKEN, 0)))


def _normalized(frame: FloatArray, contrast: float) -> FloatArray:
    """Details of a frame: local mean 0, local contrast about 1, cut off so that overlays do not outweigh the rest."""
    centered = frame - cv2.GaussianBlur(frame, (0, 0), SURROUNDINGS)
    variance = cv2.GaussianBlur(centered**2, (0, 0), SURROUNDINGS)
    details = np.clip(centered / np.sqrt(variance + (NOISE / (contrast + NOISE)) ** 2), -LIMIT, LIMIT)
    small = cv2.resize(details, (DETAIL_SIDE, DETAIL_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _whitened(details: FloatArray) -> FloatArray:
    """Subtract the mean and shrink the directions in which images vary most, the less the fewer images there are.

    Args:
        details: of one channel, (n_images, `DETAIL_SIDE`**2).
    """
    count, width = details.shape
    if count < FEW:
        return details
    centered = np.asarray(details - details.mean(axis=0), np.float32)
    sample = centered[np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.int64)].astype(np.float64)
    # The smaller one of two matrices with the same positive eigenvalues.
    wide = len(sample) > width
    squares, vectors = np.linalg.eigh(sample.T @ sample if wide else sample @ sample.T)
    squares = np.maximum(squares, 0)
    directions = vectors if wide else sample.T @ (vectors / np.sqrt(np.maximum(squares, 1e-9)))
    variances = squares / max(float(squares.sum()), 1e-9) * width
    rest = 1 + width / len(sample)
    shrinkage = 1 / np.sqrt(variances + rest) - 1 / np.sqrt(rest)
    projections = (centered @ directions.astype(np.float32)) * shrinkage.astype(np.float32)
    whitened = centered / np.float32(np.sqrt(rest)) + projections @ directions.T.astype(np.float32)
    limit = WHITENED_LIMIT * np.sqrt((whitened**2).mean())
    return np.asarray(np.clip(whitened, -limit, limit), np.float32)


def _scaling() -> Matrix:
    factor = DETAIL_SIDE / SIDE
    shift = (factor - 1) / 2
    return np.array([[factor, 0.0, shift], [0.0, factor, shift], [0.0, 0.0, 1.0]])


# Map pixels of a frame to those of the details, and back, (3, 3).
TO_DETAILS = _scaling()
FROM_DETAILS = np.linalg.inv(TO_DETAILS)
