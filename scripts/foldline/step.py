"""What every step script does around its work: write the log of the rule, and record the key of a finished job."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, StoppedError
from foldline.io.files import atomic_write

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
# Exit code after a stop request: the next run resumes the work. EX_TEMPFAIL of sysexits.h; executors retry it like any
# failure.
INTERRUPTED = 75


@dataclass(frozen=True)
class Step:
    """A running job.

    Attributes:
        key: digest of everything that defines the job.
        after_success: registers a function that is called once all outputs are complete.
    """

    key: str
    after_success: Callable[[Callable[[], None]], None]


@contextlib.contextmanager
def step(snakemake: Any, *, resumable: bool = False) -> Iterator[Step]:
    """Run the body of a step script.

    Log records go to the log of the rule and to stderr. A `FoldlineError` is logged as one message, any other error
    with its traceback. Interrupted work exits with the code `INTERRUPTED`. When the body succeeds, the key of the job
    (first line of `input.key`) is copied to `output.built`, after all other outputs: without it they do not count as
    built.

    Args:
        snakemake: the object that Snakemake hands to a script.
        resumable: the work resumes where an interrupted run of the same key ended; its log is continued as well.
    """
    key = Path(snakemake.input.key).read_text(encoding="utf-8").splitlines()[0]
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if snakemake.log:
        handlers.append(_log_file(Path(snakemake.log[0]), key, resumable=resumable))
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, handlers=handlers, force=True)
    logging.captureWarnings(True)
    registered: list[Callable[[], None]] = []
    try:
        yield Step(key, registered.append)
    except StoppedError as interruption:
        logging.warning("%s", interruption)
        sys.exit(INTERRUPTED)
    except FoldlineError as error:
        logging.error("%s", error)
        sys.exit(1)
    except Exception:
        logging.exception("the step failed")
        sys.exit(1)
    with atomic_write(snakemake.output.built, mode="w", encoding="utf-8") as handle:
        handle.write(f"{key}\n")
    for function in registered:
        function()


def _log_file(path: Path, key: str, *, resumable: bool) -> logging.FileHandler:
    """Open the log of a job; that of resumable work begins with its key, and is continued by a job of the same key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first_line = f"key {key}\n"
    if not resumable:
        return logging.FileHandler(path, mode="w", encoding="utf-8")
    with path.open("a+", encoding="utf-8") as log:
        log.seek(0)
        if log.readline() != first_line:
            log.truncate(0)
            log.write(first_line)
    return logging.FileHandler(path, mode="a", encoding="utf-8")
