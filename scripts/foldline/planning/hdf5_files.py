"""Where the images of HDF5 files are in them, so that steps read ranges of bytes without an HDF5 library."""

import difflib
import errno
import os
from bisect import bisect_left
from threading import Lock
from typing import Any

from foldline.errors import file_text
from foldline.io.hdf5_paths import Entry, Place
from foldline.io.system_errors import file_problem

# Keys before and behind a missing one, among which the nearest is searched: a file may have a million.
NEIGHBORS = 1_000
REMEDY = "save the bytes of each image file as one dataset, as file.create_dataset(key, data=numpy.void(data)) does"
# Parts of messages of HDF5: there is no such key, or a link leads nowhere.
_ABSENT = ("doesn't exist", "component not found", "message type not found", "empty string", "null")


class Hdf5Files:
    """HDF5 files, each opened once; `close` them soon, because HDF5 may crash if a process ends with open ones."""

    def __init__(self) -> None:
        self._opened: dict[str, Any] = {}
        self._keys: dict[tuple[str, str], list[str]] = {}
        self._lock = Lock()

    def place(self, entry: Entry) -> Place:
        """Where an image is in its file.

        Raises:
            FileNotFoundError: the file has no such key.
            OSError: the file cannot be read, or the key is not that of the bytes of an image file.
            FoldlineError: h5py is not installed.
        """
        file = self._file(entry.file)
        from h5py import h5d, h5f

        try:
            found = h5d.open(file.id, entry.key.encode())
            elsewhere = h5f.get_name(found) != h5f.get_name(file.id)
            problem = "a link into another HDF5 file; name that file" if elsewhere else _problem(found)
            if not problem:
                return Place(found.get_offset(), found.get_storage_size())
        except (KeyError, ValueError, RuntimeError) as error:
            words = _words(error)
            if any(word in words for word in _ABSENT):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), entry.file) from error
            is_group = "not a dataset" in words
            problem = (
                f"a group; {REMEDY}"
                if is_group
                else f"the HDF5 file is damaged ({file_text(words, limit=200)}); copy it again"
            )
        raise OSError(errno.EINVAL, problem, entry.file)

    def nearest(self, entry: Entry) -> str:
        """The existing key that is most like a missing one; "" if the file has none there."""
        folder, slash, name = entry.key.rpartition("/")
        keys = self._names(entry.file, folder)
        around = bisect_left(keys, name)
        near = keys[max(0, around - NEIGHBORS) : around + NEIGHBORS]
        equal = [key for key in keys if key.casefold() == name.casefold()]
        found = next(iter([*equal, *difflib.get_close_matches(name, near, n=1, cutoff=0)]), "")
        return f"{folder}{slash}{found}" if found else ""

    def close(self) -> None:
        """Close all files."""
        for file in self._opened.values():
            if not isinstance(file, OSError):
                file.close()
        self._opened.clear()
        self._keys.clear()

    def _file(self, path: str) -> Any:
        """The open file, or the error of the first attempt to open it."""
        with self._lock:
            if path not in self._opened:
                self._opened[path] = _open(path)
            file = self._opened[path]
        if isinstance(file, OSError):
            raise OSError(*file.args)
        return file

    def _names(self, path: str, group: str) -> list[str]:
        if (path, group) not in self._keys:
            try:
                file = self._file(path)
                names = sorted(file[group] if group else file)
            except (OSError, KeyError, ValueError, RuntimeError, TypeError):
                names = []
            self._keys[path, group] = names
        return self._keys[path, group]


def _open(path: str) -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        from foldline.planning.requirements import missing_package

        raise missing_package(error) from error
    if problem := file_problem(path):
        return OSError(errno.EINVAL, problem, path)
    try:
        return h5py.File(path, "r", locking="best-effort")
    except BlockingIOError:
        return OSError(errno.EINVAL, "another program writes the file; wait for its end", path)
    except OSError as error:
        return OSError(
            errno.EINVAL, f"HDF5 cannot open the file ({file_text(_words(error), limit=200)}); copy it again", path
        )


def _problem(dataset: Any) -> str:
    """Why a dataset is not the bytes of one image file, one after the other; "" if it is."""
    from h5py import h5d

    kind, shape = dataset.dtype, dataset.shape
    if kind.hasobject:
        return f"a dataset of variable length; {REMEDY}"
    is_one = kind.kind in "SV" and kind.names is None and kind.subdtype is None and shape in ((), (1,))
    if not is_one and not (kind.kind in "iu" and kind.itemsize == 1 and len(shape or ()) == 1):
        return f"a dataset of {file_text(kind)} with shape {file_text(shape)}, not the bytes of an image file; {REMEDY}"
    settings = dataset.get_create_plist()
    if settings.get_external_count():
        return f"a dataset with its bytes in another file; {REMEDY}"
    layout = settings.get_layout()
    if layout != h5d.CONTIGUOUS:
        name = {h5d.CHUNKED: "in chunks, as with compression", h5d.COMPACT: "in its header"}.get(layout, "elsewhere")
        return f"a dataset that is stored {name}; {REMEDY}"
    if not dataset.get_storage_size() or dataset.get_offset() is None:
        return "an empty dataset"
    return ""


def _words(error: Exception) -> str:
    """What HDF5 says, without its usual start."""
    text = " ".join(str(error.args[-1] if error.args else error).split())
    start, _, cause = text.partition(" (")
    return cause.removesuffix(")") or start
