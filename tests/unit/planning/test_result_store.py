"""One listing of a bucket tells which results are fresh, and answers Snakemake's questions about its objects."""

import asyncio
import base64
import hashlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.io.build_record import BuildRecord
from foldline.io.storage import ObjectInfo
from foldline.planning.job_keys import JobFiles, refresh
from foldline.planning.result_store import SECOND, BucketResults, LocalResults, check_data_is_visible, open_results
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
        found[f"{URL}/{rule}.built"] = ObjectInfo(6, content_of(record_text(rule)), 2_000_000_000)
        found[f"{URL}/{rule}.csv"] = ObjectInfo(9, content_of("scores\n"), (9 - number) * 1_000_000_000)
    return found


def record_text(rule: str, *, key: str = "key") -> str:
    md5 = content_of("scores\n").removeprefix("md5Hash:")
    return BuildRecord(f"{key}-{rule}", {f"{rule}.csv": (9, md5)}).text()


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
    monkeypatch.setattr(storage, "read", lambda url: record_text(Path(url).stem, key="old").encode())
    results = BucketResults(provider, URL, folder / "digests")

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
    objects[f"{URL}/second.built"] = ObjectInfo(6, content_of(record_text("second", key="old")), 2_000_000_000)
    del objects[f"{URL}/first.csv"]
    stale, cache = refreshed(plan, objects, tmp_path, monkeypatch)
    assert stale == ["first", "second"]
    assert cache.exists_in_storage[str(copy_of("first.csv"))] is False
    assert cache.mtime[str(copy_of("second.csv"))].storage() < (tmp_path / "second.key").stat().st_mtime


def test_a_bucket_whose_clock_is_ahead_hides_no_stale_job(
    plan: WorkflowPlan, objects: dict[str, ObjectInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects[f"{URL}/second.built"] = ObjectInfo(
        6, content_of(record_text("second", key="old")), 9_000_000_000_000_000_000
    )
    stale, cache = refreshed(plan, objects, tmp_path, monkeypatch)
    assert stale == ["second"]
    assert cache.mtime[str(copy_of("second.built"))].storage() < (tmp_path / "second.key").stat().st_mtime


@pytest.mark.parametrize(
    ("provider", "prefix"), [("s3", "s3://bucket/run"), ("s3", "gs://bucket/run"), ("gcs", "run"), ("gcs", None)]
)
def test_other_storage_is_refused(provider: str, prefix: str | None) -> None:
    storage = SimpleNamespace(default_storage_provider=provider, default_storage_prefix=prefix)
    with pytest.raises(FoldlineError, match=r"results can be on a disk that all jobs see .* or in a bucket"):
        open_results(storage, None, digests=Path("digests"))


def test_local_data_that_jobs_do_not_see_are_refused() -> None:
    apart = SimpleNamespace(shared_fs_usage=frozenset())
    with pytest.raises(FoldlineError, match=r"dataset\.root is the local folder 'data', but jobs run on machines that"):
        check_data_is_visible("data", apart)
    check_data_is_visible("gs://bucket/data", apart)
    check_data_is_visible("data", SimpleNamespace(shared_fs_usage=SharedFSUsage.all()))


def test_results_of_the_default_storage_provider_are_in_its_bucket(
    objects: dict[str, ObjectInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "list_objects", lambda prefix: objects if prefix == URL else {})
    settings = SimpleNamespace(default_storage_provider="gcs", default_storage_prefix=URL)
    results = open_results(settings, SimpleNamespace(default_storage_provider=Provider()), digests=tmp_path / "digests")
    monkeypatch.setattr(storage, "read", lambda url: record_text("first").encode())
    outputs = (copy_of("first.csv"),)
    assert results.unrecorded(copy_of("first.built"), outputs, "key-first") == []
    assert results.unrecorded(copy_of("first.built"), outputs, "key-of-now") is None
    assert results.unrecorded(copy_of("other.built"), outputs, "key-first") is None
    assert results.url(copy_of("first.csv")) == f"{URL}/first.csv"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (ObjectInfo(9, content_of("edited\n"), 1), [f"{URL}/first.csv is not as its job wrote it"]),
        (ObjectInfo(8, "crc32c:x", 1), [f"{URL}/first.csv is not as its job wrote it"]),
        (ObjectInfo(9, "crc32c:x", 1), []),
    ],
    ids=["edited", "other size", "composed object without an MD5"],
)
def test_an_edited_object_is_noticed(
    output: ObjectInfo,
    expected: list[str],
    objects: dict[str, ObjectInfo],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    objects[f"{URL}/first.csv"] = output
    monkeypatch.setattr(storage, "list_objects", lambda prefix: objects)
    monkeypatch.setattr(storage, "read", lambda url: record_text("first").encode())
    results = BucketResults(Provider(), URL, tmp_path / "digests")
    assert results.unrecorded(copy_of("first.built"), (copy_of("first.csv"),), "key-first") == expected


def test_without_a_storage_provider_results_are_local(tmp_path: Path) -> None:
    settings = SimpleNamespace(default_storage_provider=None)
    assert type(open_results(settings, None, digests=tmp_path / "digests")) is LocalResults


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, Path]:
    """A record on a disk, and its output."""
    output, record = tmp_path / "weights.h5", tmp_path / "fold0.built"
    output.write_text("weights")
    BuildRecord.of_files("key", [output], on_disk=True).write(record)
    # File systems tell times of change apart that are some milliseconds apart.
    time.sleep(0.02)
    return record, output


def unrecorded(built: tuple[Path, Path], digested: list[str]) -> list[str] | None:
    """Compare with the record; outputs that are digested are noted."""
    results = LocalResults(built[0].parent / "digests")
    digest = results._digests._digest
    results._digests._digest = lambda path: digested.append(path) or digest(path)
    different = results.unrecorded(built[0], built[1:], "key")
    results.save()
    return different


def test_outputs_that_were_not_touched_since_their_job_are_not_read(built: tuple[Path, Path]) -> None:
    digested: list[str] = []
    assert unrecorded(built, digested) == []
    assert digested == []


def test_outputs_that_were_touched_or_copied_are_digested_once(built: tuple[Path, Path], tmp_path: Path) -> None:
    digested: list[str] = []
    built[1].touch()
    assert unrecorded(built, digested) == unrecorded(built, digested) == []
    assert digested == [str(built[1])]
    copy = tuple(tmp_path / "copy" / path.name for path in built)
    copy[0].parent.mkdir()
    for source, target in zip(built, copy, strict=True):
        shutil.copy2(source, target)
    digested.clear()
    assert unrecorded(copy, digested) == unrecorded(copy, digested) == []
    assert digested == [str(copy[1])]


def test_an_output_whose_record_was_touched_later_is_digested(built: tuple[Path, Path]) -> None:
    digested: list[str] = []
    record = BuildRecord.read(built[0])
    replace(record, finished_ns=record.finished_ns - 100 * SECOND).write(built[0])
    assert unrecorded(built, digested) == []
    assert digested == [str(built[1])]


@pytest.mark.parametrize("content", ["weights and more", "WEIGHTS"])
def test_a_damaged_output_is_noticed_with_its_mtime_kept(built: tuple[Path, Path], content: str) -> None:
    mtime = built[1].stat().st_mtime_ns
    built[1].write_text(content)
    os.utime(built[1], ns=(mtime, mtime))
    expected = "has 16 bytes, but its job wrote 7" if len(content) > 7 else "is not as its job wrote it (MD5)"
    assert unrecorded(built, []) == [f"{built[1]} {expected}"]


@pytest.mark.parametrize("content", ["", "key\n", "[]", '{"key": "key"}', '{"key": "key", "outputs": {}}', "\0\n"])
def test_a_record_of_another_version_is_none(built: tuple[Path, Path], content: str) -> None:
    built[0].write_text(content)
    assert unrecorded(built, []) is None
