"""The manifest of a shard: a JSON file that describes it, written last. A shard without a manifest is incomplete."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, listing
from foldline.io.files import read_json, write_json
from foldline.tfrecords.records import FeatureKind

# Type of each key in JSON.
KEYS = {
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
class Manifest:
    """The description of a shard.

    Attributes:
        split: "train", "test" or the name of an external set.
        shard: name of the shard, "00003-of-00016".
        records: number of records.
        ids_sha256: `files.digest_of` the list of ids, in the order of the records.
        sha256: hex SHA-256 of the file.
        bytes: size of the file.
        image_size: side of the square images in pixels.
        channels: names of the channels; empty for RGB images.
        classes: number of classes of the labels; 0 if the records have none.
        settings: how the images were made: aspect, jpeg_quality, and metadata_columns.
        features: kind of every feature; see `records.feature_kinds`.
    """

    split: str
    shard: str
    records: int
    ids_sha256: str
    sha256: str
    bytes: int
    image_size: int
    channels: tuple[str, ...]
    classes: int
    settings: Mapping[str, Any]
    features: Mapping[str, FeatureKind]


def write_manifest(path: str | Path, manifest: Manifest) -> None:
    """Write the manifest of a shard; the shard must be complete."""
    write_json(path, asdict(manifest))


def read_manifest(path: str | Path) -> Manifest:
    """Read the manifest of a shard.

    Raises:
        FoldlineError: the file is absent, or a key is missing, unknown or of another type.
    """
    if not Path(path).is_file():
        raise FoldlineError(f"{path}: no such manifest, so its shard is incomplete; run the workflow again")
    content = read_json(path)
    wrong = sorted(set(KEYS) ^ set(content)) or [
        key for key, kind in KEYS.items() if not isinstance(content[key], kind)
    ]
    if wrong:
        raise FoldlineError(
            f"{path}: manifest key {listing(wrong)} is missing, unknown or of a wrong type; remove the manifest and "
            "run the workflow again"
        )
    return Manifest(**{**content, "channels": tuple(content["channels"])})
