"""Digests of files are computed again exactly when something about the file changed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from foldline.planning.file_digests import load_digests, save_digests, status_of

Digested = Callable[[list[str]], tuple[list[str | OSError], list[str]]]


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Two files, one with a name that no text format likes."""
    names = ("a", "b\tc\nd\u2028 'ü")
    for name in names:
        (tmp_path / name).write_text(f"content of {name}")
    return [str(tmp_path / name) for name in names]


@pytest.fixture
def digested(tmp_path: Path) -> Digested:
    """Opens the cache, computes digests and saves it; gives them, and the files that were read."""

    def digest(paths: list[str]) -> tuple[list[str | OSError], list[str]]:
        read: list[str] = []
        cache = load_digests(tmp_path / "cache", lambda path: read.append(path) or Path(path).read_text())
        values = cache.of(paths)
        save_digests(tmp_path / "cache", cache)
        return values, sorted(read)

    return digest


def test_a_file_is_read_once(paths: list[str], digested: Digested) -> None:
    expected = [Path(path).read_text() for path in paths]
    assert digested(paths) == (expected, sorted(paths))
    assert digested(paths) == (expected, [])


def swap(path: str) -> None:
    """Put a file of the same size and mtime in its place, as files unpacked from one archive may have."""
    status = Path(path).stat()
    other = Path(f"{path}.other")
    other.write_text(Path(path).read_text().upper())
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def edit_in_place(path: str) -> None:
    status = Path(path).stat()
    Path(path).write_text(Path(path).read_text().upper())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [swap, edit_in_place])
def test_other_bytes_of_the_same_size_and_mtime_are_read(
    change: Callable[[str], None], paths: list[str], digested: Digested
) -> None:
    before, _ = digested(paths)
    mtime = Path(paths[0]).stat().st_mtime_ns
    change(paths[0])
    assert Path(paths[0]).stat().st_mtime_ns == mtime
    assert digested(paths) == ([before[0].upper(), before[1]], [paths[0]])


def test_a_touched_file_keeps_its_digest(paths: list[str], digested: Digested) -> None:
    before, _ = digested(paths)
    os.utime(paths[0], (5, 5))
    assert digested(paths) == (before, [paths[0]])
    assert digested(paths) == (before, [])


def test_a_missing_file_has_no_digest(paths: list[str], digested: Digested) -> None:
    digested(paths)
    Path(paths[0]).unlink()
    (problem, digest), _ = digested(paths)
    assert isinstance(problem, FileNotFoundError)
    assert digest == Path(paths[1]).read_text()
    assert status_of(paths[0]) is None


@pytest.mark.parametrize("content", [b"", b"\0", b"a\0b\0c\0d\0e\0f", b"a\tb\n", b"\xff\0\0", b"a\0b\0001\0002\0003"])
def test_a_corrupt_cache_counts_as_empty(content: bytes, paths: list[str], tmp_path: Path, digested: Digested) -> None:
    (tmp_path / "cache").write_bytes(content)
    assert digested(paths)[1] == sorted(paths)
