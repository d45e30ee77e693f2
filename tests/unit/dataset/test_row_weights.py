"""Weights of rows are read from the user's tables, checked by row, and compared with those of the plan."""

from dataclasses import replace
from pathlib import Path

import pytest
from foldline.dataset.columns import Columns
from foldline.dataset.row_weights import RowWeights, WeightTable, unweighted_labels
from foldline.errors import FoldlineError, SeveralProblemsError

COLUMNS = Columns(id="name", target="dx", group=None, metadata=("w",))


def table(path: Path, *cells: str, **changes: object) -> WeightTable:
    path.write_text("name,dx,w\n" + "".join(f"a{number},{cell}\n" for number, cell in enumerate(cells)))
    return WeightTable(str(path), replace(COLUMNS, **changes))


def test_weights_are_numbers_of_at_least_0(tmp_path: Path) -> None:
    found = table(tmp_path / "t.csv", "0,1", "1, 0.50", "1,0", "0,2.5e-3", "0,1e2").read()
    assert found == {"a0": 1.0, "a1": 0.5, "a2": 0.0, "a3": 0.0025, "a4": 100.0}


@pytest.mark.parametrize("cell", ["-1", "", "NA", "nan", "inf", "1e999", "heavy", "1,5"])
def test_other_cells_are_refused_by_row(cell: str, tmp_path: Path) -> None:
    quoted = f'"{cell}"' if "," in cell else cell
    shown = "missing" if cell in ("", "NA", "nan") else f"'{cell}'"
    words = rf"t\.csv, line 3: the weight \(column w\) of id 'a1' is {shown}; line 5: .* such as 0\.5; rows with 0 are"
    with pytest.raises(FoldlineError, match=words):
        table(tmp_path / "t.csv", "0,1", f"0,{quoted}", "0,1", "0,-2").read()


def test_rows_that_are_left_out_need_no_weight(tmp_path: Path) -> None:
    own = {"own_labels": {"scar": None, "ill": "1"}, "external": "old", "renamed": {"w": "w"}}
    assert table(tmp_path / "t.csv", "ill,2", "scar,", "0,1", **own).read() == {"a0": 2.0, "a2": 1.0}


def test_a_set_has_a_factor_and_a_split_without_a_table_the_weight_1(tmp_path: Path) -> None:
    weights = RowWeights({"train": table(tmp_path / "t.csv", "0,3", "1,4")}, {"old": 0.5})
    weights = replace(weights, digest=weights.digest_of(weights.read()))
    splits = ["train", "old", "train", "new"]
    assert weights.of_rows(splits, ["a1", "a0", "a0", "a1"]) == [4.0, 0.5, 3.0, 1.0]


def test_the_digest_depends_on_values_and_not_on_their_order_or_spelling(tmp_path: Path) -> None:
    first = RowWeights({"train": table(tmp_path / "t.csv", "0,3", "1,4")}, {})
    digest = first.digest_of(first.read())
    path = Path(first.tables["train"].table)
    path.write_text("name,w,dx\na1,4.0,0\na0,3,0\n")
    assert first.digest_of(first.read()) == digest
    assert replace(first, factors={"old": 0.5}).digest_of(first.read()) != digest
    path.write_text("name,w,dx\na1,4.5,0\na0,3,0\n")
    with pytest.raises(FoldlineError, match=r"t\.csv: weights of rows changed after the run was planned"):
        replace(first, digest=digest).of_rows(["train"], ["a0"])


def test_problems_of_all_tables_are_reported(tmp_path: Path) -> None:
    tables = {name: table(tmp_path / f"{name}.csv", "0,-1") for name in ("train", "old")}
    with pytest.raises(SeveralProblemsError) as error:
        RowWeights(tables, {}).read()
    assert len(error.value.problems) == 2


@pytest.mark.parametrize(
    ("every", "weighted", "names", "lost"),
    [
        (["0", "1"], ["0", "1"], ["y"], ""),
        (["0", "1"], ["1"], ["y"], "the label 0 of y"),
        (["0", "1"], ["0"], ["y"], "the label 1 of y"),
        (["1"], ["1"], ["y"], ""),
        (["100", "010", "001"], ["010"], ["a", "b", "c"], "the class a, c"),
        (["100", "010"], ["010", "100"], ["a", "b", "c"], ""),
        (["110", "000"], ["000"], ["a", "b", "c"], "the class a, b"),
    ],
)
def test_labels_of_which_no_row_has_a_weight(
    every: list[str], weighted: list[str], names: list[str], lost: str
) -> None:
    assert unweighted_labels(every, weighted, names) == lost
