"""Index of ready-made TFRecord files: content and location of every record, from one read of each file.

Counts in the names of files are ignored. See `record_files` for the framing.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from foldline.dataset.class_columns import flags_cell
from foldline.dataset.columns import Columns
from foldline.dataset.labels import BINARY
from foldline.dataset.record_cells import parse_record
from foldline.errors import FoldlineError, listing
from foldline.images.errors import UnusableImageError
from foldline.images.headers import Header, read_header
from foldline.io import storage
from foldline.io.files import digest_of
from foldline.io.system_errors import system_error
from foldline.tfrecords.example_proto import Values, decode_example, float32_text
from foldline.tfrecords.record_files import HEADER_BYTES, checksum, framed_records
from foldline.tfrecords.record_location import RecordLocation

COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
IMAGE_FORMATS = ("JPEG", "PNG")
READERS = 8
# The first whole number that a 32-bit float cannot tell from its neighbor.
WHOLE_FLOATS = 2**24
# Increase it if `index_file` gives another result for the same bytes.
FORMAT = 4

Features = Mapping[str, Values]


@dataclass(frozen=True)
class RecordNames(Columns):
    """The meaning of the features of a record, which have the names of the columns unless `features` says otherwise.

    Attributes:
        image: feature of the JPEG or PNG.
        features: feature of a column with another name, by column.
    """

    image: str = "image"
    features: Mapping[str, str] = field(default_factory=dict)

    def feature(self, column: str) -> str:
        """The feature that holds a column."""
        return self.features.get(column, self.in_table(column))


@dataclass(frozen=True)
class IndexedRecord:
    """One record of a TFRecord file.

    Attributes:
        number: number of the record in the file, from 1.
        id: the sample's name.
        target: text of the label, and then its label code (see `with_codes`); "" in a test split.
        group: value of the group feature; the id if there is none.
        metadata: values of the metadata features as text, "" if missing.
        offset: offset of the serialized record in the file, in bytes.
        length: length of the serialized record in bytes.
        sha256: hex SHA-256 of the image's bytes.
        bytes: size of the image.
        width: of the image in pixels, after EXIF orientation.
        height: of the image in pixels, after EXIF orientation.
    """

    number: int
    id: str
    target: str
    group: str
    metadata: tuple[str, ...]
    offset: int
    length: int
    sha256: str
    bytes: int
    width: int
    height: int

    def location(self, file: str) -> str:
        """Path column of the table of a split; `file` is the name of the file in the table."""
        return str(RecordLocation(file, self.offset, self.length))


def index_file(path: str | Path, names: RecordNames) -> list[IndexedRecord]:
    """Read a TFRecord file once and check every record.

    Args:
        path: path or URL of the file.
        names: the features to read. Numbers become text by `float32_text` and `str`; a metadata feature without a value
            is missing.

    Raises:
        FoldlineError: the file is absent, empty, compressed, truncated or does not match its checksums; or a record
            lacks a feature, has a wrong kind or number of values, has no JPEG or PNG, or has an id or group that is not
            allowed.
    """
    path = str(path)
    try:
        with storage.open_binary(path) as handle:
            records = [_index_record(path, *framed, names) for framed in _framed_records(handle, path)]
    except OSError as error:
        raise system_error(error, path=path) from error
    if not records:
        raise FoldlineError(f"{path}: the file is empty; remove it, or download it again")
    return records


@dataclass(frozen=True)
class IndexedFile:
    """The records of a TFRecord file, and what tells whether they are still those of the file.

    Attributes:
        size: size of the file in bytes.
        version: see `storage.size_and_version`.
        reading: digest of the names by which the records were read, and of `FORMAT`.
        records: the records, in the order of the file.
    """

    size: int
    version: str
    reading: str
    records: Sequence[IndexedRecord]


def index_files(
    paths: Sequence[str], names: RecordNames, *, known: Mapping[str, IndexedFile] | None = None
) -> dict[str, IndexedFile]:
    """Call `index_file` for each file, several at a time; only new and changed files are read.

    Args:
        paths: paths or URLs of the files.
        names: the features to read.
        known: files that were read before, by path.

    Returns:
        Each file, in the order of `paths`.

    Raises:
        FoldlineError: as `index_file`, for the first file that cannot be used.
    """
    reading = digest_of([FORMAT, asdict(names)])

    def index(path: str) -> IndexedFile:
        try:
            size, version = storage.size_and_version(path)
        except OSError as error:
            raise system_error(error, path=path) from error
        before = (known or {}).get(path)
        if before is not None and (before.size, before.version, before.reading) == (size, version, reading):
            return before
        return IndexedFile(size, version, reading, index_file(path, names))

    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(paths, pool.map(index, paths), strict=True))


def _framed_records(handle: IO[bytes], path: str) -> Iterator[tuple[int, int, bytes]]:
    """`record_files.framed_records` of a user's file, which may be compressed and cannot be rebuilt here."""
    header = handle.read(HEADER_BYTES)
    # A length may start with the same bytes as a compressed file, but its checksum would not match.
    if header.startswith(COMPRESSED) and checksum(header[:8]) != header[8:]:
        raise FoldlineError(f"{path}: the file is compressed (gzip or zlib); decompress it")
    handle.seek(0)
    return framed_records(
        handle, lambda number, problem: FoldlineError(f"{path}, record {number} {problem}; download the file again")
    )


def _index_record(path: str, number: int, offset: int, data: bytes, names: RecordNames) -> IndexedRecord:
    where = f"{path}, record {number}"
    try:
        features = decode_example(data)
    except FoldlineError as error:
        raise FoldlineError(f"{where}: {error}") from error
    cells = _cells(features, names, where)
    sample = parse_record(where, cells, names)
    image, header = _image(features, names.image, f"{where}, id {cells[names.id]!r}")
    return IndexedRecord(
        number=number,
        id=sample.id,
        target=sample.label,
        group=sample.group,
        metadata=sample.metadata,
        offset=offset,
        length=len(data),
        sha256=hashlib.sha256(image).hexdigest(),
        bytes=len(image),
        width=header.width,
        height=header.height,
    )


def _cells(features: Features, names: RecordNames, where: str) -> dict[str, str]:
    """Text of every column, as a table would have it."""
    name = _name(features, names.feature(names.id), "dataset.id_column", where)
    where = f"{where}, id {name!r}"
    cells = {names.id: name}
    if names.target and names.target_columns:
        cells[names.target] = _flags(features, names, where)
    elif names.target:
        cells[names.target] = _label(features, names, names.target, where)
    if names.group:
        cells[names.group] = _group(features, names, names.group, where)
    for column in names.metadata:
        if column in names.absent or (column in names.optional and names.feature(column) not in features):
            cells.setdefault(column, "")
            continue
        cells[column] = _text(features, names.feature(column), "dataset.metadata_columns", where, required=False)
    return cells


def _image(features: Features, name: str, where: str) -> tuple[bytes, Header]:
    image = _value(features, name, "dataset.image_feature", where)
    if not isinstance(image, bytes):
        raise FoldlineError(
            f"{where}: feature {name!r} holds a number, not an image; set dataset.image_feature to the image's feature"
        )
    try:
        header = read_header(image)
    except UnusableImageError as error:
        raise FoldlineError(f"{where}: feature {name!r} is not a JPEG or PNG: {error}") from error
    if header.format not in IMAGE_FORMATS:
        raise FoldlineError(f"{where}: feature {name!r} is a {header.format}, not a JPEG or PNG")
    return image, header


def _label(features: Features, names: RecordNames, column: str, where: str) -> str:
    """Cell of the labels, from a text or from integers."""
    feature = names.feature(column)
    values = features.get(feature)
    if names.labels.kind != BINARY and values is not None:
        integers = [value for value in values if isinstance(value, int)]
        if len(integers) == len(values):
            return names.labels.cell_from_values(integers)
    return _text(features, feature, "dataset.target_column", where)


def _group(features: Features, names: RecordNames, column: str, where: str) -> str:
    """Text of the group; "" if an external record has none."""
    feature = names.feature(column)
    if column in names.absent or (names.external and feature in features and not features[feature]):
        return ""
    return _name(features, feature, "dataset.group_column", where)


def _flags(features: Features, names: RecordNames, where: str) -> str:
    """Cell of the labels, from a feature of 0 or 1 for each class."""
    of_class = list(map(names.feature, names.target_columns))
    texts = [_text(features, feature, "dataset.target_columns", where) for feature in of_class]
    try:
        return flags_cell(of_class, texts, names.labels.separator)
    except FoldlineError as error:
        raise FoldlineError(f"{where}: the label {error}; correct the records, or dataset.target_columns") from None


def _name(features: Features, name: str, key: str, where: str) -> str:
    """Text of an id or group; the float of a whole number gives that number."""
    value = _value(features, name, key, where)
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= WHOLE_FLOATS:
            raise FoldlineError(
                f"{where}: feature {name!r} ({key}) is the float {value:.0f}; 32-bit floats round whole numbers from "
                f"{WHOLE_FLOATS} on, so that several names may have become one; write it as text or as an integer"
            )
        return str(int(value))
    return _text(features, name, key, where)


def _text(features: Features, name: str, key: str, where: str, *, required: bool = True) -> str:
    value = _value(features, name, key, where, required=required)
    if value is None:
        return ""
    if isinstance(value, float):
        return float32_text(value)
    if isinstance(value, int):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise FoldlineError(
            f"{where}: feature {name!r} ({key}) is not text in UTF-8 ({error}); name another feature"
        ) from error


def _value(features: Features, name: str, key: str, where: str, *, required: bool = True) -> bytes | int | float | None:
    """The value of a feature; None if it has none and needs none."""
    if name not in features:
        raise FoldlineError(f"{where}: no feature {name!r} ({key}); the record has {listing(sorted(features))}")
    values = features[name]
    if len(values) > 1 or (required and not values):
        raise FoldlineError(f"{where}: feature {name!r} ({key}) holds {len(values)} values, but needs one")
    return values[0] if values else None
