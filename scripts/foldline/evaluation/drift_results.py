"""Drift between the training and the test images: the content of `drift.json`, by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from foldline.evaluation.results import Score

FACTS, METADATA, EMBEDDINGS = "image facts", "metadata", "embeddings"


@dataclass(frozen=True)
class DriftSet:
    """How well a set of columns tells test images from training images.

    Attributes:
        name: name of the set.
        columns: its columns; none of embeddings.
        auc: cross-validated ROC AUC.
    """

    name: str
    columns: tuple[str, ...]
    auc: Score


@dataclass(frozen=True)
class DriftColumn:
    """How well one column tells test images from training images.

    Attributes:
        name: name of the column.
        set: the set that it belongs to.
        auc: cross-validated ROC AUC of its value alone.
        train: its values in the training images: of numbers the quantiles 0.1, 0.5 and 0.9 and the share of missing
            ones; of text the shares of the values whose shares differ most.
        test: the same of the test images.
    """

    name: str
    set: str
    auc: Score
    train: Mapping[str, float]
    test: Mapping[str, float]


@dataclass(frozen=True)
class DriftImage:
    """An image and the share of images of its fold that look less like test images, in (0, 1)."""

    id: str
    rank: float


@dataclass(frozen=True)
class Drift:
    """Content of `drift.json`.

    Attributes:
        confidence: coverage of the intervals, in (0, 1).
        images: number of images of each split that are compared.
        groups: number of their groups.
        sets: sets of columns, the one that tells the splits apart best first.
        columns: columns of all sets, likewise.
        left_out: column -> why it is not compared.
        by: set that ranks the images; "" if there is none.
        most_like_test: training images that look most like test images.
        least_like_test: training images that look least like test images.
        least_like_train: test images that look least like training images.
        reason: why nothing is compared; None if something is.
    """

    confidence: float
    images: Mapping[str, int]
    groups: Mapping[str, int]
    sets: tuple[DriftSet, ...] = ()
    columns: tuple[DriftColumn, ...] = ()
    left_out: Mapping[str, str] | None = None
    by: str = ""
    most_like_test: tuple[DriftImage, ...] = ()
    least_like_test: tuple[DriftImage, ...] = ()
    least_like_train: tuple[DriftImage, ...] = ()
    reason: str | None = None
