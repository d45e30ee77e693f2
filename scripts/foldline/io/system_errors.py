"""Errors of the operating system in words: the path, what is wrong, and what to do.

A user causes them, not a defect: a full disk, a folder in place of a file, no permission, too little memory. All code
raises `OSError` and `MemoryError` as Python does; the edges (the steps, the process that builds the DAG) turn them into
one line.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from foldline.errors import FoldlineError, tensorflow_message

_ELSEWHERE = "free some space, or work on another disk (--directory DIRECTORY)"
_PERMISSION = "change the permissions of the file and its folders, or give another path"
_LINK_REMEDY = "correct or remove the link, or create what it leads to"
_MOUNT = "check the disk or the network mount, and run the same command again"


class _Words(NamedTuple):
    """What is wrong, and what to do."""

    problem: str
    remedy: str


# By the error number of the operating system.
_WORDS = {
    errno.ENOSPC: _Words("the disk is full", _ELSEWHERE),
    errno.EDQUOT: _Words("your disk quota is used up", _ELSEWHERE),
    errno.EFBIG: _Words("the file would be larger than allowed", "raise the limit (ulimit -f), or use another disk"),
    errno.EROFS: _Words("the file system is read-only", "work in a folder that you can write (--directory DIRECTORY)"),
    errno.EACCES: _Words("permission denied", _PERMISSION),
    errno.EPERM: _Words("permission denied", _PERMISSION),
    errno.ENOENT: _Words("no such file or folder", "correct the path; if the workflow wrote the file, run it again"),
    errno.ENOTDIR: _Words("a file is in place of a folder", "move the file away, or give another path"),
    errno.EEXIST: _Words("a file is in place of a folder", "move the file away, or give another path"),
    errno.EISDIR: _Words("a folder, not a file", "give the path of a file, or move the folder away"),
    errno.ENOTEMPTY: _Words("a folder, not a file", "give the path of a file, or move the folder away"),
    errno.ELOOP: _Words("a symbolic link that leads back to itself", "correct the link"),
    errno.ENAMETOOLONG: _Words("a longer name than the file system allows (255 bytes)", "shorten the name"),
    errno.EIO: _Words("the disk reports an error", _MOUNT),
    errno.ESTALE: _Words("the network mount lost the file", _MOUNT),
    errno.ETIMEDOUT: _Words("the network mount does not answer", _MOUNT),
    errno.EMFILE: _Words("too many open files", "raise the limit (ulimit -n), or use fewer --cores"),
    errno.ENFILE: _Words("too many open files on this machine", "close other programs, or use fewer --cores"),
    errno.ENOMEM: _Words("out of memory", "use fewer --cores, or a machine with more memory"),
}
# What a path may be that is neither a file nor a folder.
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# In errors of HDF5.
_NUMBER_IN_TEXT, _PATH_IN_TEXT = re.compile(r"errno = (\d+)"), re.compile(r"name = '([^']+)'")
MEMORY_REMEDY = "use fewer --cores, or a machine with more memory"
# Errors of TensorFlow that a user causes, by their names, because most steps do not import TensorFlow.
_TENSORFLOW = {
    "NotFoundError": "restore the file, and run the same command again",
    "PermissionDeniedError": _PERMISSION,
}


def reason(error: OSError) -> str:
    """What is wrong with a file, without its path."""
    number = _number_of(error)
    if link := _dead_link(error):
        return f"{link} is a symbolic link to {Path(link).readlink()}, which does not exist"
    if number in (errno.ENOTDIR, errno.EEXIST) and (blocking := _blocking_file(error)):
        return f"{blocking} is a file, not a folder"
    if number in _WORDS:
        return _WORDS[number].problem
    return error.strerror or " ".join(str(error).split()) or type(error).__name__


def system_error(error: OSError | MemoryError, *, path: str = "", remedy: str = "") -> FoldlineError:
    """The error for the user.

    Args:
        error: what was raised.
        path: path or URL of the file, if the error does not have it.
        remedy: what to do; by default what helps against this kind of error.
    """
    if isinstance(error, MemoryError):
        return FoldlineError(f"{f'{path}: ' if path else ''}out of memory; {remedy or MEMORY_REMEDY}")
    number = _number_of(error)
    words, where, what = _WORDS.get(number), path or _path_of(error), reason(error)
    if where:
        what = what if what.startswith(f"{where} is ") else f"{where}: {what}"
    elif words and number != errno.ENOMEM:
        what = f"{what} ({error.strerror or ' '.join(str(error).split())})"
    usual = words.remedy if words else "check the path, and run again"
    return FoldlineError(f"{what}; {remedy or (_LINK_REMEDY if _dead_link(error) else usual)}")


def explained(error: Exception, *, remedy: str = "") -> FoldlineError | None:
    """The error for the user if one of the system was raised; None for a defect.

    Args:
        error: what was raised.
        remedy: what to do if memory ran out.
    """
    if isinstance(error, FoldlineError):
        return error
    if isinstance(error, MemoryError):
        return system_error(error, remedy=remedy)
    if isinstance(error, OSError):
        return system_error(error, remedy=remedy if _number_of(error) == errno.ENOMEM else "")
    kind = type(error).__name__
    if kind == "ResourceExhaustedError" and (full := os.strerror(errno.ENOSPC)) in str(error):
        return FoldlineError(f"the disk is full ({tensorflow_message(error).removesuffix(f'; {full}')}); {_ELSEWHERE}")
    if kind == "ResourceExhaustedError":
        return FoldlineError(
            f"the memory of the device is used up ({tensorflow_message(error)}); {remedy or MEMORY_REMEDY}"
        )
    return FoldlineError(f"{tensorflow_message(error)}; {_TENSORFLOW[kind]}") if kind in _TENSORFLOW else None


def memory_remedy(model: str = "") -> str:
    """What to do if memory runs out in a job.

    Args:
        model: name of the model that the job trains or predicts with; "" if there is none.
    """
    more = "give the job more memory (mem_mb)"
    if model:
        return f"lower models.{model}.batch_size or models.{model}.image_size, or {more}"
    return f"use fewer --cores, or {more}"


@contextmanager
def system_errors_explained(*, remedy: str = "") -> Iterator[None]:
    """Raise a `FoldlineError` for an error of the system.

    Args:
        remedy: what to do, such as the configuration key to set; by default what helps against the kind of error.
    """
    try:
        yield
    except (OSError, MemoryError) as error:
        raise system_error(error, remedy=remedy) from error


def file_problem(path: str | Path) -> str:
    """Why a local file cannot be read; "" if it can."""
    try:
        os.close(open_regular(str(path), os.O_RDONLY))
    except OSError as error:
        return reason(error)
    except ValueError as error:
        # A NUL in the path.
        return str(error)
    return ""


def open_regular(path: str, flags: int) -> int:
    """Opener (see `open`) that refuses at once what is no file, such as a named pipe, which would block for ever.

    Raises:
        OSError: the path cannot be opened, or is no file.
    """
    # A regular file ignores the flag.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_regular(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def check_regular(status: os.stat_result, path: str) -> None:
    """Refuse what is no file.

    Raises:
        OSError: it is a folder, a named pipe, a socket or a device.
    """
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        return
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, f"{_KINDS.get(kind, 'something else')}, not a file", path)


def _number_of(error: OSError) -> int:
    """The error number of the system, which HDF5 has in its text alone; 0 if there is none."""
    if error.errno is not None:
        return error.errno
    match = _NUMBER_IN_TEXT.search(str(error))
    return int(match[1]) if match else 0


def _path_of(error: OSError) -> str:
    """Path in an error; file names may be bytes or descriptors, or in the text alone."""
    if isinstance(error.filename, str | bytes):
        return os.fsdecode(error.filename)
    match = _PATH_IN_TEXT.search(str(error))
    return match[1] if match else ""


def _blocking_file(error: OSError) -> str:
    """The first part of a path that is a file where a folder has to be; "" if there is none."""
    path = Path(_path_of(error))
    for part in [*reversed(path.parents), path]:
        if os.path.lexists(part) and not part.is_dir():
            return str(part)
    return ""


def _dead_link(error: OSError) -> str:
    """The first part of a path that is a symbolic link to nothing; "" if there is none or the error is another one."""
    name = _path_of(error)
    if _number_of(error) not in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST) or not name:
        return ""
    path = Path(name)
    # A link that leads back to itself is no such link.
    dead = (part for part in [*reversed(path.parents), path] if part.is_symlink() and not _exists(part))
    return str(next(dead, ""))


def _exists(path: Path) -> bool:
    """Whether a path leads to anything, or cannot be followed for another reason."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
