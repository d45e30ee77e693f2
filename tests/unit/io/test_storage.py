"""Files by path and by URL; a file system in memory stands for a bucket."""

import sys
from pathlib import Path
from typing import Any

import pytest
from foldline.errors import FoldlineError
from foldline.io import storage


def test_files_are_found_by_pattern(tmp_path: Path) -> None:
    root = tmp_path / "data [1]"
    for name in ("b.tfrec", "a.tfrec", "more/c.tfrec", "note.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "folder.tfrec").mkdir()
    assert storage.find_files(root, "*.tfrec") == [str(root / "a.tfrec"), str(root / "b.tfrec")]
    assert storage.find_files(root, "**/c.tfrec") == [str(root / "more" / "c.tfrec")]
    assert storage.find_files(root, "../data ?1?/a.tfrec") == [str(root / ".." / "data [1]" / "a.tfrec")]
    assert storage.find_files("elsewhere", f"{tmp_path}/*/a.tfrec") == [str(root / "a.tfrec")]
    assert storage.find_files(root, "*.none") == []


def test_paths_are_joined_to_a_root_and_made_relative_again(tmp_path: Path) -> None:
    for path in ("a.tfrec", "more/a.tfrec", "gs://bucket/a.tfrec", "/elsewhere/a.tfrec"):
        assert storage.relative(tmp_path, storage.join(tmp_path, path)) == path
    assert storage.relative("data", "data/a.tfrec") == "a.tfrec"


@pytest.mark.parametrize(
    "use", [storage.open_binary, storage.size_and_version, lambda url: storage.find_files("", url)]
)
def test_urls_need_packages_that_are_named(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(FoldlineError, match=r"gs://bucket/a\.tfrec: .* install fsspec and gcsfs, or copy the files to"):
        use("gs://bucket/a.tfrec")


@pytest.fixture(params=["disk", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new folder by path, or by URL."""
    return str(tmp_path) if request.param == "disk" else f"memory://{tmp_path}"


def test_files_are_written_read_and_removed(folder: str) -> None:
    path = storage.join(folder, "more/table.csv")
    assert not storage.is_file(path)
    storage.remove(path)
    storage.write_if_changed(path, b"\xef\xbb\xbfid,x\r\n\xc3\xa4,1\r\n")
    assert storage.is_file(path)
    assert storage.read(path)[3:5] == b"id"
    assert storage.read_range(path, 3, 5) == b"id"
    assert storage.read_range(path, 12, 99) == b"1\r\n"
    with storage.open_text(path) as text:
        assert text.read() == "id,x\r\nä,1\r\n"
    with storage.open_binary(path) as binary:
        assert binary.read() == storage.read(path)
    assert storage.find_files(folder, "*/*.csv") == [path]
    storage.remove(path)
    assert not storage.is_file(path)


def test_an_unchanged_file_is_not_written_again(folder: str) -> None:
    path = storage.join(folder, "table.csv")
    storage.write_if_changed(path, b"one")
    before = storage.size_and_version(path)
    assert before[0] == 3
    storage.write_if_changed(path, b"one")
    assert storage.size_and_version(path) == before
    storage.write_if_changed(path, b"three")
    assert storage.size_and_version(path) != before


def test_objects_are_listed_by_their_path_in_a_folder(tmp_path: Path) -> None:
    for name in ("b", "more/a"):
        storage.write_if_changed(f"memory://{tmp_path}/{name}", b"x")
    assert storage.list_names(f"memory://{tmp_path}") == ["b", "more/a"]


def test_a_listing_without_checksums_is_refused(tmp_path: Path) -> None:
    storage.write_if_changed(f"memory://{tmp_path}/a", b"x")
    with pytest.raises(FoldlineError, match=r"/a: its storage reports no checksum \(md5Hash or crc32c\)"):
        storage.list_objects(f"memory://{tmp_path}")


@pytest.mark.parametrize(
    ("entry", "checksum"),
    [
        ({"crc32c": "c", "md5Hash": "m"}, "md5Hash:m"),
        ({"crc32c": "c"}, "crc32c:c"),
        ({"crc32c": "c", "md5Hash": ""}, "crc32c:c"),
    ],
)
def test_a_listing_has_the_most_exact_checksum(
    entry: dict[str, str], checksum: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"size": "7", "updated": "1970-01-01T00:00:02.000003+00:00", **entry}
    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.find", lambda *_, **__: {"/a": facts})
    assert storage.list_objects("memory://x") == {"memory:///a": storage.ObjectInfo(7, checksum, 2_000_003_000)}


def test_the_common_parent_of_objects_is_their_deepest_folder() -> None:
    assert storage.common_parent(["gs://b/x/1/a.png", "gs://b/x/2/b.png"]) == "gs://b/x"
    assert storage.common_parent(["gs://b/x/1/a.png"]) == "gs://b/x/1"


def test_errors_of_a_client_are_raised_as_os_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("403 Forbidden")

    for method in ("cat_file", "glob", "info"):
        monkeypatch.setattr(f"fsspec.implementations.memory.MemoryFileSystem.{method}", refuse)
    for use in (storage.read, storage.size_and_version):
        with pytest.raises(OSError, match="ValueError: 403 Forbidden"):
            use(f"memory://{tmp_path}/a")
    with pytest.raises(FoldlineError, match=r"cannot be listed: ValueError: 403 .*; check the URL"):
        storage.find_files("", f"memory://{tmp_path}/*")


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(FoldlineError, match=r"nowhere://a: .*; give a gs:// URL or a path"):
        storage.read("nowhere://a")
