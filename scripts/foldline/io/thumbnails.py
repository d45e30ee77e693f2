"""Tables of thumbnails: one row per sample, with a small JPEG of each of its images, as the scan writes them."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from foldline.errors import FoldlineError
from foldline.io.parquet import read_parquet, write_parquet

_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("images", pa.list_(pa.field("item", pa.binary(), nullable=False)), nullable=False),
    ]
)


def write_thumbnails(thumbnails: Mapping[str, Sequence[bytes]], path: str | Path) -> None:
    """Write thumbnails, sorted by id.

    Args:
        thumbnails: id -> JPEGs of its images; none for a sample with an unusable image.
        path: the Parquet file.
    """
    names = sorted(thumbnails)
    table = pa.table([pa.array(names, pa.string()), [list(thumbnails[name]) for name in names]], schema=_SCHEMA)
    write_parquet(table, path)


def read_thumbnails(paths: Sequence[str | Path], names: Container[str]) -> dict[str, tuple[bytes, ...]]:
    """Read thumbnails of a split, as `write_thumbnails` got them.

    Args:
        paths: the tables of the split.
        names: ids of the samples to read.

    Raises:
        FoldlineError: a file is damaged or no table of thumbnails.
        OSError: it cannot be read.
    """
    found: dict[str, tuple[bytes, ...]] = {}
    for path in paths:
        table = read_parquet(path)
        if table.schema.names != _SCHEMA.names:
            raise FoldlineError(f"{path}: is no table of thumbnails; remove the file and run the workflow again")
        # The few that are read become objects, not the whole table.
        table = table.filter(pa.array([name in names for name in table["id"].to_pylist()], pa.bool_()))
        for name, images in zip(table["id"].to_pylist(), table["images"].to_pylist(), strict=True):
            found[name] = tuple(images)
    return found
