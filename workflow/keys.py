"""Key files: how the plan tells Snakemake, by mtime alone, exactly which jobs are stale.

Every rule has an input `key` and an output `built`. The process that builds the DAG writes the job's key into `key`; a
step that ended well copied it to `built`. A job is fresh when `built` holds its present key and all its outputs are
there: then its files are put into an order of mtimes in which nothing is newer than what was made of it, even if a copy
from a bucket or a colleague mixed them. A stale job's key file is written anew, and Snakemake does the rest.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foldline.files import written_whole
from plan import Job, Plan


@dataclass(frozen=True)
class Files:
    """Files of a job.

    Attributes:
        key: input file that holds the job's key.
        built: output file that holds the key the outputs were built from.
        outputs: the other outputs.
        benchmark: the benchmark file; Snakemake looks at its mtime as at an output's, but it need not be there.
    """

    key: Path
    built: Path
    outputs: tuple[Path, ...]
    benchmark: Path


def refresh(
    plan: Plan, files_of: Callable[[Job], Files], *, stale: Callable[[Job], bool] = lambda job: False
) -> list[Job]:
    """Bring the key files of all jobs up to date.

    Args:
        plan: the plan, its jobs in order.
        files_of: gives the files of a job.
        stale: tells of jobs that are stale for another reason than their key.

    Returns:
        The jobs that are stale by themselves; jobs behind them run too.
    """
    found = []
    newest_output: dict[str, int] = {}
    for job in plan.jobs:
        files = files_of(job)
        mtimes = {path: _mtime(path) for path in (files.built, *files.outputs)}
        if stale(job) or None in mtimes.values() or _first_line(files.built) != job.key:
            found.append(job)
            # The second line makes the content new, else Snakemake takes equal bytes for an unchanged input.
            _write(files.key, f"{job.key}\nstale at {time.time_ns()}\n")
            continue
        if _first_line(files.key) != job.key:
            _write(files.key, f"{job.key}\n")
        if (benchmarked := _mtime(files.benchmark)) is not None:
            mtimes[files.benchmark] = benchmarked
        after = max((newest_output.get(need.name, 0) for need in job.needs), default=0)
        for path in mtimes:
            if mtimes[path] < after:
                os.utime(path, ns=(after, after))
                mtimes[path] = after
        newest_output[job.name] = max(mtimes.values())
        oldest = min(mtimes.values())
        if _mtime(files.key) > oldest:
            os.utime(files.key, ns=(oldest, oldest))
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
