"""The record format: one tf.train.Example per sample in TFRecord files, written and read without TensorFlow.

What is in a record, how a file frames its records, and what the manifest beside it says is stated here only; the
TensorFlow half builds its parse specification from `feature_kinds`. Layouts: example.proto and feature.proto in
tensorflow/core/example, and tensorflow.org/tutorials/load_data/tfrecord.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import google_crc32c

from foldline.dataset.channels import IMAGE, image_features
from foldline.errors import FoldlineError, listing
from foldline.io.files import atomic_write, read_json, write_json
from foldline.tfrecords import example_proto

ID, GROUP, TARGET = "image_name", "patient_id", "target"
BYTES, INTEGER = "bytes", "int64"

HEADER_BYTES, CHECKSUM_BYTES = 12, 4

MANIFEST = {
    "split": str,
    "shard": str,
    "records": int,
    "ids_sha256": str,
    "sha256": str,
    "bytes": int,
    "image_size": int,
    "channels": list,
    "classes": int,
    "settings": dict,
    "features": dict,
}


@dataclass(frozen=True)
class Record:
    """One sample as a shard holds it.

    Attributes:
        id: the sample's name.
        group: samples of one group stay in one fold.
        images: bytes of a JPEG or PNG by feature: "image", or one for each channel.
        target: label code (see `labels`); "" in a test shard.
        metadata: value of each metadata column as text, "" where missing.
    """

    id: str
    group: str
    images: dict[str, bytes]
    target: str
    metadata: dict[str, str]


@dataclass(frozen=True)
class WrittenFile:
    """What stands in a file that was just written: number of records, size in bytes, hex SHA-256."""

    records: int
    bytes: int
    sha256: str


def feature_kinds(metadata_columns: Sequence[str], labeled: bool, channels: Sequence[str] = ()) -> dict[str, str]:
    """Name and kind ("bytes" or "int64") of every feature of a record: one value each, and of the target one a class.

    Args:
        metadata_columns: the table's further columns, stored as text under their own names.
        labeled: whether the records carry a target.
        channels: names of the channels, each a feature; none where "image" holds an RGB image.

    Raises:
        FoldlineError: a metadata column has the name of another feature.
    """
    kinds = dict.fromkeys([*image_features(channels), ID, GROUP], BYTES)
    if labeled:
        kinds[TARGET] = INTEGER
    taken = [name for name in metadata_columns if name in (*kinds, IMAGE, TARGET)]
    if taken:
        raise FoldlineError(
            f"metadata column {listing(taken)}: records have a feature of that name; leave it out of "
            "dataset.metadata_columns or rename it in the table"
        )
    return {**kinds, **dict.fromkeys(metadata_columns, BYTES)}


def encode_record(record: Record) -> bytes:
    """Serialize a record as tf.train.Example, features sorted by name: equal records give equal bytes."""
    values: dict[str, bytes | list[int]] = {
        **record.images,
        ID: record.id.encode(),
        GROUP: record.group.encode(),
        **{name: text.encode() for name, text in record.metadata.items()},
    }
    if record.target:
        values[TARGET] = [int(bit) for bit in record.target]
    return example_proto.encode_example({name: values[name] for name in sorted(values)})


def decode_record(data: bytes, kinds: dict[str, str], channels: Sequence[str] = ()) -> Record:
    """Read a serialized record back.

    Args:
        data: a tf.train.Example with one value in every feature of `kinds`, and one a class in the target; further
            features are passed over.
        kinds: what `feature_kinds` gives for the shard.
        channels: names of the channels of the shard.

    Raises:
        FoldlineError: a feature is absent, of another kind, or has another number of values.
    """
    values = example_proto.decode_example(data)
    types = {BYTES: bytes, INTEGER: int}
    for name, kind in kinds.items():
        found = values.get(name, [])
        many = name == TARGET and len(found) > 1
        if not (len(found) == 1 or many) or not isinstance(found[0], types[kind]):
            raise FoldlineError(
                f"record {values.get(ID)}: feature {name!r} must hold one value of kind {kind} and holds {len(found)} "
                f"of {sorted({type(value).__name__ for value in found})}; the record has {listing(sorted(values))}"
            )
    images = image_features(channels)
    return Record(
        id=values[ID][0].decode(),
        group=values[GROUP][0].decode(),
        images={name: values[name][0] for name in images},
        target="".join(map(str, values[TARGET])) if TARGET in kinds else "",
        metadata={name: values[name][0].decode() for name in kinds if name not in (*images, ID, GROUP, TARGET)},
    )


def write_records(path: str | Path, records: Iterable[bytes]) -> WrittenFile:
    """Write serialized records as a TFRecord file, which appears when all of them are in it."""
    count = size = 0
    digest = hashlib.sha256()
    with atomic_write(path) as handle:
        for data in records:
            for piece in (_framed_length(len(data)), data, checksum(data)):
                handle.write(piece)
                digest.update(piece)
                size += len(piece)
            count += 1
    return WrittenFile(count, size, digest.hexdigest())


def read_records(path: str | Path) -> Iterator[bytes]:
    """Yield the serialized records of a TFRecord file.

    Raises:
        FoldlineError: the file is cut, or the checksum of a length or of a record does not fit.
    """
    with Path(path).open("rb") as handle:
        for _, _, data in framed_records(handle, partial(_broken, path)):
            yield data


def framed_records(handle: IO[bytes], broken: Callable[[int, str], FoldlineError]) -> Iterator[tuple[int, int, bytes]]:
    """Yield number (from 1), offset in bytes and serialized bytes of each record; the handle stands at byte 0.

    Args:
        handle: a TFRecord file.
        broken: gives the error for the number of a record and what is wrong with it.
    """
    offset = 0
    for number, length in _lengths(handle, broken):
        data = handle.read(length + CHECKSUM_BYTES)
        if len(data) < length + CHECKSUM_BYTES:
            raise broken(number, "is cut")
        if checksum(data[:length]) != data[length:]:
            raise broken(number, "does not fit its checksum")
        offset += HEADER_BYTES
        yield number, offset, data[:length]
        offset += length + CHECKSUM_BYTES


def count_records(path: str | Path) -> int:
    """Count the records of a TFRecord file from their lengths, without reading what is in them.

    Raises:
        FoldlineError: the file is cut, or the checksum of a length does not fit.
    """
    path = Path(path)
    size = path.stat().st_size
    number = 0
    with path.open("rb") as handle:
        for number, length in _lengths(handle, partial(_broken, path)):
            if handle.seek(length + CHECKSUM_BYTES, 1) > size:
                raise _broken(path, number, "is cut")
    return number


def write_manifest(path: str | Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a shard, after the shard: a shard without one does not exist.

    Raises:
        FoldlineError: a key is absent, foreign, or its value of another type.
    """
    _check_manifest(path, manifest)
    write_json(path, manifest)


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Read the manifest of a shard.

    Raises:
        FoldlineError: the file is absent, or as for `write_manifest`.
    """
    if not Path(path).is_file():
        raise FoldlineError(f"{path}: no such manifest; a shard without its manifest is not finished, build it again")
    manifest = read_json(path)
    _check_manifest(path, manifest)
    return manifest


def check_shards(paths: Sequence[str | Path], manifests: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Compare shards with their manifests by size and number of records.

    TensorFlow ends a file that is cut between two records without a word, so its readers ask here first.

    Args:
        paths: the TFRecord files.
        manifests: the manifest of each, in the same order.

    Returns:
        What the manifests say, in order.

    Raises:
        FoldlineError: a file is absent, cut or of another size than its manifest says, or the shards differ in
            image size, channels or features.
    """
    contents = [read_manifest(path) for path in manifests]
    for path, manifest in zip(paths, contents, strict=True):
        if not Path(path).is_file():
            raise FoldlineError(f"{path}: no such shard although its manifest is there; build it again")
        size = Path(path).stat().st_size
        if size != manifest["bytes"]:
            raise FoldlineError(
                f"{path}: {size} bytes where the manifest says {manifest['bytes']}; remove the shard and build it again"
            )
        count = count_records(path)
        if count != manifest["records"]:
            raise FoldlineError(
                f"{path}: {count} records where the manifest says {manifest['records']}; remove the shard and build it "
                "again"
            )
    for key in ("image_size", "channels", "features"):
        for path, manifest in zip(manifests, contents, strict=True):
            if manifest[key] != contents[0][key]:
                raise FoldlineError(
                    f"{path}: {key} is {manifest[key]} where {manifests[0]} has {contents[0][key]}; shards that are "
                    "read together must agree"
                )
    return contents


def _lengths(handle: IO[bytes], broken: Callable[[int, str], FoldlineError]) -> Iterator[tuple[int, int]]:
    """Yield number (from 1) and length in bytes of each record; the handle stands at its first byte."""
    number = 0
    while header := handle.read(HEADER_BYTES):
        number += 1
        if len(header) < HEADER_BYTES:
            raise broken(number, "is cut in its header")
        if checksum(header[:8]) != header[8:]:
            raise broken(number, "has a length that does not fit its checksum")
        yield number, struct.unpack("<Q", header[:8])[0]


def _framed_length(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + checksum(packed)


def checksum(data: bytes) -> bytes:
    """Masked CRC-32C, little-endian: the sum turned right by 15 bits plus a constant, so that sums of sums differ."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _broken(path: str | Path, number: int, what: str) -> FoldlineError:
    return FoldlineError(f"{path}: record {number} {what}; remove the file and build it again")


def _check_manifest(path: str | Path, manifest: dict[str, Any]) -> None:
    wrong = sorted(set(MANIFEST) ^ set(manifest)) or [
        key for key, kind in MANIFEST.items() if not isinstance(manifest[key], kind)
    ]
    if wrong:
        raise FoldlineError(f"{path}: manifest key {listing(wrong)} is absent, foreign or of the wrong type")
