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
from foldline.leaks.aligned_correlation import SIDE, frame_of
from foldline.leaks.local_features import LocalFeatures, local_features, new_detector

# One thread: the bytes of results depend on no number of cores.
cv2.setNumThreads(1)
# Longest side in pixels of the image in which features are found.
FEATURE_SIDE = 128
# As much blur as a copy at a quarter of the size has, in pixels of a frame.
BLUR = 0.7


@dataclass(frozen=True)
class View:
    """A sample as it is compared.

    Attributes:
        frames: each channel, stretched to a square, see `frame_of`; an RGB image is one channel, its luma; float32,
            (C, SIDE, SIDE).
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
    gray = _stretched_contrast(np.mean(channels, axis=0, dtype=np.float32))
    height, width = gray.shape
    longest = max(height, width)
    size = max(16, round(FEATURE_SIDE * height / longest)), max(16, round(FEATURE_SIDE * width / longest))
    resized = np.asarray(cv2.resize(gray, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    contrast = np.array([channel.std(dtype=np.float64) for channel in channels])
    return View(np.stack(frames), contrast, local_features(resized, detector=detector), size)


def _frame(channel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    square = cv2.GaussianBlur(cv2.resize(channel, (SIDE, SIDE), interpolation=cv2.INTER_AREA), (0, 0), BLUR)
    return frame_of(np.asarray(square, np.float32))


def _luma(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(pixels @ (LUMA / 1000), np.float32)


def _stretched_contrast(gray: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Map the darkest and the brightest hundredth to 0 and 255: features are found by contrast."""
    low, high = np.percentile(gray, (1, 99))
    return np.asarray(np.clip((gray - low) * (255 / max(high - low, 8.0)), 0, 255), np.uint8)
