"""What every step script does around its work: log to the rule's log, record what the outputs were built from."""

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


# Of a step that was asked to stop and goes on when it is run again; EX_TEMPFAIL of sysexits.h. Executors retry it like
# any failure.
INTERRUPTED = 75


@dataclass(frozen=True)
class Step:
    """A step at work.

    Attributes:
        key: the job's key, the digest of all that defines it.
        when_built: takes a function that is called when the outputs count as built.
    """

    key: str
    when_built: Callable[[Callable[[], None]], None]


@contextlib.contextmanager
def step(snakemake: Any, *, resumable: bool = False) -> Iterator[Step]:
    """Run the body of a step script.

    Log records go to the rule's log and to stderr; an uncaught error is logged with its traceback, a `FoldlineError`
    as its message alone; work that was interrupted ends with the code `INTERRUPTED`. When the body ends well, the job's
    key (first line of `input.key`, the digest of all that defines the job) is copied to `output.built`, the last output
    to appear: outputs without it do not count as built.

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
    to_call: list[Callable[[], None]] = []
    try:
        yield Step(key, to_call.append)
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
    for function in to_call:
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
