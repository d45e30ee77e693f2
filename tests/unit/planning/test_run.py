"""A run: where its own files are, and what the process that builds the DAG leaves for the processes of single jobs."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from fixtures.images import write_config, write_dataset
from fixtures.project import REPOSITORY
from foldline.errors import FoldlineError
from foldline.planning import run_lock
from foldline.planning.job_keys import JobFiles
from foldline.planning.result_store import LocalResults
from foldline.planning.run import Run, RunPaths, read_config
from foldline.planning.workflow_plan import Job, WorkflowPlan
from yaml import safe_load

SCHEMA_PATH = REPOSITORY / "config" / "config.schema.yaml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Descriptors of the locks that are held; they are released after the test."""
    held: list[int] = []
    hold = run_lock.hold

    def recorded(path: str | Path) -> int:
        held.append(hold(path))
        return held[-1]

    monkeypatch.setattr(run_lock, "hold", recorded)
    yield held
    for descriptor in held:
        os.close(descriptor)


@pytest.fixture
def paths() -> RunPaths:
    return RunPaths(lambda path: f"skin/{path}")


@pytest.fixture
def plan() -> WorkflowPlan:
    return WorkflowPlan(jobs=[Job("example_data", {}, {}, {}, (), "key-1")], tables={"train": "train.csv"})


def files_of(job: Job) -> JobFiles:
    return JobFiles(Path(f"{job.rule}.key"), Path(f"{job.rule}.built"), (), Path(f"{job.rule}.tsv"))


def test_files_for_all_jobs_are_beside_the_results(paths: RunPaths) -> None:
    assert paths.beside_results("plan.json") == "skin/plan.json"
    in_bucket = RunPaths(paths.below_prefix, bucket="gs://bucket/run")
    assert in_bucket.beside_results("plan.json") == "gs://bucket/run/skin/plan.json"


def test_a_relative_checkpoint_folder_is_beside_the_results(paths: RunPaths) -> None:
    assert paths.checkpoint_folder("checkpoints") == "skin/checkpoints"
    in_bucket = RunPaths(str, bucket="gs://bucket/run")
    assert in_bucket.checkpoint_folder("checkpoints") == "gs://bucket/run/checkpoints"


@pytest.mark.parametrize("root", ["/scratch/checkpoints", "gs://bucket/checkpoints"])
def test_working_directories_do_not_share_their_checkpoints(
    root: str, paths: RunPaths, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {paths.checkpoint_folder(root), RunPaths(str).checkpoint_folder(root)}
    (folder / "other").mkdir()
    monkeypatch.chdir(folder / "other")
    folders.add(paths.checkpoint_folder(root))
    assert len(folders) == 3
    assert {name.rpartition("/")[0] for name in folders} == {root}
    assert {len(name.rpartition("/")[2]) for name in folders} == {16}


def test_a_configuration_is_completed_and_the_command_line_wins() -> None:
    config = safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    completed = read_config(config, schema_path=SCHEMA_PATH, main_config=config, command_line={"folds": {"count": 3}})
    assert (completed["folds"]["count"], completed["folds"]["seed"]) == (3, 333)
    with pytest.raises(FoldlineError, match=r"folds\.count is 1"):
        read_config(config, schema_path=SCHEMA_PATH, main_config=config, command_line={"folds": {"count": 1}})


def test_a_job_loads_the_plan_and_writes_missing_key_files(plan: WorkflowPlan, paths: RunPaths, folder: Path) -> None:
    Run(plan, paths, LocalResults()).refresh_keys(files_of)
    (folder / "example_data.key").unlink()
    run = Run.load(paths)
    assert run.plan.tables == {"train": "train.csv"}
    assert (folder / "example_data.key").read_text() == "key-1\n"
    assert run.results is None


def test_a_job_that_does_not_see_the_disk_loads_the_plan_from_beside_the_results(
    plan: WorkflowPlan, folder: Path, descriptors: list[int]
) -> None:
    paths = RunPaths(str, bucket=str(folder / "bucket"))
    Run(plan, paths, LocalResults()).start()
    assert Run.load(paths).plan.tables == {"train": "train.csv"}
    assert len(descriptors) == 1


def test_a_single_job_takes_no_lock_and_refreshes_no_key(
    plan: WorkflowPlan, paths: RunPaths, folder: Path, descriptors: list[int]
) -> None:
    run = Run(plan, paths)
    run.start()
    run.refresh_keys(files_of)
    assert descriptors == []
    assert not (folder / "example_data.key").exists()


def test_a_run_locks_its_working_directory(plan: WorkflowPlan, paths: RunPaths, descriptors: list[int]) -> None:
    Run(plan, paths, LocalResults()).start()
    assert len(descriptors) == 1
    assert Path("skin/.foldline/run.lock").read_text().startswith(f"process {os.getpid()} on ")


@pytest.mark.parametrize("exists", [True, False])
def test_the_example_is_stale_if_its_files_are_gone(
    exists: bool, plan: WorkflowPlan, paths: RunPaths, folder: Path
) -> None:
    (folder / "example_data.built").write_text("key-1\n")
    Run(plan, paths, LocalResults(), example_exists=exists).refresh_keys(files_of)
    newer = (folder / "example_data.key").stat().st_mtime_ns > (folder / "example_data.built").stat().st_mtime_ns
    assert newer is not exists


def test_the_process_that_builds_the_dag_plans_all_jobs(folder: Path, paths: RunPaths) -> None:
    write_dataset(folder / "data")
    write_config(folder / "config.yaml", root=str(folder / "data"))
    given = safe_load((folder / "config.yaml").read_text())
    config = read_config(given, schema_path=SCHEMA_PATH, main_config=given, command_line={})
    settings = SimpleNamespace(shared_fs_usage=["input-output"], default_storage_provider=None)
    run = Run.prepare(config, paths, pinned=None, storage_settings=settings, storage_registry=None)
    assert {job.rule for job in run.plan.jobs} >= {"scan_images", "train_fold", "blend_folds", "export_ensemble"}
    assert run.example_exists
    assert (folder / "skin" / ".foldline").is_dir()
