"""Files by path or by URL: list, stat, open and read a part of them.

A place is the path of a local file or a URL such as `gs://bucket/train00.tfrec`. Local places need the standard library
only, URLs need fsspec and, for `gs://`, gcsfs.
"""

from pathlib import Path
from typing import IO, Any

from foldline.errors import FoldlineError

# What file systems call the version of a file, the most exact first.
VERSIONS = ("generation", "etag", "ETag", "mtime", "updated", "LastModified", "created")


def is_url(place: str) -> bool:
    """Whether a place is a URL."""
    return "://" in place


def below(root: str | Path, place: str) -> str:
    """A place as it can be opened: paths that are not absolute stand below `root`."""
    return place if is_url(place) else str(Path(root) / place)


def relative(root: str | Path, place: str) -> str:
    """A place by its path below `root`, or as it is where it lies elsewhere; the inverse of `below`."""
    if is_url(place):
        return place
    full, folder = Path(place).absolute(), Path(root).absolute()
    return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def matching(root: str | Path, pattern: str) -> list[str]:
    """Sorted places of the files that a glob pattern names (`*`, `?`, `[...]`, `**`), as they can be opened.

    Args:
        root: folder of patterns that are neither absolute nor URLs.
        pattern: the pattern.

    Raises:
        FoldlineError: the pattern is a URL that cannot be listed.
    """
    if is_url(pattern):
        system, path = _system(pattern)
        try:
            return sorted(system.unstrip_protocol(name) for name in system.glob(path))
        except OSError as error:
            raise FoldlineError(
                f"{pattern} cannot be listed: {error}; check the address and who may read it"
            ) from error
    folder = Path(root)
    if Path(pattern).is_absolute():
        folder = Path(Path(pattern).anchor)
        pattern = str(Path(pattern).relative_to(folder))
    return sorted(str(path) for path in folder.glob(pattern) if path.is_file())


def stamp(place: str) -> tuple[int, str]:
    """Size in bytes of a file, and a text that changes when the file does: the mtime in ns, or a bucket's version.

    Raises:
        OSError: there is no such file.
        FoldlineError: a URL's file system keeps no versions, or is not installed.
    """
    if not is_url(place):
        found = Path(place).stat()
        return found.st_size, str(found.st_mtime_ns)
    system, path = _system(place)
    facts = system.info(path)
    version = next((str(facts[name]) for name in VERSIONS if name in facts), None)
    if version is None:
        raise FoldlineError(f"{place}: its file system does not say when a file changed; copy the file to a local disk")
    return int(facts["size"]), version


def opened(place: str) -> IO[bytes]:
    """Open a file for reading from its start to its end.

    Raises:
        OSError: the file cannot be read.
        FoldlineError: what reads the URL is not installed.
    """
    if not is_url(place):
        return Path(place).open("rb")
    system, path = _system(place)
    return system.open(path, "rb")


def read_range(place: str, start: int, end: int) -> bytes:
    """Bytes `start` (inclusive, from 0) to `end` (exclusive) of a file; fewer where the file ends before.

    Raises:
        OSError: the file cannot be read.
        FoldlineError: what reads the URL is not installed.
    """
    if is_url(place):
        system, path = _system(place)
        return system.cat_file(path, start=start, end=end)
    with Path(place).open("rb") as handle:
        handle.seek(start)
        return handle.read(end - start)


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
