"""The record format of the shards: one tf.train.Example per sample, encoded and decoded without TensorFlow.

The input pipeline builds its parse specification from `feature_kinds`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from foldline.dataset.channels import IMAGE, image_features
from foldline.dataset.soft_labels import is_soft, shares_of, stored_code
from foldline.errors import FoldlineError, listing
from foldline.tfrecords.example_proto import Values, decode_example, encode_example

# Features of a record, named as in the public TFRecords of melanoma images.
ID, GROUP, TARGET = "image_name", "patient_id", "target"

FeatureKind = Literal["bytes", "int64", "float"]
BYTES: FeatureKind = "bytes"
INTEGER: FeatureKind = "int64"
FLOAT: FeatureKind = "float"
PYTHON_TYPES: Mapping[FeatureKind, type] = {BYTES: bytes, INTEGER: int, FLOAT: float}


@dataclass(frozen=True)
class Record:
    """One sample of a shard.

    Attributes:
        id: the sample's name.
        group: group of the sample; samples of one group stay in one fold.
        images: bytes of a JPEG or PNG by feature: "image", or one for each channel.
        target: label code (see `dataset.labels` and `dataset.soft_labels`); "" in a test shard.
        metadata: value of each metadata column as text, "" if missing.
    """

    id: str
    group: str
    images: dict[str, bytes]
    target: str
    metadata: dict[str, str]


def feature_kinds(
    metadata_columns: Sequence[str], labeled: bool, channels: Sequence[str] = (), *, soft: bool = False
) -> dict[str, FeatureKind]:
    """Kind of every feature of a record. The target has one value for each class, every other feature one value.

    Args:
        metadata_columns: other columns of the table, stored as text under their own names.
        labeled: whether the records have a target.
        channels: names of the channels, each a feature; empty if "image" holds an RGB image.
        soft: whether the target is the share of each class, and not 0 or 1.

    Raises:
        FoldlineError: a metadata column has the name of another feature.
    """
    kinds = dict.fromkeys([*image_features(channels), ID, GROUP], BYTES)
    if labeled:
        kinds[TARGET] = FLOAT if soft else INTEGER
    taken = [name for name in metadata_columns if name in (*kinds, IMAGE, TARGET)]
    if taken:
        raise FoldlineError(
            f"metadata column {listing(taken)}: records have a feature of that name; remove it from "
            "dataset.metadata_columns, or rename it in the table"
        )
    return {**kinds, **dict.fromkeys(metadata_columns, BYTES)}


def encode_record(record: Record) -> bytes:
    """Serialize a record as tf.train.Example with features sorted by name: equal records give equal bytes."""
    values: dict[str, bytes | list[int] | list[float]] = {
        **record.images,
        ID: record.id.encode(),
        GROUP: record.group.encode(),
        **{name: text.encode() for name, text in record.metadata.items()},
    }
    if record.target:
        soft = is_soft(record.target)
        values[TARGET] = shares_of(record.target) if soft else [int(bit) for bit in record.target]
    return encode_example({name: values[name] for name in sorted(values)})


def decode_record(data: bytes, kinds: Mapping[str, FeatureKind], channels: Sequence[str] = ()) -> Record:
    """Parse a serialized record.

    Args:
        data: a tf.train.Example with one value in every feature of `kinds`, and one for each class in the target; other
            features are ignored.
        kinds: kind of every feature of the shard; see `feature_kinds`.
        channels: names of the channels of the shard.

    Raises:
        FoldlineError: a feature is absent, of another kind, or has a wrong number of values.
    """
    values = decode_example(data)
    for name, kind in kinds.items():
        found = values.get(name, [])
        many = name == TARGET and len(found) > 1
        if not (len(found) == 1 or many) or not isinstance(found[0], PYTHON_TYPES[kind]):
            raise FoldlineError(
                f"record {values.get(ID)}: feature {name!r} must hold one value of kind {kind}, but holds {len(found)} "
                f"of {sorted({type(value).__name__ for value in found})}; the record has {listing(sorted(values))}"
            )
    content = {name: cast(bytes, values[name][0]) for name, kind in kinds.items() if kind == BYTES}
    images = image_features(channels)
    return Record(
        id=content[ID].decode(),
        group=content[GROUP].decode(),
        images={name: content[name] for name in images},
        target=_code(values[TARGET], kinds[TARGET]) if TARGET in kinds else "",
        metadata={name: content[name].decode() for name in kinds if name not in (*images, ID, GROUP, TARGET)},
    )


def _code(values: Values, kind: FeatureKind) -> str:
    """Label code of a target."""
    return stored_code([float(value) for value in values]) if kind == FLOAT else "".join(map(str, values))
