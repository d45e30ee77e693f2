"""List, stat, read and write files by path or URL.

"Path" means the path of a local file or a URL such as `gs://bucket/train00.tfrec`. Local files need the standard
library only; URLs need fsspec and, for `gs://`, gcsfs.
"""

import base64
import contextlib
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from foldline.errors import FoldlineError, listing
from foldline.io.files import atomic_write, open_file, read_file
from foldline.io.system_errors import check_regular

# Keys under which file systems report the version of a file, the most exact first.
VERSIONS = ("generation", "etag", "ETag", "mtime", "updated", "LastModified", "created")
# Keys under which object stores report a checksum, the most exact first. Composed objects have a crc32c only.
CHECKSUMS = ("md5Hash", "crc32c")


@dataclass(frozen=True)
class ObjectInfo:
    """An object of a bucket, as the listing of the bucket describes it.

    Attributes:
        bytes: size.
        checksum: name and value of the store's checksum, "md5Hash:...".
        updated_ns: time of the last write, in ns since 1970.
    """

    bytes: int
    checksum: str
    updated_ns: int


def is_url(path: str | Path) -> bool:
    """Whether a path is a URL."""
    return "://" in str(path)


def join(root: str | Path, path: str) -> str:
    """Join a path to `root`, a folder or URL; absolute paths and URLs stay as they are."""
    if is_url(path) or Path(path).is_absolute():
        return path
    return f"{str(root).rstrip('/')}/{path}" if is_url(root) else str(Path(root) / path)


def relative(root: str | Path, path: str) -> str:
    """Make a path relative to `root`, if it is in `root`; the inverse of `join`."""
    if is_url(root):
        return path.removeprefix(f"{str(root).rstrip('/')}/")
    if is_url(path):
        return path
    absolute, folder = Path(path).absolute(), Path(root).absolute()
    return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else str(absolute)


def find_files(root: str | Path, pattern: str) -> list[str]:
    """Find the files that match a glob pattern (`*`, `?`, `[...]`, `**`).

    Args:
        root: folder or URL that the pattern is relative to, unless the pattern is absolute or a URL.
        pattern: the pattern.

    Returns:
        Sorted paths, joined to `root`.

    Raises:
        FoldlineError: the pattern is a URL that cannot be listed.
    """
    if is_url(root):
        pattern = join(root, pattern)
    if is_url(pattern):
        system, key = _file_system(pattern)
        with _listing_errors(pattern):
            return sorted(system.unstrip_protocol(name) for name in system.glob(key))
    folder = Path(root)
    if Path(pattern).is_absolute():
        folder = Path(Path(pattern).anchor)
        pattern = str(Path(pattern).relative_to(folder))
    return sorted(str(path) for path in folder.glob(pattern) if path.is_file())


def list_objects(folder: str) -> dict[str, ObjectInfo]:
    """List all objects in a folder of a bucket and its subfolders, by URL; no object is read.

    Raises:
        FoldlineError: the bucket cannot be listed, or reports no checksums.
    """
    system, key = _file_system(folder)
    with _listing_errors(folder):
        entries = system.find(key, detail=True)
    return {system.unstrip_protocol(name): _object_info(name, entry) for name, entry in entries.items()}


def _object_info(name: str, entry: Mapping[str, Any]) -> ObjectInfo:
    checksum = next((key for key in CHECKSUMS if entry.get(key)), None)
    if checksum is None:
        raise FoldlineError(
            f"{name}: its storage reports no checksum ({' or '.join(CHECKSUMS)}), as Google Cloud Storage does; copy "
            "the files to a local disk"
        )
    updated = datetime.fromisoformat(str(entry["updated"]))
    return ObjectInfo(int(entry["size"]), f"{checksum}:{entry[checksum]}", int(updated.timestamp() * 1e6) * 1000)


def md5_as_listed(content: bytes) -> str:
    """The MD5 of some bytes as `ObjectInfo.checksum` writes it."""
    return f"md5Hash:{base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()}"


def listed_checksum(url: str) -> str:
    """`ObjectInfo.checksum` of one object.

    Raises:
        OSError: the object does not exist or cannot be accessed.
        FoldlineError: its storage reports no checksum.
    """
    system, key = _file_system(url)
    with _as_os_error():
        entry = system.info(key)
    return _object_info(key, entry).checksum


def size_and_version(path: str) -> tuple[int, str]:
    """Size of a file in bytes, and a text that changes with its content.

    The text is mtime and ctime in ns and the inode of a local file, or the version of an object in a bucket.

    Raises:
        OSError: the file does not exist or cannot be accessed.
        FoldlineError: the file system of a URL reports no versions, or its packages are not installed.
    """
    if not is_url(path):
        status = Path(path).stat()
        check_regular(status, path)
        return status.st_size, f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
    system, key = _file_system(path)
    with _as_os_error():
        entry = system.info(key)
    version = next((str(entry[name]) for name in VERSIONS if name in entry), None)
    if version is None:
        raise FoldlineError(
            f"{path}: its file system reports neither a version nor a time of change ({listing(VERSIONS)}); copy the "
            "file to a local disk"
        )
    return int(entry["size"]), version


def open_binary(path: str) -> IO[bytes]:
    """Open a file to read it from start to end.

    Raises:
        OSError: the file cannot be read.
        FoldlineError: the packages that read the URL are not installed.
    """
    if not is_url(path):
        return open_file(path)
    system, key = _file_system(path)
    with _as_os_error():
        handle: IO[bytes] = system.open(key, "rb")
    return handle


def open_text(path: str | Path) -> IO[str]:
    """Open a table in UTF-8, with or without a byte order mark; line ends stay. Errors as `open_binary`."""
    return io.TextIOWrapper(io.BytesIO(read(str(path))), encoding="utf-8-sig", newline="")


def read(path: str) -> bytes:
    """Read all bytes of a file; errors as `open_binary`."""
    if not is_url(path):
        return read_file(path)
    system, key = _file_system(path)
    with _as_os_error():
        content: bytes = system.cat_file(key)
    return content


def read_range(path: str, start: int, end: int) -> bytes:
    """Read bytes `start` (inclusive, from 0) to `end` (exclusive) of a file; fewer if the file is shorter.

    Raises:
        OSError: the file cannot be read.
        FoldlineError: the packages that read the URL are not installed.
    """
    if is_url(path):
        system, key = _file_system(path)
        with _as_os_error():
            content: bytes = system.cat_file(key, start=start, end=end)
        return content
    with open_file(path) as handle:
        # A buffer of the whole length is made before the first byte is read.
        end = min(end, os.fstat(handle.fileno()).st_size)
        handle.seek(start)
        return handle.read(max(0, end - start))


def is_file(path: str | Path) -> bool:
    """Whether a file exists.

    Raises:
        OSError: a bucket does not answer.
        FoldlineError: the packages that read the URL are not installed.
    """
    if not is_url(path):
        return Path(path).is_file()
    system, key = _file_system(str(path))
    with _as_os_error():
        exists: bool = system.isfile(key)
    return exists


def exists(path: str | Path) -> bool:
    """Whether there is anything at a path: a file, or what is none, such as a folder or a broken link.

    Raises:
        OSError: a bucket does not answer.
        FoldlineError: the packages that read the URL are not installed.
    """
    return is_file(path) if is_url(path) else os.path.lexists(path)


def write_if_changed(path: str | Path, content: bytes) -> None:
    """Write a file atomically, unless it has this content already.

    Raises:
        OSError: the file cannot be written.
        FoldlineError: the packages that write the URL are not installed.
    """
    if is_file(path) and read(str(path)) == content:
        return
    if is_url(path):
        system, key = _file_system(str(path))
        with _as_os_error():
            system.pipe_file(key, content)
        return
    with atomic_write(path) as handle:
        handle.write(content)


def remove(path: str | Path) -> None:
    """Remove a file, if it exists.

    Raises:
        OSError: the file cannot be removed.
        FoldlineError: the packages that access the URL are not installed.
    """
    if not is_url(path):
        Path(path).unlink(missing_ok=True)
        return
    system, key = _file_system(str(path))
    with contextlib.suppress(FileNotFoundError), _as_os_error():
        system.rm_file(key)


def list_names(folder: str) -> list[str]:
    """Sorted paths of all objects in a folder of a bucket, relative to it, from a fresh listing.

    Raises:
        FoldlineError: the bucket cannot be listed.
    """
    system, key = _file_system(folder)
    with _listing_errors(folder):
        system.invalidate_cache(key)
        names = system.find(key)
    return sorted(name.removeprefix(f"{key.rstrip('/')}/") for name in names)


def common_parent(urls: Sequence[str]) -> str:
    """The deepest folder that contains all of these objects of one bucket."""
    scheme = urls[0].partition("://")[0]
    folders = {str(PurePosixPath(url.removeprefix(f"{scheme}://")).parent) for url in urls}
    return f"{scheme}://{os.path.commonpath(sorted(folders))}"


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise `OSError` for a storage client's own errors (no access, no answer), as a local disk does."""
    try:
        yield
    except (OSError, FoldlineError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _listing_errors(url: str) -> Iterator[None]:
    try:
        with _as_os_error():
            yield
    except OSError as error:
        raise FoldlineError(f"{url} cannot be listed: {error}; check the URL and its read permission") from error


def _file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the file's path in it."""
    try:
        import fsspec

        system, key = fsspec.core.url_to_fs(url)
    except ImportError as error:
        packages = "fsspec and gcsfs" if url.startswith(("gs://", "gcs://")) else "fsspec"
        raise FoldlineError(
            f"{url}: the packages that read URLs are not installed ({error}); install {packages}, or copy the files "
            "to a local disk"
        ) from error
    except ValueError as error:
        raise FoldlineError(f"{url}: {error}; give a gs:// URL or a path") from error
    return system, key
