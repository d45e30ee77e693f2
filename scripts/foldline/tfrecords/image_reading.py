"""Read the images of a sample: files, ready-made records, or images in HDF5 files, no larger than they may be.

The path of an image is the path or URL of its file, FILE#OFFSET+LENGTH for a ready-made record, or
FILE::KEY#OFFSET+LENGTH for an image in an HDF5 file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foldline.images.errors import UnusableImageError
from foldline.images.options import DEFAULT, ImageOptions
from foldline.io.files import sha256_of_file
from foldline.io.hdf5_paths import Place, read_place, sha256_of_place, split_entry
from foldline.io.storage import is_url, read, read_range
from foldline.tfrecords.record_location import RecordLocation, read_image


@dataclass(frozen=True)
class SampleImages:
    """The images of a sample, from its row of the inventory.

    Attributes:
        id: id of the sample.
        paths: path of each image, joined to the root of the dataset.
        sha256: `channels.joint_digest` of their bytes.
    """

    id: str
    paths: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class ReadImage:
    """The bytes of an image, or the error that reading them raised."""

    data: bytes = field(default=b"", repr=False)
    error: Exception | None = None

    def content(self) -> bytes:
        """The bytes.

        Raises:
            OSError: it could not be read.
            UnusableImageError: it is too large.
        """
        if self.error is not None:
            raise self.error
        return self.data


@dataclass(frozen=True)
class ReadSample:
    """The images of a sample, as they were read: one for each of its paths."""

    images: tuple[ReadImage, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all images together."""
        return sum(len(image.data) for image in self.images)


class TooLargeError(UnusableImageError):
    """The file of an image is so large that it was not read."""


def read_sample(paths: Sequence[str], *, image_feature: str, reading: ImageOptions = DEFAULT) -> ReadSample:
    """Read the images of a sample; an error of an image is raised when its bytes are requested.

    Args:
        paths: path of each image, joined to the root of the dataset.
        image_feature: feature of the image in ready-made records.
        reading: how to read images.
    """
    return ReadSample(tuple(_read_image(path, image_feature, reading) for path in paths))


def read_source(source: SampleImages, *, image_feature: str, reading: ImageOptions = DEFAULT) -> ReadSample:
    """As `read_sample`, of a row of the inventory."""
    return read_sample(source.paths, image_feature=image_feature, reading=reading)


def _read_image(path: str, image_feature: str, reading: ImageOptions) -> ReadImage:
    try:
        if problem := too_large(path, reading):
            raise TooLargeError(problem)
        return ReadImage(read_image_bytes(path, image_feature, reading))
    except Exception as error:  # It is raised again where the image is due.
        return ReadImage(error=error)


def too_large(path: str, reading: ImageOptions) -> str:
    """What to say of a file or a record on a disk that is too large to be read; planning says it of one in a bucket."""
    if location := RecordLocation.parse(path):
        return reading.size_problem(location.length)
    return "" if is_url(path) else reading.size_problem(Path(path).stat().st_size)


def size_and_sha256(path: str) -> tuple[int, str]:
    """Size of an image that is too large to be held, and hex SHA-256 of its bytes; "" of a ready-made record."""
    location = RecordLocation.parse(path)
    if location is None:
        return Path(path).stat().st_size, sha256_of_file(path)
    entry = split_entry(location.file)
    return location.length, sha256_of_place(entry.file, Place(location.offset, location.length)) if entry else ""


def read_image_bytes(path: str, image_feature: str, reading: ImageOptions) -> bytes:
    """The bytes of an image file, or of the image of a ready-made record.

    Raises:
        OSError: it cannot be read.
        UnusableImageError: it is too large, such as an object of a bucket that grew after the run was planned.
    """
    location = RecordLocation.parse(path)
    if location is None:
        # One byte more than what is allowed tells.
        data = read_range(path, 0, int(reading.max_bytes) + 1) if is_url(path) else read(path)
        if len(data) > reading.max_bytes:
            raise UnusableImageError(
                f"a file of more than the {reading.max_bytes / 1e6:,.0f} MB that dataset.max_megapixels allows"
            )
        return data
    if problem := too_large(path, reading):
        raise UnusableImageError(problem)
    if entry := split_entry(location.file):
        return read_place(entry.file, Place(location.offset, location.length))
    return read_image(location, image_feature)
