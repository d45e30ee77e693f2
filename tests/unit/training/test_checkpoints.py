"""Checkpoints: two generations, damage survived, one process at a time, and no more time than allowed."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from foldline.errors import FoldlineError, StoppedError
from foldline.training import checkpoints as module
from foldline.training.checkpoint_store import BucketFolder
from foldline.training.checkpoints import Checkpoints
from foldline.training.snapshot_file import Snapshot

JOB, KEY = "m.fold1", "key"


def made(root: str | Path, key: str = KEY, job: str = JOB) -> Checkpoints:
    return Checkpoints(root, job, key, seconds=60, share=0.01)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Checkpoints]:
    """Checkpoints on a disk."""
    checkpoints = made(tmp_path)
    yield checkpoints
    checkpoints.close()


@pytest.fixture(params=["disk", "bucket"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Checkpoints]:
    """Checkpoints on a disk, and in what stands for a bucket."""
    checkpoints = made(tmp_path if request.param == "disk" else f"memory://{tmp_path}/checkpoints")
    yield checkpoints
    checkpoints.remove()


def snapshot(step: int, value: float = 1.0) -> Snapshot:
    return Snapshot({"step": step}, {"network": [np.full(3, value, np.float32)]})


def loaded(checkpoints: Checkpoints) -> list[int]:
    """Steps of the snapshots that are handed on: one, or none."""
    found: list[int] = []
    checkpoints.load(lambda snapshot: found.append(snapshot.facts["step"]))
    return found


def cut(checkpoints: Checkpoints, name: str, length: int) -> None:
    """Leave the first bytes of a file only."""
    data = checkpoints.folder.read(name)[:length]
    checkpoints.folder.delete(name)
    checkpoints.folder.write(name, [data])


def test_the_newest_of_two_generations_is_loaded(anywhere: Checkpoints) -> None:
    assert loaded(anywhere) == []
    for step in (3, 12, 100):
        anywhere.save(snapshot(step), step=step)
    assert len(anywhere.folder.names()) == 2
    assert loaded(anywhere) == [100]


def test_a_damaged_generation_gives_way_to_the_one_before(
    anywhere: Checkpoints, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (3, 12):
        anywhere.save(snapshot(step), step=step)
    newest = max(anywhere.folder.names())
    cut(anywhere, newest, -1)
    assert loaded(anywhere) == [3]
    assert "a checkpoint cannot be used" in caplog.text
    assert newest in caplog.text
    for name in anywhere.folder.names():
        cut(anywhere, name, 0)
    assert loaded(anywhere) == []
    assert anywhere.folder.names() == []


def test_a_refused_generation_gives_way_too(kept: Checkpoints) -> None:
    for step in (3, 12):
        kept.save(snapshot(step), step=step)
    found: list[int] = []

    def accept(snapshot: Snapshot) -> None:
        if snapshot.facts["step"] == 12:
            raise FoldlineError("of another network")
        found.append(snapshot.facts["step"])

    kept.load(accept)
    assert found == [3]


def test_what_is_not_finite_is_not_saved(kept: Checkpoints, caplog: pytest.LogCaptureFixture) -> None:
    kept.save(snapshot(3), step=3)
    kept.save(snapshot(4, np.nan), step=4)
    assert "step 4: weights or averages are not finite" in caplog.text
    assert loaded(kept) == [3]


def test_a_full_disk_harms_no_training(
    kept: Checkpoints, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept.save(snapshot(3), step=3)

    def full(name: str, blocks: Iterator[bytes]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept.folder, "write", full)
    kept.save(snapshot(4), step=4)
    assert "No space left on device" in caplog.text
    assert loaded(kept) == [3]


def test_saving_takes_its_share_of_the_time(kept: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(kept.folder, "write", lambda name, blocks: now.__setitem__(0, now[0] + 2))
    kept._saved_at = 0.0
    now[0] = 59
    assert kept.is_due(ending=True)
    assert not kept.is_due(ending=False)
    now[0] = 60
    assert kept.is_due(ending=False)
    # It takes 2 s, of which one in a hundred is allowed.
    kept.save(snapshot(3), step=3)
    for ending in (True, False):
        now[0] = 62 + 199
        assert not kept.is_due(ending=ending)
        now[0] = 62 + 200
        assert kept.is_due(ending=ending)


def test_what_a_kill_left_half_written_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / f"{JOB}.{KEY}"
    folder.mkdir()
    (folder / ".000000000003.snapshot.77.part").write_bytes(b"half")
    made(tmp_path).close()
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_nothing_stays_when_the_job_is_done(anywhere: Checkpoints, tmp_path: Path) -> None:
    anywhere.save(snapshot(3), step=3)
    anywhere.remove()
    assert list(tmp_path.iterdir()) == []
    assert loaded(anywhere) == []


@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_former_definitions_of_the_job_go_with_it_and_nothing_else(tmp_path: Path, where: str) -> None:
    root = tmp_path if where == "disk" else f"memory://{tmp_path}/former"
    others = [("key", "m.fold10"), ("key", "m.fold2"), ("key", "mm.fold1")]
    present = made(root)
    for key, job in (*others, ("former", JOB)):
        checkpoints = made(root, key, job)
        checkpoints.save(snapshot(3), step=3)
        checkpoints.close()
    present.remove()
    for (key, job), expected in zip((*others, ("former", JOB)), ([3], [3], [3], []), strict=True):
        checkpoints = made(root, key, job)
        assert loaded(checkpoints) == expected, job
        checkpoints.remove()


def test_a_former_definition_that_is_still_trained_stays(kept: Checkpoints, tmp_path: Path) -> None:
    former = made(tmp_path, "former")
    former.save(snapshot(3), step=3)
    kept.remove()
    assert loaded(former) == [3]
    former.close()


def test_in_a_bucket_the_last_that_comes_has_the_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = f"memory://{tmp_path}/last"
    first = made(root)
    first.save(snapshot(3), step=3)
    second = made(root)
    assert loaded(second) == [3]
    first._looked_at = -BucketFolder.SECONDS_BETWEEN_LOOKS
    with pytest.raises(StoppedError, match="another process that trains this fold"):
        first.check_stop()
    first.save(snapshot(4), step=4)
    assert "another process trains this fold now" in caplog.text
    assert loaded(second) == [3]
    second.check_stop()
    second.remove()
    # One that learns of it after the end leaves nothing behind.
    first.save(snapshot(5), step=5)
    assert loaded(made(root)) == []


def test_a_bucket_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(place: str, content: bytes) -> None:
        raise OSError("403 Forbidden")

    monkeypatch.setattr("foldline.io.storage.write_if_changed", refused)
    with pytest.raises(FoldlineError, match=r"memory://b/m\.fold1\.key: no checkpoints can be kept \(403 Forbidden\)"):
        made("memory://b/")


@pytest.mark.parametrize("removed", [False, True])
def test_who_comes_second_asks_the_first_to_leave_and_waits(kept: Checkpoints, tmp_path: Path, removed: bool) -> None:
    kept.check_stop()
    second: list[Checkpoints] = []
    thread = threading.Thread(target=lambda: second.append(made(tmp_path)))
    thread.start()
    folder = tmp_path / f"{JOB}.{KEY}"
    while not (folder / "leave").exists():
        assert thread.is_alive()
    kept._looked_at = 0.0
    with pytest.raises(StoppedError, match="another process"):
        kept.check_stop()
    assert not second
    (kept.remove if removed else kept.close)()
    thread.join()
    assert folder.exists()
    second[0].check_stop()
    second[0].close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_leave(kept: Checkpoints, number: signal.Signals) -> None:
    before = [signal.getsignal(listened) for listened in (signal.SIGTERM, signal.SIGINT)]
    with kept.listening():
        kept.check_stop()
        os.kill(os.getpid(), number)
        # A second signal would act at once.
        assert [signal.getsignal(listened) for listened in (signal.SIGTERM, signal.SIGINT)] == before
        with pytest.raises(StoppedError, match=f"stopped by {number.name}; the same command goes on from"):
            kept.check_stop()


def test_outside_of_a_training_signals_act_as_ever(kept: Checkpoints) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with kept.listening():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
