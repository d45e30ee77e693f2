"""Open shards for reading: compare them with their manifests, and check the rows that they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foldline.dataset.id_hash import id_hash, shard_index, shard_numbers
from foldline.errors import FoldlineError, counted, listing
from foldline.io.files import digest_of
from foldline.tfrecords.manifests import Manifest, read_manifest
from foldline.tfrecords.record_files import count_records
from foldline.tfrecords.records import FLOAT, TARGET


@dataclass(frozen=True)
class Shards:
    """Shards that agree with their manifests.

    Attributes:
        paths: TFRecord files, in the order of the workflow.
        manifests: manifest of each.
    """

    paths: tuple[str, ...]
    manifests: tuple[Manifest, ...]

    @property
    def count(self) -> int:
        """Number of records of all shards."""
        return sum(manifest.records for manifest in self.manifests)

    @property
    def n_classes(self) -> int:
        """Number of classes of the labels; 0 if the records have none."""
        return max(manifest.classes for manifest in self.manifests)

    @property
    def soft_labels(self) -> bool:
        """Whether the labels are the share of each class, and not 0 or 1."""
        return any(manifest.features.get(TARGET) == FLOAT for manifest in self.manifests)

    @property
    def mean_bytes(self) -> float:
        """Mean size of a record in bytes."""
        return sum(manifest.bytes for manifest in self.manifests) / max(1, self.count)

    def split(self, name: str) -> "Shards":
        """The shards of one split: "train", "test" or an external set."""
        indices = [index for index, manifest in enumerate(self.manifests) if manifest.split == name]
        return Shards(tuple(self.paths[index] for index in indices), tuple(self.manifests[index] for index in indices))


def open_shards(paths: Sequence[str | Path], manifests: Sequence[str | Path], *, image_size: int) -> Shards:
    """Compare shards with their manifests and with the image size of a model in pixels; see `check_shards`.

    Raises:
        FoldlineError: as `check_shards`, or the image size differs.
    """
    contents = check_shards(paths, manifests)
    for path, manifest in zip(paths, contents, strict=True):
        if manifest.image_size != image_size:
            raise FoldlineError(
                f"{path}: images of {manifest.image_size} px, but the model reads {image_size} px; run the workflow "
                "again"
            )
    return Shards(tuple(str(path) for path in paths), tuple(contents))


def check_shards(paths: Sequence[str | Path], manifests: Sequence[str | Path]) -> list[Manifest]:
    """Compare shards with their manifests by size and number of records.

    TensorFlow does not notice if a file is truncated between two records, so readers call this first.

    Args:
        paths: the TFRecord files.
        manifests: the manifest of each, in the same order.

    Returns:
        The parsed manifests, in order.

    Raises:
        FoldlineError: a file is absent, truncated or not of the size in its manifest, or the shards differ in image
            size, channels or features.
    """
    contents = [read_manifest(path) for path in manifests]
    for path, manifest in zip(paths, contents, strict=True):
        _check_shard(path, manifest)
    for name in ("image_size", "channels", "features"):
        for path, manifest in zip(manifests, contents, strict=True):
            value, first = getattr(manifest, name), getattr(contents[0], name)
            if value != first:
                raise FoldlineError(
                    f"{path}: {name} is {value}, but {manifests[0]} has {first}; shards that are read together must "
                    "agree; run the workflow again"
                )
    return contents


def _check_shard(path: str | Path, manifest: Manifest) -> None:
    if not Path(path).is_file():
        raise FoldlineError(f"{path}: no such shard, but its manifest exists; run the workflow again")
    size = Path(path).stat().st_size
    if size != manifest.bytes:
        raise FoldlineError(
            f"{path}: {size} bytes, but the manifest says {manifest.bytes}; remove the shard and run the workflow again"
        )
    count = count_records(path)
    if count != manifest.records:
        raise FoldlineError(
            f"{path}: {counted(count, 'record')}, but the manifest says {manifest.records}; remove the shard and run "
            "the workflow again"
        )


def check_ids(shards: Shards, ids: Sequence[str]) -> None:
    """Check that the shards hold exactly these rows, by the digests of ids in the manifests.

    The ids of a shard and their order follow from its name, so no record is read.

    Args:
        shards: all shards of a split.
        ids: all ids of that split.

    Raises:
        FoldlineError: a shard lacks a row, or holds an unknown one.
    """
    ordered = sorted(ids, key=id_hash)
    for path, manifest in zip(shards.paths, shards.manifests, strict=True):
        index, count = shard_numbers(manifest.shard)
        expected = [name for name in ordered if shard_index(name, count) == index]
        if manifest.records != len(expected) or manifest.ids_sha256 != digest_of(expected):
            raise FoldlineError(
                f"{path}: {counted(manifest.records, 'row')}, which are not those that the fold table has for this "
                f"shard ({len(expected)}); run the workflow again, so that both follow from one table"
            )


def check_read(ids: Sequence[str], expected: Sequence[str], *, source: str) -> None:
    """Check that every expected row was read exactly once, and no other row.

    Args:
        ids: ids of the rows that were read.
        expected: ids of the rows to read.
        source: name of the shards in an error message.

    Raises:
        FoldlineError: a row is repeated, missing or unknown.
    """
    names, counts = np.unique(np.array(ids, dtype=object), return_counts=True)
    repeated = [str(name) for name in names[counts > 1]]
    missing, unknown = sorted(set(expected) - set(ids)), sorted(set(ids) - set(expected))
    for word, found in (("repeated", repeated), ("missing", missing), ("unknown", unknown)):
        if found:
            raise FoldlineError(
                f"{source}: {counted(len(found), f'{word} id')} ({listing(found)}); remove the shards and run "
                "the workflow again"
            )
