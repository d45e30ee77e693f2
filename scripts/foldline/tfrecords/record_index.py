"""Index of ready-made TFRecord files: content and location of every record, from one read of each file.

Counts in the names of files are ignored. See `record_files` for the framing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from foldline.dataset.record_cells import RecordError, parse_record
from foldline.errors import FoldlineError, first_place, problems_error
from foldline.images.errors import UnusableImageError
from foldline.images.headers import Header, read_header
from foldline.io import storage
from foldline.io.files import digest_of
from foldline.io.system_errors import system_error
from foldline.tfrecords.compressed_files import framed_records_of
from foldline.tfrecords.example_proto import decode_example
from foldline.tfrecords.record_features import (
    Features,
    RecordNames,
    collected,
    id_from_position,
    record_cells,
    value_of,
)
from foldline.tfrecords.record_location import RecordLocation

READERS = 8
# Increase it if `index_file` gives another result for the same bytes.
FORMAT = 5


@dataclass(frozen=True)
class IndexedRecord:
    """One record of a TFRecord file.

    Attributes:
        number: number of the record in the file, from 1.
        id: the sample's name.
        target: text of the label, and then its label code (see `with_codes`); "" in a test split.
        group: value of the group feature; the id if there is none.
        metadata: values of the metadata features as text, "" if missing.
        offset: offset of the serialized record in the file, in bytes; in its content, if the file is compressed.
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
    """Read a TFRecord file once, which may be compressed, and check every record.

    Args:
        path: path or URL of the file.
        names: the features to read. Numbers become text by `float32_text` and `str`; a metadata feature without a value
            is missing.

    Raises:
        FoldlineError: names all problems: the file is absent, empty, truncated or does not match its checksums; or a
            record lacks a feature, has a wrong kind or number of values, has no image, or has an id or group that is
            not allowed.
    """
    records, errors = index_records(str(path), names)
    if errors:
        raise problems_error(problem_lines(errors))
    return records


def problem_lines(errors: Iterable[FoldlineError]) -> list[str]:
    """A line for each problem, with the record where it occurs first and the number of the others."""
    places: dict[str, list[str]] = {}
    for error in errors:
        where, problem = (error.where, f": {error.problem}") if isinstance(error, RecordError) else ("", str(error))
        places.setdefault(problem, []).append(where)
    return [f"{first_place(wheres, 'record')}{problem}" for problem, wheres in places.items()]


def index_records(path: str, names: RecordNames) -> tuple[list[IndexedRecord], list[FoldlineError]]:
    """The records of a file that can be used, and the errors of the others; see `index_file`."""
    records, wrong = list[IndexedRecord](), list[RecordError]()
    errors = list[FoldlineError]()
    try:
        with storage.open_binary(path) as handle:
            for framed in framed_records_of(handle, path):
                record = _index_record(path, *framed, names, wrong)
                records += [record] if record else []
    except FoldlineError as error:
        errors.append(error)
    except OSError as error:
        errors.append(system_error(error, path=path))
    if not records and not wrong and not errors:
        errors.append(FoldlineError(f"{path}: the file is empty; remove it, or download it again"))
    return records, [*wrong, *errors]


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


@dataclass(frozen=True)
class IndexedFiles:
    """The records of several files.

    Attributes:
        files: each file by its path or URL, with the records that can be used.
        problems: a line for each problem; see `problem_lines`.
        complete: paths of the files without a problem.
    """

    files: dict[str, IndexedFile]
    problems: list[str]
    complete: list[str]


def index_files(
    paths: Sequence[str], names: RecordNames, *, known: Mapping[str, IndexedFile] | None = None
) -> IndexedFiles:
    """Read files as `index_file` does, several at a time; only new and changed files are read.

    Args:
        paths: paths or URLs of the files.
        names: the features to read.
        known: files that were read before, by path.

    Returns:
        The files in the order of `paths`, and their problems in that order.
    """
    reading = digest_of([FORMAT, asdict(names)])

    def index(path: str) -> tuple[IndexedFile, list[FoldlineError]]:
        try:
            size, version = storage.size_and_version(path)
        except OSError as error:
            return IndexedFile(0, "", reading, []), [system_error(error, path=path)]
        before = (known or {}).get(path)
        if before is not None and (before.size, before.version, before.reading) == (size, version, reading):
            return before, []
        records, errors = index_records(path, names)
        return IndexedFile(size, version, reading, records), errors

    with ThreadPoolExecutor(READERS) as pool:
        found = dict(zip(paths, pool.map(index, paths), strict=True))
    return IndexedFiles(
        files={path: file for path, (file, _) in found.items()},
        problems=problem_lines(error for _, errors in found.values() for error in errors),
        complete=[path for path, (_, errors) in found.items() if not errors],
    )


def _index_record(
    path: str, number: int, offset: int, data: bytes, names: RecordNames, errors: list[RecordError]
) -> IndexedRecord | None:
    """A record; None if it has problems, which are added to `errors`."""
    where, known = f"{path}, record {number}", len(errors)
    with collected(errors):
        features = _decoded(data, where)
        position = "" if names.ids_root is None else id_from_position(names.ids_root, path, number)
        cells = record_cells(features, names, where, position, errors)
        with collected(errors):
            image, header = _image(features, names, f"{where}, id {cells[names.id]!r}")
        if len(errors) == known or names.names() == list(cells):
            sample = parse_record(where, cells, names)
    if len(errors) > known:
        return None
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


def _decoded(data: bytes, where: str) -> Features:
    try:
        return decode_example(data)
    except FoldlineError as error:
        raise RecordError(where, str(error)) from error


def _image(features: Features, names: RecordNames, where: str) -> tuple[bytes, Header]:
    name = names.image
    image = value_of(features, name, "dataset.image_feature", where)
    if not isinstance(image, bytes):
        raise RecordError(
            where, f"feature {name!r} holds a number, not an image; set dataset.image_feature to the image's feature"
        )
    try:
        return image, read_header(image, names.reading)
    except UnusableImageError as error:
        raise RecordError(where, f"feature {name!r} is not an image that can be used: {error}") from error
