"""Local features of an image (SIFT), and one vector that summarizes those of an image (VLAD).

Both hardly change if the image is rotated, scaled, cropped or overlaid in part. SIFT: Lowe, IJCV 60 (2004); square
roots of the descriptors: Arandjelovic and Zisserman, CVPR 2012; VLAD: Jegou et al., CVPR 2010.
"""

from collections.abc import Sequence
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
CENTERS = 32
# Descriptors from which the centers are computed, and steps of k-means.
SAMPLE, STEPS = 20_000, 10
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


def summaries(features: Sequence[LocalFeatures]) -> tuple[FloatArray, FloatArray]:
    """Summarize the features of each image in a vector.

    The centers come from a sample of the descriptors of these images, in a fixed order: same images, same vectors.

    Returns:
        Vectors of the images and of the mirrored images, float32, (n_images, `CENTERS` * `WIDTH`) each. Their product
        is large for images that share features. Without any feature in the data, all are 0.
    """
    sample = np.concatenate([of_image.descriptors[::8] for of_image in features])
    if not len(sample):
        empty = np.zeros((len(features), CENTERS * WIDTH), np.float32)
        return empty, empty
    centers = _centers(sample[np.linspace(0, len(sample) - 1, min(len(sample), SAMPLE)).astype(np.int64)])
    straight = np.stack([_residual_sums(of_image.descriptors, centers) for of_image in features])
    mirrored = np.stack([_residual_sums(of_image.mirrored(), centers) for of_image in features])
    mean = straight.mean(axis=0)
    return straight - mean, mirrored - mean


def _centers(sample: FloatArray) -> FloatArray:
    """Centers of k-means after some steps, which start at rows of the sample; (`CENTERS`, `WIDTH`)."""
    centers = sample[np.linspace(0, len(sample) - 1, CENTERS).astype(np.int64)].copy()
    for _ in range(STEPS):
        nearest = _nearest(sample, centers)
        for center in range(CENTERS):
            members = sample[nearest == center]
            if len(members):
                centers[center] = members.mean(axis=0)
    return centers


def _nearest(descriptors: FloatArray, centers: FloatArray) -> npt.NDArray[np.int64]:
    """Number of the center nearest to each descriptor, (n,)."""
    return np.asarray((2 * descriptors @ centers.T - (centers**2).sum(axis=1)).argmax(axis=1))


def _residual_sums(descriptors: FloatArray, centers: FloatArray) -> FloatArray:
    """Sum, by center, of what its descriptors differ from it; each of length 1, and all together too."""
    member = np.zeros((CENTERS, len(descriptors)), np.float32)
    member[_nearest(descriptors, centers), np.arange(len(descriptors))] = 1
    sums = member @ descriptors - member.sum(axis=1, keepdims=True) * centers
    sums /= np.linalg.norm(sums, axis=1, keepdims=True) + 1e-9
    return np.asarray(sums.ravel() / (np.linalg.norm(sums) + 1e-9), np.float32)
