"""Checkpoints have two generations, survive damage, belong to one process, and take no more time than allowed."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from foldline.errors import FoldlineError, StoppedError
from foldline.training import checkpoints as module
from foldline.training.checkpoint_store import BucketStore
from foldline.training.checkpoints import Checkpoints
from foldline.training.snapshot_file import Snapshot
from foldline.training.training_config import CheckpointConfig

JOB, KEY = "m.fold1", "key"


def opened(root: str | Path, key: str = KEY, job: str = JOB) -> Checkpoints:
    return Checkpoints(CheckpointConfig(str(root), seconds=60, share=0.01), job, key)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Checkpoints]:
    """Checkpoints on a disk."""
    checkpoints = opened(tmp_path)
    yield checkpoints
    checkpoints.close()


@pytest.fixture(params=["disk", "bucket"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Checkpoints]:
    """Checkpoints on a disk, and in a simulated bucket."""
    checkpoints = opened(tmp_path if request.param == "disk" else f"memory://{tmp_path}/checkpoints")
    yield checkpoints
    checkpoints.remove()


def snapshot(step: int, value: float = 1.0) -> Snapshot:
    return Snapshot({"step": step}, {"network": [np.full(3, value, np.float32)]})


def loaded(checkpoints: Checkpoints) -> list[int]:
    """Step of the snapshot that is loaded; empty without one."""
    steps: list[int] = []
    checkpoints.load(lambda snapshot: steps.append(snapshot.facts["step"]))
    return steps


def truncate(checkpoints: Checkpoints, name: str, length: int) -> None:
    data = checkpoints.store.read(name)[:length]
    checkpoints.store.delete(name)
    checkpoints.store.write(name, [data])


def test_the_newest_of_two_generations_is_loaded(anywhere: Checkpoints) -> None:
    assert loaded(anywhere) == []
    for step in (3, 12, 100):
        anywhere.save(snapshot(step), step=step)
    assert len(anywhere.store.names()) == 2
    assert loaded(anywhere) == [100]


def test_the_previous_generation_replaces_a_corrupt_one(
    anywhere: Checkpoints, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (3, 12):
        anywhere.save(snapshot(step), step=step)
    newest = max(anywhere.store.names())
    truncate(anywhere, newest, -1)
    assert loaded(anywhere) == [3]
    assert "checkpoint not usable" in caplog.text
    assert newest in caplog.text
    for name in anywhere.store.names():
        truncate(anywhere, name, 0)
    assert loaded(anywhere) == []
    assert anywhere.store.names() == []


def test_the_previous_generation_replaces_a_refused_one(local: Checkpoints) -> None:
    for step in (3, 12):
        local.save(snapshot(step), step=step)
    accepted: list[int] = []

    def accept(snapshot: Snapshot) -> None:
        if snapshot.facts["step"] == 12:
            raise FoldlineError("of another network")
        accepted.append(snapshot.facts["step"])

    local.load(accept)
    assert accepted == [3]


def test_values_that_are_not_finite_are_not_saved(local: Checkpoints, caplog: pytest.LogCaptureFixture) -> None:
    local.save(snapshot(3), step=3)
    local.save(snapshot(4, np.nan), step=4)
    assert "no checkpoint at step 4: weights or averages are not finite" in caplog.text
    assert loaded(local) == [3]


def test_a_full_disk_does_not_stop_the_training(
    local: Checkpoints, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    local.save(snapshot(3), step=3)

    def full(name: str, blocks: Iterator[bytes]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(local.store, "write", full)
    local.save(snapshot(4), step=4)
    assert "No space left on device" in caplog.text
    assert loaded(local) == [3]


def test_saving_takes_its_share_of_the_time(local: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(local.store, "write", lambda name, blocks: now.__setitem__(0, now[0] + 2))
    local._saved_at = 0.0
    now[0] = 59
    assert local.is_due(epoch_ended=True)
    assert not local.is_due(epoch_ended=False)
    now[0] = 60
    assert local.is_due(epoch_ended=False)
    # It takes 2 s, and one second in a hundred is allowed.
    local.save(snapshot(3), step=3)
    for epoch_ended in (True, False):
        now[0] = 62 + 199
        assert not local.is_due(epoch_ended=epoch_ended)
        now[0] = 62 + 200
        assert local.is_due(epoch_ended=epoch_ended)


def test_half_written_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / f"{JOB}.{KEY}"
    folder.mkdir()
    (folder / ".000000000003.snapshot.77.part").write_bytes(b"half")
    opened(tmp_path).close()
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_a_finished_job_leaves_nothing(anywhere: Checkpoints, tmp_path: Path) -> None:
    anywhere.save(snapshot(3), step=3)
    anywhere.remove()
    assert list(tmp_path.iterdir()) == []
    assert loaded(anywhere) == []


@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_a_finished_job_removes_its_former_definitions_only(tmp_path: Path, where: str) -> None:
    root = tmp_path if where == "disk" else f"memory://{tmp_path}/former"
    others = [("key", "m.fold10"), ("key", "m.fold2"), ("key", "mm.fold1")]
    present = opened(root)
    for key, job in (*others, ("former", JOB)):
        checkpoints = opened(root, key, job)
        checkpoints.save(snapshot(3), step=3)
        checkpoints.close()
    present.remove()
    for (key, job), expected in zip((*others, ("former", JOB)), ([3], [3], [3], []), strict=True):
        checkpoints = opened(root, key, job)
        assert loaded(checkpoints) == expected, job
        checkpoints.remove()


def test_a_former_definition_in_training_is_not_removed(local: Checkpoints, tmp_path: Path) -> None:
    former = opened(tmp_path, "former")
    former.save(snapshot(3), step=3)
    local.remove()
    assert loaded(former) == [3]
    former.close()


def test_in_a_bucket_the_newest_process_owns_the_checkpoints(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = f"memory://{tmp_path}/last"
    first = opened(root)
    first.save(snapshot(3), step=3)
    second = opened(root)
    assert loaded(second) == [3]
    first._polled_at = -BucketStore.POLL_SECONDS
    with pytest.raises(StoppedError, match="another process that trains this fold"):
        first.check_stop()
    first.save(snapshot(4), step=4)
    assert "another process trains this fold now" in caplog.text
    assert loaded(second) == [3]
    second.check_stop()
    second.remove()
    # Saving after the end leaves nothing behind either.
    first.save(snapshot(5), step=5)
    assert loaded(opened(root)) == []


def test_a_bucket_that_is_not_writable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: str, content: bytes) -> None:
        raise OSError("403 Forbidden")

    monkeypatch.setattr("foldline.io.storage.write_if_changed", forbidden)
    with pytest.raises(FoldlineError, match=r"memory://b/m\.fold1\.key: checkpoints cannot be written \(403 Forbidden"):
        opened("memory://b/")


@pytest.mark.parametrize("removed", [False, True])
def test_a_second_process_requests_a_stop_and_waits(local: Checkpoints, tmp_path: Path, removed: bool) -> None:
    local.check_stop()
    second: list[Checkpoints] = []
    thread = threading.Thread(target=lambda: second.append(opened(tmp_path)))
    thread.start()
    folder = tmp_path / f"{JOB}.{KEY}"
    while not (folder / "stop-request").exists():
        assert thread.is_alive()
    local._polled_at = 0.0
    with pytest.raises(StoppedError, match="another process"):
        local.check_stop()
    assert not second
    (local.remove if removed else local.close)()
    thread.join()
    assert folder.exists()
    second[0].check_stop()
    second[0].close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_stop_request(local: Checkpoints, number: signal.Signals) -> None:
    handlers = [signal.getsignal(listened) for listened in (signal.SIGTERM, signal.SIGINT)]
    with local.listening():
        local.check_stop()
        os.kill(os.getpid(), number)
        # A second signal would act at once.
        assert [signal.getsignal(listened) for listened in (signal.SIGTERM, signal.SIGINT)] == handlers
        with pytest.raises(StoppedError, match=f"stopped by {number.name}; run the same command again to resume from"):
            local.check_stop()


def test_outside_of_a_training_signals_keep_their_handlers(local: Checkpoints) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with local.listening():
        assert signal.getsignal(signal.SIGTERM) not in handlers
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
