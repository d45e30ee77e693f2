"""Key files: how the plan tells Snakemake, by mtime alone, exactly which jobs are stale.

Every rule has an input `key` and an output `built`. The process that builds the DAG writes the job's key into `key`; a
step that ended well copied it to `built`. A job is fresh when `built` holds its present key and all its outputs are
there: then its files are put into an order of mtimes in which nothing is newer than what was made of it, even if a copy
from a bucket or a colleague mixed them. A stale job's key file is written anew, and Snakemake does the rest.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from foldline.files import written_whole
from plan import Job, Plan

Paths = Callable[[Job], tuple[Path, Path, Sequence[Path]]]


def refresh(plan: Plan, paths: Paths, *, stale: Callable[[Job], bool] = lambda job: False) -> list[Job]:
    """Bring the key files of all jobs up to date.

    Args:
        plan: the plan, its jobs in order.
        paths: gives, for a job, its key file, its built file and its other outputs.
        stale: tells of jobs that are stale for another reason than their key.

    Returns:
        The jobs that are stale by themselves; jobs behind them run too.
    """
    found = []
    newest_output: dict[str, int] = {}
    for job in plan.jobs:
        key_file, built_file, outputs = paths(job)
        mtimes = [_mtime(path) for path in (built_file, *outputs)]
        if stale(job) or None in mtimes or _first_line(built_file) != job.key:
            found.append(job)
            # The second line makes the content new, else Snakemake takes equal bytes for an unchanged input.
            _write(key_file, f"{job.key}\nstale at {time.time_ns()}\n")
            continue
        if _first_line(key_file) != job.key:
            _write(key_file, f"{job.key}\n")
        before = max((newest_output.get(need.name, 0) for need in job.needs), default=0)
        if min(mtimes) < before:
            for path in (built_file, *outputs):
                os.utime(path, ns=(before, before))
            mtimes = [before]
        newest_output[job.name] = max(mtimes)
        if (_mtime(key_file) or 0) > min(mtimes):
            os.utime(key_file, ns=(min(mtimes), min(mtimes)))
    return found


def _mtime(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _first_line(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8") as handle:
            return handle.readline().rstrip("\n")
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    with written_whole(path, mode="w", encoding="utf-8") as handle:
        handle.write(text)
