"""How much two aligned images agree in details that are not common to all images of the data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from foldline.leaks.aligned_correlation import SIDE, Matrix, blocks_of, inside, mapped
from foldline.leaks.patterns import NOISE, normalized

FloatArray = npt.NDArray[np.float32]

# Surroundings in pixels of a frame by which details are normalized, see `patterns.normalized`.
SURROUNDINGS = 2.0
# From so many images, the mean of the others shows what images have in common, such as a frame or a ruler.
ENOUGH = 9
# Mean square of the details of a block that shows any, and the correlation from which it agrees.
TEXTURE, AGREEING = 0.01, 0.5
# What is added to sums of squares, so that images without details do not agree.
FAINT = 0.001
# The share of blocks that an overlay may cover; and the shares of a block that are in both images if it counts.
COVERED, HALF, WHOLE = 0.3, 0.5, 0.95
# Random pairs of images from which the usual agreement is learned, and the seed of the choice.
PAIRS, SEED = 150, 0
# Copies agree more than usual by this multiple of the deviation; but so much is enough, and all that can be learned of
# few images.
DEVIATIONS, MOST = 6.0, 0.9
UPRIGHT = np.eye(2, 3)


@dataclass(frozen=True)
class Agreement:
    """How two aligned images agree.

    Attributes:
        product: cosine of the angle between their details, in [-1, 1].
        blocks: number of blocks that agree.
        share: of the details that are in both images, those in blocks that agree.
        uncovered: the product without the blocks that differ most, a share of `COVERED`: an overlay may cover them.
    """

    product: float
    blocks: int
    share: float
    uncovered: float


@dataclass(frozen=True)
class Background:
    """What images of the data have in common.

    Attributes:
        total: sum of the details of all images, (C, `SIDE`, `SIDE`).
        count: number of images.
        usual: what `Agreement.product` of unrelated images exceeds almost never.
    """

    total: FloatArray
    count: int
    usual: float

    def agreement(self, first: FloatArray, second: FloatArray, matrix: Matrix, channels: Iterable[int]) -> Agreement:
        """Compare the frames of two samples, (C, `SIDE`, `SIDE`), see `aligned_correlation.correlation`.

        Returns:
            The least of each value over the given channels.
        """
        found = [self._of_channel(first[one], second[one], matrix, one) for one in channels]
        return Agreement(
            product=min(one.product for one in found),
            blocks=min(one.blocks for one in found),
            share=min(one.share for one in found),
            uncovered=min(one.uncovered for one in found),
        )

    def _of_channel(self, first: FloatArray, second: FloatArray, matrix: Matrix, channel: int) -> Agreement:
        own, other, moved = details(first), details(second), details(mapped(second, matrix))
        if self.count >= ENOUGH:
            others = np.asarray((self.total[channel] - own - other) / (self.count - 2), np.float32)
            own, moved = own - others, moved - mapped(others, matrix)
        both = inside(matrix)
        own, moved = np.asarray(own * both, np.float32), np.asarray(moved * both, np.float32)
        coarse, other_coarse = _coarse(own), _coarse(moved)
        product = _cosine(coarse * other_coarse, coarse**2, other_coarse**2)
        covers = blocks_of(both.astype(np.float32)).mean(axis=1)
        products, squares, other_squares = (
            blocks_of(values).mean(axis=1) for values in (own * moved, own**2, moved**2)
        )
        texture = np.minimum(squares, other_squares)
        agree = products > AGREEING * (np.sqrt(squares * other_squares) + TEXTURE)
        shown = (texture > TEXTURE) & (covers > WHOLE)
        share = texture[shown & agree].sum() / (texture[shown].sum() + 1e-9)
        compared = np.flatnonzero(covers > HALF)
        order = compared[np.argsort(((squares + other_squares) / 2 - products)[compared], kind="stable")]
        alike = order[: int(np.ceil((1 - COVERED) * len(order)))]
        uncovered = _cosine(products[alike], squares[alike], other_squares[alike])
        return Agreement(product, int((shown & agree).sum()), float(share), uncovered)


def background_of(frames: Sequence[FloatArray]) -> Background:
    """Learn the background from the frames of samples, each float32, (C, `SIDE`, `SIDE`), in samples of 0..255."""
    total = np.zeros(frames[0].shape, np.float64)
    for sample in frames:
        total += np.stack([details(channel) for channel in sample])
    summed = np.asarray(total, np.float32)
    if len(frames) < ENOUGH:
        return Background(summed, len(frames), MOST)
    background = Background(summed, len(frames), MOST)
    products = [
        background.agreement(frames[first], frames[second], UPRIGHT, range(len(frames[first]))).product
        for first, second in random_pairs(len(frames))
    ]
    return Background(summed, len(frames), usual_limit(np.array(products)))


def random_pairs(count: int) -> npt.NDArray[np.int64]:
    """Random pairs of different images, the same ones each time, (n_pairs, 2)."""
    pairs = np.random.default_rng(SEED).integers(0, count, (PAIRS, 2))
    return np.asarray(pairs[pairs[:, 0] != pairs[:, 1]])


def usual_limit(products: npt.NDArray[np.float64]) -> float:
    """What products of unrelated images exceed almost never, from those of random pairs.

    A minority of copies among the pairs changes nothing: the deviation is that of the lower half.
    """
    if not len(products):
        return MOST
    median, low = np.quantile(products, (0.5, 0.16))
    return float(np.clip(median + DEVIATIONS * (median - low), 0, MOST))


def details(frame: FloatArray) -> FloatArray:
    """The normalized details of a frame, (`SIDE`, `SIDE`)."""
    return normalized(frame, SURROUNDINGS, noise=NOISE)


def _cosine(products: FloatArray, squares: FloatArray, other_squares: FloatArray) -> float:
    return float(products.sum() / (np.sqrt(squares.sum() * other_squares.sum()) + FAINT))


def _coarse(image: FloatArray) -> FloatArray:
    """An image at half of its side, with less noise."""
    return np.asarray(cv2.resize(image, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA), np.float32)
