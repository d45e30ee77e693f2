"""The image files and TFRecord files of a data set that were read before, and those that are read now."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foldline.io.storage import is_url
from foldline.planning.image_files import LocalImages
from foldline.planning.index_table import Columns, IndexTable, paths_of

if TYPE_CHECKING:
    from foldline.tfrecords.record_features import RecordNames
    from foldline.tfrecords.record_index import IndexedFile, IndexedFiles

# Columns of the data index that hold attributes of `record_index.IndexedRecord`.
RECORD_COLUMNS = {
    "record_id": "id",
    "label": "target",
    "group": "group",
    "record_offset": "offset",
    "record_length": "length",
    "sha256": "sha256",
    "size": "bytes",
    "width": "width",
    "height": "height",
}


class RawFiles:
    """What is known of raw files.

    Attributes:
        images: the image files on a disk.
        records: the TFRecord files by their path or URL.
        read_records: whether a TFRecord file was read.
    """

    def __init__(self, stored: IndexTable | None = None) -> None:
        """Take over what a data index knows."""
        self.images = LocalImages(stored)
        self.records: dict[str, IndexedFile] = _known_records(stored) if stored else {}
        self.read_records = False

    @property
    def changed(self) -> bool:
        """Whether a file was read."""
        return self.images.changed or self.read_records

    def index_records(self, paths: Sequence[str], names: "RecordNames") -> "IndexedFiles":
        """The records of some files, see `record_index.index_files`."""
        from foldline.tfrecords.record_index import index_files

        indexed = index_files(paths, names, known=self.records)
        complete = {path: indexed.files[path] for path in indexed.complete}
        self.read_records |= any(self.records.get(path) is not file for path, file in complete.items())
        self.records |= complete
        return indexed

    def columns_without(self, parts: Sequence[Columns]) -> Iterator[Columns]:
        """Columns of the data index for all known files but those of some columns, as far as they are still there."""
        yield from self.images.columns_without(parts)
        if self.records:
            named = paths_of(parts)
            for path in self.record_files().keys() - named:
                yield record_columns(path, self.records[path])

    def record_files(self) -> dict[str, tuple[int, str, str]]:
        """Size, version and reading of the TFRecord files that are still there, see `index_table.IndexHeader`."""
        return {
            path: (file.size, file.version, file.reading)
            for path, file in self.records.items()
            if is_url(path) or Path(path).is_file()
        }


def record_columns(path: str, file: "IndexedFile") -> dict[str, Sequence[Any]]:
    """Columns of the data index for the records of a file."""
    records = file.records
    values = {column: [getattr(record, name) for record in records] for column, name in RECORD_COLUMNS.items()}
    return values | {
        "id": values["record_id"],
        "path": [path] * len(records),
        "metadata": [record.metadata for record in records],
    }


def _known_records(stored: IndexTable) -> "dict[str, IndexedFile]":
    if not stored.header.record_files:
        return {}
    try:
        from foldline.tfrecords.record_index import IndexedFile, IndexedRecord
    except ImportError:
        # Reading a file will say which package is missing.
        return {}
    of_records = stored.records()
    columns = [of_records.values(name) for name in RECORD_COLUMNS]
    records: dict[str, list[IndexedRecord]] = {path: [] for path in stored.header.record_files}
    for path, metadata, *values in zip(of_records.values("path"), of_records.values("metadata"), *columns, strict=True):
        if path in records:
            of_file = records[path]
            facts = dict(zip(RECORD_COLUMNS.values(), values, strict=True))
            of_file.append(IndexedRecord(number=len(of_file) + 1, metadata=tuple(metadata), **facts))
    files = stored.header.record_files
    return {path: IndexedFile(*files[path], records=found) for path, found in records.items() if found}
