"""The table of images that look alike: pairs that nobody knows yet, of all splits."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures.pictures import photograph
from foldline.io.embeddings import write_embeddings
from foldline.io.tables import FOLDS, INTEGER, INVENTORY, LEAKS, LOOK_ALIKES, REAL, TEXT, read_table, write_table
from foldline.io.thumbnails import write_thumbnails
from foldline.tfrecords.image_sources import thumbnail_jpeg
from look_alikes import Inputs, look_alikes

# Training images a and b are of one group, and c is a duplicate of d; the test image a is another one.
IDS = {"train": ["a", "b", "c", "d", "e"], "test": ["a", "z"]}
FILLERS = {TEXT: "0", INTEGER: 1, REAL: 9.0}


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    inventories, thumbnails, embeddings, leaks = {}, {}, {}, {}
    for split, ids in IDS.items():
        folder = tmp_path / split
        table = pd.DataFrame({name: FILLERS[kind] for name, kind in INVENTORY.items()} | {"id": ids})
        # Image e shows nothing.
        table["contrast"] = [0.0 if name == "e" else 9.0 for name in ids]
        write_table(table.assign(problem=""), folder / "inventory.parquet", INVENTORY)
        jpeg = thumbnail_jpeg(photograph(60, 80))
        write_thumbnails({name: [jpeg] for name in ids}, folder / "thumbnails.parquet")
        vectors = np.random.default_rng(len(ids)).normal(size=(len(ids), 4))
        write_embeddings(folder / "vectors.parquet", ids, vectors)
        known = [("c", "d", "train", "near", 3, "yes")] if split == "train" else []
        pairs = pd.DataFrame(known, columns=list(LEAKS)).astype({"distance": "int64"})
        write_table(pairs, folder / "leaks.parquet", LEAKS, key=("id", "other_id"))
        inventories[split], thumbnails[split] = [folder / "inventory.parquet"], [folder / "thumbnails.parquet"]
        embeddings[split], leaks[split] = folder / "vectors.parquet", folder / "leaks.parquet"
    folds = pd.DataFrame({name: FILLERS[kind] for name, kind in FOLDS.items()} | {"id": IDS["train"]})
    folds = folds.assign(split="train", group=["g", "g", "c", "d", "e"])
    write_table(folds, tmp_path / "folds.csv", FOLDS)
    return Inputs(inventories, thumbnails, embeddings, leaks, tmp_path / "folds.csv")


def test_pairs_within_a_group_duplicates_and_blank_images_are_left_out(inputs: Inputs, tmp_path: Path) -> None:
    look_alikes(inputs, tmp_path / "look_alikes.csv")
    table = read_table(tmp_path / "look_alikes.csv", LOOK_ALIKES, key=("rank",))
    assert list(table["rank"]) == list(range(1, len(table) + 1))
    assert table["score"].is_monotonic_decreasing
    pairs = [((row.split, row.id), (row.other_split, row.other_id)) for row in table.itertuples()]
    shown = [("train", name) for name in "abcd"] + [("test", name) for name in "az"]
    every = {(one, other) for number, one in enumerate(shown) for other in shown[number + 1 :]}
    left_out = {(("train", "a"), ("train", "b")), (("train", "c"), ("train", "d"))}
    # Two pairs for each image of 15, of which 13 may be listed.
    assert len(pairs) == len(set(pairs)) == 12
    assert set(pairs) < every - left_out


def test_images_that_are_duplicates_by_way_of_another_one_are_left_out(inputs: Inputs, tmp_path: Path) -> None:
    """Image d is a duplicate of c, and so is the test image z."""
    known = pd.DataFrame([("z", "c", "train", "exact", 0, "")], columns=list(LEAKS)).astype({"distance": "int64"})
    write_table(known, inputs.leaks["test"], LEAKS, key=("id", "other_id"))
    look_alikes(inputs, tmp_path / "look_alikes.csv")
    table = read_table(tmp_path / "look_alikes.csv", LOOK_ALIKES, key=("rank",))
    assert len(table)
    assert not set(zip(table["id"], table["other_id"], strict=True)) & {("c", "z"), ("d", "z"), ("c", "d")}
