"""The user's table of confirmed pairs: what it confirms, and what is wrong with it."""

from pathlib import Path

import pytest
from foldline.dataset.confirmed_pairs import ConfirmedPair, confirmed_pairs, read_confirmed
from foldline.errors import FoldlineError

IDS = {"train": {"a", "b", "c", "d"}, "set": {"e"}, "test": {"a", "t"}}


def read(path: Path, text: str) -> list[ConfirmedPair]:
    path.write_text(text)
    return confirmed_pairs(read_confirmed(str(path)), IDS)


def test_pairs_are_in_the_order_of_their_splits(tmp_path: Path) -> None:
    text = "id,other_id,verdict\nc,b,same\nt,b,same\ne,c,same\n"
    expected = [("train", "b", "test", "t"), ("train", "b", "train", "c"), ("train", "c", "set", "e")]
    assert read(tmp_path / "p.csv", text) == [ConfirmedPair(*pair) for pair in expected]
    text = "id,other_id,verdict\nb,t,yes\ne,c,1\nb,c,TRUE\n"
    assert read(tmp_path / "p.csv", text) == [ConfirmedPair(*pair) for pair in expected]


def test_a_copy_of_the_look_alikes_confirms_the_rows_with_a_verdict(tmp_path: Path) -> None:
    header = "rank,id,other_id,split,other_split,score,verdict\n"
    rows = "1,a,b,test,train,0.99,Same\n2,c,b,train,train,0.98,no\n3,a,c,train,train,0.9,\n"
    assert read(tmp_path / "p.csv", header + rows) == [ConfirmedPair("train", "b", "test", "a")]


def test_all_problems_are_named_by_line(tmp_path: Path) -> None:
    rows = ["a,b,,,", "x,b,train,,", "b,b,,,", "b,c,,,", "b,e,,,no", "c,b,,,yes", "b,c,vali,,", ",b,,,", "b,c,,,maybe"]
    with pytest.raises(FoldlineError) as error:
        read(tmp_path / "p.csv", "\n".join(["id,other_id,split,other_split,verdict", *rows]).replace(",,\n", ",,yes\n"))
    text = str(error.value)
    for problem in (
        "line 2: id 'a' is in train and test; name one in the column split",
        "line 3: id 'x' is no image of train",
        "line 4: 'b' is paired with itself",
        "line 7: the pair of 'b' and 'c' is in line 5 as well",
        "line 8: split is 'vali', but the splits are train, set, test",
        "line 9: no id",
        "line 10: the verdict is 'maybe', but it may be same, yes, true, 1, different, no, false, 0",
        "correct the rows of leaks.confirmed, or remove them",
    ):
        assert problem in text
    assert "line 6" not in text


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="no column other_id; the table has id, other"):
        read(tmp_path / "p.csv", "id,other\na,b\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rank,id,other_id,score\n1,a,b,0.9\n", "no column verdict; the table has rank, id, other_id, score"),
        ("id,other_id,verdict\nb,c,\n,,\n", "column verdict is blank in 2 rows, which is all of them"),
    ],
)
def test_pairs_that_nobody_has_judged_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError) as error:
        read(tmp_path / "p.csv", text)
    assert problem in str(error.value)
    assert "write same there in the rows whose two images show one object" in str(error.value)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("b,c,same\nc,b,different\n", "line 3: the pair of 'b' and 'c' is in line 2 with the other verdict"),
        ("c,b,no\nb,c,yes\n", "line 3: the pair of 'b' and 'c' is in line 2 with the other verdict"),
        ("c,b,no\nb,c,no\n", "line 3: the pair of 'b' and 'c' is in line 2 as well"),
        ("b,c,same\ne,c,different\ne,b,1\n", "line 3: 'c' and 'e' are different, but the same by lines 2, 4"),
        # Of several ways the shortest is named.
        ("b,d,1\nd,e,1\ne,t,1\nb,c,1\nc,t,1\nb,t,0\n", "line 7: 'b' and 't' are different, but the same by lines 5, 6"),
    ],
)
def test_verdicts_that_contradict_each_other_are_refused(rows: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError) as error:
        read(tmp_path / "p.csv", f"id,other_id,verdict\n{rows}")
    assert str(error.value) == f"{tmp_path}/p.csv, {problem}; correct the rows of leaks.confirmed, or remove them"


def test_images_that_differ_may_be_connected_to_others(tmp_path: Path) -> None:
    rows = "b,c,same\nd,e,same\nc,d,different\nb,e,different\n"
    assert len(read(tmp_path / "p.csv", f"id,other_id,verdict\n{rows}")) == 2


def test_a_wrong_id_has_the_one_that_it_resembles(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,other_id,verdict\nimg_0l1,img_002,same\n")
    ids = {"train": frozenset({"img_001", "img_002"}), "test": frozenset({"other"})}
    with pytest.raises(FoldlineError, match=r"id 'img_0l1' is no image \(did you mean 'img_001'\?\)"):
        confirmed_pairs(read_confirmed(str(path)), ids)
