"""Parquet files have the same bytes for the same table, and a damaged one is never read as something else."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures.project import REPOSITORY
from foldline.errors import FoldlineError
from foldline.io.parquet import read_parquet, read_parquet_schema, write_parquet

WRITE = """
import sys
sys.path.insert(0, sys.argv[1])
import pyarrow as pa
from foldline.io.parquet import write_parquet
ids = [f"i{number}" for number in range(3000)]
table = pa.table({"id": ids, "x": pa.array(range(3000), pa.float32())})
write_parquet(table.replace_schema_metadata({"model": "a", "fold": "1"}), sys.argv[2])
"""


@pytest.fixture
def table() -> pa.Table:
    ids = [f"i{number % 7}/{number}" for number in range(300)]
    metadata = {"model": "a", "fold": "1"}
    return pa.table({"id": ids, "x": pa.array(range(300), pa.float32())}).replace_schema_metadata(metadata)


def test_a_table_is_read_with_its_metadata(table: pa.Table, tmp_path: Path) -> None:
    write_parquet(table, tmp_path / "a.parquet")
    assert read_parquet(tmp_path / "a.parquet").equals(table, check_metadata=True)
    assert read_parquet_schema(tmp_path / "a.parquet").equals(table.schema, check_metadata=True)


def test_the_bytes_depend_on_the_table_alone(table: pa.Table, tmp_path: Path) -> None:
    write_parquet(table, tmp_path / "a.parquet")
    write_parquet(pa.concat_tables([table[:100], table[100:]]), tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "2")):
        command = [sys.executable, "-c", WRITE, str(REPOSITORY / "scripts"), str(tmp_path / name)]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": seed, "TZ": f"UTC{seed}"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_format_is_fixed(table: pa.Table, tmp_path: Path) -> None:
    write_parquet(table, tmp_path / "a.parquet")
    found = pq.read_metadata(tmp_path / "a.parquet")
    assert found.format_version == "2.6"
    assert found.created_by == f"parquet-cpp-arrow version {pa.__version__}"
    assert {found.row_group(0).column(number).compression for number in range(2)} == {"ZSTD"}
    assert set(found.metadata) == {b"ARROW:schema", b"model", b"fold"}


def test_a_damaged_file_is_never_read_as_another_table(table: pa.Table, tmp_path: Path) -> None:
    """One bit is flipped anywhere before the footer: in a page, whose checksum fails, or in the header of one."""
    path = tmp_path / "a.parquet"
    write_parquet(table, path)
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    draw = random.Random(4)
    refused = 0
    for _ in range(300):
        position = draw.randrange(4, len(whole) - footer)
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1 << draw.randrange(8)]) + whole[position + 1 :])
        try:
            found = read_parquet(path)
        except FoldlineError as error:
            assert "a.parquet: cannot be read as a Parquet file" in str(error)
            refused += 1
        else:
            assert found.equals(table)
    assert refused > 250


@pytest.mark.parametrize("content", [b"", b"id,x\na,1\n", b"PAR1", b"PAR1" * 5])
def test_what_is_no_parquet_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    for read in (read_parquet, read_parquet_schema):
        with pytest.raises(
            FoldlineError, match=r"a\.parquet: cannot be read as a Parquet file \(.*\); remove the file"
        ):
            read(tmp_path / "a.parquet")


@pytest.mark.parametrize("length", [10, 1000, -1])
def test_a_cut_file_is_refused(length: int, table: pa.Table, tmp_path: Path) -> None:
    write_parquet(table, tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:length])
    with pytest.raises(FoldlineError, match="cannot be read as a Parquet file"):
        read_parquet(tmp_path / "a.parquet")


def test_errors_of_the_operating_system_stay_what_they_are(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (read_parquet, read_parquet_schema):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "a.parquet")
        with pytest.raises(OSError, match="pipe"):
            read(tmp_path / "pipe")
