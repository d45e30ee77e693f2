"""Ready-made TFRecord files are read as TensorFlow wrote them, or an error names the file and the record."""

import hashlib
import io
import os
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from fixtures.pictures import photograph, saved
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.errors import FoldlineError
from foldline.images.options import ImageOptions
from foldline.io import storage
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_files import write_records
from foldline.tfrecords.record_index import index_file, index_files, index_records
from foldline.tfrecords.record_location import RecordLocation, read_image

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
        (45.0, "45"),
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
    assert (record.id, record.target, record.group) == ("17", "1.0", "p 1")


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB"])
def test_a_compressed_file_is_read_like_its_content(compression: str, tmp_path: Path) -> None:
    """Recognized by its content, whatever its name."""
    plain = index_file(write_tfrecord(tmp_path / "plain.tfrec", examples(5)), NAMES)
    assert index_file(write_tfrecord(tmp_path / "a.tfrec", examples(5), compression=compression), NAMES) == plain


def test_images_may_have_any_size_and_format(tmp_path: Path) -> None:
    images = [saved(photograph(40, 20 + 3 * n), kind) for n, kind in enumerate(["JPEG", "PNG", "WEBP", "TIFF", "BMP"])]
    records = [features | {"image": image} for features, image in zip(examples(5), images, strict=True)]
    indexed = index_file(write_tfrecord(tmp_path / "a.tfrec", records), NAMES)
    assert [(record.width, record.height) for record in indexed] == [(20 + 3 * n, 40) for n in range(5)]


def test_images_are_read_by_the_options_of_the_data_set(tmp_path: Path) -> None:
    path = write_tfrecord(tmp_path / "a.tfrec", examples(2, size=40))
    with pytest.raises(FoldlineError, match=r"record 1, id 'ISIC_0000' \(and 1 more record\): feature .*megapixels"):
        index_file(path, replace(NAMES, reading=ImageOptions(max_megapixels=0.001)))


def test_records_without_ids_get_them_from_file_and_position(tmp_path: Path) -> None:
    """Unlike the number of a file, the path in the data set tells files of several folders apart."""
    (tmp_path / "train").mkdir()
    records = [{"image": features["image"]} for features in examples(3)]
    inside = write_tfrecord(tmp_path / "train" / "a.tfrec", records)
    names = RecordNames("id", None, None, ids_root=str(tmp_path))
    assert [record.id for record in index_file(inside, names)] == [f"train/a.tfrec/{number}" for number in (1, 2, 3)]
    outside = replace(names, ids_root=str(tmp_path / "elsewhere"))
    assert [record.id for record in index_file(inside, outside)] == [f"a.tfrec/{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip(8), "record 1 has a length that does not match its checksum"),
        (flip(0), "record 1 has a length that does not match its checksum"),
        (flip(500), "record 1 does not match its checksum"),
        (flip(-1), "record 5 does not match its checksum"),
        (lambda data: data[:-1], r"record 5 is truncated \(it starts at byte 4828\); download"),
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
    with pytest.raises(FoldlineError, match=r"none\.tfrec: no such file"):
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
        (
            without("image_name"),
            r"no feature 'image_name' \(dataset\.id_column\); the record has age_approx, .*; if "
            "records have no ids, set dataset.record_ids to position",
        ),
        (
            lambda features: {"image/encoded": features["image"]},
            r"no feature 'image_name' \(dataset\.id_column\), no feature 'image' \(dataset\.image_feature\), no "
            r"feature 'target' \(dataset\.target_column\); the record has image/encoded; if records",
        ),
        (without("target"), r"id 'ISIC_0001': no feature 'target' \(dataset\.target_column\)"),
        (without("patient_id"), r"no feature 'patient_id' \(dataset\.group_column\)"),
        (without("sex"), r"no feature 'sex' \(dataset\.metadata_columns\)"),
        (with_value(image=3), "id 'ISIC_0001': feature 'image' holds a number, not an image"),
        (with_value(image=b"text"), "feature 'image' is not an image that can be used: it is a text file"),
        (with_value(image=None), r"feature 'image' \(dataset\.image_feature\) holds 0 values, but needs one"),
        (with_value(target=None), "'target' .* holds 0 values"),
        (
            with_value(target=[0, 1]),
            "'target' .* holds 2 values, but labels of the kind binary need one; set dataset.l",
        ),
        (with_value(sex=[1, 0]), r"feature 'sex' \(dataset\.metadata_columns\) holds 2 values"),
        (with_value(patient_id=b"NA"), r"id 'ISIC_0001': the group \(feature patient_id\) is 'NA'"),
        (with_value(image_name=b""), r"the id \(feature image_name\) is empty"),
        (with_value(image_name=b"../b"), "id '../b' cannot be part of a path"),
        (
            with_value(image_name=b"\xff"),
            r"feature 'image_name' \(dataset\.id_column\) is b.*, which is not text in UTF-8",
        ),
    ],
)
def test_invalid_records_are_refused(change: Any, words: str, tmp_path: Path) -> None:
    first, second = examples(2)
    path = write_tfrecord(tmp_path / "train.tfrec", [first, change(second)])
    with pytest.raises(FoldlineError, match=rf"train\.tfrec, record 2.*{words}"):
        index_file(path, NAMES)


def test_all_problems_of_all_files_are_named_each_once(tmp_path: Path) -> None:
    first, second, third, fourth = examples(4)
    records = [
        {**first, "image": b"text", "sex": [1, 0]},
        without("patient_id")(second),
        with_value(image_name=b"../b", image=b"text")(third),
        fourth,
    ]
    files = [str(write_tfrecord(tmp_path / f"{name}.tfrec", records)) for name in "ab"]
    changed(Path(files[1]), flip(-1))
    found = index_files(files, NAMES)
    a, b = files
    places = [
        f"{a}, record 1, id 'ISIC_0000' (and 1 more record): feature 'sex'",
        f"{a}, record 1, id 'ISIC_0000' (and 3 more records): feature 'image' is not an image that can be used",
        f"{a}, record 2, id 'ISIC_0001' (and 1 more record): no feature 'patient_id'",
        f"{a}, record 3 (and 1 more record): id '../b' cannot be part of a path",
        f"{b}, record 4 does not match its checksum",
    ]
    assert len(found.problems) == len(places)
    assert [line for line, place in zip(found.problems, places, strict=True) if not line.startswith(place)] == []
    assert found.complete == []
    assert [record.id for record in found.files[a].records] == ["ISIC_0003"]


def test_names_that_are_floats_are_whole_numbers(tmp_path: Path) -> None:
    first, second = examples(2)
    records = [{**first, "patient_id": 2.0**24 - 1, "image_name": 7.0}, {**second, "patient_id": 2**24 - 1}]
    indexed = index_file(write_tfrecord(tmp_path / "a.tfrec", records), NAMES)
    assert [record.group for record in indexed] == ["16777215", "16777215"]
    assert indexed[0].id == "7"
    path = write_tfrecord(tmp_path / "b.tfrec", [first, {**second, "patient_id": 2.0**33}])
    with pytest.raises(
        FoldlineError, match=r"record 2, id 'ISIC_0001': feature 'patient_id' .* is the float 8589934592"
    ):
        index_file(path, NAMES)


def test_a_record_that_is_not_an_example_is_refused(tmp_path: Path) -> None:
    write_records(tmp_path / "train.tfrec", [b"\x0a\xff"])
    with pytest.raises(FoldlineError, match=r"record 1: a record of 2 bytes is not a tf\.train\.Example"):
        index_file(tmp_path / "train.tfrec", NAMES)


def test_only_new_and_changed_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [str(write_tfrecord(tmp_path / f"{number}.tfrec", examples(2, first=2 * number))) for number in range(3)]
    before = index_files(files[:2], NAMES).files
    read: list[str] = []
    monkeypatch.setattr(
        "foldline.tfrecords.record_index.index_records",
        lambda path, names: read.append(path) or index_records(path, names),
    )
    os.utime(files[1], ns=(1, 1))
    after = index_files(files, NAMES, known=before).files
    assert sorted(read) == files[1:]
    assert list(after) == files
    assert [after[path].records for path in files[:2]] == [before[path].records for path in files[:2]]
    assert index_files(files, NAMES, known=after).files == after
    assert len(read) == 2
    index_files(files, UNLABELED, known=after)
    assert len(read) == 5


class Bucket:
    """The methods of an fsspec file system that reading needs, over files in memory."""

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
    indexed = index_files(found, NAMES).files
    assert indexed[found[0]].records == index_file(file, NAMES)
    second = indexed[found[1]].records[1]
    assert read_image(RecordLocation(found[1], second.offset, second.length), "image") == examples(2)[1]["image"]
    bucket.files["bucket/a.tfrec"] = b""
    after = index_files(found, NAMES, known=indexed)
    assert after.problems == ["gs://bucket/a.tfrec: the file is empty; remove it, or download it again"]
    assert after.complete == found[1:]
    with pytest.raises(FoldlineError, match=r"gs://bucket/c\.tfrec: no such file"):
        index_file("gs://bucket/c.tfrec", NAMES)


def test_the_index_imports_neither_tensorflow_nor_numpy(repository: Path) -> None:
    code = (
        "import sys; import foldline.tfrecords.record_index; print(*(name for name in sys.modules if '.' not in name))"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=repository / "scripts", check=True, capture_output=True, text=True)
    assert not {"tensorflow", "pandas", "numpy", "fsspec"} & set(answer.stdout.split())
