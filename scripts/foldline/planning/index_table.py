"""The file of the data index: a Parquet table with a row for each raw image, and a header of what concerns all of them.

`data_index` fills and uses it. The table holds the images of all rows, split by split, and then files that no row
names at the moment but that are known; these have no split.
"""

import contextlib
import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foldline.errors import FoldlineError
from foldline.planning.file_digests import Status, status_of

if TYPE_CHECKING:
    import pyarrow as pa

# Increase it if a column or a part of the header gets another meaning.
FORMAT = 5
# Columns and their Arrow types. A column without a meaning for a row is null.
SCHEMA = {
    "split": "string",
    # Of the row, and the channel of the image if samples have channels.
    "id": "string",
    "channel": "string",
    # Path or URL of the image file or of the TFRecord file, or FILE::KEY in an HDF5 file, and where record or image are
    # in the file, in bytes.
    "path": "string",
    "record_offset": "int64",
    "record_length": "int64",
    # Of the image. Times and inode are those of a local image file, see `file_digests.Status`. Of an image in an HDF5
    # file, all four are those of the file.
    "size": "int64",
    "mtime_ns": "int64",
    "ctime_ns": "int64",
    "inode": "int64",
    # Hex SHA-256, or of an image in a bucket the checksum that it tells.
    "sha256": "string",
    # The header of the image, see `image_content.ImageContent`.
    "header_options": "string",
    "format": "string",
    "width": "int32",
    "height": "int32",
    "color": "bool_",
    "unranged": "string",
    "decoding_bytes": "int64",
    "scaled_bytes": "int32",
    # `rows_digest.row_digests` of the row.
    "row_digest": "binary",
    # Texts of a record: its id, label, group and metadata, see `record_index.IndexedRecord`.
    "record_id": "string",
    "label": "string",
    "group": "string",
    "metadata": "list<string>",
}
PATHS_AT_A_TIME = 1 << 14
STATUS = ("size", "mtime_ns", "ctime_ns", "inode")
# Parquet has checksums of pages, but not of its metadata.
_HEADER, _CHECKSUM = b"foldline", b"foldline_sha256"
# Digest of each shard by its name, for each way of sharding, such as "16" or "16 with files".
ShardDigests = dict[str, dict[str, str]]
# Some columns of `SCHEMA`, equally long, as sequences or Arrow's arrays; the others are null.
Columns = Mapping[str, Any]


@dataclass(frozen=True)
class IndexHeader:
    """What concerns all rows of the index.

    Attributes:
        sources: everything that the index depends on apart from the images, in values that JSON can hold; None if the
            data were not read to the end, so that only the files in the table are known.
        rows: number of rows of each split.
        images: number of images of each split.
        digests: shard digests of each split.
        submission: see `data_index.DataIndex`.
        tables: see `data_index.DataIndex`.
        locations: see `data_index.DataIndex`.
        made: SHA-256 of each table that Foldline made of the data.
        folders: what `stat` said of each folder whose files are rows, or were searched for those of rows.
        sample_submission: see `data_index.DataIndex`.
        label_cells: see `data_index.DataIndex`.
        class_words: see `data_index.DataIndex`, as a mapping.
        found: see `data_index.DataIndex`.
        left_out: see `data_index.DataIndex`.
        weights: see `data_index.DataIndex`.
        unranged: see `data_index.DataIndex`.
        image_mb: see `data_index.DataIndex`.
        record_files: size, version and reading of each TFRecord file, see `record_index.IndexedFile`.
        format: `FORMAT`.
    """

    sources: dict[str, Any] | None = None
    rows: dict[str, int] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    digests: dict[str, ShardDigests] = field(default_factory=dict)
    submission: str = ""
    tables: dict[str, str] = field(default_factory=dict)
    locations: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    folders: dict[str, list[int] | None] = field(default_factory=dict)
    sample_submission: str = ""
    label_cells: dict[str, Any] = field(default_factory=dict)
    class_words: dict[str, Any] | None = None
    found: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    weights: str = ""
    unranged: list[str] = field(default_factory=list)
    image_mb: dict[str, list[float] | None] = field(default_factory=dict)
    record_files: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True)
class IndexTable:
    """A data index.

    Attributes:
        header: the header.
        table: the table, see `SCHEMA`.
    """

    header: IndexHeader
    table: "pa.Table"

    @classmethod
    def from_columns(cls, header: IndexHeader, parts: Iterable[Columns]) -> "IndexTable":
        """An index from the columns of some images after the other."""
        import pyarrow as pa

        types = _types()
        chunks: dict[str, list[pa.Array]] = {name: [] for name in types}
        for part in parts:
            length = len(part["path"])
            for name, kind in types.items():
                values = part.get(name)
                if isinstance(values, pa.ChunkedArray):
                    chunks[name] += values.chunks
                else:
                    chunks[name].append(pa.nulls(length, kind) if values is None else pa.array(values, kind))
        arrays = {name: pa.chunked_array(chunks[name], kind) for name, kind in types.items()}
        return cls(header, pa.table(arrays, schema=pa.schema(types)))

    @classmethod
    def load(cls, path: Path, columns: Sequence[str] | None = None) -> "IndexTable | None":
        """Read an index; None if there is no file, or one that is damaged or that another version wrote.

        Args:
            path: the file.
            columns: the columns to read; None for all.
        """
        import pyarrow as pa

        from foldline.io.parquet import read_parquet

        if not path.is_file():
            return None
        with contextlib.suppress(FoldlineError, OSError, ValueError, KeyError, TypeError):
            table = read_parquet(path, columns)
            text = table.schema.metadata[_HEADER]
            if table.schema.metadata[_CHECKSUM] != _checksum(text):
                return None
            values = json.loads(text)
            values["record_files"] = {path: tuple(file) for path, file in values["record_files"].items()}
            header = IndexHeader(**values)
            described = sum(header.images.values()) <= len(table)
            types = {name: kind for name, kind in _types().items() if columns is None or name in columns}
            if header.format == FORMAT and described and table.schema.equals(pa.schema(types)):
                return cls(header, table.replace_schema_metadata(None))
        return None

    def save(self, path: Path) -> None:
        """Write the index."""
        from foldline.io.parquet import write_parquet

        text = json.dumps(asdict(self.header)).encode()
        write_parquet(self.table.replace_schema_metadata({_HEADER: text, _CHECKSUM: _checksum(text)}), path)

    def split(self, name: str) -> "IndexTable":
        """The images of the rows of a split."""
        splits = list(self.header.images)
        start = sum(self.header.images[other] for other in splits[: splits.index(name)])
        return IndexTable(self.header, self.table.slice(start, self.header.images[name]))

    def values(self, name: str) -> list[Any]:
        """Values of a column."""
        values: list[Any] = self.table[name].to_pylist()
        return values

    def image_sizes(self) -> list[int]:
        """Size of each local image in bytes: its length in an HDF5 file, or the size of its file."""
        import pyarrow.compute as pc

        sizes: list[int] = pc.coalesce(self.table["record_length"], self.table["size"]).to_pylist()
        return sizes

    def statuses(self) -> list[Status]:
        """What `stat` said of each local image file."""
        return list(zip(*map(self.values, STATUS), strict=True))

    def images_of_rows(self) -> "IndexTable":
        """The images of the rows of all splits."""
        return IndexTable(self.header, self.table.slice(0, sum(self.header.images.values())))

    @property
    def all_have_rows(self) -> bool:
        """Whether each image has a row."""
        return bool(sum(self.header.images.values()) == len(self.table))

    def images_are_unchanged(self) -> bool:
        """Whether `stat` says of all images what it said; an image that cannot be looked at changed."""
        import pyarrow as pa

        found = array("q")
        try:
            # Without a list of a million texts or tuples.
            for path in self._paths():
                found.extend(status_of(path) or ())
        except OSError:
            return False
        if len(found) != len(STATUS) * len(self.table):
            return False
        return all(
            self.table[name]
            .combine_chunks()
            .equals(
                pa.Array.from_buffers(pa.int64(), len(self.table), [None, pa.py_buffer(found[number :: len(STATUS)])])
            )
            for number, name in enumerate(STATUS)
        )

    def _paths(self) -> Iterator[str]:
        for batch in self.table.select(["path"]).to_batches(max_chunksize=PATHS_AT_A_TIME):
            yield from batch["path"].to_pylist()

    def local_images(self) -> "IndexTable":
        """Image files on a disk, with or without a row."""
        return IndexTable(self.header, self.table.filter(self.table["mtime_ns"].is_valid()))

    def records(self) -> "IndexTable":
        """Records of TFRecord files, with or without a row, those of a file in their order."""
        return IndexTable(self.header, self.table.filter(self.table["record_offset"].is_valid()))


def paths_of(parts: Sequence[Columns]) -> set[str]:
    """All paths of some columns."""
    lists = (part["path"] for part in parts)
    return {path for paths in lists for path in (paths if isinstance(paths, list | tuple) else paths.to_pylist())}


def joined(parts: Sequence[Columns]) -> Columns:
    """The columns of some images after the other; there is at least one part, and all have the same columns."""
    return {name: list(chain.from_iterable(part[name] for part in parts)) for name in parts[0]}


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


def _types() -> dict[str, Any]:
    import pyarrow as pa

    named = {"string": pa.string(), "binary": pa.binary(), "list<string>": pa.list_(pa.string())}
    return {name: named.get(kind) or getattr(pa, kind)() for name, kind in SCHEMA.items()}
