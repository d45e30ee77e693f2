"""Compressed TFRecord files are read as a stream, and their records copied for the time of a step."""

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.tfrecords import examples, write_tfrecord
from foldline.errors import FoldlineError
from foldline.tfrecords.compressed_files import framed_records_of, is_compressed, readable_records
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_files import framed_records
from foldline.tfrecords.record_index import index_file
from foldline.tfrecords.record_location import RecordLocation, read_image

NAMES = RecordNames("image_name", None, None)


@pytest.fixture
def plain(tmp_path: Path) -> bytes:
    return write_tfrecord(tmp_path / "plain.tfrec", examples(6, size=64)).read_bytes()


@pytest.mark.parametrize(
    "compress",
    [
        gzip.compress,
        zlib.compress,
        lambda data: zlib.compress(data, 0),
        lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
        lambda data: gzip.compress(data) + bytes(1000),
        lambda data: gzip.compress(data) + bytes(1 << 19),
    ],
    ids=["gzip", "zlib", "stored", "two members", "padded", "padded far"],
)
def test_the_records_are_those_of_the_content(compress: Callable[[bytes], bytes], plain: bytes) -> None:
    def broken(number: int, offset: int, problem: str) -> FoldlineError:
        raise AssertionError(problem)

    expected = list(framed_records(io.BytesIO(plain), broken))
    data = compress(plain)
    assert is_compressed(data[:12])
    assert list(framed_records_of(io.BytesIO(data), "a.tfrec")) == expected
    assert not is_compressed(plain[:12])


def flipped(data: bytes, index: int) -> bytes:
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: gzip.compress(data)[:-1], r"is damaged before byte \d+ \(it ends too early\); download the file"),
        (lambda data: gzip.compress(data)[:200], r"is damaged before byte 200 \(it ends too early\)"),
        (lambda data: flipped(gzip.compress(data), -5), r"is damaged before byte \d+ \(.*incorrect data check\)"),
        (lambda data: gzip.compress(data) + b"abc", r"is damaged before byte \d+ \(.*incorrect header check\)"),
        (
            lambda data: zlib.compress(data[:-1]),
            r"record 6 is truncated \(it starts at byte \d+ of the decompressed content\); download",
        ),
        (
            lambda data: zlib.compress(flipped(data, 500)),
            r"record 1 does not match its checksum \(it starts at byte 0 of the decompressed content\); download",
        ),
    ],
)
def test_a_damaged_file_is_refused_by_its_byte(change: Callable[[bytes], bytes], words: str, plain: bytes) -> None:
    with pytest.raises(FoldlineError, match=rf"^a\.tfrec[:,] .*{words}"):
        list(framed_records_of(io.BytesIO(change(plain)), "a.tfrec"))


def test_workers_read_copies_of_compressed_records(tmp_path: Path) -> None:
    """Images, uncompressed records and files that are not there keep their paths."""
    compressed = write_tfrecord(tmp_path / "a.tfrec", examples(4), compression="GZIP")
    plain = write_tfrecord(tmp_path / "b.tfrec", examples(4))
    places = {path: [record.location(str(path)) for record in index_file(path, NAMES)] for path in (compressed, plain)}
    others = ["images/a.jpg", f"{tmp_path}/none.tfrec#12+34"]
    wanted = [[places[compressed][3], places[plain][1]], [places[compressed][0]], others]
    with readable_records(wanted) as readable:
        assert [*readable[0][1:], *readable[2]] == [places[plain][1], *others]
        copies = [RecordLocation.parse(path) for path in (readable[0][0], readable[1][0])]
        images = [read_image(copy, "image") for copy in copies if copy]
        assert images == [examples(4)[number]["image"] for number in (3, 0)]
        (folder,) = {Path(copy.file).parent for copy in copies if copy}
        assert [path.name for path in folder.iterdir()] == ["a.tfrec"]
    assert not folder.exists()


def test_a_record_that_moved_is_not_another_one(tmp_path: Path) -> None:
    path = write_tfrecord(tmp_path / "a.tfrec", examples(2), compression="ZLIB")
    place = RecordLocation(str(path), 12, 5)
    with readable_records([[str(place)]]) as readable:
        assert readable == [(str(place),)]
