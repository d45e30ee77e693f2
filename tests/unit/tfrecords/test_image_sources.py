"""Images of samples whose size is known before they are read: no more of them is read than is allowed."""

import hashlib
from pathlib import Path

import fsspec
import pytest
from fixtures.pictures import saved, smooth
from foldline.images.errors import UnusableImageError
from foldline.images.options import ImageOptions
from foldline.io import storage
from foldline.io.hdf5_paths import BLOCK_BYTES, Place, located, sha256_of_place
from foldline.planning.image_content import MOST_HEADER_BYTES, header_problem, read_entry
from foldline.tfrecords.image_reading import read_image_bytes
from foldline.tfrecords.image_sources import scan_sample

DATA = saved(smooth(), "PNG")
# Allows files of half the size.
SMALL = ImageOptions(max_megapixels=len(DATA) / 2 / 8e6)


def test_an_object_that_grew_is_read_no_further_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "memory://grown/a.png"
    fsspec.filesystem("memory").pipe_file("/grown/a.png", DATA)
    assert read_image_bytes(url, "image", ImageOptions()) == DATA
    ranges: list[tuple[int, int]] = []
    original = storage.read_range

    def read_range(path: str, start: int, end: int) -> bytes:
        ranges.append((start, end))
        return original(path, start, end)

    monkeypatch.setattr("foldline.tfrecords.image_reading.read_range", read_range)
    with pytest.raises(UnusableImageError, match=r"a file of more than the 0 MB that dataset\.max_megapixels allows"):
        read_image_bytes(url, "image", SMALL)
    assert ranges == [(0, len(DATA) // 2 + 1)]
    assert scan_sample([url], image_feature="image", gray=False, reading=SMALL).content == ""


def test_a_large_entry_of_an_hdf5_file_is_a_problem_and_is_not_held(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    file.write_bytes(b"before" + DATA + b"behind")
    path = located(f"{file}::x", Place(6, len(DATA)))
    whole = scan_sample([path], image_feature="image", gray=False)
    assert whole.cells["problem"] == ""
    found = scan_sample([path], image_feature="image", gray=False, reading=SMALL)
    assert found.cells["problem"] == "a file of 0 MB; dataset.max_megapixels allows 0 MB"
    assert (found.cells["sha256"], found.cells["bytes"], found.content) == (
        *(whole.cells["sha256"], len(DATA)),
        whole.content,
    )
    with pytest.raises(UnusableImageError, match="a file of 0 MB"):
        read_image_bytes(path, "image", SMALL)


def test_planning_holds_no_large_entry(tmp_path: Path) -> None:
    file = tmp_path / "a.h5"
    with file.open("wb") as handle:
        handle.truncate(MOST_HEADER_BYTES + BLOCK_BYTES)
    place = Place(5, MOST_HEADER_BYTES + 1)
    digest = hashlib.sha256(bytes(place.length)).hexdigest()
    assert sha256_of_place(str(file), place) == digest
    content = read_entry(str(file), place, ImageOptions())
    assert (content.checksum, content.format) == (digest, None)
    assert header_problem(f"{file}::x", place, ImageOptions()) == ""
