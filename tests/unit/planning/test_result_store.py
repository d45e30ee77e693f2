"""One listing of a bucket tells which results are fresh, and answers Snakemake's questions about its objects."""

import asyncio
import base64
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.io.storage import ObjectInfo
from foldline.planning.job_keys import JobFiles, refresh
from foldline.planning.result_store import BucketResults, LocalResults, check_data_is_visible, open_results
from foldline.planning.workflow_plan import Job, WorkflowPlan
from snakemake_interface_executor_plugins.settings import SharedFSUsage

COPIES = Path(".snakemake/storage/gcs")
URL = "gs://bucket/run"


class Provider:
    """The attributes of a Snakemake storage provider that are used."""

    local_prefix = COPIES

    def get_storage_object_cls(self) -> type:
        return SimpleNamespace


def content_of(text: str) -> str:
    return f"md5Hash:{base64.b64encode(hashlib.md5(text.encode()).digest()).decode()}"


@pytest.fixture
def objects() -> dict[str, ObjectInfo]:
    """Two jobs that ended well, each with an output; that of the upstream job was copied last."""
    found = {}
    for number, rule in enumerate(("first", "second")):
        found[f"{URL}/{rule}.built"] = ObjectInfo(6, content_of(f"key-{rule}\n"), 2_000_000_000)
        found[f"{URL}/{rule}.csv"] = ObjectInfo(9, "crc32c:x", (9 - number) * 1_000_000_000)
    return found


@pytest.fixture
def plan() -> WorkflowPlan:
    first = Job("first", {}, {}, {}, (), "key-first")
    return WorkflowPlan(jobs=[first, Job("second", {}, {}, {}, (first,), "key-second")])


def copy_of(name: str) -> Path:
    return COPIES / "bucket" / "run" / name


def refreshed(plan: WorkflowPlan, objects: dict[str, ObjectInfo], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stale jobs, and Snakemake's cache of file facts after it requested an inventory."""
    monkeypatch.setattr(storage, "list_objects", lambda prefix: objects)
    provider = Provider()
    results = BucketResults(provider, URL)

    def files_of(job: Job) -> JobFiles:
        outputs = (copy_of(f"{job.rule}.csv"),)
        return JobFiles(folder / f"{job.rule}.key", copy_of(f"{job.rule}.built"), outputs, copy_of(f"{job.rule}.tsv"))

    stale = refresh(plan, files_of, results)
    cache = SimpleNamespace(exists_in_storage={}, mtime={})
    asyncio.run(provider.get_storage_object_cls()().inventory(cache))
    return [job.rule for job in stale], cache


def test_a_bucket_with_mtimes_in_any_order_is_fresh(
    plan: WorkflowPlan, objects: dict[str, ObjectInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale, cache = refreshed(plan, objects, tmp_path, monkeypatch)
    assert stale == []
    moment = {name: cache.mtime[str(copy_of(name))].storage() for name in ("first.csv", "second.csv", "second.built")}
    assert moment["first.csv"] == 9
    assert moment["second.csv"] >= 9
    assert moment["second.built"] >= 9
    assert (tmp_path / "second.key").stat().st_mtime < 9
    assert cache.exists_in_storage[str(copy_of("first.tsv"))] is False


def test_a_job_with_another_key_or_a_missing_object_is_stale(
    plan: WorkflowPlan, objects: dict[str, ObjectInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects[f"{URL}/second.built"] = ObjectInfo(6, content_of("key-of-old\n"), 2_000_000_000)
    del objects[f"{URL}/first.csv"]
    stale, cache = refreshed(plan, objects, tmp_path, monkeypatch)
    assert stale == ["first", "second"]
    assert cache.exists_in_storage[str(copy_of("first.csv"))] is False
    assert cache.mtime[str(copy_of("second.csv"))].storage() < (tmp_path / "second.key").stat().st_mtime


def test_a_bucket_whose_clock_is_ahead_hides_no_stale_job(
    plan: WorkflowPlan, objects: dict[str, ObjectInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects[f"{URL}/second.built"] = ObjectInfo(6, content_of("key-of-old\n"), 9_000_000_000_000_000_000)
    stale, cache = refreshed(plan, objects, tmp_path, monkeypatch)
    assert stale == ["second"]
    assert cache.mtime[str(copy_of("second.built"))].storage() < (tmp_path / "second.key").stat().st_mtime


@pytest.mark.parametrize(
    ("provider", "prefix"), [("s3", "s3://bucket/run"), ("s3", "gs://bucket/run"), ("gcs", "run"), ("gcs", None)]
)
def test_other_storage_is_refused(provider: str, prefix: str | None) -> None:
    storage = SimpleNamespace(default_storage_provider=provider, default_storage_prefix=prefix)
    with pytest.raises(FoldlineError, match=r"results can be on a disk that all jobs see .* or in a bucket"):
        open_results(storage, None)


def test_local_data_that_jobs_do_not_see_are_refused() -> None:
    apart = SimpleNamespace(shared_fs_usage=frozenset())
    with pytest.raises(FoldlineError, match=r"dataset\.root is the local folder 'data', but jobs run on machines that"):
        check_data_is_visible("data", apart)
    check_data_is_visible("gs://bucket/data", apart)
    check_data_is_visible("data", SimpleNamespace(shared_fs_usage=SharedFSUsage.all()))


def test_results_of_the_default_storage_provider_are_in_its_bucket(
    objects: dict[str, ObjectInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "list_objects", lambda prefix: objects if prefix == URL else {})
    settings = SimpleNamespace(default_storage_provider="gcs", default_storage_prefix=URL)
    results = open_results(settings, SimpleNamespace(default_storage_provider=Provider()))
    assert results.holds(copy_of("first.built"), "key-first")
    assert not results.holds(copy_of("first.built"), "key-of-old")


def test_without_a_storage_provider_results_are_local() -> None:
    assert type(open_results(SimpleNamespace(default_storage_provider=None), None)) is LocalResults
