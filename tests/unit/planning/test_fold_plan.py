"""Folds that the data give are found and checked before any job starts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fixtures.example_config import SCHEMA, example_config
from fixtures.settings import dataset_settings
from foldline.dataset.sample_table import read_rows
from foldline.errors import FoldlineError
from foldline.planning.configuration import complete
from foldline.planning.data_checks import check_data
from foldline.planning.dataset_section import columns_of
from foldline.planning.fold_plan import fold_cells, fold_method, fold_numbers, with_found_folds
from foldline.planning.found_folds import find_folds, read_cells, with_connected_groups, without_holdout
from foldline.planning.leak_plan import find_confirmed
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Sample, Samples


def fold_settings(**changes: Any) -> dict[str, Any]:
    """The `folds` section with the schema's defaults filled in."""
    return complete(example_config(folds=changes), SCHEMA)["folds"]


def data_of(path: Path, header: str, rows: Sequence[str], dataset: dict[str, Any]) -> RawData:
    """Training rows of a table of the user."""
    path.write_text("\n".join([header, *rows, ""]))
    samples = Samples.of(Sample(row, "", 0) for row in read_rows(path, columns_of(dataset, "train")))
    return RawData({"train": samples}, [], True, {"train": str(path)})


def find_all(folds: dict[str, Any], dataset: dict[str, Any], data: RawData) -> dict[str, Any]:
    """What planning finds, as the data index does it."""
    cells = read_cells(folds, dataset, data.tables)
    data = without_holdout(with_connected_groups(data, dataset, cells), folds, cells, dataset)
    return find_folds(folds, dataset, data, cells)


def find(path: Path, rows: Sequence[str], **changes: Any) -> dict[str, Any]:
    dataset = dataset_settings(group_column="who")
    folds = fold_settings(column="fold", **changes)
    return find_all(folds, dataset, data_of(path, "id,who,target,fold", rows, dataset))


ROWS = ["a,p,0,1", "b,p,1,1.0", "c,q,1,2", "d,r,0,2"]


def test_folds_of_a_column_decide_their_number(tmp_path: Path) -> None:
    found = find(tmp_path / "train.csv", ROWS)
    assert (found["names"], found["numbers"]) == (["1", "2"], [1, 2])
    folds = with_found_folds(fold_settings(column="fold", count=7), found)
    assert (folds["count"], fold_numbers(folds)) == (2, [1, 2])
    assert fold_numbers(fold_settings(count=3)) == [0, 1, 2]
    assert [fold_method(fold_settings(**keys)) for keys in ({}, {"column": "fold"}, {"method": "files"})] == [
        "grouped",
        "column",
        "files",
    ]


def test_the_digest_depends_on_folds_and_not_on_their_order_or_spelling(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    rows = [*ROWS, "e,s,1,3", "f,s,0,3"]
    digest = find(path, rows)["digest"]
    assert find(path, [*rows[2:], "b,p,1,1", rows[0]])["digest"] == digest
    assert find(path, [*rows[:4], "e,s,1,2", "f,s,0,2"])["digest"] != digest
    # A label is no cell of folds.
    assert find(path, ["a,p,1,1", *rows[1:]])["digest"] == digest


def test_cells_are_read_as_they_were_planned(tmp_path: Path) -> None:
    dataset, folds = dataset_settings(), fold_settings(column="fold")
    data = data_of(tmp_path / "train.csv", "id,who,target,fold", ROWS, dataset)
    cells = fold_cells(folds, dataset, data.tables, digest=find_all(folds, dataset, data)["digest"])
    assert cells is not None
    assert cells.of_rows(["train", "train", "old"], ["d", "a", "a"]).columns == {"fold": ["2", "1", ""]}
    assert fold_cells(fold_settings(), dataset, data.tables) is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["a,p,0,1", "b,p,1,", "c,q,1,-1"],
            r"line 3: the fold \(column fold\) of id 'b' is missing; line 4: .* of id 'c' is '-1'; a number below 0",
        ),
        (["a,p,0,1", "b,q,1,1"], r"column fold \(folds\.column\) has 1 value \(1\), but there may be 2 to 100: every"),
        (
            ["a,p,0,1", "b,p,1,2", "c,q,0,1", "d,q,1,2"],
            r"has 2 groups of dataset\.group_column in more than one fold: group p \(id a in fold 1, id b in fold 2",
        ),
        (["a,p,0,1", "b,q,1,2", "c,r,1,2"], r"without fold 1, all rows have the label 1, without fold 2, all .* 0, so"),
    ],
)
def test_folds_that_cannot_be_used_are_refused(rows: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=rf"train\.csv.*{message}"):
        find(tmp_path / "train.csv", rows)


PATIENTS = ["a,p,x,0", "b,p,y,1", "c,q,y,0", "d,r,z,1", "e,s,w,0", "f,t,w,1"]


def test_several_group_columns_connect_rows(tmp_path: Path) -> None:
    dataset = dataset_settings(group_column=["who", "where"])
    data = data_of(tmp_path / "train.csv", "id,who,where,target", PATIENTS, dataset)
    # The inventory has the first column alone, so that the others make no image stale.
    assert list(data.splits["train"].rows.group) == ["p", "p", "q", "r", "s", "t"]
    cells = read_cells(fold_settings(), dataset, data.tables)
    assert with_connected_groups(data, dataset, cells).splits["train"].rows.group == ["p", "p", "p", "r", "s", "s"]
    found = find_all(fold_settings(), dataset, data)
    assert set(found) == {"digest"}
    with pytest.raises(FoldlineError, match=r"line 3: the group \(column where\) of id 'b' is missing; give every"):
        find_all(
            fold_settings(),
            dataset,
            data_of(tmp_path / "t.csv", "id,who,where,target", ["a,p,x,0", "b,p,NA,1"], dataset),
        )


def test_external_rows_need_no_further_group(tmp_path: Path) -> None:
    columns = {"where": "place", "who": None}
    external = {"old": {"table": "old.csv", "images": "{id}.png", "columns": columns}}
    dataset = dataset_settings(group_column=["who", "where"], external=external)
    data = data_of(tmp_path / "train.csv", "id,who,where,target", PATIENTS, dataset)
    (tmp_path / "old.csv").write_text("id,place,target\nx,y,1\nz,,0\n")
    tables = {**data.tables, "old": str(tmp_path / "old.csv")}
    digest = read_cells(fold_settings(), dataset, tables).digest
    cells = fold_cells(fold_settings(), dataset, tables, digest=digest)
    assert cells is not None
    assert cells.of_rows(["old", "train", "old"], ["x", "f", "z"]).columns == {"where": ["y", "w", ""]}


def test_each_group_is_left_out_once(tmp_path: Path) -> None:
    folds = fold_settings(method="leave_one_group_out")
    dataset = dataset_settings(group_column=["who", "where"])
    data = data_of(tmp_path / "train.csv", "id,who,where,target", PATIENTS, dataset)
    found = find_all(folds, dataset, data)
    assert (found["names"], found["numbers"]) == (["p", "r", "s"], [0, 1, 2])
    data = data_of(tmp_path / "train.csv", "id,who,where,target", ["a,p,x,0", "b,q,x,1"], dataset)
    with pytest.raises(FoldlineError, match=r"'leave_one_group_out', and column who and where has 1 value \(p\), but"):
        find_all(folds, dataset, data)


def find_old(tmp_path: Path, table: str, *rows: str, **keys: str) -> dict[str, Any]:
    dataset = dataset_settings(group_column="who", id_column="image")
    (tmp_path / "old.csv").write_text(table)
    data = data_of(tmp_path / "train.csv", "image,who,target", rows, dataset)
    return find_all(fold_settings(table=str(tmp_path / "old.csv"), **keys), dataset, data)


def test_an_old_fold_table_decides_the_folds_of_its_ids(tmp_path: Path) -> None:
    rows = ["a,p,0", "b,q,1", "c,q,1", "d,r,0"]
    # c has the group of b, d is new; e is gone, x is an external row, and y had no fold.
    found = find_old(tmp_path, "id,fold,split\na,3,train\nb,1,train\ne,7,train\nx,1,old\ny,-1,train\n", *rows)
    assert (found["names"], found["numbers"]) == (["1", "3"], [1, 3])
    # Of a colleague, without splits.
    table = "image,kfold\na,x\nb,y\n"
    found = find_old(tmp_path, table, *rows, column="kfold")
    assert (found["names"], found["numbers"]) == (["x", "y"], [0, 1])
    again = find_old(tmp_path, "image,other,kfold\nb,,y\na,,x\n", *rows, column="kfold")
    assert again == found
    assert find_old(tmp_path, "image,kfold\na,x\nb,y\nd,y\n", *rows, column="kfold")["digest"] != found["digest"]


def test_rows_of_an_old_holdout_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = "id,fold,split\na,0,train\nb,1,train\nc,-2,train\nd,-2,train\ne,-3,train\nx,-1,old\n"
    find_old(tmp_path, table, "a,p,0", "b,q,1", "c,r,1", "d,s,0")
    words = "rows with a fold below 0 have none: 2 with -2 (the holdout), 1 with -3 (dropped as copies); those that are"
    assert words in caplog.text


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id,fold\na,0\nc,1\nb,1\n", r"more than one fold: group p \(id a in fold 0, id b in fold 1\)"),
        ("id,fold\n1,0\n2,1\n", r"no training row has a fold in it; its ids with a fold are 1, 2, and those of the"),
        ("id,fold\na,0\nb,0\n", r"has 1 value \(0\), but there may be 2 to 100"),
        ("who,fold\na,0\n", r"no column image or id; the table has who, fold; call the column of its ids id, or cor"),
        ("id,kfold\na,0\n", r"no column fold; the table has id, kfold; did you mean kfold"),
    ],
)
def test_an_old_fold_table_that_cannot_be_used_is_refused(table: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=rf"old\.csv: .*{message}"):
        find_old(tmp_path, table, "a,p,0", "b,p,1", "c,q,0")


def find_by_time(tmp_path: Path, rows: Sequence[str], **keys: Any) -> dict[str, Any]:
    dataset = dataset_settings(group_column="who")
    data = data_of(tmp_path / "train.csv", "id,who,target,year", rows, dataset)
    return find_all(fold_settings(method="time", column="year", **keys), dataset, data)


YEARS = ["a,p,0,2018", "b,q,1,2018", "c,r,0,2019", "d,s,1,2020", "e,t,0,2020"]


def test_times_keep_the_number_of_folds(tmp_path: Path) -> None:
    assert set(find_by_time(tmp_path, YEARS, count=2)) == {"digest"}


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        (
            [*YEARS, "f,u,1,soon", "g,v,1,"],
            {},
            r", line 7: the time \(column year\) of id 'f' is 'soon'; line 8: .* 'g' is missing; write",
        ),
        (
            YEARS,
            {"count": 3},
            r"year \(folds\.column\): folds\.count is 3, which needs 4 periods, but the times have",
        ),
        (
            YEARS,
            {"count": 2, "gap": 1},
            r"no row before fold 0 \(from 2019\) to train on; lower folds\.gap, which is 1, or folds",
        ),
        (
            ["a,p,0,1", "b,q,1,2", "c,r,1,3"],
            {"count": 2},
            r"only rows with the label 0 before fold 0 \(from 2\) to train on; lower folds\.count, so that",
        ),
        (
            ["a,p,0,2018", "b,p,1,2018", "c,p,0,2019", "d,p,1,2020"],
            {"count": 2},
            r"beside groups with rows in the period, no row before fold 0 \(from 2019\) to train on; name another",
        ),
    ],
)
def test_times_that_give_no_folds_are_refused(
    rows: list[str], keys: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FoldlineError, match=rf"train\.csv.*{message}"):
        find_by_time(tmp_path, rows, **keys)


def with_holdout(tmp_path: Path, rows: Sequence[str], *values: object, **keys: Any) -> dict[str, Any]:
    dataset = dataset_settings(group_column="who")
    data = data_of(tmp_path / "train.csv", "id,who,target,part", rows, dataset)
    holdout = {"column": "part", **({"values": list(values)} if values else {})}
    return find_all(fold_settings(holdout=holdout, **keys), dataset, data)


def test_rows_of_the_holdout_give_no_folds(tmp_path: Path) -> None:
    rows = [*(f"{name},{name},{number % 2},0" for number, name in enumerate("abcd")), "x,h,1,True", "y,h,0,1.0"]
    found = with_holdout(tmp_path, rows, method="leave_one_group_out")
    assert found["names"] == ["a", "b", "c", "d"]
    with pytest.raises(FoldlineError, match=r"has test \(folds\.holdout\.values\) in no row; its values are 0, 1; c"):
        with_holdout(tmp_path, rows, "test")
    with pytest.raises(FoldlineError, match=r"has 1, 0 \(folds\.holdout\.values\) in all rows"):
        with_holdout(tmp_path, rows, True, 0)
    with pytest.raises(FoldlineError, match=r"divides 1 group of .* h \(id y in the holdout, id z in the others\)"):
        with_holdout(tmp_path, [*rows[:4], "y,h,1,1", "z,h,1,0"])


def test_a_value_of_the_holdout_in_no_row_is_refused_beside_others(tmp_path: Path) -> None:
    rows = [f"{name},{name},{number % 2},{'abc'[number % 3]}" for number, name in enumerate("abcdefgh")]
    with pytest.raises(
        FoldlineError, match=r"has z \(folds\.holdout\.values\) in no row; its values are a, b, c; correct"
    ):
        with_holdout(tmp_path, rows, "a", "z")
    with pytest.raises(FoldlineError, match=r"has missing \(folds\.holdout\.values\) in no row; its values are a"):
        with_holdout(tmp_path, rows, "a", "")
    with pytest.raises(FoldlineError, match=r"has a, b, c \(folds\.holdout\.values\) in all rows"):
        with_holdout(tmp_path, rows, "a", "b", "c")


def test_rows_of_the_holdout_are_checked_and_may_be_confirmed(tmp_path: Path) -> None:
    parts = [(0, 3)] * 6 + [(1, "old"), (1, 3)]
    rows = [
        f"{name},{name},{number % 2},{parts[number][0]},{parts[number][1]}" for number, name in enumerate("abcdefgh")
    ]
    dataset = dataset_settings(group_column="who", metadata_columns=["age"], metadata={"age": {"kind": "numeric"}})
    data = data_of(tmp_path / "train.csv", "id,who,target,part,age", rows, dataset)
    folds = fold_settings(holdout={"column": "part"}, count=2)
    cells = read_cells(folds, dataset, data.tables)
    data = without_holdout(data, folds, cells, dataset)
    with pytest.raises(FoldlineError, match="line 8: age of id 'g' is 'old', not a finite number"):
        check_data(dataset, data, fold_count=2)
    (tmp_path / "pairs.csv").write_text("id,other_id,verdict\na,g,same\n")
    without_test = {**dataset, "test_table": None, "test_images": None}
    found = find_confirmed({"confirmed": str(tmp_path / "pairs.csv")}, data, without_test)
    assert found == {"confirmed_pairs": [["train", "a", "train", "g"]]}


def test_a_holdout_of_all_rows_of_a_label_is_refused(tmp_path: Path) -> None:
    rows = [f"{name},{name},{int(number < 4)},{int(number < 5)}" for number, name in enumerate("abcdefgh")]
    with pytest.raises(
        FoldlineError, match=r"part \(folds\.holdout\.column\) holds out all rows with label 1, so no model"
    ):
        with_holdout(tmp_path, rows)
    assert with_holdout(tmp_path, [*rows, "i,i,1,0"]) != {}


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (0.5, r"share is 0\.5, which leaves at most 3 of 4 rows with label 1 for 4 folds; lower folds\.count$"),
        (0.8, r"share is 0\.8, which leaves at most 3 of 12 rows for 4 folds; lower it to 0\.66 or less$"),
    ],
)
def test_a_holdout_that_leaves_too_few_rows_is_refused(share: float, message: str, tmp_path: Path) -> None:
    rows = [f"{number},{int(number % 3 == 0)}" for number in range(12)]
    dataset = dataset_settings()
    data = data_of(tmp_path / "train.csv", "id,target", rows, dataset)
    with pytest.raises(FoldlineError, match=rf"config: folds\.holdout\.{message}"):
        find_all(fold_settings(holdout={"share": share}, count=4), dataset, data)
    assert find_all(fold_settings(holdout={"share": 0.5}, count=2), dataset, data) == {}


def linked(tmp_path: Path, method: str | None = None, **keys: Any) -> tuple[dict[str, Any], RawData]:
    """Forty patients in three sites, which connect them."""
    rows = [f"{n},p{n // 2},s{n // 2 % 3},{n // 2 % 2},{2000 + n // 8}" for n in range(80)]
    rows += [f"{n},p{n - 80},s{(n - 79) % 3},1,2011" for n in range(80, 83)]
    dataset = dataset_settings(group_column=["who", "site"])
    data = data_of(tmp_path / "train.csv", "id,who,site,target,when", rows, dataset)
    folds = fold_settings(method=method, **keys)
    cells = read_cells(folds, dataset, data.tables)
    return dataset, with_connected_groups(data, dataset, cells)


LINKS = (
    "who alone has 40 values, site alone has 3 values, but rows that share any of them are one group: site 's0', in 29 "
    "rows, connects 15 groups of the other columns; without site there are 40; remove it from dataset.group_column, or "
    "correct its cells"
)


def test_what_connects_all_groups_is_named(tmp_path: Path) -> None:
    dataset, data = linked(tmp_path)
    with pytest.raises(FoldlineError) as error:
        check_data(dataset, data, fold_count=5)
    assert str(error.value) == (
        f"config: folds.count is 5, but the training data have only 1 group (column who and site): p0; {LINKS}"
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"method": "time", "column": "when", "count": 3},
            "beside groups with rows in the period, no row before fold 0",
        ),
        ({"method": "column", "column": "when"}, "1 group of dataset.group_column in more than one fold: group p0"),
        ({"method": "leave_one_group_out"}, "has 1 value (p0), but there may be 2 to 100"),
    ],
)
def test_what_connects_all_groups_is_named_by_all_methods(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    dataset, data = linked(tmp_path, **keys)
    folds = fold_settings(**keys)
    with pytest.raises(FoldlineError) as error:
        find_folds(folds, dataset, data, read_cells(folds, dataset, data.tables))
    assert message in str(error.value)
    assert str(error.value).endswith(LINKS)


WEIGHTED = [f"{row},p{row},{row % 2},{row // 4},{2001 + row // 4}" for row in range(12)]


@pytest.mark.parametrize(
    ("light", "keys", "message"),
    [
        # Only the rows of fold 1 weigh something.
        ({0, 1, 2, 3, 8, 9, 10, 11}, {"column": "fold"}, "fold 1 is trained on no row with a weight above 0"),
        ({1, 3, 9, 11}, {"column": "fold"}, "fold 1 is trained on no row with the label 1 of target"),
        ({1, 3, 9, 10, 11}, {"method": "leave_one_group_out"}, None),
        (set(range(12)) - {0, 1, 4}, {"method": "leave_one_group_out"}, "fold p1 is trained on no row with the label"),
        ({1, 3, 9, 11}, {"method": "table"}, "fold 1 is trained on no row with the label 1 of target"),
        ({1, 3}, {"method": "time", "column": "when", "count": 2}, "fold 0 is trained on no row with the label 1"),
        ({1, 3, 9}, {"column": "fold"}, None),
        (set(), {"column": "fold"}, None),
    ],
)
def test_folds_whose_rows_with_a_label_weigh_nothing_are_refused(
    light: set[int], keys: dict[str, Any], message: str | None, tmp_path: Path
) -> None:
    rows = [f"{row},{int(number not in light)}" for number, row in enumerate(WEIGHTED)]
    dataset = dataset_settings(group_column="who", weight_column="w")
    data = data_of(tmp_path / "train.csv", "id,who,target,fold,when,w", rows, dataset)
    if keys.get("method") == "table":
        (tmp_path / "old.csv").write_text("id,fold\n" + "".join(f"{row},{row // 4}\n" for row in range(12)))
        keys = {**keys, "table": str(tmp_path / "old.csv")}
    if message is None:
        assert find_all(fold_settings(**keys), dataset, data)
        return
    with pytest.raises(FoldlineError, match=rf"{message}.*all such rows have the weight 0 \(dataset\.weight_column\)"):
        find_all(fold_settings(**keys), dataset, data)
