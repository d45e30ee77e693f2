"""Rank pairs of images that look alike, for people: they may show one object, and no step decides that.

Inputs: inventories, thumbnails and embeddings (of all splits), leaks (the duplicates of each split), folds.
Outputs: look_alikes, a table (`tables.LOOK_ALIKES`), CSV.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from foldline.dataset.dark_images import is_blank
from foldline.errors import counted
from foldline.io.embeddings import embeddings_of
from foldline.io.result_paths import by_split
from foldline.io.tables import FOLDS, INVENTORY, LEAKS, LOOK_ALIKES, read_table, read_tables, write_table
from foldline.io.thumbnails import read_thumbnails
from foldline.leaks.embedding_neighbors import IntArray
from foldline.leaks.local_features import LocalFeatures
from foldline.leaks.look_alikes import ranked_look_alikes
from foldline.leaks.views import views_of
from foldline.splits.connected_groups import join_groups
from foldline.step import step

logger = logging.getLogger(__name__)

# Rows of the table: more than a person looks at.
MOST_ROWS = 1_000
# Images of which all views are in memory at a time; of the others, the local features alone.
IMAGES_PER_BLOCK = 500
DIGITS = 4


@dataclass(frozen=True)
class Inputs:
    """Tables that are read, by split, the labeled ones first.

    Attributes:
        inventories: split -> its inventory tables.
        thumbnails: split -> its tables of thumbnails.
        embeddings: split -> its table of vectors.
        leaks: split -> its table of duplicates.
        folds: fold table, which has the groups of the labeled splits.
    """

    inventories: Mapping[str, Sequence[str | Path]]
    thumbnails: Mapping[str, Sequence[str | Path]]
    embeddings: Mapping[str, str | Path]
    leaks: Mapping[str, str | Path]
    folds: str | Path


def look_alikes(inputs: Inputs, table: str | Path) -> None:
    """Write the pairs of images that look most alike, but those within a group and those that are duplicates.

    Args:
        inputs: tables to read.
        table: where the pairs are written.

    Raises:
        FoldlineError: a table is damaged, or an image has no vector.
    """
    images = pd.concat(
        [read_tables(paths, INVENTORY).assign(split=split) for split, paths in inputs.inventories.items()],
        ignore_index=True,
    )
    images = images[~is_blank(images)].reset_index(drop=True)
    splits = images.groupby("split", sort=False)["id"]
    vectors = np.concatenate([embeddings_of(inputs.embeddings[str(split)], list(ids)) for split, ids in splits])
    copies = _copies(images, inputs.leaks)
    groups = _groups(images, inputs.folds)

    def is_listed(pairs: IntArray) -> npt.NDArray[np.bool_]:
        first, second = pairs.T
        is_listed: npt.NDArray[np.bool_] = (groups[first] != groups[second]) & (copies[first] != copies[second])
        return is_listed

    pairs, scores = ranked_look_alikes(
        vectors, lambda numbers: features_of(images.iloc[numbers], inputs.thumbnails), is_listed=is_listed
    )
    pairs, scores = pairs[:MOST_ROWS], scores[:MOST_ROWS]
    first, second = images.iloc[pairs[:, 0]], images.iloc[pairs[:, 1]]
    rows = {
        "rank": np.arange(1, len(pairs) + 1),
        "id": list(first["id"]),
        "other_id": list(second["id"]),
        "split": list(first["split"]),
        "other_split": list(second["split"]),
        "score": np.round(scores, DIGITS),
    }
    write_table(pd.DataFrame(rows), table, LOOK_ALIKES, key=("rank",))
    logger.info("%s of %s that look alike", counted(len(pairs), "pair"), counted(len(images), "image"))


def _copies(images: pd.DataFrame, leaks: Mapping[str, str | Path]) -> npt.NDArray[np.int64]:
    """A number for each image, one for all that duplicates connect: of equal images, not all pairs are listed."""
    number_of = {key: str(number) for number, key in enumerate(zip(images["split"], images["id"], strict=True))}
    links = []
    for split, path in leaks.items():
        for row in read_table(path, LEAKS, key=("id", "other_split", "other_id")).itertuples():
            pair = (split, row.id), (row.other_split, row.other_id)
            if all(key in number_of for key in pair):
                links.append((number_of[pair[0]], number_of[pair[1]]))
    return np.array(list(map(int, join_groups(number_of.values(), links).values())), dtype=np.int64)


def _groups(images: pd.DataFrame, folds: str | Path) -> npt.NDArray[np.int64]:
    """A number for the group of each image; test images are in no group."""
    table = read_table(folds, FOLDS, key=("id", "split"))
    group_of = dict(zip(zip(table["split"], table["id"], strict=True), table["group"], strict=True))
    keys = zip(images["split"], images["id"], strict=True)
    names = [("group", group_of[key]) if key in group_of else ("alone", *key) for key in keys]
    number_of = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([number_of[name] for name in names], np.int64)


def features_of(
    images: pd.DataFrame, thumbnails: Mapping[str, Sequence[str | Path]]
) -> list[tuple[LocalFeatures, int]]:
    """Local features of images from their thumbnails, and the width of the image that has them."""
    names = {str(split): set(ids) for split, ids in images.groupby("split")["id"]}
    jpegs = {split: read_thumbnails(thumbnails[split], ids) for split, ids in names.items()}
    samples = [jpegs[split][name] for split, name in zip(images["split"], images["id"], strict=True)]
    found = []
    for start in range(0, len(samples), IMAGES_PER_BLOCK):
        found += [(view.features, view.size[1]) for view in views_of(samples[start : start + IMAGES_PER_BLOCK])]
    return found


if __name__ == "__main__":
    with step(snakemake):
        look_alikes(
            Inputs(
                inventories=by_split(snakemake.input.inventories),
                thumbnails=by_split(snakemake.input.thumbnails),
                embeddings={Path(path).stem: path for path in snakemake.input.embeddings},
                leaks={Path(path).stem: path for path in snakemake.input.leaks},
                folds=snakemake.input.folds,
            ),
            snakemake.output.look_alikes,
        )
