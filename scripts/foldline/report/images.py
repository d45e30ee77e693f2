"""Which images the report shows, and their pixels from the shards."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.dataset.channels import image_features
from foldline.dataset.id_hash import shard_index, shard_numbers
from foldline.dataset.soft_labels import hard_code, is_soft, shares_of
from foldline.errors import FoldlineError, listing
from foldline.evaluation.oof import BLEND, Oof
from foldline.images.decoding import decode
from foldline.images.headers import read_header
from foldline.tfrecords.open_shards import check_shards
from foldline.tfrecords.record_files import read_records
from foldline.tfrecords.records import decode_record

# Shares of a soft label in the caption of an image.
MOST_SHARES = 3


def largest_errors(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    """The samples with a blended score furthest from the label, each with that class; the furthest first, ties by id.

    Args:
        pairs: pairs of sample and class (`oof.Oof.pairs`).
        count: maximum number of samples.
    """
    error = (pairs[BLEND] - pairs["target"]).abs()
    return (
        pairs.assign(distance=-error).sort_values(["distance", "id"], kind="stable").drop_duplicates("id").head(count)
    )


def worst_predictions(oof: Oof, predicted: npt.NDArray[np.int64], count: int) -> pd.DataFrame:
    """The samples whose true class has the lowest blended score, the lowest first; ties by id.

    Args:
        oof: the out-of-fold table of samples with exactly one class each.
        predicted: number of the class that the blend predicts for each, (n_samples,).
        count: maximum number of samples.

    Returns:
        id, true and predicted (numbers of classes), true_score and predicted_score, in [0, 1].
    """
    scores, rows = oof.scores[BLEND], np.arange(len(oof.ids))
    true = oof.labels.argmax(axis=1)
    table = pd.DataFrame({"id": oof.ids, "true": true, "predicted": predicted})
    table = table.assign(true_score=scores[rows, true], predicted_score=scores[rows, predicted])
    return table.sort_values(["true_score", "id"], kind="stable").head(count)


def rows_of_every_label(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """Some rows of the fold table: the first of each label by id, then the second of each label, and so on.

    A soft label counts as the class with its largest share.

    Args:
        table: rows with id and target.
        count: maximum number of rows.
    """
    ordered = table.sort_values("id", kind="stable").assign(label=table["target"].map(hard_code))
    turn = ordered.groupby("label").cumcount()
    return ordered.assign(turn=turn).sort_values(["turn", "label"], kind="stable").head(count)


def label_text(target: str, class_names: Sequence[str]) -> str:
    """Names of the positive classes of a label code, or the largest shares; with one class, its name and its label."""
    if len(class_names) == 1:
        return f"{class_names[0]} {target}"
    if is_soft(target):
        shares = sorted(zip(shares_of(target), class_names, strict=True), key=lambda pair: -pair[0])
        return ", ".join(f"{name} {share:.2f}" for share, name in shares[:MOST_SHARES])
    return ", ".join(name for name, bit in zip(class_names, target, strict=True) if bit == "1") or "no class"


def read_images(
    ids: Sequence[str], shards: Sequence[str | Path], manifests: Sequence[str | Path]
) -> dict[str, npt.NDArray[np.uint8]]:
    """Read the images of some records. Shards that hold none of them are not read.

    Args:
        ids: ids of the records.
        shards: TFRecord files.
        manifests: manifest of each shard, in the same order.

    Returns:
        Id to pixels, uint8, (height, width, C).

    Raises:
        FoldlineError: a shard is damaged, or no shard holds an id.
    """
    images: dict[str, npt.NDArray[np.uint8]] = {}
    for path, manifest in zip(shards, check_shards(shards, manifests), strict=True):
        index, count = shard_numbers(manifest.shard)
        wanted = {name for name in ids if shard_index(name, count) == index}
        for data in read_records(path) if wanted else ():
            record = decode_record(data, manifest.features, manifest.channels)
            if record.id in wanted:
                planes = [decode_pixels(record.images[name]) for name in image_features(manifest.channels)]
                images[record.id] = np.concatenate(planes, axis=2)
                wanted.discard(record.id)
            if not wanted:
                break
    absent = [name for name in ids if name not in images]
    if absent:
        raise FoldlineError(
            f"{Path(shards[0]).parent}: no shard holds id {listing(absent)}; remove the shards and run the workflow "
            "again"
        )
    return images


def decode_pixels(data: bytes) -> npt.NDArray[np.uint8]:
    """Pixels of an image file: uint8, (height, width, 1 or 3)."""
    return decode(data, read_header(data)).pixels
