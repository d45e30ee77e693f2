"""Tables of thumbnails."""

from pathlib import Path

import pyarrow as pa
import pytest
from foldline.errors import FoldlineError
from foldline.io.parquet import write_parquet
from foldline.io.thumbnails import read_thumbnails, write_thumbnails


def test_thumbnails_are_read_as_written_for_the_names_that_are_wanted(tmp_path: Path) -> None:
    write_thumbnails({"b": [b"1", b"2"], "a": []}, tmp_path / "1.parquet")
    write_thumbnails({"c": [b"3"]}, tmp_path / "2.parquet")
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    assert read_thumbnails(paths, {"a", "b", "c", "d"}) == {"a": (), "b": (b"1", b"2"), "c": (b"3",)}
    assert read_thumbnails(paths, {"c"}) == {"c": (b"3",)}
    write_thumbnails({"a": [], "b": [b"1", b"2"]}, tmp_path / "3.parquet")
    assert (tmp_path / "3.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()


def test_another_table_is_refused(tmp_path: Path) -> None:
    write_parquet(pa.table({"id": ["a"]}), tmp_path / "1.parquet")
    with pytest.raises(FoldlineError, match=r"1\.parquet: is no table of thumbnails; remove the file"):
        read_thumbnails([tmp_path / "1.parquet"], {"a"})
