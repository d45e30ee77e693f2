"""Errors of the operating system become one line with path, reason and what to do."""

import errno
import os
from pathlib import Path

import pytest
from foldline.errors import FoldlineError
from foldline.io.files import atomic_write, open_file, read_file, sha256_of_file
from foldline.io.storage import open_binary, read, read_range, size_and_version
from foldline.io.system_errors import _WORDS, explained, file_problem, reason, system_error, system_errors_explained


@pytest.mark.parametrize("number", _WORDS)
def test_every_known_error_has_words_and_a_remedy(number: int) -> None:
    message = str(system_error(OSError(number, os.strerror(number), "data/a.csv")))
    assert message == f"data/a.csv: {_WORDS[number].problem}; {_WORDS[number].remedy}"
    assert "\n" not in message


def test_other_errors_keep_the_words_of_the_system() -> None:
    error = OSError(errno.EXDEV, os.strerror(errno.EXDEV), "a.csv")
    assert str(system_error(error)).startswith("a.csv: Invalid cross-device link; ")
    assert str(system_error(OSError("strange"), path="gs://bucket/a.csv")).startswith("gs://bucket/a.csv: strange; ")


def test_the_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    for path in (tmp_path / "results", tmp_path / "results" / "keys"):
        with pytest.raises(OSError) as caught:
            path.mkdir(parents=True, exist_ok=True)
        assert reason(caught.value) == f"{tmp_path / 'results'} is a file, not a folder"


@pytest.mark.parametrize("below", [".", "keys", "keys/a.key"])
def test_a_link_that_leads_nowhere_is_named(below: str, tmp_path: Path) -> None:
    link = tmp_path / "results"
    link.symlink_to("/mnt/gone")
    words = f"{link} is a symbolic link to /mnt/gone, which does not exist"
    with pytest.raises(OSError) as caught:
        (link / below).mkdir(parents=True, exist_ok=True)
    assert str(system_error(caught.value)).endswith(f"{words}; correct or remove the link, or create what it leads to")
    assert file_problem(link / below) == words


def test_a_link_to_itself_is_no_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert file_problem(tmp_path / "loop") == "a symbolic link that leads back to itself"
    with pytest.raises(OSError) as caught:
        (tmp_path / "loop").mkdir(exist_ok=True)
    assert "which does not exist" not in reason(caught.value)


def test_only_errors_of_the_system_are_explained() -> None:
    assert str(explained(MemoryError(), remedy="lower batch_size")) == "out of memory; lower batch_size"
    shortage = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    assert str(explained(shortage, remedy="lower batch_size")) == "out of memory; lower batch_size"
    known = FoldlineError("known")
    assert explained(known) is known
    assert explained(ZeroDivisionError("a defect")) is None
    with pytest.raises(FoldlineError, match=r"out of memory; use fewer --cores"), system_errors_explained():
        raise MemoryError
    with pytest.raises(ZeroDivisionError), system_errors_explained():
        raise ZeroDivisionError


def test_the_error_of_tensorflow_for_memory_is_explained() -> None:
    kind = type("ResourceExhaustedError", (Exception,), {})
    error = kind("{{function_node f}} OOM when allocating tensor with shape[2,3]\n\t [[{{node f}}]] Hint")
    message = str(explained(error, remedy="lower batch_size"))
    assert message.endswith("OOM when allocating tensor with shape[2,3]); lower batch_size")
    assert "\n" not in message


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / "pipe")
    for use in (read_file, open_file, sha256_of_file, read, open_binary, size_and_version):
        with pytest.raises(OSError, match="a named pipe, not a file") as caught:
            use(path)
        assert caught.value.filename == path
        with pytest.raises(IsADirectoryError):
            use(str(tmp_path / "folder"))
    with pytest.raises(OSError, match="a named pipe"):
        read_range(path, 0, 10)
    assert file_problem(path) == "a named pipe, not a file"
    assert file_problem(tmp_path / "folder") == "a folder, not a file"
    assert file_problem(tmp_path / "absent") == "no such file or folder"
    assert file_problem("a\0b") == "embedded null byte"
    (tmp_path / "file").touch()
    assert file_problem(tmp_path / "file") == ""


def test_a_range_beyond_the_file_is_cut(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123")
    assert read_range(str(tmp_path / "file"), 2, 2**62) == b"23"
    assert read_range(str(tmp_path / "file"), 10, 2**62) == b""


def test_errors_of_atomic_writes_name_the_file_and_leave_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with pytest.raises(OSError) as caught, atomic_write(path) as handle:
        handle.write(b"x")
        # What a full disk raises has no name of a file.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError) as caught, atomic_write(tmp_path / ("n" * 300)):
        pass
    assert caught.value.filename == str(tmp_path / ("n" * 300))
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError) as caught, atomic_write(path):
        pass
    assert str(system_error(caught.value)) == f"{path}: a folder, not a file; {_WORDS[errno.EISDIR].remedy}"


def test_errors_of_other_files_keep_their_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic_write(tmp_path / "a.csv"):
        read_file(tmp_path / "source.csv")
    assert caught.value.filename == str(tmp_path / "source.csv")
