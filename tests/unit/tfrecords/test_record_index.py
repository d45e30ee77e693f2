"""Ready-made TFRecord files are read as TensorFlow wrote them, or an error names the file and the record."""

import hashlib
import io
import os
import struct
import subprocess
import sys
import types
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.pictures import photograph, saved
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.dataset.labels import Labels
from foldline.dataset.sample_table import Columns, read_rows
from foldline.errors import FoldlineError
from foldline.images.headers import UnusableImageError
from foldline.io import storage
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.example_proto import decode_example, float32_text
from foldline.tfrecords.record_files import write_records
from foldline.tfrecords.record_index import RecordNames, index_file, index_files
from foldline.tfrecords.record_location import RecordLocation, read_image
from foldline.tfrecords.record_tables import check_split, read_locations, write_split_table

NAMES = RecordNames("image_name", "target", "patient_id", tuple(METADATA))
UNLABELED = RecordNames("image_name", None, None, tuple(METADATA))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Five records in a file with 99 in its name."""
    return write_tfrecord(tmp_path / "train00-99.tfrec", examples(5))


def changed(path: Path, change: Callable[[bytearray], Any]) -> Path:
    data = bytearray(path.read_bytes())
    new = change(data)
    path.write_bytes(data if new is None else new)
    return path


def flip(index: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[index] ^= 1

    return change


def test_every_record_is_indexed_as_tensorflow_wrote_it(file: Path) -> None:
    """Row 3: the features of the melanoma records; a wrong count in the file's name is ignored."""
    data, written = file.read_bytes(), list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
    found = index_file(file, NAMES)
    assert [data[record.offset : record.offset + record.length] for record in found] == written
    for number, (record, features) in enumerate(zip(found, examples(5), strict=True), start=1):
        assert record.number == number
        assert record.id == features["image_name"].decode()
        assert (record.target, record.group) == (str(features["target"]), str(features["patient_id"]))
        assert record.metadata == tuple(str(features[name]) for name in METADATA)
        assert record.sha256 == hashlib.sha256(features["image"]).hexdigest()
        assert (record.bytes, record.width, record.height) == (len(features["image"]), 24, 24)


def test_records_of_a_test_split_have_no_target_and_no_group(tmp_path: Path) -> None:
    found = index_file(write_tfrecord(tmp_path / "test.tfrec", examples(3, labeled=False)), UNLABELED)
    assert [(record.target, record.group) for record in found] == [("", record.id) for record in found]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (45, "45"),
        (-1, "-1"),
        (45.0, "45.0"),
        (0.1, "0.1"),
        (float("nan"), ""),
        (None, ""),
        (b" upper arm ", "upper arm"),
        ("Füße".encode(), "Füße"),
        (b"NA", ""),
        (b"", ""),
    ],
)
def test_metadata_become_text(value: Any, text: str, tmp_path: Path) -> None:
    path = write_tfrecord(tmp_path / "one.tfrec", [{**examples(1)[0], "sex": value}])
    assert index_file(path, NAMES)[0].metadata[1] == text


def test_labels_groups_and_ids_of_other_kinds_become_text(tmp_path: Path) -> None:
    other = {"image_name": 17, "target": 1.0, "patient_id": b"p 1"}
    (record,) = index_file(write_tfrecord(tmp_path / "one.tfrec", [{**examples(1)[0], **other}]), NAMES)
    assert (record.id, record.target, record.group) == ("17", "1", "p 1")


def test_floats_have_the_shortest_text_of_their_32_bits() -> None:
    random = np.random.default_rng(5)
    bits = random.integers(0, 2**32, 2000, dtype=np.uint32).view(np.float32)
    chosen = np.float32([0, -0.0, 0.1, 1 / 3, 16777217, 1e-45, np.finfo(np.float32).max, np.inf])
    for value in np.concatenate([chosen, bits[~np.isnan(bits)]]):
        text = float32_text(float(value))
        assert np.float32(text) == value
        assert len(np.format_float_scientific(np.float64(text))) <= len(np.format_float_scientific(value))
    assert [float32_text(float(value)) for value in chosen[2:4]] == ["0.1", "0.33333334"]


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_a_compressed_file_is_reported(compression: str, tmp_path: Path) -> None:
    path = write_tfrecord(tmp_path / "train.tfrec", examples(2), compression=compression)
    with pytest.raises(FoldlineError, match=r"train\.tfrec: the file is compressed \(gzip or zlib\); decompress it"):
        index_file(path, NAMES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip(8), "record 1 has a length that does not match its checksum"),
        (flip(0), "record 1 has a length that does not match its checksum"),
        (flip(500), "record 1 does not match its checksum"),
        (flip(-1), "record 5 does not match its checksum"),
        (lambda data: data[:-1], "record 5 is truncated; download"),
        (lambda data: data[:5], "record 1 is truncated in its header"),
        (lambda data: data + b"\0\0\0", "record 6 is truncated in its header"),
        (lambda data: b"", "the file is empty"),
        (lambda data: b"image_name,target\n", "record 1 has a length that does not match its checksum"),
    ],
)
def test_damaged_files_are_refused(change: Any, words: str, file: Path) -> None:
    with pytest.raises(FoldlineError, match=rf"train00-99\.tfrec.*{words}"):
        index_file(changed(file, change), NAMES)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"none\.tfrec cannot be read: No such file"):
        index_file(tmp_path / "none.tfrec", NAMES)


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda features: {key: value for key, value in features.items() if key != name}


def with_value(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda features: {**features, **values}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            without("image"),
            r"id 'ISIC_0001': no feature 'image' \(dataset\.image_feature\); the record has age_approx, ",
        ),
        (without("image_name"), r"no feature 'image_name' \(dataset\.id_column\); the record has age_approx, anatom"),
        (without("target"), r"id 'ISIC_0001': no feature 'target' \(dataset\.target_column\)"),
        (without("patient_id"), r"no feature 'patient_id' \(dataset\.group_column\)"),
        (without("sex"), r"no feature 'sex' \(dataset\.metadata_columns\)"),
        (with_value(image=3), "id 'ISIC_0001': feature 'image' holds a number, not an image"),
        (with_value(image=b"text"), "feature 'image' is not a JPEG or PNG: not a readable"),
        (with_value(image=saved(photograph(8, 8), "WEBP")), "feature 'image' is a WEBP, not a JPEG or PNG"),
        (with_value(image=None), r"feature 'image' \(dataset\.image_feature\) holds 0 values, but needs one"),
        (with_value(target=2), r"label '2' \(feature target\) of id 'ISIC_0001' is not 0 or 1"),
        (with_value(target=b"malignant"), "label 'malignant'"),
        (with_value(target=None), "'target' .* holds 0 values"),
        (with_value(sex=[1, 0]), r"feature 'sex' \(dataset\.metadata_columns\) holds 2 values"),
        (with_value(patient_id=b"NA"), r"the group \(feature patient_id\) of id 'ISIC_0001' is 'NA'"),
        (with_value(image_name=b""), r"the id \(feature image_name\) is empty"),
        (with_value(image_name=b"a/b"), "id 'a/b' cannot be part of a file name"),
        (with_value(image_name=b"\xff"), r"feature 'image_name' \(dataset\.id_column\) is not text in UTF-8"),
    ],
)
def test_invalid_records_are_refused(change: Any, words: str, tmp_path: Path) -> None:
    first, second = examples(2)
    path = write_tfrecord(tmp_path / "train.tfrec", [first, change(second)])
    with pytest.raises(FoldlineError, match=rf"train\.tfrec, record 2.*{words}"):
        index_file(path, NAMES)


def test_a_record_that_is_not_an_example_is_refused(tmp_path: Path) -> None:
    write_records(tmp_path / "train.tfrec", [b"\x0a\xff"])
    with pytest.raises(FoldlineError, match=r"record 1: a record of 2 bytes is not a tf\.train\.Example"):
        index_file(tmp_path / "train.tfrec", NAMES)


def test_an_integer_in_a_list_of_floats_is_refused() -> None:
    """A float list with a varint, then one with a float in four bytes."""
    head = bytes.fromhex("0a0b0a090a01611204")
    with pytest.raises(FoldlineError, match="an integer in a list of floats"):
        decode_example(head + bytes.fromhex("12020801"))
    packed = bytes.fromhex("0a0f0a0d0a016112081206") + b"\x0a\x04" + struct.pack("<f", 0.5)
    assert decode_example(packed) == {"a": [0.5]}


def test_an_id_in_two_files_is_refused(tmp_path: Path) -> None:
    files = {
        "a.tfrec": index_file(write_tfrecord(tmp_path / "a.tfrec", examples(3)), NAMES),
        "b.tfrec": index_file(write_tfrecord(tmp_path / "b.tfrec", examples(3, first=2)), NAMES),
    }
    words = r"b\.tfrec, record 1: id 'ISIC_0002' is also in a\.tfrec, record 3; ids must be unique"
    with pytest.raises(FoldlineError, match=words):
        check_split(files)


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    files = {
        "a.tfrec": index_file(write_tfrecord(tmp_path / "a.tfrec", examples(3)), NAMES),
        "b.tfrec": index_file(write_tfrecord(tmp_path / "b.tfrec", examples(2, first=3, size=32)), NAMES),
    }
    words = (
        r"b\.tfrec, record 1: the image of id 'ISIC_0003' is 32 x 32 pixels, but that of a\.tfrec, record 1 is 24 x 24"
    )
    with pytest.raises(FoldlineError, match=words):
        check_split(files)
    check_split({"a.tfrec": files["a.tfrec"]})


def test_the_table_of_a_split_is_sorted_and_written_once(tmp_path: Path) -> None:
    table = tmp_path / "raw" / "train.csv"
    later = index_file(write_tfrecord(tmp_path / "a.tfrec", examples(2, first=2)), NAMES)
    early = index_file(write_tfrecord(tmp_path / "b.tfrec", examples(2)), NAMES)
    write_split_table(table, {"a.tfrec": later, "b.tfrec": early}, NAMES)
    lines = table.read_text().splitlines()
    assert lines[0] == "image_name,target,patient_id,age_approx,sex,anatom_site_general_challenge,path"
    assert lines[1] == ",".join(
        ["ISIC_0000", "0", "0", *early[0].metadata, f"b.tfrec#{early[0].offset}+{early[0].length}"]
    )
    assert [line.split(",")[0] for line in lines[1:]] == [f"ISIC_{number:04d}" for number in range(4)]
    assert read_locations(table)["ISIC_0003"] == f"a.tfrec#{later[1].offset}+{later[1].length}"
    os.utime(table, ns=(1, 1))
    write_split_table(table, {"b.tfrec": early, "a.tfrec": later}, NAMES)
    assert table.stat().st_mtime_ns == 1
    write_split_table(table, {"b.tfrec": early}, NAMES)
    assert len(table.read_text().splitlines()) == 3


def test_a_feature_with_the_name_of_the_path_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="feature 'path': the table of the records has a column of that name"):
        write_split_table(tmp_path / "train.csv", {}, RecordNames("image_name", None, None, ("path",)))


def test_only_new_and_changed_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [str(write_tfrecord(tmp_path / f"{number}.tfrec", examples(2, first=2 * number))) for number in range(3)]
    cache = tmp_path / "cache"
    before = index_files(files[:2], NAMES, cache=cache)
    read: list[str] = []
    monkeypatch.setattr(
        "foldline.tfrecords.record_index.index_file",
        lambda path, names: read.append(path) or index_file(path, names),
    )
    os.utime(files[1], ns=(1, 1))
    after = index_files(files, NAMES, cache=cache)
    assert sorted(read) == files[1:]
    assert list(after) == files
    assert {path: after[path] for path in files[:2]} == before
    assert index_files(files, NAMES, cache=cache) == after
    assert len(read) == 2
    index_files(files, UNLABELED, cache=cache)
    assert len(read) == 5


def test_a_location_is_parsed_from_its_text() -> None:
    location = RecordLocation("gs://bucket/train#1.tfrec", 12, 400)
    assert str(location) == "gs://bucket/train#1.tfrec#12+400"
    assert RecordLocation.parse(str(location)) == location
    assert [RecordLocation.parse(text) for text in ("images/a.png", "a#1", "#1+2", "a#1+2.png")] == [None] * 4


def test_an_image_is_read_from_its_location(file: Path) -> None:
    for record, features in zip(index_file(file, NAMES), examples(5), strict=True):
        assert read_image(RecordLocation(str(file), record.offset, record.length), "image") == features["image"]


def test_a_location_without_such_a_record_is_refused(file: Path) -> None:
    third = index_file(file, NAMES)[2]
    location = RecordLocation(str(file), third.offset, third.length)
    for wrong in (
        RecordLocation(location.file, location.offset + 1, location.length),
        RecordLocation(location.file, location.offset, location.length - 1),
        RecordLocation(location.file, location.offset + 10**6, location.length),
    ):
        with pytest.raises(UnusableImageError, match="no record of this length is there"):
            read_image(wrong, "image")
    with pytest.raises(UnusableImageError, match="the record has no image in a feature 'picture'"):
        read_image(location, "picture")
    with pytest.raises(UnusableImageError, match="the record has no image in a feature 'sex'"):
        read_image(location, "sex")
    changed(file, flip(third.offset + 40))
    with pytest.raises(UnusableImageError, match="the record does not match its checksum"):
        read_image(location, "image")


def test_files_are_found_by_pattern(tmp_path: Path) -> None:
    root = tmp_path / "data [1]"
    for name in ("b.tfrec", "a.tfrec", "more/c.tfrec", "note.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "folder.tfrec").mkdir()
    assert storage.find_files(root, "*.tfrec") == [str(root / "a.tfrec"), str(root / "b.tfrec")]
    assert storage.find_files(root, "**/c.tfrec") == [str(root / "more" / "c.tfrec")]
    assert storage.find_files(root, "../data ?1?/a.tfrec") == [str(root / ".." / "data [1]" / "a.tfrec")]
    assert storage.find_files("elsewhere", f"{tmp_path}/*/a.tfrec") == [str(root / "a.tfrec")]
    assert storage.find_files(root, "*.none") == []


def test_paths_are_joined_to_a_root_and_made_relative_again(tmp_path: Path) -> None:
    for path in ("a.tfrec", "more/a.tfrec", "gs://bucket/a.tfrec", "/elsewhere/a.tfrec"):
        assert storage.relative(tmp_path, storage.join(tmp_path, path)) == path
    assert storage.relative("data", "data/a.tfrec") == "a.tfrec"


@pytest.mark.parametrize(
    "use", [storage.open_binary, storage.size_and_version, lambda url: storage.find_files("", url)]
)
def test_urls_need_packages_that_are_named(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(FoldlineError, match=r"gs://bucket/a\.tfrec: .* install fsspec and gcsfs, or copy the files to"):
        use("gs://bucket/a.tfrec")


class Bucket:
    """The split of an fsspec file system that is used, over files in memory."""

    def __init__(self, files: dict[str, bytes]):
        self.files = files

    def glob(self, pattern: str) -> list[str]:
        return [name for name in self.files if fnmatch(name, pattern)]

    def unstrip_protocol(self, name: str) -> str:
        return f"gs://{name}"

    def info(self, name: str) -> dict[str, Any]:
        return {"size": len(self.files[name]), "generation": hashlib.md5(self.files[name]).hexdigest()}

    def open(self, name: str, mode: str) -> io.BytesIO:
        assert mode == "rb"
        if name not in self.files:
            raise FileNotFoundError(2, "No such file or directory", name)
        return io.BytesIO(self.files[name])

    def cat_file(self, name: str, start: int, end: int) -> bytes:
        return self.files[name][start:end]


def test_records_in_a_bucket_are_read_like_local_ones(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 2: records read from `gs://`; the bucket is a stand-in."""
    bucket = Bucket({"bucket/b.tfrec": file.read_bytes(), "bucket/a.tfrec": file.read_bytes()})
    core = types.SimpleNamespace(url_to_fs=lambda url: (bucket, url.removeprefix("gs://")))
    monkeypatch.setitem(sys.modules, "fsspec", types.SimpleNamespace(core=core))
    found = storage.find_files("", "gs://bucket/*.tfrec")
    assert found == ["gs://bucket/a.tfrec", "gs://bucket/b.tfrec"]
    indexed = index_files(found, NAMES, cache=tmp_path)
    assert indexed[found[0]] == index_file(file, NAMES)
    second = indexed[found[1]][1]
    assert read_image(RecordLocation(found[1], second.offset, second.length), "image") == examples(2)[1]["image"]
    bucket.files["bucket/a.tfrec"] = b""
    with pytest.raises(FoldlineError, match=r"gs://bucket/a\.tfrec: the file is empty"):
        index_files(found, NAMES, cache=tmp_path)
    with pytest.raises(FoldlineError, match=r"gs://bucket/c\.tfrec cannot be read: No such file"):
        index_file("gs://bucket/c.tfrec", NAMES)


def test_the_index_imports_neither_tensorflow_nor_numpy(repository: Path) -> None:
    code = (
        "import sys; import foldline.tfrecords.record_index; print(*(name for name in sys.modules if '.' not in name))"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=repository / "scripts", check=True, capture_output=True, text=True)
    assert not {"tensorflow", "pandas", "numpy", "fsspec"} & set(answer.stdout.split())


def test_labels_of_records_are_text_class_numbers_or_one_bit_for_each_class(tmp_path: Path) -> None:
    """Row 15: a text of class numbers, as the public records of the protein atlas have it, and integers."""
    labels = Labels("multilabel", ("red", "green", "blue", "Negative"), exclusive="Negative", empty=True)
    names = RecordNames("image_name", "target", None, (), labels=labels)
    cells = {b"0|2": "1010", b"Negative": "0001", b"": "0000", 1: "0100", (0, 1, 1, 0): "0110", (2, 1): "0110"}
    made = [
        features | {"target": list(value) if isinstance(value, tuple) else value}
        for features, value in zip(examples(len(cells)), cells, strict=True)
    ]
    path = write_tfrecord(tmp_path / "train.tfrec", made)
    found = index_file(path, names)
    assert [record.target for record in found] == list(cells.values())
    write_split_table(tmp_path / "train.csv", {"train.tfrec": found}, names)
    columns = Columns("image_name", "target", None, labels=labels)
    assert [row.target for row in read_rows(tmp_path / "train.csv", columns)] == list(cells.values())
    write_tfrecord(path, [made[0] | {"target": b"0|3"}])
    with pytest.raises(
        FoldlineError, match=r"record 1: label '0\|3' \(feature target\) of id .* contains 'Negative' together"
    ):
        index_file(path, names)
