"""Shards that were compared with their manifests, and checks of the rows in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foldline.dataset.id_hash import id_hash, shard_index, shard_numbers
from foldline.errors import FoldlineError, listing
from foldline.io.files import digest_of
from foldline.tfrecords.shards import check_shards


@dataclass(frozen=True)
class Shards:
    """Shards that were compared with their manifests.

    Attributes:
        paths: TFRecord files, in the order of the workflow.
        manifests: what the manifest of each says.
    """

    paths: tuple[str, ...]
    manifests: tuple[dict[str, Any], ...]

    @property
    def count(self) -> int:
        """Number of records of all shards."""
        return sum(manifest["records"] for manifest in self.manifests)

    @property
    def n_classes(self) -> int:
        """Classes of the labels; 0 where the records have none."""
        return max(manifest["classes"] for manifest in self.manifests)

    @property
    def mean_bytes(self) -> float:
        """Mean size of a record in bytes."""
        return sum(manifest["bytes"] for manifest in self.manifests) / max(1, self.count)

    def split(self, name: str) -> "Shards":
        """Those of one split of the data: "train", "external" or "test"."""
        kept = [index for index, manifest in enumerate(self.manifests) if manifest["split"] == name]
        return Shards(tuple(self.paths[index] for index in kept), tuple(self.manifests[index] for index in kept))


def open_shards(paths: Sequence[str | Path], manifests: Sequence[str | Path], *, image_size: int) -> Shards:
    """Compare shards with their manifests; see `shards.check_shards`.

    Raises:
        FoldlineError: they differ, or hold images of another size.
    """
    contents = check_shards(paths, manifests)
    for path, manifest in zip(paths, contents, strict=True):
        if manifest["image_size"] != image_size:
            raise FoldlineError(f"{path}: images of {manifest['image_size']} px, the model takes {image_size} px")
    return Shards(tuple(str(path) for path in paths), tuple(contents))


def check_ids(shards: Shards, ids: Sequence[str]) -> None:
    """Check that the shards hold these rows and no others, from the digests of ids in the manifests.

    Which ids a shard holds, and in which order, follows from its name: nothing has to be read.

    Args:
        shards: all shards of a split of the data.
        ids: all ids of that split.

    Raises:
        FoldlineError: a shard lacks a row, or holds a foreign one.
    """
    ordered = sorted(ids, key=id_hash)
    for path, manifest in zip(shards.paths, shards.manifests, strict=True):
        index, count = shard_numbers(manifest["shard"])
        expected = [name for name in ordered if shard_index(name, count) == index]
        if manifest["records"] != len(expected) or manifest["ids_sha256"] != digest_of(expected):
            raise FoldlineError(
                f"{path}: its {manifest['records']} rows are not the {len(expected)} rows that the fold table has for "
                "this shard; run the workflow again so that both come from one table"
            )


def check_read(ids: Sequence[str], expected: Sequence[str], *, source: str) -> None:
    """Check that rows were read once each, none missing and none foreign.

    Raises:
        FoldlineError: they were not; the message lists ids.
    """
    names, counts = np.unique(np.array(ids, dtype=object), return_counts=True)
    repeated = [str(name) for name in names[counts > 1]]
    missing, foreign = sorted(set(expected) - set(ids)), sorted(set(ids) - set(expected))
    for word, found in (("repeated", repeated), ("missing", missing), ("foreign", foreign)):
        if found:
            raise FoldlineError(f"{source}: {len(found)} {word} ids ({listing(found)}); build the shards again")
