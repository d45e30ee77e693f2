"""Paths of images in HDF5 files."""

from pathlib import Path

import pytest
from foldline.io.hdf5_paths import Entry, Place, file_of, located, read_place, split_entry
from foldline.tfrecords.record_location import RecordLocation


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("a/b.hdf5::x", Entry("a/b.hdf5", "x")),
        ("a/b.h5::group/x.jpg", Entry("a/b.h5", "group/x.jpg")),
        ("a.h5::x.hdf5::y", Entry("a.h5", "x.hdf5::y")),
        ("a.hdf5::x.h5::y", Entry("a.hdf5", "x.h5::y")),
        ("a/b.hdf5", None),
        ("a/1995::x.jpg", None),
        ("s3://a/b.h5/x", None),
    ],
)
def test_a_path_is_divided_at_the_suffix_of_the_file(path: str, entry: Entry | None) -> None:
    assert split_entry(path) == entry
    assert file_of(path) == (entry.file if entry else path)


def test_a_location_has_the_form_of_records() -> None:
    text = located("a.h5::x#1", Place(30, 4))
    assert RecordLocation.parse(text) == RecordLocation("a.h5::x#1", 30, 4)
    assert located("a.jpg", None) == "a.jpg"


def test_a_file_that_ends_before_the_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"0123456789")
    assert read_place(str(path), Place(3, 7)) == b"3456789"
    with pytest.raises(OSError, match="the file is truncated"):
        read_place(str(path), Place(3, 8))
