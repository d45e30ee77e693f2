"""The location of one record in a ready-made TFRecord file, and its image read from there."""

import re
import struct
from dataclasses import dataclass

from foldline.images.errors import UnusableImageError
from foldline.io import storage
from foldline.tfrecords.example_proto import decode_example
from foldline.tfrecords.record_files import CHECKSUM_BYTES, HEADER_BYTES, checksum

FORM = re.compile(r"(.+)#(\d+)\+(\d+)")


@dataclass(frozen=True)
class RecordLocation:
    """A record by its file; as text FILE#OFFSET+LENGTH.

    Attributes:
        file: path or URL of the file.
        offset: offset of the serialized record in bytes.
        length: length of the serialized record in bytes.
    """

    file: str
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.file}#{self.offset}+{self.length}"

    @classmethod
    def parse(cls, text: str) -> "RecordLocation | None":
        """Parse the text form; None if the text has another form, such as the path of an image file."""
        match = FORM.fullmatch(text)
        return match and cls(match[1], int(match[2]), int(match[3]))


def read_image(location: RecordLocation, feature: str) -> bytes:
    """Read the image of one record and check the record again.

    Args:
        location: the record.
        feature: feature of the image.

    Returns:
        The bytes of the image file.

    Raises:
        OSError: the file cannot be read.
        UnusableImageError: there is no such record at the location, or it does not match its checksums.
    """
    start, end = location.offset - HEADER_BYTES, location.offset + location.length + CHECKSUM_BYTES
    framed = storage.read_range(location.file, start, end)
    size, header, data = framed[:8], framed[:HEADER_BYTES], framed[HEADER_BYTES:-CHECKSUM_BYTES]
    if size != struct.pack("<Q", location.length) or checksum(size) != header[8:] or len(data) != location.length:
        raise UnusableImageError("damaged: no record of this length is there; the file has changed or is truncated")
    if checksum(data) != framed[-CHECKSUM_BYTES:]:
        raise UnusableImageError("damaged: the record does not match its checksum")
    values = decode_example(data).get(feature)
    if not values or not isinstance(values[0], bytes):
        raise UnusableImageError(f"the record has no image in a feature {feature!r}")
    return values[0]
