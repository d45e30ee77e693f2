"""Key files speak to Snakemake by mtime: stale jobs get a newer one, fresh jobs an order in which nothing is newer."""

import os
from pathlib import Path

import pytest
from foldline.planning.job_keys import Files, refresh
from foldline.planning.result_store import LocalResults
from foldline.planning.workflow_plan import Job, WorkflowPlan


@pytest.fixture
def plan() -> WorkflowPlan:
    first = Job("first", {}, {}, {}, (), "key-1")
    return WorkflowPlan(jobs=[first, Job("second", {}, {}, {}, (first,), "key-2")])


@pytest.fixture
def files_of(tmp_path: Path, plan: WorkflowPlan):
    def files(job: Job) -> Files:
        return Files(
            *(tmp_path / f"{job.rule}.{name}" for name in ("key", "built")), (tmp_path / job.rule,), tmp_path / "b"
        )

    for job in plan.jobs:
        files(job).built.write_text(f"{job.key}\n")
        files(job).key.write_text(f"{job.key}\n")
        files(job).outputs[0].write_text("x")
    return files


def times(files: Files) -> tuple[int, int]:
    return files.key.stat().st_mtime_ns, min(path.stat().st_mtime_ns for path in (files.built, *files.outputs))


@pytest.mark.parametrize("seed", range(6))
def test_fresh_jobs_are_put_in_order(plan: WorkflowPlan, files_of, seed: int) -> None:
    paths = [path for job in plan.jobs for path in (files_of(job).key, files_of(job).built, *files_of(job).outputs)]
    for index, path in enumerate(paths):
        os.utime(path, (1000 + index * (seed + 1) * 7 % 11, 1000 + index * (seed + 1) * 7 % 11))
    assert refresh(plan, files_of, results=LocalResults()) == []
    assert all(key <= output for key, output in map(times, map(files_of, plan.jobs)))
    upstream, downstream = map(files_of, plan.jobs)
    assert max(path.stat().st_mtime_ns for path in (upstream.built, *upstream.outputs)) <= times(downstream)[1]


def test_another_key_makes_a_job_stale(plan: WorkflowPlan, files_of) -> None:
    files_of(plan.jobs[1]).built.write_text("key-of-old\n")
    assert refresh(plan, files_of, results=LocalResults()) == [plan.jobs[1]]
    key, output = times(files_of(plan.jobs[1]))
    assert key > output
    assert files_of(plan.jobs[1]).key.read_text().startswith("key-2\n")


@pytest.mark.parametrize("name", ["built", "outputs"])
def test_a_missing_output_makes_a_job_stale(plan: WorkflowPlan, files_of, name: str) -> None:
    files = files_of(plan.jobs[0])
    (files.built if name == "built" else files.outputs[0]).unlink()
    before = files.key.read_text()
    assert refresh(plan, files_of, results=LocalResults()) == [plan.jobs[0]]
    # Snakemake takes a newer file with the same content for unchanged.
    assert files.key.read_text() != before


def test_the_key_of_a_job_of_which_nothing_is_there_is_written_once(plan: WorkflowPlan, files_of) -> None:
    files = files_of(plan.jobs[0])
    files.built.unlink()
    files.outputs[0].unlink()
    before = files.key.stat().st_mtime_ns
    assert refresh(plan, files_of, results=LocalResults()) == [plan.jobs[0]]
    assert files.key.stat().st_mtime_ns == before
    files.key.write_text("another\n")
    refresh(plan, files_of, results=LocalResults())
    assert files.key.read_text().startswith("key-1\n")


def test_a_key_that_was_changed_and_changed_back_is_fresh(plan: WorkflowPlan, files_of) -> None:
    files = files_of(plan.jobs[0])
    files.key.write_text("key-of-an-edit-that-was-undone\n")
    assert refresh(plan, files_of, results=LocalResults()) == []
    assert files.key.read_text() == "key-1\n"
    key, output = times(files)
    assert key <= output


def test_other_reasons_count(plan: WorkflowPlan, files_of) -> None:
    assert refresh(plan, files_of, results=LocalResults(), stale=lambda job: job.rule == "first") == [plan.jobs[0]]
