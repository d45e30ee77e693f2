"""The text of a user's table from its bytes: decompressed and decoded, or refused by the name of what it is instead.

Standard library only, because the process that builds the DAG imports it.
"""

import codecs
import gzip
import re
import zlib

from foldline.errors import FoldlineError, listing

PARQUET = b"PAR1"
GZIP = b"\x1f\x8b"
# First bytes of files that are no text, with what to do.
OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive; save the workbook as 'CSV UTF-8', or unpack the archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls); save it as 'CSV UTF-8'",
    b"BZh": "compressed by bzip2; unpack it",
    b"\xfd7zXZ": "compressed by xz; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard; unpack it",
    b"ARROW1": "a Feather file; save it as CSV or Parquet",
    b"FEA1": "a Feather file; save it as CSV or Parquet",
    b"\x89HDF": "an HDF5 file; save it as CSV or Parquet",
    b"{\\rtf": "a document in rich text; save it as plain text",
    b"version https://git-lfs": "a pointer of Git LFS, not the table itself; fetch the file with 'git lfs pull'",
}
# Encodings that their byte order mark names. UTF-32 comes first, because its mark starts with that of UTF-16, which
# Excel's 'Unicode Text' is in.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SAVE = "save the table as 'CSV UTF-8'"
_LINE_END = re.compile(rb"\r\n|\n|\r")


def decompressed(path: str, data: bytes) -> bytes:
    """Bytes of a table; those of a gzip file decompressed, whatever its name is.

    Raises:
        FoldlineError: the file is damaged.
    """
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise FoldlineError(f"{path}: the gzip file is damaged ({error}); copy or download it again") from error


def decode(path: str, data: bytes) -> str:
    """Text of a table, without a byte order mark; line ends stay.

    Args:
        path: name of the table in an error message.
        data: decompressed bytes.

    Raises:
        FoldlineError: the bytes are of another file format, or in another encoding than UTF-8 without a mark that names
            it, or hold a NUL.
    """
    for start, what in OTHER_FORMATS.items():
        if data.startswith(start):
            raise FoldlineError(f"{path}: this is {what}")
    for mark, name in MARKS.items():
        if data.startswith(mark):
            data = _as_utf8(path, data, name)
            break
    if b"\0" in data:
        _refuse_nul(path, data)
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        raise _not_utf8(path, data) from None


def _as_utf8(path: str, data: bytes, encoding: str) -> bytes:
    try:
        return data.decode(encoding).encode()
    except UnicodeError as error:
        raise FoldlineError(f"{path}: damaged {encoding.upper()}: {error}; copy it again, or {SAVE}") from None


def _refuse_nul(path: str, data: bytes) -> None:
    # Latin letters are every other byte of UTF-16.
    start = data[:1000]
    if start.count(0) > len(start) // 4:
        raise FoldlineError(f"{path}: the encoding is UTF-16 or UTF-32, not UTF-8; {SAVE}")
    numbers = [f"{number}" for number, line in enumerate(_LINE_END.split(data), start=1) if b"\0" in line]
    raise FoldlineError(
        f"{path}, line {listing(numbers, limit=5)}: a NUL character (a byte of value 0), which no text has; copy or "
        "export the table again"
    )


def _not_utf8(path: str, data: bytes) -> FoldlineError:
    """The error that names the lines that are not UTF-8, and the most likely encoding."""
    wrong: list[tuple[int, int]] = []
    for number, line in enumerate(_LINE_END.split(data), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong.append((number, line[error.start]))
    number, byte = wrong[0]
    try:
        guess = f"{bytes([byte]).decode('cp1252')!r} in Windows-1252, which Excel's plain 'CSV' uses"
    except UnicodeDecodeError:
        guess = "the encoding is unknown"
    others = [str(other) for other, _ in wrong[1:]]
    also = f"; also line {listing(others, limit=5)}" if others else ""
    return FoldlineError(f"{path}, line {number}: not a CSV table in UTF-8: byte 0x{byte:02X} ({guess}){also}; {SAVE}")
