"""The fold table: duplicates merge groups, external rows follow, and the bytes depend on the rows alone."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foldline.dataset.columns import Columns
from foldline.dataset.fold_cells import CellTable, FoldCells
from foldline.dataset.fold_table import FoldTable
from foldline.dataset.row_weights import RowWeights, WeightTable
from foldline.dataset.soft_labels import stored_code
from foldline.errors import FoldlineError
from foldline.io.tables import INVENTORY, LEAKS, write_table
from foldline.splits.fold_membership import held_out_rows, rows_without_oof, training_rows
from foldline.splits.folds_config import FoldsConfig, HoldoutConfig
from foldline.splits.leak_policy import GROUP_ALL, Policy
from make_folds import Inputs, make_folds

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
            "pixels_sha256": names,
            "contrast": 50.0,
            "peak_sample": 0.0,
            "white_sample": 0.0,
            "problem": "",
            "site": random.choice(["arm", "NA", ""], ROWS),
        }
    )


def external_of(*rows: tuple[str, str]) -> pd.DataFrame:
    """Make positive external rows from ids and groups."""
    table = pd.DataFrame(rows, columns=["id", "group"])
    table = table.assign(target="1", path=table["id"], bytes=1, sha256=table["id"], width=1, height=1)
    return table.assign(
        perceptual_hash="",
        pixels_sha256=table["id"],
        contrast=50.0,
        peak_sample=0.0,
        white_sample=0.0,
        problem="",
        site="leg",
    )


def write_pairs(path: Path, pairs: list[tuple[str, str, str]]) -> Path:
    leaks = pd.DataFrame(pairs, columns=["id", "other_id", "other_split"])
    leaks = leaks.assign(kind="exact", distance=0, same_label="yes").astype({"distance": "int64"})
    write_table(leaks, path, LEAKS, key=("id", "other_id"))
    return path


def written(
    folder: Path,
    shards: list[pd.DataFrame],
    pairs: list[tuple[str, str, str]] = (),
    *,
    external: pd.DataFrame | None = None,
    other: pd.DataFrame | None = None,
    external_pairs: list[tuple[str, str, str]] = (),
    test_pairs: list[tuple[str, str, str]] = (),
    weights: RowWeights | None = None,
    cells: FoldCells | None = None,
    **changes: object,
) -> Path:
    """Write inventories, one per shard, and pairs of duplicates; then the fold table, whose path is returned."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"shard{number}.parquet" for number in range(len(shards))]
    for path, shard in zip(paths, shards, strict=True):
        write_table(shard, path, INVENTORY)
    sets = {name: table for name, table in {"external": external, "other": other}.items() if table is not None}
    for name, table in sets.items():
        write_table(table, folder / f"{name}.parquet", INVENTORY)
    inputs = Inputs(
        inventory=paths,
        leaks=write_pairs(folder / "leaks.parquet", pairs),
        external_inventory={name: [folder / f"{name}.parquet"] for name in sets},
        external_leaks=[] if not sets else [write_pairs(folder / "external_leaks.parquet", external_pairs)],
        test_leaks=[write_pairs(folder / "test_leaks.parquet", test_pairs)] if test_pairs else [],
    )
    config = FoldsConfig(method="grouped", count=3, seed=7, stratify_by=("site",), class_names=("sick",))
    outputs = {"folds": folder / "folds.csv", "dropped": folder / "dropped.csv"}
    make_folds(inputs, **outputs, config=replace(config, **changes), weights=weights, cells=cells)
    return folder / "folds.csv"


def test_a_group_that_is_larger_than_a_fold_is_a_warning(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It fills a fold alone, or a chain of duplicates merged what does not belong together."""
    written(tmp_path, [inventory])
    assert "larger than a fold" not in caplog.text
    written(tmp_path, [inventory.assign(group=["all"] * 21 + [f"p{number}" for number in range(ROWS - 21)])])
    assert "1 group larger than a fold of 20 rows, so folds differ in size: all (21 of 60 rows); check" in caplog.text


def test_the_table_has_every_row_once_with_its_metadata(inventory: pd.DataFrame, tmp_path: Path) -> None:
    table = pd.read_csv(written(tmp_path, [inventory]), dtype=str, keep_default_na=False)
    assert list(table.columns) == ["id", "group", "target", "fold", "split", "row_weight", "label", "site"]
    assert list(table["label"]) == list(table["target"])
    assert set(table["split"]) == {"train"}
    assert list(table["id"]) == sorted(inventory["id"])
    for name in ("group", "target", "site"):
        assert list(table[name]) == list(inventory[name])
    assert table.groupby("group")["fold"].nunique().max() == 1
    assert sorted(table["fold"].unique()) == ["0", "1", "2"]


def test_metadata_values_are_spread_over_the_folds(inventory: pd.DataFrame, tmp_path: Path) -> None:
    inventory["site"] = ["arm", "arm", "arm", "leg"] * 15
    inventory["group"] = inventory["id"]
    table = pd.read_csv(written(tmp_path, [inventory]))
    assert set(table[table["site"] == "leg"].groupby("fold").size()) == {5}


def test_the_bytes_do_not_depend_on_shards_and_their_order(inventory: pd.DataFrame, tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", [inventory]).read_bytes()
    shuffled = inventory.sample(frac=1, random_state=3)
    assert written(tmp_path / "cut", [shuffled[40:], shuffled[:40]]).read_bytes() == whole
    assert written(tmp_path / "seed", [inventory], seed=8).read_bytes() != whole


def test_duplicates_merge_their_groups(inventory: pd.DataFrame, tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    path = written(tmp_path, [inventory], [("s00", "s59", "train"), ("s58", "s30", "train")])
    table = pd.read_csv(path, dtype=str).set_index("id")
    merged = ["s00", "s01", "s30", "s31", "s58", "s59"]
    assert set(table.loc[merged, "group"]) == {"p00"}
    assert table.loc[merged, "fold"].nunique() == 1
    assert "60 rows in 28 groups (2 groups merged into others by 2 pairs of duplicates)" in caplog.text
    assert caplog.text.count("positives: sick ") == 3


def test_duplicates_of_test_images_merge_no_groups(inventory: pd.DataFrame, tmp_path: Path) -> None:
    path = written(tmp_path, [inventory], [("s00", "s59", "test")])
    assert pd.read_csv(path)["group"].nunique() == 30


def policy(kind: str, split: str, action: str) -> Policy:
    return {**GROUP_ALL, kind: {**GROUP_ALL[kind], split: action}}


def test_pairs_that_are_only_reported_merge_no_groups(inventory: pd.DataFrame, tmp_path: Path) -> None:
    alone = written(tmp_path / "alone", [inventory]).read_bytes()
    pairs = [("s00", "s59", "train")]
    assert (
        written(tmp_path / "r", [inventory], pairs, leak_policy=policy("exact", "train", "report")).read_bytes()
        == alone
    )
    assert (tmp_path / "r" / "dropped.csv").read_text() == "id,split,kept_id,kept_split,kind,reason\n"


def test_dropped_copies_have_no_fold_and_are_listed(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others have the folds that they have without them."""
    inventory.loc[inventory["id"].isin(["s00", "s30", "s59"]), "target"] = ["0", "1", "1"]
    rest = inventory[~inventory["id"].isin(["s00", "s59"])]
    external = external_of(("e0", "e0"), ("e1", "e1"))
    alone = pd.read_csv(written(tmp_path / "alone", [rest], external=external.iloc[1:]), dtype=str).set_index("id")
    pairs = [("s00", "s30", "train"), ("s30", "s59", "train")]
    drop = {"exact": dict.fromkeys(("train", "external", "test"), "drop"), "near": GROUP_ALL["near"]}
    both = {"external": external, "external_pairs": [("e0", "s00", "train")], "leak_policy": drop}
    table = pd.read_csv(written(tmp_path / "all", [inventory], pairs, **both), dtype=str, keep_default_na=False)
    table = table.set_index("id")
    assert table.loc[alone.index, "fold"].equals(alone["fold"])
    assert list(table.loc[["s00", "s59", "e0"], "fold"]) == ["-3", "-3", "-3"]
    assert dict(table["no_oof"][table["no_oof"] != ""]) == dict.fromkeys(
        ("e0", "s00", "s59"), "dropped as exact copy of a training image"
    )
    assert (tmp_path / "all" / "dropped.csv").read_text().splitlines()[1:] == [
        f"{name},{split},s30,train,exact,dropped as exact copy of a training image"
        for name, split in (("e0", "external"), ("s00", "train"), ("s59", "train"))
    ]
    assert "3 rows dropped as exact copy of a training image" in caplog.text
    folds = table.reset_index().astype({"fold": int, "row_weight": float})
    for fold in range(3):
        assert not {"e0", "s00", "s59"} & {*training_rows(folds, fold)["id"], *held_out_rows(folds, fold)["id"]}
    assert set(rows_without_oof(folds)["id"]) == {"s00", "s59"}


def test_a_given_fold_whose_rows_are_all_dropped_is_refused(inventory: pd.DataFrame, tmp_path: Path) -> None:
    names = ("one", "other", "third")
    given = {"method": "leave_one_group_out", "stratify_by": (), "names": names, "numbers": (0, 1, 2), "count": 3}
    # The copy with the label of most stays.
    rows = inventory.assign(group=["one", *["other", "third"] * 29, "third"], target=["0", "1"] * 30)
    pairs = [("s00", "s01", "train"), ("s01", "s03", "train")]
    reason = "fold one has no rows, because leaks.policy drops all of them as copies of others; set it to group"
    with pytest.raises(FoldlineError, match=reason):
        written(tmp_path, [rows], pairs, leak_policy=policy("exact", "train", "drop"), **given)


def test_dropped_rows_are_in_no_holdout(inventory: pd.DataFrame, tmp_path: Path) -> None:
    pairs = [(f"s{number:02d}", f"s{number + 30}", "train") for number in range(0, 30, 2)]
    arguments = {"holdout": HoldoutConfig(share=0.2), "leak_policy": policy("exact", "train", "drop")}
    table = pd.read_csv(written(tmp_path, [inventory], pairs, **arguments)).set_index("id")
    copies = [other for _, other, _ in pairs]
    assert set(table.loc[copies, "fold"]) == {-3}
    assert set(table.drop(copies)["fold"]) == {-2, 0, 1, 2}


def test_copies_of_test_images_are_dropped(inventory: pd.DataFrame, tmp_path: Path) -> None:
    arguments = {"test_pairs": [("t", "s05", "train"), ("s07", "t", "test")]}
    table = pd.read_csv(written(tmp_path, [inventory], **arguments, leak_policy=policy("exact", "test", "drop")))
    assert list(table.loc[table["fold"] == -3, "id"]) == ["s05"]
    assert "s05,train,t,test,exact,dropped as exact copy of a test image" in (tmp_path / "dropped.csv").read_text()


def test_a_test_image_may_have_the_id_of_another_training_image(inventory: pd.DataFrame, tmp_path: Path) -> None:
    written(tmp_path, [inventory], test_pairs=[("s09", "s05", "train")], leak_policy=policy("exact", "test", "drop"))
    assert (tmp_path / "dropped.csv").read_text().splitlines()[1].startswith("s05,train,s09,test,exact,")


def test_a_missing_column_cannot_stratify(inventory: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(
        FoldlineError, match=r"stratify_by: sex is not one of dataset.metadata_columns \(site\); add it"
    ):
        written(tmp_path, [inventory], stratify_by=("sex",))


def test_an_unlabeled_row_is_refused(inventory: pd.DataFrame, tmp_path: Path) -> None:
    inventory.loc[5, "target"] = ""
    with pytest.raises(FoldlineError, match="target of id s05 is not a 0 or 1, or a share, for each of 1 class"):
        written(tmp_path, [inventory])


def test_nothing_is_written_if_the_folds_cannot_be_filled(inventory: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="count is 31, but the rows are of 30 groups"):
        written(tmp_path, [inventory], count=31)
    assert not (tmp_path / "folds.csv").exists()


def test_external_rows_have_the_fold_of_their_group_or_duplicates(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    external = external_of(("e4", "new"), ("e0", "p03"), ("e1", "e1"), ("e2", "e2"), ("e3", "e3"))
    pairs = [("e1", "s20", "train"), ("e1", "e2", "external")]
    path = written(tmp_path, [inventory], external=external, external_pairs=pairs)
    table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")
    assert list(table.index) == sorted(table.index)
    assert list(table.loc[table["split"] == "external"].index) == ["e0", "e1", "e2", "e3", "e4"]
    fold, group = table["fold"], table["group"]
    assert fold["e0"] == fold["s06"] == fold["s07"]
    assert fold["e1"] == fold["e2"] == fold["s20"]
    assert group["e1"] == group["e2"] == group["s20"]
    assert list(fold[["e3", "e4"]]) == ["-1", "-1"]
    assert table.loc["e4", ["target", "site"]].tolist() == ["1", "leg"]
    assert "external: 5 external rows, 3 of them withheld while a fold is held out" in caplog.text


def test_rows_of_several_sets_are_related_by_way_of_each_other(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A duplicate of an external row that has the group of train rows belongs to their fold, whatever its set."""
    caplog.set_level("INFO")
    sets = {"external": external_of(("e0", "p03"), ("e1", "x")), "other": external_of(("o0", "y"), ("o1", "x"))}
    path = written(tmp_path, [inventory], **sets, external_pairs=[("o0", "e0", "external")])
    table = pd.read_csv(path, dtype=str).set_index("id")
    of_sets = {"e0": "external", "e1": "external", "o0": "other", "o1": "other"}
    assert dict(table["split"].drop(list(inventory["id"]))) == of_sets
    fold_of_group = set(table.loc[table["group"] == "p03", "fold"])
    assert fold_of_group == {table.loc["e0", "fold"]} == {table.loc["o0", "fold"]} != {"-1"}
    assert list(table.loc[["e1", "o1"], "fold"]) == ["-1", "-1"]
    assert "other: 2 external rows, 1 of them withheld while a fold is held out" in caplog.text


def test_external_rows_do_not_count_for_the_size_of_a_fold(inventory: pd.DataFrame, tmp_path: Path) -> None:
    """They merge no groups here, so the train rows have the same folds as without them."""
    alone = pd.read_csv(written(tmp_path / "alone", [inventory]), dtype=str).set_index("id")["fold"]
    external = external_of(*((f"e{number:03d}", "p00") for number in range(200)))
    table = pd.read_csv(written(tmp_path / "more", [inventory], external=external), dtype=str).set_index("id")
    assert table.loc[alone.index, "fold"].equals(alone)
    assert set(table.loc[external["id"], "fold"]) == {alone["s00"]}


def test_duplicates_of_external_rows_merge_train_groups(inventory: pd.DataFrame, tmp_path: Path) -> None:
    alone = pd.read_csv(written(tmp_path / "alone", [inventory]), dtype=str).set_index("id")["fold"]
    other = next(name for name in alone.index if alone[name] != alone["s00"])
    pairs = [("e0", "s00", "train"), ("e0", "e1", "external"), ("e1", other, "train")]
    arguments = {"external": external_of(("e0", "e0"), ("e1", "e1")), "external_pairs": pairs}
    fold = pd.read_csv(written(tmp_path / "merged", [inventory], **arguments), dtype=str).set_index("id")["fold"]
    assert fold["s00"] == fold[other] == fold["e0"] == fold["e1"]


def test_an_external_row_with_the_id_of_a_train_row_is_refused(inventory: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="id s05 occurs more than once"):
        written(tmp_path, [inventory], external=external_of(("s05", "x")))


def test_an_unlabeled_external_row_is_refused(inventory: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="target of id e0 is not a 0 or 1, or a share, for each"):
        written(tmp_path, [inventory], external=external_of(("e0", "x")).assign(target=""))


@pytest.fixture
def recorded(inventory: pd.DataFrame) -> pd.DataFrame:
    """The rows in six record files of ten, each with whole groups and both labels."""
    paths = [f"records/train{number // 10}.tfrec#{number % 10 * 100}+90" for number in range(ROWS)]
    return inventory.assign(path=paths, target=[str(number % 2) for number in range(ROWS)])


def test_the_rows_of_a_record_file_have_the_same_fold(
    recorded: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 12; an external row needs no file, and is withheld with the file of its duplicate."""
    external = {"external": external_of(("e0", "e0"), ("e1", "e1")), "external_pairs": [("e0", "s25", "train")]}
    table = pd.read_csv(written(tmp_path, [recorded], method="files", **external), dtype=str).set_index("id")
    own = table[table["split"] == "train"]
    assert own["fold"].groupby(recorded.set_index("id")["path"].str.partition("#")[0]).nunique().eq(1).all()
    assert list(own.groupby("fold").size()) == [20, 20, 20]
    assert table.loc["e0", "fold"] == table.loc["s25", "fold"]
    assert table.loc["e1", "fold"] == "-1"
    assert "so folds.stratify_by (site) has no effect" in caplog.text


def test_duplicates_in_files_of_two_folds_are_refused(recorded: pd.DataFrame, tmp_path: Path) -> None:
    """Also if only an external row connects them."""
    fold = pd.read_csv(written(tmp_path / "apart", [recorded], method="files")).set_index("id")["fold"]
    other = next(name for name in fold.index if fold[name] != fold["s00"])
    names = rf"group p00 \(id s00 of records/train0.tfrec in fold \d, id {other} of records/train\d.tfrec in fold \d\)"
    with pytest.raises(FoldlineError, match=f"{names}; set folds.method to grouped$"):
        written(tmp_path / "pair", [recorded], [("s00", other, "train")], method="files")
    chain = {
        "external": external_of(("e0", "e0")),
        "external_pairs": [("e0", "s00", "train"), ("e0", other, "train")],
    }
    with pytest.raises(FoldlineError, match=r"more than one fold has rows of 1 group .*: group e0"):
        written(tmp_path / "chain", [recorded], method="files", **chain)
    assert not (tmp_path / "chain" / "folds.csv").exists()


def test_rows_outside_of_record_files_and_unknown_methods_are_refused(inventory: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"id s00, s01, .* and 50 more is in no record file"):
        written(tmp_path, [inventory], method="files")
    with pytest.raises(FoldlineError, match=r"folds.method is 'best'; allowed: grouped, files, leave_one_group_out,"):
        written(tmp_path, [inventory], method="best")


def test_a_metadata_column_with_the_name_of_a_column_of_the_table_is_refused(
    inventory: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(FoldlineError, match="metadata_columns: split is a column of the fold table"):
        written(tmp_path, [inventory.assign(split="arm")])


def test_soft_labels_are_spread_by_their_largest_share(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The folds are those of the classes that the labels count as, however many different labels there are."""
    random, names = np.random.default_rng(4), ("x", "y", "z")
    shares = random.dirichlet([0.4, 0.8, 1.2], ROWS)
    codes = [stored_code(row.tolist()) for row in shares]
    soft = inventory.assign(target=codes, group=inventory["id"])
    hard = soft.assign(target=["".join(str(int(value == max(row))) for value in row) for row in shares])
    with caplog.at_level("INFO"):
        found = pd.read_csv(written(tmp_path / "soft", [soft], class_names=names), dtype=str)
    assert "; sums of soft labels: x " in caplog.text
    expected = pd.read_csv(written(tmp_path / "hard", [hard], class_names=names), dtype=str)
    assert dict(zip(found["id"], found["target"], strict=True)) == dict(zip(soft["id"], codes, strict=True))
    assert list(found["fold"]) == list(expected["fold"])


def test_weights_are_beside_the_folds_and_change_none(inventory: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "weights.csv"
    path.write_text("id,w\n" + "".join(f"{name},{number}\n" for number, name in enumerate(inventory["id"])))
    columns = Columns(id="id", target=None, group=None, metadata=("w",))
    weights = RowWeights({"train": WeightTable(str(path), columns)}, {"external": 0.25})
    weights = replace(weights, digest=weights.digest_of(weights.read()))
    external = external_of(("e0", "new"))
    plain = pd.read_csv(written(tmp_path / "p", [inventory], external=external)).set_index("id")
    found = pd.read_csv(written(tmp_path / "w", [inventory], external=external, weights=weights)).set_index("id")
    assert set(plain["row_weight"]) == {1.0}
    assert list(found.loc[list(inventory["id"]), "row_weight"]) == list(range(len(inventory)))
    assert found.loc["e0", "row_weight"] == 0.25
    assert found.drop(columns="row_weight").equals(plain.drop(columns="row_weight"))
    with pytest.raises(FoldlineError, match="weights of rows changed after the run was planned"):
        written(tmp_path / "c", [inventory], weights=replace(weights, digest="other"))


def test_weights_that_hide_a_label_from_a_fold_are_refused(inventory: pd.DataFrame, tmp_path: Path) -> None:
    folds = pd.read_csv(written(tmp_path / "p", [inventory]), dtype=str).set_index("id")
    # Positives of the folds 0 and 2 count, so only fold 1 keeps one of them.
    light = folds.index[(folds["target"] == "1") & (folds["fold"] != "1")]
    path = tmp_path / "weights.csv"
    path.write_text("id,w\n" + "".join(f"{name},{0 if name in light else 1}\n" for name in inventory["id"]))
    columns = Columns(id="id", target=None, group=None, metadata=("w",))
    weights = RowWeights({"train": WeightTable(str(path), columns)}, {})
    weights = replace(weights, digest=weights.digest_of(weights.read()))
    message = r"folds: fold 1 trains on no row with the label 1 of sick: all such rows have the weight 0"
    with pytest.raises(FoldlineError, match=message):
        written(tmp_path / "w", [inventory], weights=weights)


def cells_of(path: Path, column: str, values: dict[str, str]) -> FoldCells:
    """A table of the user with a column, whose digest is known."""
    path.write_text(f"id,{column}\n" + "".join(f"{name},{value}\n" for name, value in values.items()))
    cells = FoldCells((column,), {"train": CellTable(str(path), Columns(id="id", target=None, group=None))})
    tables = {"train": replace(cells.tables["train"], columns=Columns("id", None, None, (column,)))}
    cells = replace(cells, tables=tables)
    return replace(cells, digest=cells.read().digest)


# Folds of groups of two rows.
OWN_FOLDS = {"column": "f", "method": "column", "stratify_by": ()}


def test_folds_of_a_column_are_taken_as_they_are(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = {name: str(int(name[1:]) // 2 % 3 + 1) for name in inventory["id"]}
    cells = cells_of(tmp_path / "own.csv", "f", dict(reversed(own.items())))
    folds = {**OWN_FOLDS, "count": 3, "names": ("1", "2", "3"), "numbers": (1, 2, 3)}
    # s00 and s07 are copies in two folds, s00 and s06 in one.
    pairs = [("s00", "s06", "train"), ("s00", "s02", "train")]
    external = external_of(("e0", "e0"), ("e1", "p01"), ("e2", "e2"), ("e3", "e3"))
    related = [("e0", "s02", "train"), ("e3", "s04", "train")]
    path = written(tmp_path / "x", [inventory], pairs, external=external, external_pairs=related, cells=cells, **folds)
    table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")
    assert {name: table.loc[name, "fold"] for name in own} == own
    assert "fold_name" not in table
    assert "1 duplicate in another fold than the image that it shows, so scores may be better" in caplog.text
    assert "than on new images: s00 (fold 1) and s02 (fold 2); " in caplog.text
    # The groups of copies in two folds are not merged; rows related to both are in neither training.
    assert [table.loc[name, "group"] for name in ("s00", "s02", "s06")] == ["p00", "p01", "p03"]
    assert [tuple(table.loc[name, ["fold", "withheld"]]) for name in ("e0", "e1", "e2", "e3")] == [
        ("-1", "1 2"),
        ("2", "1"),
        ("-1", ""),
        ("3", ""),
    ]
    with pytest.raises(FoldlineError, match=r"own.csv: folds or groups of rows changed after the run was planned"):
        written(tmp_path / "y", [inventory], cells=replace(cells, digest="other"), **folds)


def test_folds_with_names_are_numbered_and_may_have_one_label(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inventory["target"] = ["1"] * 20 + ["0", "1"] * 20
    own = {name: "bca"[int(name[1:]) // 20] for name in inventory["id"]}
    cells = cells_of(tmp_path / "own.csv", "f", own)
    folds = {**OWN_FOLDS, "count": 3, "names": ("a", "b", "c"), "numbers": (0, 1, 2)}
    table = pd.read_csv(written(tmp_path / "x", [inventory], cells=cells, **folds), dtype=str).set_index("id")
    assert dict(table["fold_name"]) == own
    assert dict(table["fold"]) == {name: str("abc".index(fold)) for name, fold in own.items()}
    assert (
        "fold 1 has no class with both labels, so it has no AUC of its own; its rows count in the pooled" in caplog.text
    )


def test_a_group_in_two_given_folds_is_refused(inventory: pd.DataFrame, tmp_path: Path) -> None:
    cells = cells_of(tmp_path / "own.csv", "f", {name: str(int(name[1:]) % 3) for name in inventory["id"]})
    folds = {**OWN_FOLDS, "count": 3, "names": ("0", "1", "2"), "numbers": (0, 1, 2)}
    with pytest.raises(FoldlineError, match=r"more than one fold has rows of group p00 \(id s00 in fold 0, id s01 in"):
        written(tmp_path / "x", [inventory], cells=cells, **folds)


def test_rows_stay_together_that_a_further_group_column_connects(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every tenth row is of one slide, and 5 of 30 patients with it."""
    caplog.set_level("INFO")
    slides = {name: "x" if number % 10 == 0 else f"y{number}" for number, name in enumerate(inventory["id"])}
    cells = cells_of(tmp_path / "own.csv", "slide", slides)
    found = written(tmp_path / "x", [inventory], cells=cells, group_columns=("slide",))
    table = pd.read_csv(found, dtype=str).set_index("id")
    joined = [name for number, name in enumerate(inventory["id"]) if number % 10 < 2]
    assert set(table.loc[joined, "group"]) == {"p00"}
    assert table.loc[joined, "fold"].nunique() == 1
    assert "60 rows in 25 groups (0 groups merged into others by 0 pairs of duplicates)" in caplog.text


def test_each_group_is_a_fold(inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inventory["group"] = [f"p{number // 20}" for number in range(ROWS)]
    inventory["target"] = ["1"] * 20 + ["0", "1"] * 20
    folds = {"method": "leave_one_group_out", "count": 3, "names": ("p0", "p1", "p2"), "numbers": (0, 1, 2)}
    pairs = [("s00", "s59", "train")]
    table = pd.read_csv(written(tmp_path / "x", [inventory], pairs, stratify_by=(), **folds)).set_index("id")
    assert list(table["fold_name"]) == list(table["group"]) == list(inventory["group"])
    assert list(table["fold"]) == [number // 20 for number in range(ROWS)]
    assert "1 duplicate in another fold than the image that it shows" in caplog.text
    assert "fold 0 has no class with both labels" in caplog.text


def old_folds(path: Path, table: pd.DataFrame) -> FoldCells:
    table.to_csv(path, index=False)
    cells = FoldCells((), {}, FoldTable(str(path), ("image", "id"), "fold"))
    return replace(cells, digest=cells.read().digest)


def test_the_groups_of_an_old_table_stay_and_new_ones_are_placed(inventory: pd.DataFrame, tmp_path: Path) -> None:
    old = pd.read_csv(written(tmp_path / "old", [inventory], stratify_by=()))
    fold_of = dict(zip(old["id"], old["fold"], strict=True))
    # Without a third of the groups, and one row of a group that stays; one id is gone.
    is_new = old["group"].isin([f"p{number:02d}" for number in range(0, 30, 3)]) | (old["id"] == "s03")
    table = pd.concat([old[~is_new], old[:1].assign(id="gone")])
    external = external_of(("e0", "p00"), ("e1", "e1"))
    arguments = {"method": "table", "names": ("0", "1", "2"), "numbers": (0, 1, 2), "stratify_by": ()}
    arguments |= {"table": "old.csv", "cells": old_folds(tmp_path / "old.csv", table)}
    pairs = [("s00", "s06", "train")]
    path = written(tmp_path / "new", [inventory], pairs, external=external, **arguments)
    found = pd.read_csv(path, dtype={"fold": int}).set_index("id")["fold"]
    for name in old["id"][~is_new]:
        assert found[name] == fold_of[name]
    assert found["s03"] == found["s02"]
    # p00 and p03 are new and copies of each other.
    assert found["s00"] == found["s01"] == found["s06"] == found["e0"]
    assert found["e1"] == -1
    sizes = found[old["id"]].value_counts()
    assert sizes.max() - sizes.min() <= 4
    # Whatever the order of the rows, and if nothing is new, all is as before.
    again = written(tmp_path / "shuffled", [inventory[::-1]], pairs, external=external, **arguments)
    assert again.read_bytes() == path.read_bytes()
    arguments["cells"] = old_folds(tmp_path / "all.csv", old)
    same = written(tmp_path / "same", [inventory], **arguments)
    assert same.read_bytes() == (tmp_path / "old" / "folds.csv").read_bytes()


def test_a_new_row_that_duplicates_an_old_one_gets_its_fold(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = pd.read_csv(written(tmp_path / "old", [inventory], stratify_by=()))
    fold_of = dict(zip(old["id"], old["fold"], strict=True))
    other = next(name for name in fold_of if fold_of[name] != fold_of["s02"])
    arguments = {"method": "table", "names": ("0", "1", "2"), "numbers": (0, 1, 2), "stratify_by": (), "table": "o"}
    cells = old_folds(tmp_path / "old.csv", old[2:])
    path = written(tmp_path / "new", [inventory], [("s00", "s02", "train")], cells=cells, **arguments)
    found = pd.read_csv(path).set_index("id")["fold"]
    assert found["s00"] == found["s01"] == found["s02"] == fold_of["s02"]
    # Old rows that turn out to be copies keep their folds, with a warning.
    path = written(tmp_path / "more", [inventory], [("s02", other, "train")], cells=cells, **arguments)
    found = pd.read_csv(path).set_index("id")["fold"]
    assert (found["s02"], found[other]) == (fold_of["s02"], fold_of[other])
    assert "1 duplicate in another fold than the image that it shows" in caplog.text


def test_a_share_of_the_groups_is_held_out(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    external = external_of(("e0", "p00"), ("e1", "e1"))
    holdout = HoldoutConfig(share=0.2)
    pairs = [("s00", "s59", "train")]
    path = written(tmp_path / "x", [inventory], pairs, external=external, holdout=holdout)
    table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")
    own = table[table["split"] == "train"]
    held_out = own[own["fold"] == "-2"]
    assert set(own["fold"]) == {"-2", "0", "1", "2"}
    assert "fold -" not in caplog.text
    assert f" holdout: {len(held_out)} rows in " in caplog.text
    assert 10 <= len(held_out) <= 14
    assert set(held_out["no_oof"]) == {"holdout"}
    assert set(own.loc[own["fold"] != "-2", "no_oof"]) == {""}
    assert table.groupby("group")["fold"].nunique().max() == 1
    assert table.loc["e0", "fold"] == table.loc["s00", "fold"] == table.loc["s59", "fold"]
    assert table.loc["e1", "fold"] == "-1"
    assert abs((held_out["target"] == "1").mean() - (own["target"] == "1").mean()) < 0.1


def test_a_class_whose_rows_are_all_in_the_holdout_is_a_warning(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inventory["target"] = ["001" if number == 7 else f"{number % 2}{(number + 1) % 2}0" for number in range(ROWS)]
    changes = {"class_names": ("a", "b", "rare"), "stratify_by": ()}
    written(tmp_path, [inventory], holdout=HoldoutConfig(share=0.1), **changes)
    assert "no model learns" not in caplog.text
    table = pd.read_csv(written(tmp_path, [inventory], holdout=HoldoutConfig(share=0.85), **changes), dtype=str)
    assert table.set_index("id").loc["s07", "fold"] == "-2"
    assert "all rows of rare are in the holdout, so no model learns them; lower folds.holdout.share" in caplog.text


@pytest.mark.parametrize("share", [0.05, 0.01])
def test_a_small_share_has_rows(share: float, inventory: pd.DataFrame, tmp_path: Path) -> None:
    path = written(tmp_path / "x", [inventory], holdout=HoldoutConfig(share=share))
    assert 0 < (pd.read_csv(path)["fold"] == -2).sum() <= 8


def test_the_rows_of_a_column_are_held_out(
    inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    later = {name: str(int(number >= 40)) for number, name in enumerate(inventory["id"])}
    cells = cells_of(tmp_path / "own.csv", "later", later)
    holdout = HoldoutConfig(column="later", values=("1",))
    external = external_of(("e0", "p29"), ("e1", "p00"))
    pairs = [("s00", "s59", "train")]
    path = written(tmp_path / "x", [inventory], pairs, external=external, cells=cells, holdout=holdout)
    table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")
    assert {name: str(int(table.loc[name, "fold"] == "-2")) for name in later} == later
    assert table.loc["e0", "fold"] == "-2"
    assert "duplicates of holdout rows are trained on, so the score of the holdout may be better" in caplog.text
    cells = cells_of(tmp_path / "own.csv", "later", {**later, "s01": "1"})
    with pytest.raises(FoldlineError, match=r"folds.holdout: group p00 .*; give each group one value of later"):
        written(tmp_path / "y", [inventory], cells=cells, holdout=holdout)


def test_periods_are_held_out(inventory: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    inventory["group"] = ["p" if number in (3, 59) else name for number, name in enumerate(inventory["id"])]
    years = {name: str(2010 + number // 10) for number, name in enumerate(inventory["id"])}
    cells = cells_of(tmp_path / "own.csv", "year", years)
    external = external_of(("e0", "e0"), ("e1", "e1"))
    related = {"external": external, "external_pairs": [("e0", "s21", "train")]}
    time = {"method": "time", "column": "year", "count": 5, "gap": 1.0, "stratify_by": ()}
    table = pd.read_csv(written(tmp_path / "x", [inventory], cells=cells, **related, **time), keep_default_na=False)
    table = table.set_index("id")
    own = table.loc[list(years)]
    assert list(own["fold"]) == [int(year) - 2011 for year in years.values()]
    assert list(own.loc[["s00", "s10"], "fold_name"]) == ["", "from 2011"]
    assert set(own.loc[own["fold"] == -1, "no_oof"]) == {"before the first period of year that is held out"}
    # s03 is of 2010, and in one group with a row of 2015; the gap leaves out the year before.
    withheld = {name: str(table.loc[name, "withheld"]) for name in ("s00", "s03", "s15", "s59", "e0", "e1")}
    assert withheld == {"s00": "0", "s03": "0 4", "s15": "1", "s59": "0 1 2 3", "e0": "1", "e1": ""}
    assert "10 rows before the first period are held out by no fold" in caplog.text
    assert "held out by no fold: 10 rows in " in caplog.text
    assert "fold 1 (from 2012): 10 rows in " in caplog.text
    assert "fold -" not in caplog.text
