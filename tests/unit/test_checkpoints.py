"""Checkpoints: two generations, damage survived, one process at a time, and no more time than allowed."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from foldline import checkpoints as module
from foldline.checkpoints import Checkpoints
from foldline.errors import FoldlineError, StoppedError
from foldline.snapshots import Snapshot


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Checkpoints]:
    checkpoints = Checkpoints(tmp_path / "key", seconds=60, share=0.01)
    yield checkpoints
    checkpoints.close()


def snapshot(step: int, value: float = 1.0) -> Snapshot:
    return Snapshot({"step": step}, {"network": [np.full(3, value, np.float32)]})


def loaded(checkpoints: Checkpoints) -> list[int]:
    """Steps of the snapshots that are handed on: one, or none."""
    found: list[int] = []
    checkpoints.load(lambda snapshot: found.append(snapshot.facts["step"]))
    return found


def test_the_newest_of_two_generations_is_loaded(kept: Checkpoints) -> None:
    assert loaded(kept) == []
    for step in (3, 12, 100):
        kept.save(snapshot(step), step=step)
    assert len(list(kept.folder.glob("*.snapshot"))) == 2
    assert loaded(kept) == [100]


def test_a_damaged_generation_gives_way_to_the_one_before(kept: Checkpoints, caplog: pytest.LogCaptureFixture) -> None:
    for step in (3, 12):
        kept.save(snapshot(step), step=step)
    newest = max(kept.folder.glob("*.snapshot"))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert loaded(kept) == [3]
    assert "a checkpoint cannot be used" in caplog.text
    assert newest.name in caplog.text
    for path in kept.folder.glob("*.snapshot"):
        path.write_bytes(b"")
    assert loaded(kept) == []


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

    def full(path: Path, snapshot: Snapshot) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_snapshot", full)
    kept.save(snapshot(4), step=4)
    assert "No space left on device" in caplog.text
    assert loaded(kept) == [3]


def test_saving_takes_its_share_of_the_time(kept: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "write_snapshot", lambda path, snapshot: now.__setitem__(0, now[0] + 2))
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
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / ".000000000003.snapshot.77.part").write_bytes(b"half")
    Checkpoints(tmp_path / "key", seconds=60, share=0.01).close()
    assert [path.name for path in (tmp_path / "key").iterdir()] == ["lock"]


def test_nothing_stays_when_the_job_is_done(kept: Checkpoints, tmp_path: Path) -> None:
    kept.save(snapshot(3), step=3)
    kept.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("removed", [False, True])
def test_who_comes_second_asks_the_first_to_leave_and_waits(kept: Checkpoints, removed: bool) -> None:
    kept.check_stop()
    second: list[Checkpoints] = []
    thread = threading.Thread(target=lambda: second.append(Checkpoints(kept.folder, seconds=60, share=0.01)))
    thread.start()
    while not (kept.folder / "leave").exists():
        assert thread.is_alive()
    kept._looked_at = 0.0
    with pytest.raises(StoppedError, match="another process"):
        kept.check_stop()
    assert not second
    (kept.remove if removed else kept.close)()
    thread.join()
    assert kept.folder.exists()
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
