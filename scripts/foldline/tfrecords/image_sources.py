"""The images of one sample, as worker processes see them: scanned for the inventory, or resized for a record."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.dataset.channels import joint_digest
from foldline.errors import FoldlineError, Problems
from foldline.images.decoding import decode
from foldline.images.errors import COLORED_CHANNEL, UnusableImageError, with_remedy
from foldline.images.headers import read_header
from foldline.images.options import DEFAULT, THUMBNAIL_SIDE, ImageOptions
from foldline.images.perceptual_hash import perceptual_hash
from foldline.images.picture import Peak, Picture
from foldline.images.pixel_facts import contrast, pixel_digest
from foldline.images.resizing import encode_jpeg, record_image, resize_to_square, thumbnail
from foldline.io.storage import is_url, md5_as_listed
from foldline.io.system_errors import reason
from foldline.tfrecords.image_reading import (
    ReadImage,
    ReadSample,
    SampleImages,
    TooLargeError,
    read_sample,
    read_source,
    size_and_sha256,
)
from foldline.tfrecords.record_location import RecordLocation

# JPEG quality of a thumbnail: what the leak audit compares. A JPEG is decoded at a scale that leaves as many pixels; it
# has the perceptual hash of the full picture, up to a few bits.
THUMBNAIL_QUALITY = 95


@dataclass
class _ScannedImage:
    """The scan of one image; values are 0, "" or None if a problem prevented reading them.

    Attributes:
        bytes: size of the image.
        sha256: hex SHA-256 of its bytes.
        width: pixels, after EXIF orientation.
        height: pixels, after EXIF orientation.
        pictures: its pixels, maybe at a reduced scale; of a file with all channels of a sample, those of each channel.
        problem: why the image cannot be used; "" if it can.
        unreadable: why the file cannot be read now; "" if it was read.
        listed: checksum of the bytes as a bucket lists it, or `sha256` of an image on a disk.
    """

    bytes: int = 0
    sha256: str = ""
    listed: str = ""
    unreadable: str = ""
    width: int = 0
    height: int = 0
    pictures: Sequence[Picture] = field(default=(), repr=False)
    problem: str = ""


@dataclass(frozen=True)
class ScannedSample:
    """The scan of the images of a sample.

    Attributes:
        cells: of the inventory: bytes (total) and sha256 (joint); width and height in pixels after EXIF orientation;
            pixels_sha256 (joint), see `pixel_facts.pixel_digest`; perceptual_hash; contrast, see
            `pixel_facts.contrast`; peak_sample and white_sample of the image with more than 8 bits that comes nearest
            to white, see `picture.Peak`, 0 if there is none; and problem, "" or why the first unusable image, named if
            there are several, cannot be used. Cells that could not be determined are 0 or "".
        content: `channels.joint_digest` of what planning knows of the bytes of the images: their SHA-256, or the MD5
            that a bucket lists; "" if one could not be read.
        unreadable: which images cannot be read now, and why.
        thumbnails: a small JPEG of each image; none if an image is unusable.
        oddities: what the files have that a decoder may warn of and that touches no pixel, in words.
        profiles: what became of ICC profiles, see `images.color_profiles`.
    """

    cells: dict[str, str | int | float]
    content: str
    unreadable: tuple[str, ...]
    thumbnails: tuple[bytes, ...] = field(default=(), repr=False)
    oddities: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()


def scan_sample(
    paths: Sequence[str],
    read: ReadSample | None = None,
    *,
    image_feature: str,
    gray: bool,
    reading: ImageOptions = DEFAULT,
) -> ScannedSample:
    """Read and decode the images of a sample.

    Args:
        paths: path of each image, joined to the root of the dataset.
        read: what `read_sample` gave of them; None to read them now.
        image_feature: feature of the image in ready-made records.
        gray: whether each image is one channel; then a color image is a problem, and so is an image of another size.
        reading: how to read images.
    """
    read = read or read_sample(paths, image_feature=image_feature, reading=reading)
    scanned = [_scan(path, image, gray, reading) for path, image in zip(paths, read.images, strict=True)]
    first = scanned[0]
    problem = ""
    for path, image in zip(paths, scanned, strict=True):
        problem = image.problem
        if not problem and (image.width, image.height) != (first.width, first.height):
            problem = f"{image.width} x {image.height} pixels, but {_name(paths[0])} has {first.width} x {first.height}"
        if problem:
            problem = problem if len(paths) == 1 else f"{_name(path)}: {problem}"
            break
    complete = all(image.sha256 for image in scanned)
    pictures = [picture for image in scanned for picture in image.pictures]
    peaks = [picture.peak for picture in pictures if picture.peak]
    peak = max(peaks, key=lambda peak: peak.value / peak.white, default=Peak(0.0, 0.0))
    usable = pictures if complete and not problem else []
    digests = [pixel_digest(picture, width=first.width, height=first.height) for picture in usable]
    small = [thumbnail_of(picture) for picture in usable]
    cells: dict[str, str | int | float] = {
        "bytes": sum(image.bytes for image in scanned),
        "sha256": joint_digest([image.sha256 for image in scanned]) if complete else "",
        "width": first.width,
        "height": first.height,
        "pixels_sha256": joint_digest(digests) if usable else "",
        "perceptual_hash": perceptual_hash(usable) if usable else "",
        "contrast": contrast(small) if usable else 0.0,
        "peak_sample": peak.value,
        "white_sample": peak.white,
        "problem": problem,
    }
    unreadable = [f"{path}: {image.unreadable}" for path, image in zip(paths, scanned, strict=True) if image.unreadable]
    content = joint_digest([image.listed for image in scanned]) if complete else ""
    oddities = sorted({oddity for picture in pictures for oddity in picture.oddities})
    profiles = tuple(sorted({picture.profile for picture in pictures if picture.profile}))
    thumbnails = tuple(map(thumbnail_jpeg, small))
    return ScannedSample(cells, content, tuple(unreadable), thumbnails, tuple(oddities), profiles)


def thumbnail_of(picture: Picture) -> npt.NDArray[np.uint8]:
    """The thumbnail of a picture, (height, width, channels)."""
    return thumbnail(picture, longest=THUMBNAIL_SIDE)


def thumbnail_jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A thumbnail as a JPEG."""
    return encode_jpeg(pixels, quality=THUMBNAIL_QUALITY)


def _scan(path: str, read: ReadImage, gray: bool, reading: ImageOptions) -> _ScannedImage:
    image = _ScannedImage()
    location = RecordLocation.parse(path)
    try:
        if isinstance(read.error, TooLargeError):
            image.bytes, image.sha256 = size_and_sha256(path)
            image.listed, image.problem = image.sha256, str(read.error)
            return image
        data = read.content()
        image.bytes, image.sha256 = len(data), hashlib.sha256(data).hexdigest()
        image.listed = md5_as_listed(data) if location is None and is_url(path) else image.sha256
        header = read_header(data, reading)
        image.width, image.height = header.width, header.height
        if reading.planes:
            # Imported here, as below: a worker process starts faster without it.
            from foldline.images.planes import decode_planes

            image.pictures = decode_planes(data, header, reading)
            return image
        picture = decode(data, header, reading, min_width=THUMBNAIL_SIDE, min_height=THUMBNAIL_SIDE)
    except OSError as error:
        image.unreadable = reason(error)
    except UnusableImageError as error:
        image.problem = str(error)
    else:
        if gray and picture.pixels.shape[2] != 1:
            image.problem = COLORED_CHANNEL
        else:
            image.pictures = [picture]
    return image


def record_images(
    source: SampleImages,
    read: ReadSample | None = None,
    *,
    image_feature: str,
    size: int,
    aspect: str,
    jpeg_quality: int,
    reading: ImageOptions = DEFAULT,
) -> list[bytes]:
    """Make the images of a record from the images of a sample.

    Args:
        source: the images.
        read: what `read_source` gave of them; None to read them now.
        image_feature: feature of the image in ready-made records.
        size: side of the square images in pixels.
        aspect: see `resizing.record_image`.
        jpeg_quality: in 1..100.
        reading: how to read images.

    Returns:
        The bytes of a JPEG or PNG for each image.

    Raises:
        FoldlineError: images cannot be read or are damaged, or they differ from the inventory.
    """
    images: list[bytes] = []
    resized: list[bytes] = []
    problems = Problems()
    read = read or read_source(source, image_feature=image_feature, reading=reading)
    for path, image in zip(source.paths, read.images, strict=True):
        with problems.collected(), _named_errors(path, source.id):
            images.append(image.content())
    problems.check()
    digest = joint_digest([hashlib.sha256(data).hexdigest() for data in images])
    if digest != source.sha256:
        raise FoldlineError(
            f"{', '.join(source.paths)}: image of id {source.id} has changed since it was scanned (SHA-256 "
            f"{digest[:12]}, then {source.sha256[:12]}); do not change images while the workflow runs, and run it again"
        )
    for path, data in zip(source.paths, images, strict=True):
        with problems.collected(), _named_errors(path, source.id):
            if reading.planes:
                from foldline.images.planes import decode_planes

                planes = decode_planes(data, read_header(data, reading), reading)
                squares = (resize_to_square(plane, size=size, aspect=aspect) for plane in planes)
                resized += [encode_jpeg(square, quality=jpeg_quality) for square in squares]
            else:
                resized.append(record_image(data, reading, size=size, aspect=aspect, jpeg_quality=jpeg_quality))
    problems.check()
    return resized


def images_and_problems(
    source: SampleImages, read: ReadSample | None = None, **arguments: Any
) -> tuple[list[bytes], list[str]]:
    """What `record_images` returns, and the problems that it raises: one of both is empty."""
    problems = Problems()
    images: list[bytes] = []
    with problems.collected():
        images = record_images(source, read, **arguments)
    return images, problems.lines


@contextmanager
def _named_errors(path: str, name: str) -> Iterator[None]:
    """Name the image and its sample in errors."""
    where = f"{path}: image of id {name}"
    try:
        yield
    except OSError as error:
        raise FoldlineError(f"{where} cannot be read: {reason(error)}; run the workflow again to scan it") from error
    except UnusableImageError as error:
        raise FoldlineError(f"{where} cannot be used: {with_remedy(str(error))}") from error


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
