"""One run at a time in a working directory: a lock that ends with its process.

Snakemake's own lock is a file that stays when the process is killed, until somebody removes it; the default profile
switches it off.
"""

import fcntl
import logging
import os
import platform
from pathlib import Path

from foldline.errors import FoldlineError

logger = logging.getLogger(__name__)


def hold(path: str | Path) -> int:
    """Lock a file until this process ends; the kernel releases the lock then, even after kill -9.

    A process that holds the lock may call this again.

    Args:
        path: the lock file; it is made with its folder if it does not exist.

    Returns:
        Descriptor of the open file; started programs do not inherit it.

    Raises:
        FoldlineError: another process holds the lock.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    own = f"process {os.getpid()} on {platform.node()}"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 1000).decode(errors="replace").strip() or "unknown process"
        if holder == own:
            return descriptor
        os.close(descriptor)
        raise FoldlineError(
            f"{path}: another run works in this directory ({holder}); wait until it ends, or run in another directory "
            "(--directory DIRECTORY)"
        ) from None
    except OSError as error:
        logger.warning("%s cannot be locked (%s); make sure that only one run works in this directory", path, error)
        return descriptor
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{own}\n".encode())
    return descriptor
