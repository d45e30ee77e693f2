"""Rank pairs of images that look alike, such as two photographs of one object: for people, who judge them."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from foldline.leaks.embedding_neighbors import IntArray, similar_pairs
from foldline.leaks.local_features import LocalFeatures
from foldline.leaks.similarity_transform import fit_transform

# Pairs whose local features are compared: this many for each image, the nearest of all by embedding.
PAIRS_PER_IMAGE = 2
# What the logarithm of the number of local features that agree counts beside the similarity of the embeddings. On 8,012
# dermoscopy images, 60 % of the pairs of one lesion rank before the 200th other pair, 38 % without local features;
# weights of 0.2 to 0.8 make no difference.
AGREEMENT = 0.8

# Local features of images, each with the width in pixels of the image that has them, by the numbers of the images.
FeaturesOf = Callable[[IntArray], Sequence[tuple[LocalFeatures, int]]]


def ranked_look_alikes(
    vectors: npt.NDArray[np.float16], features_of: FeaturesOf, *, is_listed: Callable[[IntArray], npt.NDArray[np.bool_]]
) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Rank pairs by their embeddings and by the local features that agree after a shift, rotation and scale.

    Args:
        vectors: embeddings, (n_images, n_values).
        features_of: see `FeaturesOf`.
        is_listed: tells which of some pairs, (n_pairs, 2), are listed: bool, (n_pairs,).

    Returns:
        Numbers of the images, the smaller first, (n_pairs, 2), and scores, (n_pairs,), descending. A score compares
        pairs of one data set; it is no probability.
    """
    pairs, scores = similar_pairs(vectors)
    listed = is_listed(pairs)
    most = PAIRS_PER_IMAGE * len(vectors)
    pairs, similarities = pairs[listed][:most], scores[listed][:most].astype(np.float64)
    numbers = np.unique(pairs)
    features = dict(zip(numbers.tolist(), features_of(numbers), strict=True))
    agreeing = np.zeros(len(pairs))
    for row, (first, second) in enumerate(pairs.tolist()):
        (left, width), (right, _) = features[first], features[second]
        transform = fit_transform(left, right, width=width)
        agreeing[row] = 0 if transform is None else transform.inliers
    ranks = similarities + AGREEMENT * np.log1p(agreeing)
    order = np.argsort(-ranks, kind="stable")
    return pairs[order], ranks[order]
