"""Serialize and parse tf.train.Example without TensorFlow or protobuf.

Example is features (1): Features; Features is a map (1) of name (1) to Feature (2); Feature is a list of bytes (1), of
floats (2) or of integers (3), each with its values in field 1. Wire format:
protobuf.dev/programming-guides/encoding.
"""

import struct
from collections.abc import Iterator, Mapping
from ctypes import c_float
from typing import NamedTuple

from foldline.errors import FoldlineError

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3

# A varint has at most ten bytes, of seven bits each.
MAX_VARINT_SHIFT = 63

Values = list[bytes] | list[int] | list[float]


class _Field(NamedTuple):
    """A field of a message: `integer` is the value of a varint, `data` the content of any other wire type."""

    number: int
    wire: int
    integer: int
    data: bytes


def encode_example(values: Mapping[str, bytes | list[int] | list[float]]) -> bytes:
    """Serialize one value of bytes or a list of numbers per feature, in the order of the mapping.

    Args:
        values: bytes, or a list that is not empty of integers in [-2**63, 2**63) or of floats, by feature name.
    """
    entries = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _feature(value))) for name, value in values.items()
    )
    return _field(1, entries)


def decode_example(data: bytes) -> dict[str, Values]:
    """Parse all features of a serialized tf.train.Example.

    Raises:
        FoldlineError: the bytes are not a serialized tf.train.Example.
    """
    try:
        features: dict[str, Values] = {}
        for _, entries in _length_fields(data, {1}):
            for _, entry in _length_fields(entries, {1}):
                name, feature = _entry(entry)
                features[name] = _values(feature)
    except (IndexError, UnicodeDecodeError, struct.error) as error:
        raise FoldlineError(f"a record of {len(data)} bytes is not a tf.train.Example: {error}") from error
    return features


def _entry(entry: bytes) -> tuple[str, bytes]:
    """Name of a feature and its Feature message; readers differ in what they make of entries with other fields."""
    name, feature = "", b""
    for field in _fields(entry):
        if field.wire != LENGTH or field.number not in (1, 2):
            raise IndexError(f"field {field.number} in an entry of the features")
        if field.number == 1:
            name = field.data.decode()
        else:
            feature += field.data
    return name, feature


# From here on `repr` writes a float with an exponent.
WHOLE_TEXT = 1e16


def float32_text(value: float) -> str:
    """The shortest text, as `repr` writes it, that rounds to this float32: 0.1, 45.0, 1e+20.

    All digits of whole numbers below 1e16, because they may be names: 8589934592.0.

    Args:
        value: a float32, as `decode_example` returns it.
    """
    if value.is_integer() and abs(value) < WHOLE_TEXT:
        return repr(value)
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        if c_float(short).value == value:
            return repr(short)
    return repr(float(f"{value:.9g}"))


def _feature(value: bytes | list[int] | list[float]) -> bytes:
    if isinstance(value, bytes):
        return _field(BYTES_LIST, _field(1, value))
    if isinstance(value[0], float):
        return _field(FLOAT_LIST, _field(1, struct.pack(f"<{len(value)}f", *value)))
    return _field(INT64_LIST, _field(1, b"".join(_varint(int(number) & 0xFFFFFFFFFFFFFFFF) for number in value)))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _values(feature: bytes) -> Values:
    """Values of a Feature message; numbers are packed in one field, or in one field each.

    The last kind of list counts; fields of one kind that follow each other are parts of one list.
    """
    kind, content = 0, b""
    for number, part in _length_fields(feature, {BYTES_LIST, FLOAT_LIST, INT64_LIST}):
        kind, content = number, content + part if number == kind else part
    fields = [field for field in _fields(content) if field.number == 1]
    if kind == BYTES_LIST:
        return [field.data for field in fields if field.wire == LENGTH]
    if kind == FLOAT_LIST:
        if any(field.wire == VARINT for field in fields):
            raise IndexError("an integer in a list of floats")
        packed = b"".join(field.data for field in fields if field.wire in (LENGTH, FIXED32))
        return [number for (number,) in struct.iter_unpack("<f", packed)]
    integers: list[int] = []
    for field in fields:
        if field.wire == VARINT:
            integers.append(field.integer)
        elif field.wire == LENGTH:
            integers.extend(_varints(field.data))
    return [number - (1 << 64) if number >= 1 << 63 else number for number in integers]


def _varints(data: bytes) -> Iterator[int]:
    start = 0
    while start < len(data):
        value, start = _read_varint(data, start)
        yield value


def _length_fields(data: bytes, numbers: set[int]) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the length-delimited fields with these numbers."""
    for field in _fields(data):
        if field.number in numbers and field.wire == LENGTH:
            yield field.number, field.data


def _fields(data: bytes) -> Iterator[_Field]:
    """Yield every field of a message; fixed-width values as their bytes."""
    start = 0
    while start < len(data):
        key, start = _read_varint(data, start)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise IndexError(f"field number {number} before byte {start}")
        if wire == VARINT:
            value, start = _read_varint(data, start)
            yield _Field(number, wire, value, b"")
            continue
        if wire == LENGTH:
            length, start = _read_varint(data, start)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise IndexError(f"wire type {wire} before byte {start}")
        if start + length > len(data):
            raise IndexError(f"a field extends beyond the message at byte {start}")
        yield _Field(number, wire, 0, data[start : start + length])
        start += length


def _read_varint(data: bytes, start: int) -> tuple[int, int]:
    """Value of the varint at `start`, and the index behind it."""
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > MAX_VARINT_SHIFT:
            raise IndexError(f"a number of more than 64 bits before byte {start}")
    return value & 0xFFFFFFFFFFFFFFFF, start
