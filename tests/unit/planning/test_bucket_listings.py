"""The images of a bucket are found in one listing of their folder."""

import pytest
from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.planning.dataset_section import ImageTable
from foldline.planning.image_files import BucketListings
from foldline.planning.image_patterns import parsed
from foldline.planning.image_search import ImageSearch

NAMES = ["a/1.jpg", "a/2.JPG", "a/deep/3.png", "b/1.txt", "b/4.png", "b/4.txt"]


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are listed from now on, in a bucket with a folder `x`."""
    folders: list[str] = []

    def list_objects(folder: str) -> dict[str, storage.ObjectInfo]:
        folders.append(folder)
        urls = [f"gs://bucket/x/{name}" for name in NAMES]
        return {url: storage.ObjectInfo(1, f"md5Hash:{url}", 0) for url in urls if url.startswith(f"{folder}/")}

    monkeypatch.setattr(storage, "list_objects", list_objects)
    return folders


def test_names_are_those_of_a_folder_or_of_all_below_it(listed: list[str]) -> None:
    listings = BucketListings()
    assert listings.file_names("gs://bucket/x/", deep=True) == NAMES
    assert listings.file_names("gs://bucket/x/a") == ["1.jpg", "2.JPG"]
    assert listings.file_names("gs://bucket/x/a", deep=True) == ["1.jpg", "2.JPG", "deep/3.png"]
    assert listings.file_names("gs://bucket/x") == listings.file_names("gs://bucket/x/none") == []
    assert listed == ["gs://bucket/x"]


@pytest.mark.parametrize("pattern", ["*/{id}.*", "{folder}/{id}.*", "gs://bucket/x/{folder}/{id}.*"])
def test_rows_are_found_with_one_listing(listed: list[str], pattern: str) -> None:
    rows = [{"id": "2", "folder": "a"}, {"id": "4", "folder": "b"}]
    files = ImageTable("train.csv", "gs://bucket/x", parsed([pattern]))
    found = ImageSearch(files, BucketListings(), ignored=["*.txt"]).paths(rows, [])[0]
    assert [paths[0].removeprefix("gs://bucket/x/") for paths in found] == ["a/2.JPG", "b/4.png"]
    assert listed == ["gs://bucket/x"]


def test_a_missing_object_is_told_with_those_of_its_name(listed: list[str]) -> None:
    urls = [f"gs://bucket/x/{name}" for name in ("a/1.jpg", "a/1.png", "a/02.JPG", "none/1.png")]
    with pytest.raises(FoldlineError) as caught:
        BucketListings().facts(urls, row_of=lambda number: f"row {number}", any_suffix="set the suffix")
    message = str(caught.value)
    assert "row 1: image gs://bucket/x/a/1.png does not exist, but there is 1.jpg; row 2" in message
    assert "row 2: image gs://bucket/x/a/02.JPG does not exist, but there is 2.JPG (leading zeros count" in message
    assert "row 3: image gs://bucket/x/none/1.png does not exist; set the suffix, add or repair" in message
    assert listed == ["gs://bucket/x"]
