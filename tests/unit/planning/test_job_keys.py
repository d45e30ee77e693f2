"""Key files and mtimes: the key of a stale job is newer than its outputs, that of a fresh one is not."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from foldline.io.build_record import BuildRecord
from foldline.io.settings import build
from foldline.planning.job_keys import (
    JobFiles,
    is_fresh,
    job_facts,
    mark_stale,
    order_mtimes,
    read_mtimes,
    refresh,
    write_missing_keys,
)
from foldline.planning.result_store import SECOND, LocalResults
from foldline.planning.workflow_plan import Job, WorkflowPlan
from foldline.step import JobFacts

FilesOf = Callable[[Job], JobFiles]


@pytest.fixture
def results(tmp_path: Path) -> LocalResults:
    return LocalResults(tmp_path / "digests")


@pytest.fixture
def plan() -> WorkflowPlan:
    """A job, and a second one that needs it."""
    first = Job("first", {}, {}, {}, (), "key-1", "code-1")
    return WorkflowPlan(jobs=[first, Job("second", {}, {}, {}, (first,), "key-2")])


@pytest.fixture
def files_of(tmp_path: Path, plan: WorkflowPlan) -> FilesOf:
    """Files of the jobs, all of which exist as after a run; no benchmarks."""

    def files(job: Job) -> JobFiles:
        key, built, output, benchmark = (tmp_path / f"{job.rule}.{name}" for name in ("key", "built", "csv", "tsv"))
        return JobFiles(key, built, (output,), benchmark)

    for job in plan.jobs:
        files(job).key.write_text(f"{job.key}\n")
        files(job).outputs[0].write_text("x")
        record(files(job), job.key)
    return files


def record(files: JobFiles, key: str) -> None:
    """Record the outputs of a job as they are."""
    BuildRecord.of_files(key, files.outputs, on_disk=True).write(files.built)


@pytest.fixture
def files(plan: WorkflowPlan, files_of: FilesOf) -> JobFiles:
    """Files of the first job, as after a run."""
    return files_of(plan.jobs[0])


def mtime(path: Path) -> int:
    return path.stat().st_mtime_ns


def set_mtimes(mtimes: dict[Path, int]) -> None:
    for path, value in mtimes.items():
        os.utime(path, ns=(value, value))


def outputs_of(files: JobFiles) -> list[Path]:
    return [path for path in (files.built, *files.outputs, files.benchmark) if path.exists()]


def fresh(job: Job, files: JobFiles, results: LocalResults) -> bool:
    return is_fresh(job, files, read_mtimes(files, results), results)


@pytest.fixture
def job(plan: WorkflowPlan) -> Job:
    return plan.jobs[0]


def test_a_job_with_all_outputs_and_the_current_key_is_fresh(job: Job, files: JobFiles, results: LocalResults) -> None:
    assert fresh(job, files, results)


def test_a_benchmark_may_be_missing_and_counts_if_it_exists(files: JobFiles, results: LocalResults) -> None:
    assert set(read_mtimes(files, results)) == {files.built, *files.outputs}
    files.benchmark.write_text("s")
    assert read_mtimes(files, results)[files.benchmark] == mtime(files.benchmark)


@pytest.mark.parametrize("name", ["built", "outputs"])
def test_a_job_with_a_missing_output_is_not_fresh(job: Job, files: JobFiles, results: LocalResults, name: str) -> None:
    (files.built if name == "built" else files.outputs[0]).unlink()
    assert not fresh(job, files, results)


def test_a_job_built_from_another_key_is_not_fresh(job: Job, files: JobFiles, results: LocalResults) -> None:
    assert not fresh(replace(job, key="key-of-now"), files, results)


def test_an_edited_output_is_not_fresh_and_is_named(
    job: Job, files: JobFiles, results: LocalResults, caplog: pytest.LogCaptureFixture
) -> None:
    # File systems tell times of change apart that are some milliseconds apart.
    time.sleep(0.02)
    files.outputs[0].write_text("y")
    assert not fresh(job, files, results)
    assert f"{files.outputs[0]} is not as its job wrote it (MD5); first runs again" in caplog.text


def test_steps_get_the_key_of_their_job_and_the_records_that_depend_on_it(
    plan: WorkflowPlan, files_of: FilesOf, results: LocalResults
) -> None:
    facts = job_facts(plan, files_of, results)
    assert facts["first"] == {
        "key": "key-1",
        "script": "first.py",
        "code": "code-1",
        "dependents": [str(files_of(plan.jobs[1]).built)],
        "records": {},
        "on_disk": True,
        "raw_files": {},
    }
    assert facts["second"]["dependents"] == []
    first = files_of(plan.jobs[0])
    assert facts["second"]["records"] == {str(path): str(first.built) for path in first.outputs}
    assert facts["second"]["records"]
    build(JobFacts, facts["first"])


def test_the_key_file_of_a_stale_job_gets_new_content_and_is_newer_than_outputs(
    files: JobFiles, results: LocalResults
) -> None:
    before = files.key.read_text()
    mark_stale(files, "key-1", read_mtimes(files, results), results)
    # Snakemake takes a newer file with the same content for unchanged.
    assert files.key.read_text() != before
    assert files.key.read_text().startswith("key-1\n")
    assert mtime(files.key) > max(map(mtime, outputs_of(files)))


def test_outputs_of_a_stale_job_from_the_future_become_older_than_its_key_file(
    files: JobFiles, results: LocalResults
) -> None:
    files.benchmark.write_text("s")
    past, future = time.time_ns() - 10 * SECOND, time.time_ns() + 1000 * SECOND
    set_mtimes({files.built: future, files.outputs[0]: past, files.benchmark: future})
    mark_stale(files, "key-1", read_mtimes(files, results), results)
    assert mtime(files.key) - mtime(files.built) >= SECOND
    assert mtime(files.key) - mtime(files.benchmark) >= SECOND
    assert mtime(files.outputs[0]) == past


def test_without_outputs_a_key_file_is_written_only_if_it_lacks_the_key(files: JobFiles, results: LocalResults) -> None:
    before = mtime(files.key)
    mark_stale(files, "key-1", {}, results)
    assert (files.key.read_text(), mtime(files.key)) == ("key-1\n", before)
    mark_stale(files, "key-of-now", {}, results)
    assert files.key.read_text().startswith("key-of-now\n")


def test_outputs_of_a_fresh_job_become_as_new_as_its_newest_input(files: JobFiles, results: LocalResults) -> None:
    set_mtimes({files.key: 100 * SECOND, files.built: 200 * SECOND, files.outputs[0]: 400 * SECOND})
    newest = order_mtimes(files, "key-1", read_mtimes(files, results), results, newest_input=300 * SECOND)
    assert [mtime(path) // SECOND for path in (files.key, files.built, files.outputs[0])] == [100, 300, 400]
    assert newest == 400 * SECOND


def test_the_key_file_of_a_fresh_job_becomes_older_than_its_oldest_output(
    files: JobFiles, results: LocalResults
) -> None:
    set_mtimes({files.key: 900 * SECOND, files.built: 200 * SECOND, files.outputs[0]: 400 * SECOND})
    newest = order_mtimes(files, "key-1", read_mtimes(files, results), results, newest_input=0)
    assert [mtime(path) // SECOND for path in (files.key, files.built, files.outputs[0])] == [199, 200, 400]
    assert newest == 400 * SECOND


def test_a_key_file_that_is_lost_or_from_an_edit_that_was_undone_gets_the_key(
    files: JobFiles, results: LocalResults
) -> None:
    for prepare in (files.key.unlink, lambda: files.key.write_text("key-of-an-edit\n")):
        prepare()
        order_mtimes(files, "key-1", read_mtimes(files, results), results, newest_input=0)
        assert files.key.read_text() == "key-1\n"
        assert mtime(files.key) < min(map(mtime, outputs_of(files)))


def test_outputs_of_a_fresh_job_from_the_future_are_dated_now(files: JobFiles, results: LocalResults) -> None:
    future = time.time_ns() + 1000 * SECOND
    set_mtimes({files.built: future, files.outputs[0]: future + SECOND})
    newest = order_mtimes(files, "key-1", read_mtimes(files, results), results, newest_input=0)
    assert max(map(mtime, outputs_of(files))) == newest <= time.time_ns()
    assert mtime(files.key) < min(map(mtime, outputs_of(files)))


def test_beside_another_run_no_mtime_of_a_result_changes(plan: WorkflowPlan, files_of: FilesOf, tmp_path: Path) -> None:
    first, second = map(files_of, plan.jobs)
    future = time.time_ns() + 1000 * SECOND
    record(second, "key-of-old")
    set_mtimes({first.outputs[0]: future, second.built: future, second.outputs[0]: 5 * SECOND})
    before = {path: mtime(path) for files in (first, second) for path in outputs_of(files)}
    assert refresh(plan, files_of, LocalResults(tmp_path / "digests", read_only=True)) == plan.jobs[1:]
    assert {path: mtime(path) for path in before} == before
    assert mtime(second.key) > future


@pytest.mark.parametrize("seed", range(6))
def test_fresh_jobs_with_mtimes_in_any_order_are_put_in_the_order_of_the_dag(
    plan: WorkflowPlan, files_of: FilesOf, seed: int, results: LocalResults
) -> None:
    paths = [path for job in plan.jobs for path in (files_of(job).key, *outputs_of(files_of(job)))]
    seconds = np.random.default_rng(seed).permutation(len(paths))
    set_mtimes({path: int(1000 + second) * SECOND for path, second in zip(paths, seconds, strict=True)})
    assert refresh(plan, files_of, results) == []
    upstream, downstream = map(files_of, plan.jobs)
    for files in (upstream, downstream):
        assert mtime(files.key) < min(map(mtime, outputs_of(files)))
    assert max(map(mtime, outputs_of(upstream))) <= min(map(mtime, outputs_of(downstream)))


def test_a_second_refresh_changes_no_mtime(
    plan: WorkflowPlan, files_of: FilesOf, tmp_path: Path, results: LocalResults
) -> None:
    refresh(plan, files_of, results)
    before = {path: mtime(path) for path in tmp_path.iterdir()}
    refresh(plan, files_of, results)
    assert {path: mtime(path) for path in tmp_path.iterdir()} == before


def test_only_the_jobs_that_are_stale_themselves_are_returned(
    plan: WorkflowPlan, files_of: FilesOf, results: LocalResults
) -> None:
    first, second = plan.jobs
    record(files_of(second), "key-of-old")
    assert refresh(plan, files_of, results) == [second]
    assert refresh(plan, files_of, results, is_forced=lambda job: job is first) == [first, second]
    record(files_of(second), "key-2")
    assert refresh(plan, files_of, results, is_forced=lambda job: job is first) == [first]
    for files, stale in ((files_of(first), True), (files_of(second), False)):
        assert (mtime(files.key) > max(map(mtime, outputs_of(files)))) is stale


def test_a_machine_without_key_files_writes_them_from_the_plan(tmp_path: Path) -> None:
    (tmp_path / "there.key").write_text("as it was\n")
    write_missing_keys({str(tmp_path / "keys" / "new.key"): "k", str(tmp_path / "there.key"): "other"})
    assert (tmp_path / "keys" / "new.key").read_text() == "k\n"
    assert (tmp_path / "there.key").read_text() == "as it was\n"
