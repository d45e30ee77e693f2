"""TFRecord files are read back; truncated and damaged files are refused."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.records import METADATA, RECORDS, write_file
from foldline.errors import FoldlineError
from foldline.io.files import sha256_of_file
from foldline.tfrecords.record_files import count_records, read_records, write_records
from foldline.tfrecords.records import decode_record, encode_record, feature_kinds


def test_records_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "shard.tfrec"
    written = write_records(path, map(encode_record, RECORDS))
    assert (written.records, written.bytes, written.sha256) == (3, path.stat().st_size, sha256_of_file(path))
    assert [decode_record(data, feature_kinds(METADATA, True)) for data in read_records(path)] == RECORDS
    assert count_records(path) == 3


def test_a_file_without_records_is_empty(tmp_path: Path) -> None:
    path = write_file(tmp_path / "empty.tfrec", [])
    assert path.read_bytes() == b""
    assert list(read_records(path)) == []
    assert count_records(path) == 0


def test_a_file_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    small = [RECORDS[0], RECORDS[1]]
    intact = write_file(tmp_path / "intact.tfrec", small).read_bytes()
    ends = {0, len(intact), 16 + struct.unpack("<Q", intact[:8])[0]}
    truncated = tmp_path / "truncated.tfrec"
    for length in range(len(intact)):
        truncated.write_bytes(intact[:length])
        if length in ends:
            assert len(list(read_records(truncated))) == count_records(truncated) < 2
            continue
        for read in (lambda: list(read_records(truncated)), lambda: count_records(truncated)):
            with pytest.raises(FoldlineError, match=r"truncated.tfrec: record [12] is truncated"):
                read()


def test_every_flipped_bit_is_refused(tmp_path: Path) -> None:
    intact = write_file(tmp_path / "intact.tfrec", [RECORDS[0]]).read_bytes()
    broken = tmp_path / "broken.tfrec"
    for index in range(len(intact)):
        data = bytearray(intact)
        data[index] ^= 1 << index % 8
        broken.write_bytes(data)
        with pytest.raises(FoldlineError, match=r"broken.tfrec: record 1 .*run the workflow again"):
            list(read_records(broken))


def test_a_failed_write_leaves_no_file(tmp_path: Path) -> None:
    def records() -> Iterator[bytes]:
        yield encode_record(RECORDS[0])
        raise FoldlineError("an image is damaged")

    with pytest.raises(FoldlineError, match="an image is damaged"):
        write_records(tmp_path / "shard.tfrec", records())
    assert list(tmp_path.iterdir()) == []
