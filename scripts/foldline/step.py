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
# Digits of a key in the second name of a log.
KEY_DIGITS = 16


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
    hidden_log = None
    if snakemake.log:
        hidden_log = _log_file(Path(snakemake.log[0]), key, resumable=resumable)
        handlers.append(logging.FileHandler(snakemake.log[0], mode="a", encoding="utf-8"))
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
    if hidden_log is not None:
        hidden_log.unlink(missing_ok=True)


def _log_file(path: Path, key: str, *, resumable: bool) -> Path | None:
    """Make the log of a job; that of resumable work continues the log of an interrupted job of the same key.

    Snakemake removes the log before it starts a job, so a second, hidden name keeps it.

    Returns:
        The second name, to be removed when the job succeeds; None if there is none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    hidden = path.with_name(f".{path.name}.{key[:KEY_DIGITS]}")
    for other in path.parent.glob(f".{path.name}.*"):
        if other != hidden or not resumable:
            other.unlink(missing_ok=True)
    if not resumable:
        return None
    try:
        hidden.touch()
        path.hardlink_to(hidden)
    except OSError:
        # A file system without hard links: the log begins anew.
        hidden.unlink(missing_ok=True)
        return None
    return hidden
