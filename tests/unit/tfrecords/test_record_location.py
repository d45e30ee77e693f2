"""Locations of records: their text form, and images read from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.images.errors import UnusableImageError
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_index import index_file
from foldline.tfrecords.record_location import RecordLocation, read_image

NAMES = RecordNames("image_name", "target", "patient_id", tuple(METADATA))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Five records in a file with 99 in its name."""
    return write_tfrecord(tmp_path / "train00-99.tfrec", examples(5))


def changed(path: Path, change: Callable[[bytearray], Any]) -> Path:
    data = bytearray(path.read_bytes())
    new = change(data)
    path.write_bytes(data if new is None else new)
    return path


def flip(index: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[index] ^= 1

    return change


def test_a_location_is_parsed_from_its_text() -> None:
    location = RecordLocation("gs://bucket/train#1.tfrec", 12, 400)
    assert str(location) == "gs://bucket/train#1.tfrec#12+400"
    assert RecordLocation.parse(str(location)) == location
    assert [RecordLocation.parse(text) for text in ("images/a.png", "a#1", "#1+2", "a#1+2.png")] == [None] * 4


def test_an_image_is_read_from_its_location(file: Path) -> None:
    for record, features in zip(index_file(file, NAMES), examples(5), strict=True):
        assert read_image(RecordLocation(str(file), record.offset, record.length), "image") == features["image"]


def test_a_location_without_such_a_record_is_refused(file: Path) -> None:
    third = index_file(file, NAMES)[2]
    location = RecordLocation(str(file), third.offset, third.length)
    for wrong in (
        RecordLocation(location.file, location.offset + 1, location.length),
        RecordLocation(location.file, location.offset, location.length - 1),
        RecordLocation(location.file, location.offset + 10**6, location.length),
    ):
        with pytest.raises(UnusableImageError, match="no record of this length is there"):
            read_image(wrong, "image")
    with pytest.raises(UnusableImageError, match="the record has no image in a feature 'picture'"):
        read_image(location, "picture")
    with pytest.raises(UnusableImageError, match="the record has no image in a feature 'sex'"):
        read_image(location, "sex")
    changed(file, flip(third.offset + 40))
    with pytest.raises(UnusableImageError, match="the record does not match its checksum"):
        read_image(location, "image")
