"""Records of shards: their features, encoded and decoded as TensorFlow does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures.records import METADATA, RECORDS, write_file
from foldline.errors import FoldlineError
from foldline.runtime.tensorflow import tf
from foldline.tfrecords import example_proto as protobuf
from foldline.tfrecords.record_files import read_records
from foldline.tfrecords.records import FeatureKind, Record, decode_record, encode_record, feature_kinds

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


@pytest.mark.slow
def test_tensorflow_reads_our_records_and_we_read_its_own(tmp_path: Path) -> None:
    ours, theirs = write_file(tmp_path / "ours.tfrec"), tmp_path / "theirs.tfrec"
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


@pytest.mark.parametrize("target", ["0.25 0.75", "0.3333333 0.3333333 0.3333333", "0.09", "1.0 0.0"])
def test_soft_labels_are_floats_that_tensorflow_reads_and_keep_their_code(target: str) -> None:
    record = Record("a", "a", {"image": b""}, target, {})
    data, kinds = encode_record(record), feature_kinds([], True, soft=True)
    assert decode_record(data, kinds) == record
    example = tf.train.Example.FromString(data)
    shares = np.array(target.split(), np.float32).tolist()
    assert list(example.features.feature["target"].float_list.value) == shares
    with pytest.raises(FoldlineError, match="feature 'target' must hold one value of kind int64"):
        decode_record(data, feature_kinds([], True))
