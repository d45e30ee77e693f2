"""Local features of an image, which hardly change if it is rotated, scaled, cropped or overlaid in part.

SIFT: Lowe, IJCV 60 (2004); square roots of the descriptors: Arandjelovic and Zisserman, CVPR 2012.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

MAX_FEATURES = 200
# Low: images of tissue and skin have little contrast.
CONTRAST = 0.01
WIDTH = 128
# A mirrored image has the same descriptors with cells and directions in mirrored order: 4 x 4 cells, 8 directions.
MIRRORED = np.arange(WIDTH).reshape(4, 4, 8)[::-1][:, :, -np.arange(8) % 8].reshape(-1)


@dataclass(frozen=True)
class LocalFeatures:
    """Local features of an image.

    Attributes:
        points: x and y in pixels, diameter in pixels, direction in radians; float32, (n, 4).
        descriptors: of length 1, not negative; float32, (n, `WIDTH`).
    """

    points: FloatArray
    descriptors: FloatArray

    def mirrored(self) -> FloatArray:
        """Descriptors of the image mirrored left to right, (n, `WIDTH`)."""
        return self.descriptors[:, MIRRORED]


def local_features(gray: npt.NDArray[np.uint8], *, detector: Any) -> LocalFeatures:
    """Find the strongest features of an image.

    Args:
        gray: uint8, (height, width).
        detector: that of `new_detector`.
    """
    keypoints, descriptors = detector.detectAndCompute(gray, None)
    if not keypoints:
        return LocalFeatures(np.empty((0, 4), np.float32), np.empty((0, WIDTH), np.float32))
    points = [(*point.pt, point.size, np.deg2rad(point.angle)) for point in keypoints[:MAX_FEATURES]]
    roots = np.sqrt(descriptors[:MAX_FEATURES] / np.maximum(descriptors[:MAX_FEATURES].sum(axis=1, keepdims=True), 1))
    return LocalFeatures(np.array(points, np.float32), roots.astype(np.float32))


def new_detector() -> Any:
    """A SIFT detector; one serves many images."""
    return cv2.SIFT.create(nfeatures=MAX_FEATURES, contrastThreshold=CONTRAST, edgeThreshold=12, sigma=1.2)
