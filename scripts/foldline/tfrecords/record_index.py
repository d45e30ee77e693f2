"""Ready-made TFRecord files: what is in each record and where, found out in one reading of every file.

Counts and numbers in file names say nothing here. The framing is that of `foldline.records`.
"""

import csv
import hashlib
import io
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from foldline.dataset.labels import BINARY
from foldline.dataset.sample_table import PATH, Columns, parse_row
from foldline.errors import FoldlineError, listing
from foldline.images.headers import UnusableImageError, read_header
from foldline.io import storage
from foldline.io.files import atomic_write
from foldline.tfrecords.example_proto import decode_example, float32_text
from foldline.tfrecords.shards import CHECKSUM_BYTES, HEADER_BYTES, checksum, framed_records

COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
IMAGE_FORMATS = ("JPEG", "PNG")
PLACE = re.compile(r"(.+)#(\d+)\+(\d+)")
READERS = 8
# First word of a file of known records; another number where what `index_file` finds in the same bytes changes.
FORMAT = 2

Features = Mapping[str, list[bytes] | list[int] | list[float]]


@dataclass(frozen=True)
class RecordNames(Columns):
    """Which features of a record mean what: they carry the names of the columns, or those that are told.

    Attributes:
        image: feature of the JPEG or PNG.
        features: feature of a column, by the column, where it has another name.
    """

    image: str = "image"
    features: Mapping[str, str] = field(default_factory=dict)

    def feature(self, column: str) -> str:
        """The feature that holds a column."""
        return self.features.get(column, column)


class Placed(Protocol):
    """What a table says of a sample in records: an `IndexedRecord`, or a `record_join.JoinedRecord`."""

    id: str
    target: str
    group: str
    metadata: tuple[str, ...]

    def place(self, file: str) -> str: ...


@dataclass(frozen=True)
class IndexedRecord:
    """One record of a TFRecord file.

    Attributes:
        number: its place in the file, the first being 1.
        id: the sample's name.
        target: label code; "" in a test split.
        group: value of the group feature; the id where there is none.
        metadata: values of the metadata features as text, "" where missing.
        offset: where the serialized record starts in the file, in bytes.
        length: bytes of the serialized record.
        sha256: hex digest of the image's bytes.
        bytes: size of the image.
        width: of the image, in pixels, after EXIF orientation.
        height: of the image, in pixels, after EXIF orientation.
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

    def place(self, file: str) -> str:
        """Place in the table of a split, by what the table calls the file."""
        return str(RecordLocation(file, self.offset, self.length))


@dataclass(frozen=True)
class RecordLocation:
    """A record by its file, and offset and length in bytes of what is serialized; as text FILE#OFFSET+LENGTH."""

    file: str
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.file}#{self.offset}+{self.length}"

    @classmethod
    def parse(cls, text: str) -> "RecordLocation | None":
        """Read the text form; None if the text is none, as the path of an image file."""
        found = PLACE.fullmatch(text)
        return found and cls(found[1], int(found[2]), int(found[3]))


def index_file(place: str | Path, names: RecordNames) -> list[IndexedRecord]:
    """Read a TFRecord file once, and check every record in it.

    Args:
        place: path or URL of the file.
        names: the features to look for. Numbers become text as `float32_text` and `str` write them; a metadata feature
            that is there without a value is missing.

    Raises:
        FoldlineError: the file is absent, empty, compressed, cut or does not fit its checksums; a record lacks a
            feature, has it with another kind or number of values, has no JPEG or PNG, or an id, label or group that a
            table could not have.
    """
    place = str(place)
    try:
        with storage.open_binary(place) as handle:
            found = [_indexed(place, number, offset, data, names) for number, offset, data in _records(handle, place)]
    except OSError as error:
        raise FoldlineError(f"{place} cannot be read: {error.strerror or error}") from error
    if not found:
        raise FoldlineError(f"{place}: the file is empty; remove it, or fetch it again")
    return found


def index_files(files: Sequence[str], names: RecordNames, *, cache: Path) -> dict[str, list[IndexedRecord]]:
    """`index_file` of each file, several at a time; only new and changed files are read.

    Args:
        files: places of the files.
        names: the features to look for.
        cache: folder with a file per TFRecord file: what was found in it, with its size, version and `names`.

    Returns:
        Records of each file, in the order of `files`.

    Raises:
        FoldlineError: as for `index_file`, the first of the files that cannot be used.
    """
    with ThreadPoolExecutor(READERS) as pool:
        found = pool.map(partial(_known_or_read, names=names, cache=cache), files)
        return dict(zip(files, found, strict=True))


def check_split(files: Mapping[str, Sequence[IndexedRecord]]) -> None:
    """Compare the records of a split with each other.

    Args:
        files: records of each file by its place.

    Raises:
        FoldlineError: two records have the same id, or images of different sizes.
    """
    first_of: dict[str, str] = {}
    size, sized = None, ""
    for file, records in files.items():
        for record in records:
            where = f"{file}, record {record.number}"
            if record.id in first_of:
                raise FoldlineError(
                    f"{where}: id {record.id!r} stands in {first_of[record.id]} too; ids must be unique"
                )
            first_of[record.id] = where
            if size is None:
                size, sized = (record.width, record.height), where
            if (record.width, record.height) != size:
                raise FoldlineError(
                    f"{where}: the image of id {record.id!r} is {record.width} x {record.height} pixels where that of "
                    f"{sized} is {size[0]} x {size[1]}; the records of a split have images of one size"
                )


def write_split_table(path: str | Path, files: Mapping[str, Sequence[Placed]], names: RecordNames) -> None:
    """Write the records of a split as a table, sorted by id; a file of the same content is left alone.

    Args:
        path: path or URL of the CSV table: id, target and group where `names` has them, metadata, and last `path`, the
            record's place.
        files: records of each file, or joined ones, by what the table calls it.
        names: the features that were read; the columns carry their names.

    Raises:
        FoldlineError: a feature has the name of the column `path`.
    """
    header = [*names.names(), PATH]
    if PATH in header[:-1]:
        raise FoldlineError(
            f"feature {PATH!r}: the table of the records has a column of that name; leave the feature out"
        )
    lines = []
    for file, records in files.items():
        for record in records:
            labels = [names.labels.text(record.target)] if names.target else []
            labels += [record.group] if names.group else []
            lines.append([record.id, *labels, *record.metadata, record.place(file)])
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *sorted(lines)])
    storage.write_if_changed(path, text.getvalue().encode())


def read_locations(path: str | Path) -> dict[str, str]:
    """Place of each record by its id, from a table that `write_split_table` wrote."""
    with storage.open_text(path) as handle:
        return {cells[0]: cells[-1] for cells in csv.reader(handle)}


def image_at(place: RecordLocation, image: str) -> bytes:
    """Bytes of the image of one record, read from its place and checked again.

    Args:
        place: the record; its file as it can be opened.
        image: feature of the image.

    Raises:
        OSError: the file cannot be read.
        UnusableImageError: what stands at the place is no such record, or does not fit its checksums.
    """
    framed = storage.read_range(place.file, place.offset - HEADER_BYTES, place.offset + place.length + CHECKSUM_BYTES)
    size, header, data = framed[:8], framed[:HEADER_BYTES], framed[HEADER_BYTES:-CHECKSUM_BYTES]
    if size != struct.pack("<Q", place.length) or checksum(size) != header[8:] or len(data) != place.length:
        raise UnusableImageError("damaged: no record of this length stands there; the file is another or is cut")
    if checksum(data) != framed[-CHECKSUM_BYTES:]:
        raise UnusableImageError("damaged: the record does not fit its checksum")
    found = decode_example(data).get(image)
    if not found or not isinstance(found[0], bytes):
        raise UnusableImageError(f"the record has no image in a feature {image!r}")
    return found[0]


def _records(handle: IO[bytes], place: str) -> Iterator[tuple[int, int, bytes]]:
    """`records.framed_records` of somebody else's file, which may be compressed and cannot be built again here."""
    header = handle.read(HEADER_BYTES)
    # A length can begin with the same bytes as a compressed file, but not together with its checksum.
    if header.startswith(COMPRESSED) and checksum(header[:8]) != header[8:]:
        raise FoldlineError(f"{place}: the file is compressed (gzip or zlib); unpack it")
    handle.seek(0)
    return framed_records(
        handle, lambda number, what: FoldlineError(f"{place}, record {number} {what}; fetch the file again")
    )


def _indexed(place: str, number: int, offset: int, data: bytes, names: RecordNames) -> IndexedRecord:
    where = f"{place}, record {number}"
    try:
        features = decode_example(data)
    except FoldlineError as error:
        raise FoldlineError(f"{where}: {error}") from error
    name = _text(features, names.feature(names.id), "dataset.id_column", where)
    where = f"{where}, id {name!r}"
    cells = {names.id: name}
    if names.target:
        cells[names.target] = _label(features, names, where)
    if names.group:
        cells[names.group] = _text(features, names.feature(names.group), "dataset.group_column", where)
    for column in names.metadata:
        cells[column] = _text(features, names.feature(column), "dataset.metadata_columns", where, required=False)
    row = parse_row(f"{place}, record {number}", number, cells, names, kind="feature")
    image = _value(features, names.image, "dataset.image_feature", where)
    if not isinstance(image, bytes):
        raise FoldlineError(
            f"{where}: feature {names.image!r} holds a number and no image; name the image in dataset.image_feature"
        )
    try:
        header = read_header(image)
    except UnusableImageError as error:
        raise FoldlineError(f"{where}: feature {names.image!r} is no JPEG or PNG: {error}") from error
    if header.format not in IMAGE_FORMATS:
        raise FoldlineError(f"{where}: feature {names.image!r} is a {header.format} and no JPEG or PNG")
    return IndexedRecord(
        number=number,
        id=row.id,
        target=row.target,
        group=row.group,
        metadata=row.metadata,
        offset=offset,
        length=len(data),
        sha256=hashlib.sha256(image).hexdigest(),
        bytes=len(image),
        width=header.width,
        height=header.height,
    )


def _value(features: Features, name: str, key: str, where: str, *, required: bool = True) -> bytes | int | float | None:
    """The one value of a feature; None where it has none and need not have one."""
    if name not in features:
        raise FoldlineError(f"{where}: no feature {name!r} ({key}); the record has {listing(sorted(features))}")
    values = features[name]
    if len(values) > 1 or (required and not values):
        raise FoldlineError(f"{where}: feature {name!r} ({key}) holds {len(values)} values where one is needed")
    return values[0] if values else None


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
            f"{where}: feature {name!r} ({key}) is no text in UTF-8 ({error}); name another feature"
        ) from error


def _label(features: Features, names: RecordNames, where: str) -> str:
    """Text of the labels: as it stands, or of integers."""
    feature = names.feature(names.target)
    values = features.get(feature)
    if names.labels.kind != BINARY and values is not None and all(isinstance(value, int) for value in values):
        return names.labels.cell_from_values(values)
    return _text(features, feature, "dataset.target_column", where)


def _known_or_read(place: str, names: RecordNames, cache: Path) -> list[IndexedRecord]:
    try:
        size, version = storage.size_and_version(place)
    except OSError as error:
        raise FoldlineError(f"{place} cannot be read: {error.strerror or error}") from error
    head = json.dumps([FORMAT, place, size, version, asdict(names)])
    path = cache / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.jsonl"
    if path.is_file():
        first, *lines = path.read_text(encoding="utf-8").split("\n")
        if first == head:
            return [
                IndexedRecord(**{**cells, "metadata": tuple(cells["metadata"])}) for cells in map(json.loads, lines)
            ]
    found = index_file(place, names)
    with atomic_write(path, mode="w", encoding="utf-8") as handle:
        handle.write("\n".join([head, *(json.dumps(vars(record)) for record in found)]))
    return found
