"""Files by path or by URL: list, stat, read and write them.

A place is the path of a local file or a URL such as `gs://bucket/train00.tfrec`. Local places need the standard library
only, URLs need fsspec and, for `gs://`, gcsfs.
"""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from foldline.errors import FoldlineError
from foldline.io.files import atomic_write

# What file systems call the version of a file, the most exact first.
VERSIONS = ("generation", "etag", "ETag", "mtime", "updated", "LastModified", "created")
# What stores call the checksum of an object's bytes, the most exact first. Composed objects have a crc32c alone.
CHECKSUMS = ("md5Hash", "crc32c")


@dataclass(frozen=True)
class ObjectInfo:
    """An object as the listing of its bucket tells it.

    Attributes:
        bytes: its size.
        checksum: what changes with its bytes: name and value of the checksum that the store keeps, "md5Hash:...".
        updated_ns: when it was written, in ns since 1970.
    """

    bytes: int
    checksum: str
    updated_ns: int


def is_url(place: str | Path) -> bool:
    """Whether a place is a URL."""
    return "://" in str(place)


def join(root: str | Path, place: str) -> str:
    """A place as it can be opened: paths that are not absolute stand below `root`, which may be a URL."""
    if is_url(place) or Path(place).is_absolute():
        return place
    return f"{str(root).rstrip('/')}/{place}" if is_url(root) else str(Path(root) / place)


def relative(root: str | Path, place: str) -> str:
    """A place by its path below `root`, or as it is where it lies elsewhere; the inverse of `below`."""
    if is_url(root):
        return place.removeprefix(f"{str(root).rstrip('/')}/")
    if is_url(place):
        return place
    full, folder = Path(place).absolute(), Path(root).absolute()
    return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def find_files(root: str | Path, pattern: str) -> list[str]:
    """Sorted places of the files that a glob pattern names (`*`, `?`, `[...]`, `**`), as they can be opened.

    Args:
        root: folder or URL of patterns that are neither absolute nor URLs.
        pattern: the pattern.

    Raises:
        FoldlineError: the pattern is a URL that cannot be listed.
    """
    if is_url(root):
        pattern = join(root, pattern)
    if is_url(pattern):
        system, path = _system(pattern)
        with _listing_of(pattern):
            return sorted(system.unstrip_protocol(name) for name in system.glob(path))
    folder = Path(root)
    if Path(pattern).is_absolute():
        folder = Path(Path(pattern).anchor)
        pattern = str(Path(pattern).relative_to(folder))
    return sorted(str(path) for path in folder.glob(pattern) if path.is_file())


def list_objects(folder: str) -> dict[str, ObjectInfo]:
    """All objects below a folder of a bucket, by their URLs, from the bucket's listing alone.

    Raises:
        FoldlineError: the bucket cannot be listed, or keeps no checksums.
    """
    system, path = _system(folder)
    with _listing_of(folder):
        found = system.find(path, detail=True)
    return {system.unstrip_protocol(name): _listed(name, facts) for name, facts in found.items()}


def _listed(name: str, facts: Mapping[str, Any]) -> ObjectInfo:
    checksum = next((key for key in CHECKSUMS if facts.get(key)), None)
    if checksum is None:
        raise FoldlineError(
            f"{name}: its store keeps no checksums ({' or '.join(CHECKSUMS)}), as Google Cloud Storage does; copy the "
            "files to a local disk"
        )
    moment = datetime.fromisoformat(str(facts["updated"]))
    return ObjectInfo(int(facts["size"]), f"{checksum}:{facts[checksum]}", int(moment.timestamp() * 1e6) * 1000)


def size_and_version(place: str) -> tuple[int, str]:
    """Size in bytes of a file, and a text that changes when the file does: the mtime in ns, or a bucket's version.

    Raises:
        OSError: there is no such file, or it cannot be asked for.
        FoldlineError: a URL's file system keeps no versions, or is not installed.
    """
    if not is_url(place):
        found = Path(place).stat()
        return found.st_size, str(found.st_mtime_ns)
    system, path = _system(place)
    with _reached():
        facts = system.info(path)
    version = next((str(facts[name]) for name in VERSIONS if name in facts), None)
    if version is None:
        raise FoldlineError(f"{place}: its file system does not say when a file changed; copy the file to a local disk")
    return int(facts["size"]), version


def open_binary(place: str) -> IO[bytes]:
    """Open a file for reading from its start to its end.

    Raises:
        OSError: the file cannot be read.
        FoldlineError: what reads the URL is not installed.
    """
    if not is_url(place):
        return Path(place).open("rb")
    system, path = _system(place)
    with _reached():
        return system.open(path, "rb")


def open_text(place: str | Path) -> IO[str]:
    """Open a table in UTF-8, with or without a byte order mark; line ends stay. Errors as `open_binary`."""
    return io.TextIOWrapper(io.BytesIO(read(str(place))), encoding="utf-8-sig", newline="")


def read(place: str) -> bytes:
    """All bytes of a file; errors as `open_binary`."""
    if not is_url(place):
        return Path(place).read_bytes()
    system, path = _system(place)
    with _reached():
        return system.cat_file(path)


def read_range(place: str, start: int, end: int) -> bytes:
    """Bytes `start` (inclusive, from 0) to `end` (exclusive) of a file; fewer where the file ends before.

    Raises:
        OSError: the file cannot be read.
        FoldlineError: what reads the URL is not installed.
    """
    if is_url(place):
        system, path = _system(place)
        with _reached():
            return system.cat_file(path, start=start, end=end)
    with Path(place).open("rb") as handle:
        handle.seek(start)
        return handle.read(end - start)


def is_file(place: str | Path) -> bool:
    """Whether there is a file at a place.

    Raises:
        OSError: a bucket cannot be asked.
        FoldlineError: what reads the URL is not installed.
    """
    if not is_url(place):
        return Path(place).is_file()
    system, path = _system(str(place))
    with _reached():
        return system.isfile(path)


def write_if_changed(place: str | Path, content: bytes) -> None:
    """Write a file whole; one that holds these bytes already is left alone.

    Raises:
        OSError: it cannot be written.
        FoldlineError: what writes the URL is not installed.
    """
    if is_file(place) and read(str(place)) == content:
        return
    if is_url(place):
        system, path = _system(str(place))
        with _reached():
            system.pipe_file(path, content)
        return
    with atomic_write(place) as handle:
        handle.write(content)


def remove(place: str | Path) -> None:
    """Remove a file, if it is there.

    Raises:
        OSError: it cannot be removed.
        FoldlineError: what reaches the URL is not installed.
    """
    if not is_url(place):
        Path(place).unlink(missing_ok=True)
        return
    system, path = _system(str(place))
    with contextlib.suppress(FileNotFoundError), _reached():
        system.rm_file(path)


def list_names(folder: str) -> list[str]:
    """Sorted names of all objects below a folder of a bucket, as they are now, by their paths in it.

    Raises:
        FoldlineError: the bucket cannot be listed.
    """
    system, path = _system(folder)
    with _listing_of(folder):
        system.invalidate_cache(path)
        found = system.find(path)
    return sorted(name.removeprefix(f"{path.rstrip('/')}/") for name in found)


def common_parent(urls: Sequence[str]) -> str:
    """The folder that holds all of some objects of one bucket, maybe in folders of its own."""
    scheme = urls[0].partition("://")[0]
    paths = {str(PurePosixPath(url.removeprefix(f"{scheme}://")).parent) for url in urls}
    return f"{scheme}://{os.path.commonpath(sorted(paths))}"


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """Clients raise errors of their own for what a local disk reports as `OSError`: no access, no answer."""
    try:
        yield
    except (OSError, FoldlineError):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _listing_of(url: str) -> Iterator[None]:
    try:
        with _reached():
            yield
    except OSError as error:
        raise FoldlineError(f"{url} cannot be listed: {error}; check the address and who may read it") from error


def _system(url: str) -> tuple[Any, str]:
    """File system of a URL, and the file's path in it."""
    try:
        import fsspec

        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        needed = "fsspec and gcsfs" if url.startswith(("gs://", "gcs://")) else "fsspec"
        raise FoldlineError(
            f"{url}: URLs are read with packages that are not installed ({error}); install {needed}, or copy the files "
            "to a local disk"
        ) from error
    except ValueError as error:
        raise FoldlineError(f"{url}: {error}; give a gs:// URL or a path") from error
