"""One run at a time in a working directory, by a lock that ends with its process.

Snakemake's own lock is a file that stays when the process is killed, so that somebody has to remove it; the default
profile switches it off.
"""

import fcntl
import logging
import os
import platform
from pathlib import Path

from foldline.errors import FoldlineError

logger = logging.getLogger(__name__)


def hold(path: str | Path) -> int:
    """Lock a file until this process ends; the kernel frees it then, in whatever way it ends.

    A second lock by the same process is none: the first one counts.

    Args:
        path: the file; made with its folder where it is not there.

    Returns:
        The open file's descriptor, which started programs do not inherit.

    Raises:
        FoldlineError: another process has it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    own = f"process {os.getpid()} on {platform.node()}"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 1000).decode(errors="replace").strip() or "unknown"
        if holder == own:
            return descriptor
        os.close(descriptor)
        raise FoldlineError(
            f"{path}: another run works in this directory ({holder}); wait for its end, or give this one a directory "
            "of its own (--directory)"
        ) from None
    except OSError as error:
        logger.warning("%s cannot be locked (%s); make sure that one run at a time works here", path, error)
        return descriptor
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{own}\n".encode())
    return descriptor
