"""What the comparison sees of a sample: its thumbnails at fixed sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from foldline.images.perceptual_hash import LUMA
from foldline.images.samples import MIN_CONTRAST
from foldline.leaks.aligned_correlation import SIDE
from foldline.leaks.local_features import LocalFeatures, local_features, new_detector
from foldline.leaks.patterns import normalized

# One thread: the bytes of results depend on no number of cores.
cv2.setNumThreads(1)
# Longest side in pixels of the image in which features are found.
FEATURE_SIDE = 128
# The contrast in that image is normalized by that of the surroundings, a Gaussian of so many pixels, and samples
# of noise; it is cut off at this multiple.
SURROUNDINGS, NOISE, LIMIT = 8.0, 5.0, 2.5
# As much blur as a copy at a quarter of the size has, in pixels of a frame.
BLUR = 0.7


@dataclass(frozen=True)
class View:
    """A sample as it is compared.

    Attributes:
        frames: each channel, stretched to a square, in samples of 0..255; an RGB image is one channel, its luma;
            float32, (C, SIDE, SIDE).
        contrast: standard deviation of each channel, in samples of 0..255, float64, (C,).
        features: local features of the sum of the channels.
        size: height and width in pixels of the image that has the features.
    """

    frames: npt.NDArray[np.float32]
    contrast: npt.NDArray[np.float64]
    features: LocalFeatures
    size: tuple[int, int]

    @property
    def blank(self) -> bool:
        """Whether no channel shows anything."""
        return bool((self.contrast < MIN_CONTRAST).all())


def views_of(samples: Sequence[Sequence[bytes]]) -> list[View]:
    """Make the views of samples.

    Args:
        samples: JPEGs of the images of each sample, those of one sample of one size.
    """
    detector = new_detector()
    return [_view_of(thumbnails, detector) for thumbnails in samples]


def _view_of(thumbnails: Sequence[bytes], detector: Any) -> View:
    channels = [_luma(simplejpeg.decode_jpeg(data, colorspace="RGB")) for data in thumbnails]
    frames = [_frame(channel) for channel in channels]
    gray = np.asarray(np.mean(channels, axis=0, dtype=np.float32), np.float32)
    height, width = gray.shape
    longest = max(height, width)
    size = max(16, round(FEATURE_SIDE * height / longest)), max(16, round(FEATURE_SIDE * width / longest))
    resized = np.asarray(cv2.resize(gray, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    contrast = np.array([channel.std(dtype=np.float64) for channel in channels])
    return View(np.stack(frames), contrast, local_features(_normalized(resized), detector=detector), size)


def _frame(channel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # Blurred first: pixels of a frame then depend little on where they are, as the comparison of shifted images needs.
    height, width = channel.shape
    blurs = max(BLUR * width / SIDE, BLUR), max(BLUR * height / SIDE, BLUR)
    blurred = cv2.GaussianBlur(channel, (0, 0), sigmaX=blurs[0], sigmaY=blurs[1])
    return np.asarray(cv2.resize(blurred, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _luma(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(pixels @ (LUMA / 1000), np.float32)


def _normalized(gray: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Map the local contrast to 0..255: features of a faint part count as much as those of an overlay."""
    pattern = normalized(gray, SURROUNDINGS, noise=NOISE, limit=LIMIT)
    return np.asarray(np.rint((pattern / LIMIT + 1) * 127.5), np.uint8)
