"""Records, files and manifests of shards: agreement with TensorFlow in both directions, and damaged files."""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from foldline.errors import FoldlineError
from foldline.io.files import sha256_of_file
from foldline.tfrecords import example_proto as protobuf
from foldline.tfrecords.manifests import Manifest, read_manifest, write_manifest
from foldline.tfrecords.open_shards import check_shards
from foldline.tfrecords.record_files import count_records, read_records, write_records
from foldline.tfrecords.records import FeatureKind, Record, decode_record, encode_record, feature_kinds

METADATA = ["sex", "Ort"]
RECORDS = [
    Record("b", "patient 1", {"image": b"\xff\xd8picture"}, "1", {"sex": "female", "Ort": ""}),
    Record("ä 2", "ä 2", {"image": b""}, "0", {"sex": "", "Ort": "Füße"}),
    Record("c", "patient 1", {"image": bytes(range(256)) * 500}, "1", {"sex": "male", "Ort": "arm"}),
]

# Reads the records of one file, writes them to another with TensorFlow's writer, and prints what it read.
TENSORFLOW = """
import json, sys
import tensorflow as tf
source, target, kinds = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
types = {"bytes": tf.string, "int64": tf.int64}
spec = {name: tf.io.FixedLenFeature([], types[kind]) for name, kind in kinds.items()}
serialized = list(tf.data.TFRecordDataset(source).as_numpy_iterator())
found = []
with tf.io.TFRecordWriter(target) as writer:
    for data in serialized:
        parsed = tf.io.parse_single_example(data, spec)
        values = {name: value.numpy() for name, value in parsed.items()}
        found.append({name: value.hex() if kinds[name] == "bytes" else int(value) for name, value in values.items()})
        example = tf.train.Example()
        for name, value in values.items():
            feature = example.features.feature[name]
            if kinds[name] == "bytes":
                feature.bytes_list.value.append(value)
            else:
                feature.int64_list.value.append(int(value))
        writer.write(example.SerializeToString())
lengths = [len(tf.train.Example.FromString(data).SerializeToString()) for data in serialized]
numbers = tf.train.Example()
numbers.features.feature["negative"].int64_list.value.extend([-1, 0, 2**62, -(2**63)])
numbers.features.feature["real"].float_list.value.extend([0.5, -2.0])
numbers.features.feature["none"].bytes_list.value.extend([])
print(json.dumps({"found": found, "lengths": lengths, "numbers": numbers.SerializeToString().hex()}))
"""


def write(path: Path, records: list[Record] = RECORDS) -> Path:
    write_records(path, map(encode_record, records))
    return path


def manifest_of(path: Path, **changes: Any) -> Manifest:
    manifest = Manifest(
        split="train",
        shard="00000-of-00001",
        records=len(RECORDS),
        ids_sha256="",
        sha256=sha256_of_file(path),
        bytes=path.stat().st_size,
        image_size=32,
        channels=("red", "blue"),
        classes=1,
        settings={},
        features=feature_kinds(METADATA, True),
    )
    return replace(manifest, **changes)


def write_shard(folder: Path, name: str = "shard", **changes: Any) -> tuple[Path, Path]:
    path = write(folder / f"{name}.tfrec")
    manifest = folder / f"{name}.json"
    write_manifest(manifest, manifest_of(path, **changes))
    return path, manifest


@pytest.mark.slow
def test_tensorflow_reads_our_records_and_we_read_its_own(tmp_path: Path) -> None:
    ours, theirs = write(tmp_path / "ours.tfrec"), tmp_path / "theirs.tfrec"
    kinds = feature_kinds(METADATA, True)
    command = [sys.executable, "-c", TENSORFLOW, str(ours), str(theirs), json.dumps(kinds)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert answer["found"] == [
        {
            "image": record.images["image"].hex(),
            "image_name": record.id.encode().hex(),
            "patient_id": record.group.encode().hex(),
            "target": int(record.target),
            **{name: text.encode().hex() for name, text in record.metadata.items()},
        }
        for record in RECORDS
    ]
    assert answer["lengths"] == [len(encode_record(record)) for record in RECORDS]
    assert [decode_record(data, kinds) for data in read_records(theirs)] == RECORDS
    numbers = protobuf.decode_example(bytes.fromhex(answer["numbers"]))
    assert numbers == {"negative": [-1, 0, 2**62, -(2**63)], "real": [0.5, -2.0], "none": []}


def test_records_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "shard.tfrec"
    written = write_records(path, map(encode_record, RECORDS))
    assert (written.records, written.bytes, written.sha256) == (3, path.stat().st_size, sha256_of_file(path))
    assert [decode_record(data, feature_kinds(METADATA, True)) for data in read_records(path)] == RECORDS
    assert count_records(path) == 3


def test_a_test_record_has_no_target() -> None:
    record = Record("a", "a", {"image": b"x"}, "", {})
    data = encode_record(record)
    assert "target" not in protobuf.decode_example(data)
    assert decode_record(data, feature_kinds([], False)) == record


def test_features_are_sorted_by_name() -> None:
    data = encode_record(RECORDS[0])
    offsets = [data.index(name.encode() + b"\x12") for name in sorted(feature_kinds(METADATA, True))]
    assert offsets == sorted(offsets)


def test_a_record_has_the_features_of_feature_kinds() -> None:
    expected = {"image": "bytes", "image_name": "bytes", "patient_id": "bytes", "target": "int64", "sex": "bytes"}
    assert feature_kinds(["sex"], True) == expected
    assert feature_kinds(["sex"], False) == {name: kind for name, kind in expected.items() if name != "target"}
    assert set(protobuf.decode_example(encode_record(RECORDS[0]))) == set(feature_kinds(METADATA, True))


@pytest.mark.parametrize("labeled", [True, False])
def test_a_metadata_column_with_the_name_of_a_feature_is_refused(labeled: bool) -> None:
    with pytest.raises(FoldlineError, match="metadata column target: records have a feature of that name"):
        feature_kinds(["sex", "target"], labeled)


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (feature_kinds([*METADATA, "age"], True), "'age' must hold one value of kind bytes, but holds 0"),
        (
            {**feature_kinds(METADATA, True), "sex": "int64"},
            r"'sex' must hold one value of kind int64, but holds 1 of \['bytes'\]",
        ),
    ],
)
def test_a_record_with_other_features_is_refused(kinds: dict[str, FeatureKind], reason: str) -> None:
    with pytest.raises(FoldlineError, match=reason):
        decode_record(encode_record(RECORDS[0]), kinds)


def test_a_file_without_records_is_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.tfrec", [])
    assert path.read_bytes() == b""
    assert list(read_records(path)) == []
    assert count_records(path) == 0


def test_a_file_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    small = [RECORDS[0], RECORDS[1]]
    intact = write(tmp_path / "intact.tfrec", small).read_bytes()
    ends = {0, len(intact), 16 + struct.unpack("<Q", intact[:8])[0]}
    cut = tmp_path / "cut.tfrec"
    for length in range(len(intact)):
        cut.write_bytes(intact[:length])
        if length in ends:
            assert len(list(read_records(cut))) == count_records(cut) < 2
            continue
        for read in (lambda: list(read_records(cut)), lambda: count_records(cut)):
            with pytest.raises(FoldlineError, match=r"cut.tfrec: record [12] is truncated"):
                read()


def test_every_flipped_bit_is_refused(tmp_path: Path) -> None:
    intact = write(tmp_path / "intact.tfrec", [RECORDS[0]]).read_bytes()
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


def test_shards_that_agree_with_their_manifests_are_accepted(tmp_path: Path) -> None:
    shards = [write_shard(tmp_path, name) for name in ("one", "two")]
    manifests = check_shards(*zip(*shards, strict=True))
    assert [manifest.records for manifest in manifests] == [3, 3]
    assert check_shards([], []) == []


def test_a_shard_truncated_between_records_is_refused(tmp_path: Path) -> None:
    path, manifest = write_shard(tmp_path)
    data = path.read_bytes()
    first = 16 + struct.unpack("<Q", data[:8])[0]
    path.write_bytes(data[:first])
    with pytest.raises(FoldlineError, match=rf"shard.tfrec: {first} bytes, but the manifest says {len(data)}"):
        check_shards([path], [manifest])


def test_a_shard_with_another_count_is_refused(tmp_path: Path) -> None:
    path, manifest = write_shard(tmp_path, records=4)
    with pytest.raises(FoldlineError, match="3 records, but the manifest says 4"):
        check_shards([path], [manifest])


def test_missing_files_are_refused(tmp_path: Path) -> None:
    path, manifest = write_shard(tmp_path)
    path.unlink()
    with pytest.raises(FoldlineError, match="no such shard"):
        check_shards([path], [manifest])
    with pytest.raises(FoldlineError, match="no such manifest, so its shard is incomplete"):
        check_shards([path], [tmp_path / "other.json"])


@pytest.mark.parametrize("change", [{"image_size": 64}, {"features": feature_kinds([], True)}])
def test_shards_that_differ_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    shards = [write_shard(tmp_path, "one"), write_shard(tmp_path, "two", **change)]
    with pytest.raises(FoldlineError, match=f"two.json: {next(iter(change))} is .* must agree"):
        check_shards(*zip(*shards, strict=True))


def test_a_manifest_is_read_back_and_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "shard.tfrec")
    manifest = tmp_path / "shard.json"
    write_manifest(manifest, manifest_of(path))
    assert read_manifest(manifest) == manifest_of(path)
    content = json.loads(manifest.read_text())
    for wrong in ({**content, "records": "3"}, {**content, "more": 1}, {"records": 3}):
        manifest.write_text(json.dumps(wrong))
        with pytest.raises(FoldlineError, match=r"shard\.json: manifest key .* is missing, unknown or of a wrong type"):
            read_manifest(manifest)
