"""The fold table: duplicates tie groups together, metadata travel, the bytes depend on the rows alone."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foldline.errors import FoldlineError
from foldline.tables import INVENTORY, LEAKS, write_table
from make_folds import make_folds

ROWS = 60


@pytest.fixture
def inventory() -> pd.DataFrame:
    random = np.random.default_rng(1)
    names = [f"s{number:02d}" for number in range(ROWS)]
    return pd.DataFrame(
        {
            "id": names,
            "target": random.choice(["0", "1"], ROWS, p=[0.7, 0.3]),
            "group": [f"p{number // 2:02d}" for number in range(ROWS)],
            "path": names,
            "bytes": 1,
            "sha256": names,
            "width": 1,
            "height": 1,
            "perceptual_hash": "",
            "problem": "",
            "site": random.choice(["arm", "NA", ""], ROWS),
        }
    )


def written(folder: Path, pieces: list[pd.DataFrame], pairs: list[tuple[str, str, str]] = (), **settings) -> Path:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"piece{number}.csv" for number in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        write_table(piece, path, INVENTORY)
    leaks = pd.DataFrame(pairs, columns=["id", "other_id", "other_part"])
    leaks = leaks.assign(kind="exact", distance=0, same_label="yes").astype({"distance": "int64"})
    write_table(leaks, folder / "leaks.csv", LEAKS, key=("id", "other_id"))
    make_folds(
        inventory=paths,
        leaks=folder / "leaks.csv",
        folds=folder / "folds.csv",
        **{"count": 3, "seed": 7, "stratify_by": ["site"], **settings},
    )
    return folder / "folds.csv"


def test_the_table_has_every_row_once_with_its_metadata(inventory: pd.DataFrame, tmp_path: Path) -> None:
    table = pd.read_csv(written(tmp_path, [inventory]), dtype=str, keep_default_na=False)
    assert list(table.columns) == ["id", "group", "target", "fold", "site"]
    assert list(table["id"]) == sorted(inventory["id"])
    for name in ("group", "target", "site"):
        assert list(table[name]) == list(inventory[name])
    assert table.groupby("group")["fold"].nunique().max() == 1
    assert sorted(table["fold"].unique()) == ["0", "1", "2"]


def test_metadata_are_spread_over_the_folds(inventory: pd.DataFrame, tmp_path: Path) -> None:
    inventory["site"] = ["arm", "arm", "arm", "leg"] * 15
    inventory["group"] = inventory["id"]
    table = pd.read_csv(written(tmp_path, [inventory]))
    assert set(table[table["site"] == "leg"].groupby("fold").size()) == {5}


def test_the_bytes_do_not_depend_on_pieces_and_their_order(inventory: pd.DataFrame, tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", [inventory]).read_bytes()
    shuffled = inventory.sample(frac=1, random_state=3)
    assert written(tmp_path / "cut", [shuffled[40:], shuffled[:40]]).read_bytes() == whole
    assert written(tmp_path / "seed", [inventory], seed=8).read_bytes() != whole


def test_duplicates_tie_their_groups_together(inventory: pd.DataFrame, tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    path = written(tmp_path, [inventory], [("s00", "s59", "train"), ("s58", "s30", "train")])
    table = pd.read_csv(path, dtype=str).set_index("id")
    tied = ["s00", "s01", "s30", "s31", "s58", "s59"]
    assert set(table.loc[tied, "group"]) == {"p00"}
    assert table.loc[tied, "fold"].nunique() == 1
    assert "60 rows in 28 groups (2 groups joined another through 2 duplicate pairs)" in caplog.text
    assert caplog.text.count("positives (") == 3


def test_pairs_with_test_images_tie_nothing(inventory: pd.DataFrame, tmp_path: Path) -> None:
    path = written(tmp_path, [inventory], [("s00", "s59", "test")])
    assert pd.read_csv(path)["group"].nunique() == 30


def test_a_column_that_did_not_travel_cannot_stratify(inventory: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"stratify_by names sex, .* dataset.metadata_columns: site"):
        written(tmp_path, [inventory], stratify_by=["sex"])


def test_a_row_without_label_is_named(inventory: pd.DataFrame, tmp_path: Path) -> None:
    inventory.loc[5, "target"] = ""
    with pytest.raises(FoldlineError, match="target of id s05 is not 0 or 1"):
        written(tmp_path, [inventory])


def test_nothing_is_written_when_the_folds_cannot_be_filled(inventory: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="30 groups cannot fill 31 folds"):
        written(tmp_path, [inventory], count=31)
    assert not (tmp_path / "folds.csv").exists()
