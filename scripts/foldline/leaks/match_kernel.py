"""How many local features two images share, by a match kernel over all images.

The features of an image are assigned to visual words, and those of one word are summed up as what they differ from it.
The similarity of two images is the sum, over the words of both, of a power of the cosine of these sums: a few words
that agree well count more than many that agree a little (ASMK: Tolias, Avrithis and Jegou, ICCV 2013).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from foldline.leaks.local_features import WIDTH, FloatArray, LocalFeatures

IntArray = npt.NDArray[np.int64]

# Most words, and features of the sample for each; the sample, and steps of k-means; directions of the features that are
# kept.
WORDS, FEATURES_PER_WORD, SAMPLE, STEPS, DIRECTIONS = 512, 16, 20_000, 6, 32
# Words that agree less count nothing; the others by this power.
LEAST_COSINE, POWER = 0.5, 3
ROWS_PER_BLOCK = 8192


class MatchKernel:
    """The match kernel of images.

    The words come from a sample of the features of these images, in a fixed order: same images, same similarities.

    Args:
        features: of each image; it may have none.
    """

    def __init__(self, features: Sequence[LocalFeatures]) -> None:
        counts = np.array([len(of_image.points) for of_image in features], np.int64)
        step = max(1, int(counts.sum()) // SAMPLE)
        # Features are in the order of their strength: each image starts at another one.
        sample = _stacked(one.descriptors[number % step :: step] for number, one in enumerate(features))
        mean = sample.mean(axis=0) if len(sample) else np.zeros(WIDTH, np.float32)
        directions = np.linalg.eigh((sample - mean).T.astype(np.float64) @ (sample - mean))[1][:, ::-1][:, :DIRECTIONS]

        def projected(values: FloatArray) -> FloatArray:
            return np.asarray((values - mean) @ directions.astype(np.float32), np.float32)

        words = _words(projected(sample))
        # Image by image: the descriptors of all would be the most memory of the audit.
        self._straight = _Residuals(_stacked(projected(one.descriptors) for one in features), counts, words)
        self._mirrored = _Residuals(_stacked(projected(one.mirrored()) for one in features), counts, words)

    def similarities(self, rows: slice) -> FloatArray:
        """Similarities of some images with all, as they are or mirrored, whichever is larger.

        Args:
            rows: numbers of the images.

        Returns:
            In [0, 1], float32, (n_rows, n_images). That of an image with itself is 1, or 0 without features.
        """
        straight = self._straight
        straight_products = straight.products(straight, rows)
        largest = np.maximum(straight_products, self._mirrored.products(straight, rows))
        lengths = np.sqrt(np.maximum(straight.n_words, 1)).astype(np.float32)
        return np.asarray(largest / lengths[rows, None] / lengths, np.float32)


class _Residuals:
    """What the features of each image and word differ from the word, summed up and of length 1.

    Args:
        vectors: of all features, those of one image after those of another, (n, `DIRECTIONS`).
        counts: number of features of each image, (n_images,).
        words: (n_words, `DIRECTIONS`).

    Attributes:
        n_words: number of the words of each image, int64, (n_images,).
    """

    def __init__(self, vectors: FloatArray, counts: IntArray, words: FloatArray) -> None:
        nearest = _nearest(vectors, words)
        key = nearest * len(counts) + np.repeat(np.arange(len(counts)), counts)
        order = np.argsort(key, kind="stable")
        keys, starts = np.unique(key[order], return_index=True)
        sums = np.add.reduceat((vectors - words[nearest])[order], starts, axis=0) if len(keys) else vectors
        self._sums = np.asarray(sums / (np.linalg.norm(sums, axis=1, keepdims=True) + 1e-9), np.float32)
        word, self._images = np.divmod(keys, len(counts))
        self._bounds = np.searchsorted(word, np.arange(len(words) + 1))
        self.n_words = np.bincount(self._images, minlength=len(counts))

    def products(self, others: "_Residuals", rows: slice) -> FloatArray:
        """Sums of powers of cosines of some images with all others, (n_rows, n_images)."""
        width = len(others.n_words)
        count = len(range(*rows.indices(len(self.n_words))))
        places, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        for start, end, first, last in zip(
            self._bounds[:-1], self._bounds[1:], others._bounds[:-1], others._bounds[1:], strict=True
        ):
            low, high = start + np.searchsorted(self._images[start:end], (rows.start, rows.start + count))
            cosines = self._sums[low:high] @ others._sums[first:last].T
            own, other = np.nonzero(cosines > LEAST_COSINE)
            places.append((self._images[low:high][own] - rows.start) * width + others._images[first:last][other])
            values.append(cosines[own, other] ** POWER)
        summed = np.bincount(np.concatenate(places), np.concatenate(values), minlength=count * width)
        return np.asarray(summed.reshape(count, width), np.float32)


def _stacked(parts: Iterable[FloatArray]) -> FloatArray:
    return np.concatenate(list(parts))


def _words(sample: FloatArray) -> FloatArray:
    """Centers of k-means after some steps, which start at rows of the sample; (at most `WORDS`, n_directions)."""
    count = min(WORDS, -(-len(sample) // FEATURES_PER_WORD))
    words = sample[np.linspace(0, len(sample) - 1, count).astype(np.int64)].copy()
    for _ in range(STEPS if count else 0):
        nearest = _nearest(sample, words)
        order = np.argsort(nearest, kind="stable")
        found, starts, counts = np.unique(nearest[order], return_index=True, return_counts=True)
        words[found] = np.add.reduceat(sample[order], starts, axis=0) / counts[:, None]
    return words


def _nearest(vectors: FloatArray, words: FloatArray) -> IntArray:
    """Number of the word nearest to each vector, (n,)."""
    lengths = (words**2).sum(axis=1)
    blocks = [vectors[start : start + ROWS_PER_BLOCK] for start in range(0, len(vectors), ROWS_PER_BLOCK)]
    return np.concatenate(
        [np.empty(0, np.int64), *((2 * block @ words.T - lengths).argmax(axis=1) for block in blocks)]
    )
