"""Key files tell Snakemake, by mtime alone, exactly which jobs are stale.

Every rule has an input `key` and an output `built`. The process that builds the DAG writes the job's key into `key`; a
step that ended well records it in `built`, with the checksums of its other outputs. A job is fresh if `built` holds its
current key and all of its outputs are as recorded. The files of fresh jobs get mtimes in the order of the DAG, none of
them in the future, because a copy from a bucket or a colleague may have mixed them up. The key file of a stale job is
written anew, and Snakemake does the rest.

Key files are on the local disk of the process that builds the DAG, even if results are in a bucket. A machine that runs
single jobs and does not see that disk writes them from the plan.
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldline.errors import listing
from foldline.io.files import atomic_write
from foldline.planning.result_store import SECOND, LocalResults
from foldline.planning.workflow_plan import Job, WorkflowPlan

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobFiles:
    """Files of a job.

    Attributes:
        key: input that holds the key of the job.
        built: output that records the key from which the outputs were built, and what they were.
        outputs: the other outputs; no two have one file name.
        benchmark: benchmark file. Snakemake reads its mtime as that of an output, but it may be missing.
    """

    key: Path
    built: Path
    outputs: tuple[Path, ...]
    benchmark: Path


def refresh(
    plan: WorkflowPlan,
    files_of: Callable[[Job], JobFiles],
    results: LocalResults,
    *,
    is_forced: Callable[[Job], bool] = lambda job: False,
) -> list[Job]:
    """Bring the key files of all jobs up to date.

    Args:
        plan: the plan.
        files_of: returns the files of a job.
        results: where the results are.
        is_forced: returns whether a job is stale for another reason than its key.

    Returns:
        The jobs that are stale themselves; the jobs that need them run too.
    """
    stale: list[Job] = []
    newest_output: dict[str, int] = {}
    for job in plan.jobs:
        files = files_of(job)
        mtimes = read_mtimes(files, results)
        if is_forced(job) or not is_fresh(job, files, mtimes, results):
            mark_stale(files, job.key, mtimes, results)
            stale.append(job)
        else:
            newest_input = max((newest_output.get(need.name, 0) for need in job.needs), default=0)
            newest_output[job.name] = order_mtimes(files, job.key, mtimes, results, newest_input=newest_input)
    return stale


def job_facts(
    plan: WorkflowPlan, files_of: Callable[[Job], JobFiles], results: LocalResults
) -> dict[str, dict[str, Any]]:
    """The `step.JobFacts` of all jobs, by the name of the job; arguments as `refresh`."""
    dependents: dict[str, list[str]] = {job.name: [] for job in plan.jobs}
    records: dict[str, dict[str, str]] = {}
    for job in plan.jobs:
        files = files_of(job)
        # Jobs come after those that they need.
        records[job.name] = {str(path): str(files.built) for path in files.outputs}
        for need in job.needs:
            dependents[need.name].append(results.url(files.built))
    return {
        job.name: {
            "key": job.key,
            "script": f"{job.rule}.py",
            "code": job.code,
            "dependents": dependents[job.name],
            "records": _records_of_inputs(job, records) if results.on_disk else {},
            "on_disk": results.on_disk,
            "raw_files": job.raw_files,
        }
        for job in plan.jobs
    }


def _records_of_inputs(job: Job, records: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Path of the record of each output of the jobs that a job needs."""
    return {path: built for need in job.needs for path, built in records[need.name].items()}


def read_mtimes(files: JobFiles, results: LocalResults) -> dict[Path, int]:
    """Mtimes in ns of those outputs of a job that exist, `built` and the benchmark included."""
    mtimes = {path: results.mtime(path) for path in (files.built, *files.outputs, files.benchmark)}
    return {path: mtime for path, mtime in mtimes.items() if mtime is not None}


def is_fresh(job: Job, files: JobFiles, mtimes: Mapping[Path, int], results: LocalResults) -> bool:
    """Whether all outputs of a job exist, were built from its current key, and are as the job wrote them.

    Args:
        job: the job.
        files: its files.
        mtimes: see `read_mtimes`.
        results: where the results are.
    """
    if not all(path in mtimes for path in (files.built, *files.outputs)):
        return False
    different = results.unrecorded(files.built, files.outputs, job.key)
    if different:
        logger.warning("%s; %s runs again", listing(different), job.name)
    return different == []


def mark_stale(files: JobFiles, key: str, mtimes: Mapping[Path, int], results: LocalResults) -> None:
    """Make Snakemake run a job: its key file gets new content and becomes newer than its outputs.

    If no output exists, Snakemake runs the job anyway; then a key file that holds the current key is left alone.

    Args:
        files: files of the job.
        key: current key of the job.
        mtimes: see `read_mtimes`.
        results: where the results are.
    """
    if mtimes or not _holds(files.key, key):
        # Snakemake takes a newer file with equal content for unchanged, so the second line changes every time.
        _write_key(files.key, f"{key}\nstale at {time.time_ns()}\n")
    latest = files.key.stat().st_mtime_ns - SECOND
    # Clocks of other machines may be ahead.
    newer = {path: mtime for path, mtime in mtimes.items() if mtime > latest}
    if newer and results.read_only:
        _set_mtime(files.key, max(newer.values()) + SECOND)
    for path in newer:
        results.set_mtime(path, latest)


def order_mtimes(
    files: JobFiles, key: str, mtimes: Mapping[Path, int], results: LocalResults, *, newest_input: int
) -> int:
    """Make Snakemake leave a fresh job alone: its outputs become no older than its inputs, and none is in the future.

    Args:
        files: files of the job.
        key: current key of the job, which its key file holds afterwards.
        mtimes: see `read_mtimes`.
        results: where the results are.
        newest_input: mtime in ns of the newest output of the jobs that this one needs; 0 if it needs none.

    Returns:
        Mtime in ns of the newest output.
    """
    if not _holds(files.key, key):
        _write_key(files.key, f"{key}\n")
    now = time.time_ns()
    ordered = {path: max(min(mtime, now), newest_input) for path, mtime in mtimes.items()}
    for path, mtime in ordered.items():
        if mtime != mtimes[path]:
            results.set_mtime(path, mtime)
    latest_key = min(ordered.values()) - SECOND
    if files.key.stat().st_mtime_ns > latest_key:
        _set_mtime(files.key, latest_key)
    return max(ordered.values())


def write_missing_keys(keys: Mapping[str, str]) -> None:
    """Write the key files that do not exist.

    Args:
        keys: the key of each job, by the path of its key file.
    """
    for path, key in keys.items():
        if not Path(path).is_file():
            _write_key(Path(path), f"{key}\n")


def _holds(path: Path, key: str) -> bool:
    """Whether the first line of a key file is `key`."""
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as handle:
        return handle.readline().rstrip("\n") == key
    return False


def _set_mtime(path: Path, mtime: int) -> None:
    os.utime(path, ns=(mtime, mtime))


def _write_key(path: Path, text: str) -> None:
    # A key file that is lost is written again, so there is no need to wait for the disk thousands of times.
    with atomic_write(path, mode="w", sync=False, encoding="utf-8") as handle:
        handle.write(text)
