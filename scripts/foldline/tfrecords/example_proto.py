"""The few lines of protocol buffers that tf.train.Example needs.

Example is features (1): Features; Features is a map (1) of name (1) to Feature (2); Feature is one of a list of bytes
(1), of floats (2) or of integers (3), each list with its values in field 1. Wire format:
protobuf.dev/programming-guides/encoding.
"""

import struct
from collections.abc import Iterator, Mapping
from ctypes import c_float

from foldline.errors import FoldlineError

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3


def encode_example(values: Mapping[str, bytes | list[int]]) -> bytes:
    """Serialize a value of bytes or a list of integers per feature, features in the order of the mapping.

    Args:
        values: bytes, or integers in [-2**63, 2**63), by feature name.
    """
    entries = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _feature(value))) for name, value in values.items()
    )
    return _field(1, entries)


def decode_example(data: bytes) -> dict[str, list[bytes] | list[int] | list[float]]:
    """Read all features of a serialized tf.train.Example.

    Raises:
        FoldlineError: the bytes are no such message.
    """
    try:
        features: dict[str, list[bytes] | list[int] | list[float]] = {}
        for _, entries in _length_fields(data, {1}):
            for _, entry in _length_fields(entries, {1}):
                parts = dict(_length_fields(entry, {1, 2}))
                features[parts.get(1, b"").decode()] = _values(parts.get(2, b""))
    except (IndexError, UnicodeDecodeError, struct.error) as error:
        raise FoldlineError(f"a record of {len(data)} bytes is no tf.train.Example: {error}") from error
    return features


def float32_text(value: float) -> str:
    """The shortest text, as `repr` writes it, that stands for the same float32: 0.1, 45.0, 1e+20.

    Args:
        value: a float32, as `decode_example` gives it.
    """
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        if c_float(short).value == value:
            return repr(short)
    return repr(float(f"{value:.9g}"))


def _feature(value: bytes | list[int]) -> bytes:
    if isinstance(value, bytes):
        return _field(BYTES_LIST, _field(1, value))
    return _field(INT64_LIST, _field(1, b"".join(_varint(number & 0xFFFFFFFFFFFFFFFF) for number in value)))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _values(feature: bytes) -> list[bytes] | list[int] | list[float]:
    """Values of a Feature message; numbers may stand packed in one field or in a field each."""
    for kind, content in _length_fields(feature, {BYTES_LIST, FLOAT_LIST, INT64_LIST}):
        fields = [(wire, value) for number, wire, value in _fields(content) if number == 1]
        if kind == BYTES_LIST:
            return [value for wire, value in fields if wire == LENGTH]
        if kind == FLOAT_LIST:
            if any(wire == VARINT for wire, _ in fields):
                raise IndexError("an integer in a list of floats")
            packed = b"".join(value for _, value in fields)
            return [number for (number,) in struct.iter_unpack("<f", packed)]
        integers: list[int] = []
        for wire, value in fields:
            integers.extend([value] if wire == VARINT else _varints(value))
        return [number - (1 << 64) if number >= 1 << 63 else number for number in integers]
    return []


def _varints(data: bytes) -> Iterator[int]:
    place = 0
    while place < len(data):
        value, place = _read_varint(data, place)
        yield value


def _length_fields(data: bytes, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    for number, wire, value in _fields(data):
        if number in wanted and wire == LENGTH:
            yield number, value


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield number, wire type and value of every field of a message; fixed-width values as their bytes."""
    place = 0
    while place < len(data):
        key, place = _read_varint(data, place)
        wire = key & 7
        if wire == VARINT:
            value, place = _read_varint(data, place)
            yield key >> 3, wire, value
            continue
        if wire == LENGTH:
            length, place = _read_varint(data, place)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise IndexError(f"wire type {wire} at byte {place}")
        if place + length > len(data):
            raise IndexError(f"a field ends behind the message at byte {place}")
        yield key >> 3, wire, data[place : place + length]
        place += length


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
