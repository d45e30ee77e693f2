"""Atomic writes of local files, and digests of files and values."""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from foldline.io.system_errors import open_regular

BLOCK_BYTES = 1 << 20
TEMPORARY = ".part"
WRITE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


@contextlib.contextmanager
def atomic_write(path: str | Path, *, mode: str = "wb", sync: bool = True, **open_options: Any) -> Iterator[IO[Any]]:
    """Write a file that appears at `path` only when it is complete.

    The content goes to a temporary file in the same folder, which is flushed, synced and renamed at the end. If the
    body raises, the temporary file is removed and `path` does not change.

    Args:
        path: the file to write; missing parent folders are created.
        mode: "wb" or "w".
        sync: wait until the disk has the content. Without it, a power failure may leave an empty file or none.
        **open_options: passed to `open` (`encoding`, `newline`).

    Raises:
        OSError: the file cannot be written. Its `filename` is `path`, which errors of a full disk do not have.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor, temporary = _temporary_file(path)
        with open(temporary, mode, opener=lambda *_: descriptor, **open_options) as handle:
            try:
                yield handle
                handle.flush()
                if sync:
                    os.fsync(handle.fileno())
                # Still locked, or another process could take it for what a killed one has left.
                temporary.replace(path)
            except BaseException:
                # A file system that does not allow the file cannot remove it either.
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        if error.filename is None or str(error.filename).endswith(TEMPORARY):
            error.filename, error.filename2 = str(path), None
        raise


def _temporary_file(path: Path) -> tuple[int, Path]:
    """Open an empty file beside `path` that no other process writes; gives its descriptor and path.

    Its name is always the same, so that the next process replaces what a killed one has left. Beside a process that
    writes the same file, and where files cannot be locked, the process id is in the name.
    """
    common, own = (path.with_name(f".{path.name}{word}{TEMPORARY}") for word in ("", f".{os.getpid()}"))
    with contextlib.suppress(PermissionError, BlockingIOError):
        while (descriptor := _locked(common)) is None:
            pass
        return descriptor, common
    return os.open(own, WRITE_FLAGS | os.O_TRUNC, 0o666), own


def _locked(path: Path) -> int | None:
    """Open a file, lock and empty it; None if its last owner has renamed it meanwhile.

    Raises:
        PermissionError: it belongs to somebody else.
        BlockingIOError: another process has locked it, or it cannot be locked.
    """
    descriptor = os.open(path, WRITE_FLAGS, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BlockingIOError from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                os.ftruncate(descriptor, 0)
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as JSON with sorted keys.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not allow.
    """
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    with atomic_write(path, mode="w", encoding="utf-8") as handle:
        handle.write(text + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(read_file(path))


def read_file(path: str | Path) -> bytes:
    """Read all bytes of a local file.

    Raises:
        OSError: it cannot be read, or is no file, such as a folder or a named pipe.
    """
    with open_file(path) as handle:
        return handle.read()


def open_file(path: str | Path) -> IO[bytes]:
    """Open a local file to read it; errors as `read_file`."""
    return open(path, "rb", opener=open_regular)


def sha256_of_file(path: str | Path) -> str:
    """Hex SHA-256 of the bytes of a file."""
    digest = hashlib.sha256()
    with open_file(path) as handle:
        while block := handle.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def digest_of(content: Any) -> str:
    """Hex SHA-256 of a value that JSON can represent; equal values, 1 and 1.0 too, have equal digests on every machine.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(_with_whole_numbers(content), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _with_whole_numbers(content: Any) -> Any:
    """Copy in which floats without a fraction are integers, and -0.0 is 0."""
    if isinstance(content, float) and content.is_integer():
        return int(content)
    if isinstance(content, dict):
        return {key: _with_whole_numbers(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        # Long lists are lists of text.
        return [item if isinstance(item, str) else _with_whole_numbers(item) for item in content]
    return content
