"""What every step script does around its work: write the log of the rule, and record what a finished job built.

The process that builds the DAG hands the facts of the job over as `params.job`: the job does what was planned, whatever
happens to the configuration or to key files while it waits and works.
"""

import contextlib
import importlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, StoppedError, listing
from foldline.io import storage
from foldline.io.build_record import BuildRecord
from foldline.io.files import sha256_of_file
from foldline.io.settings import build
from foldline.io.system_errors import explained, memory_remedy
from foldline.io.watchdog import watched

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
# Exit code after a stop request: the next run resumes the work. EX_TEMPFAIL of sysexits.h; executors retry it like any
# failure.
INTERRUPTED = 75
# Digits of a key in the second name of a log.
KEY_DIGITS = 16


@dataclass(frozen=True)
class JobFacts:
    """What the plan says of a job, apart from the settings of its script.

    Attributes:
        key: digest of everything that defines the result.
        script: file name of its script.
        code: digest of the script and of the code that it imports.
        dependents: paths or URLs of the records (`built`) of the jobs that read an output of this one.
        records: path of the record that lists an input, by the path of the input; only for inputs that stay on the disk
            where their jobs wrote them.
        on_disk: whether the outputs stay on the disk where the job writes them.
        raw_files: SHA-256 of files of the user that are in the key, by their paths.
    """

    key: str
    script: str
    code: str
    dependents: tuple[str, ...]
    records: dict[str, str]
    on_disk: bool
    raw_files: dict[str, str]


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

    Log records go to the log of the rule and to stderr. A `FoldlineError` and an error of the system (a full disk, too
    little memory) are logged as one message, any other error with its traceback; if the process is killed, another one
    says so. Interrupted work exits with the code `INTERRUPTED`. When the body succeeds, `output.built` gets
    the record of the job, after all other outputs: without it they do not count as built.

    The step fails if the code is not the planned one, or if an input changed while the body ran.

    Args:
        snakemake: the object that Snakemake hands to a script.
        resumable: the work resumes where an interrupted run of the same key ended; its log is continued as well.
    """
    job = build(JobFacts, snakemake.params.job)
    remedy = memory_remedy(getattr(snakemake.wildcards, "model", ""))
    log = Path(snakemake.log[0]) if snakemake.log else None
    registered: list[Callable[[], None]] = []
    with _reported(remedy):
        hidden_log = _start_log(log, job.key, resumable=resumable)
        with watched(log, remedy=remedy):
            _check_code(Path(snakemake.scriptdir, job.script), job.code)
            _check_raw_files(job.raw_files)
            inputs = _start_inputs(snakemake.input)
            _check_records(job.records, inputs)
            yield Step(job.key, registered.append)
            _check_inputs(inputs)
            _record(job, Path(snakemake.output.built), [Path(path) for path in snakemake.output])
            for function in registered:
                function()
    if hidden_log is not None:
        with contextlib.suppress(OSError):
            hidden_log.unlink(missing_ok=True)


@contextlib.contextmanager
def untracked_step(snakemake: Any) -> Iterator[None]:
    """Run the body of a script that makes no output of the workflow: as `step`, without a key and a record."""
    log = Path(snakemake.log[0]) if snakemake.log else None
    remedy = memory_remedy("MODEL")
    with _reported(remedy):
        _start_log(log, "", resumable=False)
        with watched(log, remedy=remedy):
            yield


@contextlib.contextmanager
def _reported(remedy: str) -> Iterator[None]:
    """Log what ends the body early, and exit.

    Args:
        remedy: what to do if memory ran out.
    """
    try:
        yield
    except StoppedError as interruption:
        logging.warning("%s", interruption)
        sys.exit(INTERRUPTED)
    except Exception as error:
        known = explained(error, remedy=remedy)
        if known is None:
            logging.exception("the step failed")
        else:
            logging.error("%s", known)
        sys.exit(1)


class _LogFile(logging.FileHandler):
    """The log of a rule; on a full disk records are lost, which is no reason to fail or to print tracebacks."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (named by logging)
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _start_log(log: Path | None, key: str, *, resumable: bool) -> Path | None:
    """Send log records to stderr, and to the log of the rule if it has one; see `_log_file` for its second name."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    hidden_log = None
    if log is not None:
        hidden_log = _log_file(log, key, resumable=resumable)
        handlers.append(_LogFile(log, mode="a", encoding="utf-8"))
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, handlers=handlers, force=True)
    logging.captureWarnings(True)
    return hidden_log


def _check_code(script: Path, planned: str) -> None:
    # Imported by its name, because the code that computes digests is not part of what a step does.
    digest = importlib.import_module("foldline.planning.code_digest").code_digest(script)
    if digest != planned:
        raise FoldlineError(
            f"{script}: the code of this step changed after the run was planned; run the same command again"
        )


def _check_raw_files(planned: Mapping[str, str]) -> None:
    changed = [path for path, sha256 in planned.items() if not Path(path).is_file() or sha256_of_file(path) != sha256]
    if changed:
        raise FoldlineError(f"{listing(changed)} changed after the run was planned; run the same command again")


@dataclass(frozen=True)
class _InputStatus:
    """An input file when the step started.

    Attributes:
        size: in bytes; None if the file does not exist.
        inode: its inode.
        mtime: in ns; None if it was in the future.
    """

    size: int | None
    inode: int = 0
    mtime: int | None = None

    @classmethod
    def of(cls, path: Path) -> "_InputStatus":
        try:
            status = path.stat()
        except OSError:
            return cls(None)
        return cls(status.st_size, status.st_ino, status.st_mtime_ns)

    def fits(self, now: "_InputStatus") -> bool:
        return (self.size, self.inode) == (now.size, now.inode) and self.mtime in (None, now.mtime)


def _start_inputs(inputs: Any) -> dict[Path, _InputStatus]:
    """The input files but the key file, which only tells Snakemake what is stale.

    A file from the future, because the clock was set back, is dated now: Snakemake deletes outputs that are older than
    an input. Another step may do that at the same time, so its mtime does not count.
    """
    statuses, now = {}, time.time_ns()
    key_file = getattr(inputs, "key", None)
    for path in (Path(path) for path in inputs if path != key_file):
        status = _InputStatus.of(path)
        if status.mtime and status.mtime > now:
            with contextlib.suppress(OSError):
                os.utime(path, ns=(now, now))
            status = replace(status, mtime=None)
        statuses[path] = status
    return statuses


def _check_records(records: Mapping[str, str], inputs: Mapping[Path, _InputStatus]) -> None:
    """Refuse inputs that are not as their jobs wrote them: edited or damaged after the run was planned."""
    known: dict[str, tuple[BuildRecord | None, int]] = {}
    different = []
    for path in inputs:
        built = records.get(str(path))
        if built is None or not path.exists():
            continue
        if built not in known:
            found = BuildRecord.read(Path(built))
            known[built] = found, Path(built).stat().st_ctime_ns if found else 0
        record, recorded_ns = known[built]
        if record is not None and (difference := record.difference(path, recorded_ns=recorded_ns)):
            different.append(difference)
    if different:
        raise FoldlineError(
            f"{'; '.join(different)}; leave results alone while a workflow runs, and run the same command again"
        )


def _check_inputs(inputs: Mapping[Path, _InputStatus]) -> None:
    changed = [str(path) for path, status in inputs.items() if not status.fits(_InputStatus.of(path))]
    if changed:
        raise FoldlineError(
            f"{listing(changed)} changed while this step read it; leave results alone while a workflow runs, and run "
            "the same command again"
        )


def _record(job: JobFacts, built: Path, outputs: Sequence[Path]) -> None:
    """Write the record of a job whose outputs are complete."""
    record = BuildRecord.of_files(job.key, [path for path in outputs if path != built], on_disk=job.on_disk)
    # What was built from earlier outputs of this job is stale from now on, even if this run ends before it gets there.
    for dependent in job.dependents:
        storage.remove(dependent)
    record.write(built)


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
