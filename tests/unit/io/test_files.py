"""Atomic writes and digests."""

import errno
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.project import REPOSITORY
from foldline.errors import listing
from foldline.io.files import atomic_write, digest_of, read_json, sha256_of_file, write_json


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    with atomic_write(path, mode="w", encoding="utf-8") as handle:
        handle.write("ä\n")
        handle.flush()
        assert not path.exists()
    assert path.read_bytes() == b"\xc3\xa4\n"
    assert names(path.parent) == ["file.txt"]


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failed_write_changes_nothing(before: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(ValueError, match="broken"), atomic_write(path) as handle:
        handle.write(b"half")
        raise ValueError("broken")
    assert (path.read_bytes() if path.exists() else None) == before
    assert names(tmp_path) == ([] if before is None else ["file.bin"])


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"a longer old content")
    with atomic_write(path) as handle:
        handle.write(b"new")
    assert path.read_bytes() == b"new"


WRITER = """
import sys, time
from foldline.io.files import atomic_write
with atomic_write(sys.argv[1]) as handle:
    handle.write(b"a content that is longer")
    handle.flush()
    print("written", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def other_writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of an atomic write of `file.bin`."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "file.bin")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


def test_what_a_killed_process_has_left_is_replaced(other_writer: subprocess.Popen[str], tmp_path: Path) -> None:
    other_writer.kill()
    other_writer.wait()
    assert names(tmp_path) == [".file.bin.part"]
    with atomic_write(tmp_path / "file.bin") as handle:
        handle.write(b"new")
    assert (tmp_path / "file.bin").read_bytes() == b"new"
    assert names(tmp_path) == ["file.bin"]


def test_a_file_that_another_process_writes_stays_its_own(other_writer: subprocess.Popen[str], tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file.bin") as handle:
        handle.write(b"new")
    assert (tmp_path / "file.bin").read_bytes() == b"new"
    assert (tmp_path / ".file.bin.part").read_bytes() == b"a content that is longer"
    with pytest.raises(ValueError, match="broken"), atomic_write(tmp_path / "file.bin"):
        raise ValueError("broken")
    assert sorted(names(tmp_path)) == [".file.bin.part", "file.bin"]


def test_a_file_that_cannot_be_locked_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_locks(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with atomic_write(tmp_path / "file.bin") as handle:
        handle.write(b"new")
    assert (tmp_path / "file.bin").read_bytes() == b"new"


def test_json_has_sorted_keys_and_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": [1, 0.1], "a": None})
    assert (tmp_path / "x.json").read_text() == '{\n  "a": null,\n  "b": [\n    1,\n    0.1\n  ]\n}\n'
    assert read_json(tmp_path / "x.json") == {"b": [1, 0.1], "a": None}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_allow_are_refused(value: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"a": value})
    assert names(tmp_path) == []
    with pytest.raises(ValueError, match="JSON compliant"):
        digest_of([value])


@pytest.mark.parametrize("size", [0, 5, (1 << 20) + 1])
def test_the_digest_of_a_file_is_the_sha256_of_its_bytes(size: int, tmp_path: Path) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "x").write_bytes(data[:size])
    assert sha256_of_file(tmp_path / "x") == hashlib.sha256(data[:size]).hexdigest()


def test_equal_values_have_equal_digests() -> None:
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of({"a": [1, 0, 10**20]}) == digest_of({"a": (1.0, -0.0, 1e20)})
    assert digest_of([1]) != digest_of([True])
    assert digest_of([1]) != digest_of(["1"])
    assert digest_of([1.5]) != digest_of([1])
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    assert digest_of(["a", "b"]) != digest_of(["ab"])
    assert digest_of("ä") == hashlib.sha256(b'"\\u00e4"').hexdigest()


def test_a_long_listing_is_truncated() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing([str(number) for number in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    assert listing(["a", "b", "c"], limit=1) == "a and 2 more"
    assert listing([]) == ""
