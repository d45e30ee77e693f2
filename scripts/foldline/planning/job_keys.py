"""Key files: how the plan tells Snakemake, by mtime alone, exactly which jobs are stale.

Every rule has an input `key` and an output `built`. The process that builds the DAG writes the job's key into `key`; a
step that ended well copied it to `built`. A job is fresh when `built` holds its present key and all its outputs are
there: then its files are put into an order of mtimes in which nothing is newer than what was made of it, even if a copy
from a bucket or a colleague mixed them. A stale job's key file is written anew, and Snakemake does the rest.

Key files stand on the disk of that process, even where results are in a bucket. A machine that runs single jobs and
does not see that disk writes them from the plan.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from foldline.io.files import atomic_write
from foldline.planning.result_store import SECOND, LocalResults
from foldline.planning.workflow_plan import Job, WorkflowPlan


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
    plan: WorkflowPlan,
    files_of: Callable[[Job], Files],
    *,
    results: LocalResults,
    stale: Callable[[Job], bool] = lambda job: False,
) -> list[Job]:
    """Bring the key files of all jobs up to date.

    Args:
        plan: the plan, its jobs in order.
        files_of: gives the files of a job.
        results: where the results are.
        stale: tells of jobs that are stale for another reason than their key.

    Returns:
        The jobs that are stale by themselves; jobs behind them run too.
    """
    found, disk = [], LocalResults()
    newest_output: dict[str, int] = {}
    for job in plan.jobs:
        files = files_of(job)
        mtimes = {path: results.mtime(path) for path in (files.built, *files.outputs)}
        missing = None in mtimes.values()
        if (benchmarked := results.mtime(files.benchmark)) is not None:
            mtimes[files.benchmark] = benchmarked
        if stale(job) or missing or not results.holds(files.built, job.key):
            found.append(job)
            # The second line makes the content new, else Snakemake takes equal bytes for an unchanged input. A job
            # of which nothing is there runs anyway.
            if set(mtimes.values()) != {None} or not disk.holds(files.key, job.key):
                _write(files.key, f"{job.key}\nstale at {time.time_ns()}\n")
            _order(results, mtimes, before=disk.mtime(files.key))
            continue
        if not disk.holds(files.key, job.key):
            _write(files.key, f"{job.key}\n")
        after = max((newest_output.get(need.name, 0) for need in job.needs), default=0)
        for path in mtimes:
            if mtimes[path] < after:
                results.set_mtime(path, after)
                mtimes[path] = after
        newest_output[job.name] = max(mtimes.values())
        _order(disk, {files.key: disk.mtime(files.key)}, before=min(mtimes.values()))
    return found


def restore(keys: Mapping[str, str]) -> None:
    """Write the key files that are not there.

    Args:
        keys: the key of each job by the path of its key file.
    """
    for path, key in keys.items():
        if not Path(path).is_file():
            _write(Path(path), f"{key}\n")


def _order(results: LocalResults, mtimes: Mapping[Path, int | None], *, before: int) -> None:
    """Put files a second before a moment, as clocks and roundings differ; files that are absent or older stay."""
    for path, moment in mtimes.items():
        if moment is not None and moment > before - SECOND:
            results.set_mtime(path, before - SECOND)


def _write(path: Path, text: str) -> None:
    # One that is lost is written again: no need to wait for the disk thousands of times.
    with atomic_write(path, mode="w", sync=False, encoding="utf-8") as handle:
        handle.write(text)
