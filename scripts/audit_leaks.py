"""Find duplicate images, so that no copy of a scored image is trained on and no labels contradict each other.

Inputs: inventory (tables of the split), others (tables of the labeled splits before it); thumbnails and embeddings (of
    all these images; maybe no embeddings).
Outputs: leaks, a table of pairs (`tables.LEAKS`), Parquet; leaks_csv, the same for people. Without rows if there are no
    pairs.
Parameters: split; the fields of `LeakConfig`.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from foldline.dataset.dark_images import blank_images, dark_images, is_blank
from foldline.errors import FoldlineError, Problems, counted, listing
from foldline.images.perceptual_hash import hash_array
from foldline.io.embeddings import embeddings_of
from foldline.io.result_paths import by_split
from foldline.io.settings import build
from foldline.io.tables import INVENTORY, LEAKS, read_tables, write_table
from foldline.io.thumbnails import read_thumbnails
from foldline.leaks.copies import near_copies
from foldline.leaks.embedding_neighbors import candidate_pairs
from foldline.leaks.views import View, views_of
from foldline.splits.duplicates import REFUSE, IntArray, LeakConfig, Verification, find_duplicates, with_confirmed
from foldline.splits.leak_policy import CONFIRMED, EXACT, EXTERNAL, NEAR, TEST, TRAIN
from foldline.step import step

logger = logging.getLogger(__name__)

# Images without contrast that a warning names.
SHOWN_BLANK = 3
# Nearest images by embedding with which each image is compared, besides those by hash and by local features.
NEAREST_VECTORS = 2
KEY = ("id", "other_split", "other_id")
# Columns of the inventory that decide nothing here; of a million images they are most of the memory.
UNUSED = ("group", "bytes", "sha256", "width", "height", "problem")


@dataclass(frozen=True)
class Inputs:
    """Tables that are read.

    Attributes:
        inventory: inventory tables of this split.
        others: split -> its inventory tables: the splits that this one is compared with, besides itself.
        thumbnails: split -> the thumbnails of its images, for this split and the others.
        embeddings: split -> the vectors of its images, for the same splits; empty without embeddings.
    """

    inventory: Sequence[str | Path]
    others: Mapping[str, Sequence[str | Path]]
    thumbnails: Mapping[str, Sequence[str | Path]]
    embeddings: Mapping[str, str | Path]


def audit_leaks(inputs: Inputs, leaks: str | Path, leaks_csv: str | Path, *, split: str, config: LeakConfig) -> None:
    """Write the pairs of duplicate images.

    Args:
        inputs: tables to read.
        leaks: where the table of pairs is written, Parquet.
        leaks_csv: where the same table is written as CSV.
        split: "train", "test" or the name of an external set.
        config: how duplicates are found, and which of them are an error.

    Raises:
        FoldlineError: there are duplicates of a kind that is an error, or with different labels and that is an error.
    """
    images = read_tables(inputs.inventory, INVENTORY, skipped=UNUSED)
    for text in filter(None, (dark_images(images), blank_images(images))):
        logger.warning("%s: %s", split, text)
    others = {name: read_tables(paths, INVENTORY, skipped=UNUSED) for name, paths in inputs.others.items()}
    pairs = find_duplicates(
        _shown(images),
        {name: _shown(table) for name, table in others.items()},
        split=split,
        near_bits=config.near_duplicate_bits,
        verify=lambda rows: _verification(rows, inputs, split, config),
    )
    pairs = with_confirmed(pairs, {**others, split: images}, config.confirmed)
    problems = Problems()
    with problems.collected():
        _check_labels(pairs, refuse=config.contradictory_labels == REFUSE)
    with problems.collected():
        _check_kinds(pairs, split, config.refused)
    problems.check()
    for path in (leaks, leaks_csv):
        write_table(pairs, path, LEAKS, key=KEY)
    exact, near, confirmed = (int((pairs["kind"] == kind).sum()) for kind in (EXACT, NEAR, CONFIRMED))
    logger.info(
        "%s: %s, %s of exact duplicates, %d of near duplicates, %d confirmed",
        split,
        counted(len(images), "image"),
        counted(exact, "pair"),
        near,
        confirmed,
    )
    if split == TEST:
        _log_copies_of_labeled(pairs)


def _shown(images: pd.DataFrame) -> pd.DataFrame:
    """The images that show anything: blank ones look the same, and are no copies of each other."""
    return images[~is_blank(images)]


def _verification(images: pd.DataFrame, inputs: Inputs, split: str, config: LeakConfig) -> Verification:
    """Make the function that decides which images are near duplicates.

    Args:
        images: rows of all images, with their split.
        inputs: their thumbnails and embeddings.
        split: name of the own split.
        config: how duplicates are found.
    """

    def verify(files: IntArray, own_start: int, near: IntArray) -> IntArray:
        if inputs.embeddings:
            alike = _near_vectors(
                images.iloc[files], inputs.embeddings, own_start=int(np.searchsorted(files, own_start))
            )
            near = np.unique(np.concatenate([near, files[alike]]), axis=0)
        full = len(files) <= config.full_search_up_to
        if not full:
            logger.warning(
                "%s: %s, more than leaks.full_search_up_to (%d), so duplicates that are cropped, overlaid or rotated "
                "by other angles than quarter turns are searched %s; raise it if you have the time",
                split,
                counted(len(files), "image"),
                config.full_search_up_to,
                "among the two nearest by embedding alone" if inputs.embeddings else "nowhere",
            )
            files = np.unique(near)
        rows = images.iloc[files]
        views = _views(rows, inputs.thumbnails)
        shown = np.array([not view.blank for view in views], dtype=bool)
        if not shown.all():
            paths = listing(list(rows["path"][~shown]), limit=SHOWN_BLANK)
            logger.warning("%s: images with too little contrast to be compared: %d: %s", split, (~shown).sum(), paths)
        numbers = files[shown]
        copies = near_copies(
            [view for view in views if not view.blank],
            hash_array(list(images["perceptual_hash"].iloc[numbers])),
            own_start=int(np.searchsorted(numbers, own_start)),
            further=np.searchsorted(numbers, near[np.isin(near, numbers).all(axis=1)]),
            full=full,
        )
        if copies.left_out:
            logger.warning(
                "%s: images that look like many others without being copies: %d; among them only pairs that agree "
                "closely are near duplicates; pairs left out by that: %d",
                split,
                copies.similar,
                copies.left_out,
            )
        return np.column_stack([numbers[copies.pairs[:, :2]], copies.pairs[:, 2]])

    return verify


def _near_vectors(rows: pd.DataFrame, embeddings: Mapping[str, str | Path], *, own_start: int) -> IntArray:
    """Pairs of rows with near embeddings, (n, 2)."""
    splits = rows.groupby("split", sort=False)["id"]
    vectors = np.concatenate([embeddings_of(embeddings[str(name)], list(ids)) for name, ids in splits])
    return candidate_pairs(vectors, count=NEAREST_VECTORS, own_start=own_start)


def _views(rows: pd.DataFrame, thumbnails: Mapping[str, Sequence[str | Path]]) -> list[View]:
    """Make the views of images from their thumbnails."""
    names = {name: set(of_split["id"]) for name, of_split in rows.groupby("split")}
    jpegs = {name: read_thumbnails(thumbnails[name], ids) for name, ids in names.items()}
    return views_of([jpegs[name][row] for name, row in zip(rows["split"], rows["id"], strict=True)])


def _check_labels(pairs: pd.DataFrame, *, refuse: bool) -> None:
    """Refuse, or log, duplicates with different labels."""
    contradictory = pairs[pairs["same_label"] == "no"]
    if not len(contradictory):
        return
    count = counted(len(contradictory), "pair")
    message = f"{count} of equal images with different labels: {listing(_names(contradictory))}"
    if refuse:
        raise FoldlineError(
            f"{message}; correct the labels or remove the rows; if they show different samples, set "
            "leaks.contradictory_labels to report"
        )
    logger.warning("%s", message)


def _check_kinds(pairs: pd.DataFrame, split: str, refused: Sequence[str]) -> None:
    """Refuse duplicates of the kinds that are an error."""
    problems = Problems()
    for kind in refused:
        found = pairs[pairs["kind"] == kind]
        key = f"leaks.policy.{kind}.{split if split in (TRAIN, TEST) else EXTERNAL}"
        with problems.collected():
            if len(found):
                other = "report" if split == TEST else "group"
                raise FoldlineError(
                    f"{split}: {counted(len(found), f'{kind} pair')}, which {key} makes an error: "
                    f"{listing(_names(found))}; remove rows, or set {key} to {other}, which lists all of them in "
                    f"results/leaks/{split}.csv"
                )
    problems.check()


def _names(pairs: pd.DataFrame) -> list[str]:
    return [f"{row.id} and {row.other_id} ({row.kind}, {row.distance} bits)" for row in pairs.itertuples()]


def _log_copies_of_labeled(pairs: pd.DataFrame) -> None:
    """Count the test images that are copies of images with labels."""
    across = pairs[pairs["other_split"] != TEST]
    if len(across):
        exact = across.loc[across["kind"] == EXACT, "id"].nunique()
        names = listing(sorted(across["id"].unique()))
        count = across["id"].nunique()
        logger.warning(
            "%s of training or external images (%d of them exact): %s; results/leaks/test.csv lists the pairs",
            f"{counted(count, 'test image')} {'is a copy' if count == 1 else 'are copies'}",
            exact,
            names,
        )


if __name__ == "__main__":
    with step(snakemake):
        audit_leaks(
            Inputs(
                inventory=snakemake.input.inventory,
                others=by_split(snakemake.input.others),
                thumbnails=by_split(snakemake.input.thumbnails),
                embeddings={Path(path).stem: path for path in snakemake.input.embeddings},
            ),
            snakemake.output.leaks,
            snakemake.output.leaks_csv,
            split=snakemake.wildcards.split,
            config=build(LeakConfig, snakemake.params.settings),
        )
