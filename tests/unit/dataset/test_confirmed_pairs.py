"""The user's table of confirmed pairs: what it confirms, and what is wrong with it."""

from pathlib import Path

import pytest
from foldline.dataset.confirmed_pairs import ConfirmedPair, confirmed_pairs, read_confirmed
from foldline.errors import FoldlineError

IDS = {"train": {"a", "b", "c"}, "set": {"e"}, "test": {"a", "t"}}


def read(path: Path, text: str) -> list[ConfirmedPair]:
    path.write_text(text)
    return confirmed_pairs(read_confirmed(str(path)), IDS)


def test_pairs_are_in_the_order_of_their_splits(tmp_path: Path) -> None:
    text = "id,other_id\nc,b\nt,b\ne,c\n"
    expected = [("train", "b", "test", "t"), ("train", "b", "train", "c"), ("train", "c", "set", "e")]
    assert read(tmp_path / "p.csv", text) == [ConfirmedPair(*pair) for pair in expected]
    assert read(tmp_path / "p.csv", "id,other_id\nb,t\ne,c\nb,c\n") == [ConfirmedPair(*pair) for pair in expected]


def test_a_copy_of_the_look_alikes_confirms_the_rows_with_a_verdict(tmp_path: Path) -> None:
    header = "rank,id,other_id,split,other_split,score,verdict\n"
    rows = "1,a,b,test,train,0.99,Same\n2,c,b,train,train,0.98,no\n3,a,c,train,train,0.9,\n"
    assert read(tmp_path / "p.csv", header + rows) == [ConfirmedPair("train", "b", "test", "a")]


def test_all_problems_are_named_by_line(tmp_path: Path) -> None:
    rows = ["a,b,,,", "x,b,train,,", "b,b,,,", "b,c,,,", "c,b,,,no", "c,b,,,yes", "b,c,vali,,", ",b,,,", "b,c,,,maybe"]
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
