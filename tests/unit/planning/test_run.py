"""A run: where its own files are, and what the process that builds the DAG leaves for the processes of single jobs."""

import fcntl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fixtures.images import write_config, write_dataset
from fixtures.project import REPOSITORY
from foldline.errors import FoldlineError
from foldline.io.build_record import BuildRecord
from foldline.planning.config_reader import ConfigSource, read_config
from foldline.planning.job_keys import JobFiles
from foldline.planning.result_store import LocalResults
from foldline.planning.run import Run, RunPaths
from foldline.planning.run_lock import RunLock
from foldline.planning.workflow_plan import Job, WorkflowPlan
from yaml import safe_load

SCHEMA_PATH = REPOSITORY / "config" / "config.schema.yaml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def results(folder: Path) -> LocalResults:
    return LocalResults(folder / "digests")


@pytest.fixture
def lock(folder: Path) -> Iterator[RunLock]:
    """The lock of the working directory."""
    lock = RunLock(folder / "run.lock")
    yield lock
    lock.release()


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


def test_a_job_loads_the_plan_and_writes_missing_key_files(plan: WorkflowPlan, paths: RunPaths, folder: Path) -> None:
    plan.config = {"folds": {"count": 3}}
    Run(plan, paths, LocalResults(folder / "digests")).refresh_keys(files_of)
    (folder / "example_data.key").unlink()
    run = Run.load(paths)
    assert run.plan.tables == {"train": "train.csv"}
    assert run.plan.config == {"folds": {"count": 3}}
    assert run.plan.job_facts("example_data", {})["key"] == "key-1"
    assert (folder / "example_data.key").read_text() == "key-1\n"
    assert run.results is None


def test_a_job_that_does_not_see_the_disk_loads_the_plan_from_beside_the_results(
    plan: WorkflowPlan, folder: Path, results: LocalResults, lock: RunLock
) -> None:
    paths = RunPaths(str, bucket=str(folder / "bucket"))
    Run(plan, paths, results, lock).start()
    assert Run.load(paths).plan.tables == {"train": "train.csv"}
    assert (folder / "run.lock").read_text().startswith("running, process")


def test_a_single_job_takes_no_lock_and_refreshes_no_key(plan: WorkflowPlan, paths: RunPaths, folder: Path) -> None:
    run = Run(plan, paths)
    run.start()
    run.refresh_keys(files_of)
    assert not (folder / "example_data.key").exists()
    assert not (folder / "skin" / ".foldline").exists()


SCORES, SCORED, SUBMISSION = "results/test_metrics.json", "results/keys/score_test.built", "results/submission.csv"
HOLDOUT, HOLDOUT_SCORED = "results/holdout_metrics.json", "results/keys/score_holdout.built"


@pytest.mark.parametrize(
    ("jobs", "tables", "left"),
    [
        (["score_test"], ["train", "test"], [SCORES, SCORED, SUBMISSION]),
        (["score_holdout"], ["train"], [HOLDOUT, HOLDOUT_SCORED]),
        ([], ["train", "test"], [SUBMISSION]),
        ([], ["train"], []),
    ],
)
def test_scores_and_submission_that_a_run_does_not_make_are_removed_at_its_start(
    jobs: list[str],
    tables: list[str],
    left: list[str],
    folder: Path,
    results: LocalResults,
    lock: RunLock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = WorkflowPlan(
        jobs=[Job(rule, {}, {}, {}, (), "key-1") for rule in jobs], tables=dict.fromkeys(tables, "a.csv")
    )
    files = [SCORES, SCORED, HOLDOUT, HOLDOUT_SCORED, SUBMISSION, "results/metrics.json"]
    for name in files:
        (folder / "skin" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "skin" / name).touch()
    run = Run(plan, RunPaths(lambda path: f"skin/{path}"), results, lock)
    run.refresh_keys(files_of)
    # A dry run ends here; a job in a process of its own has no lock.
    Run(plan, run.paths).start()
    assert all((folder / "skin" / name).is_file() for name in files)
    run.start()
    assert [name for name in files if (folder / "skin" / name).is_file()] == [*left, "results/metrics.json"]
    assert caplog.text.count("of an earlier run, because") == 5 - len(left)


@pytest.mark.parametrize("exists", [True, False])
def test_the_example_is_stale_if_its_files_are_gone(
    exists: bool, plan: WorkflowPlan, paths: RunPaths, folder: Path, results: LocalResults
) -> None:
    BuildRecord.of_files("key-1", [], on_disk=True).write(folder / "example_data.built")
    Run(plan, paths, results, example_exists=exists).refresh_keys(files_of)
    newer = (folder / "example_data.key").stat().st_mtime_ns > (folder / "example_data.built").stat().st_mtime_ns
    assert newer is not exists


def prepared(folder: Path, paths: RunPaths) -> Run:
    """A run of a small data set."""
    if not (folder / "data").exists():
        write_dataset(folder / "data")
        write_config(folder / "config.yaml", root=str(folder / "data"))
    given = safe_load((folder / "config.yaml").read_text())
    config = read_config(given, schema_path=SCHEMA_PATH, source=ConfigSource(given, command_line={}))
    settings = SimpleNamespace(shared_fs_usage=["input-output"], default_storage_provider=None)
    return Run.prepare(config, paths, pinned=None, storage_settings=settings, storage_registry=None)


def test_the_process_that_builds_the_dag_plans_all_jobs(folder: Path, paths: RunPaths) -> None:
    run = prepared(folder, paths)
    assert {job.rule for job in run.plan.jobs} >= {"scan_images", "train_fold", "blend_folds", "export_ensemble"}
    assert run.plan.config["folds"]["count"] == 2
    assert run.example_exists
    assert (folder / "skin" / ".foldline" / "data_index.parquet").is_file()
    run.lock.release()


def test_beside_a_run_everything_is_planned_in_a_private_folder(
    folder: Path, paths: RunPaths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepared(folder, paths).lock.release()
    before = {path: path.read_bytes() for path in (folder / "skin").rglob("*") if path.is_file()}

    def busy(lock: RunLock, path: Path) -> None:
        lock.holder, lock._path = "running, process 7 on laptop", path

    monkeypatch.setattr(RunLock, "__init__", busy)
    run = prepared(folder, paths)
    run.refresh_keys(lambda job: JobFiles(Path(run.paths.of_planning(f"{job.name}.key")), Path("x"), (), Path("y")))
    assert "another run works in this directory (running, process 7 on laptop)" in caplog.text
    assert {path: path.read_bytes() for path in (folder / "skin").rglob("*") if path.is_file()} == before
    private = Path(run.paths.private)
    assert not private.is_relative_to(folder)
    assert (private / "skin" / "results/keys/plan.json").is_file()
    with pytest.raises(FoldlineError, match=r"another run works in this directory \(running, process 7 on laptop\)"):
        run.start()


def test_a_check_lets_other_runs_start(
    plan: WorkflowPlan, paths: RunPaths, folder: Path, results: LocalResults
) -> None:
    lock = RunLock(folder / "check.lock")
    Run(plan, paths, results, lock).start_check(local=True)
    with (folder / "check.lock").open() as handle:
        # Would block, which is an error here.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not (folder / "skin").exists()


def test_a_job_elsewhere_does_not_load_the_plan_of_another_run(plan: WorkflowPlan, lock: RunLock) -> None:
    paths = RunPaths(lambda path: f"skin/{path}", private="/tmp/private")
    lock.holder = "running, process 7 on laptop"
    try:
        with pytest.raises(FoldlineError, match=r"process 7 on laptop.*without --executor"):
            Run(plan, paths, None, lock).start_check(local=False)
    finally:
        lock.holder = ""


def test_a_job_elsewhere_loads_the_plan_of_the_check(
    plan: WorkflowPlan, paths: RunPaths, results: LocalResults, lock: RunLock
) -> None:
    Run(plan, paths, results, lock).start_check(local=False)
    assert WorkflowPlan.load("skin/results/keys/plan.json").tables == plan.tables
