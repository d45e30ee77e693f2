"""A second run in the same directory is refused; the lock of a killed process is released."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures.project import REPOSITORY
from foldline.errors import FoldlineError
from foldline.planning.run_lock import RunLock

CODE = """
import sys
sys.path[:0] = sys.argv[3:]
from foldline.planning.run_lock import RunLock
lock = RunLock(sys.argv[1])
if sys.argv[2] == "running":
    lock.start()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another(path: Path, activity: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock; it is killed at the end."""
    command = [sys.executable, "-c", CODE, str(path), activity, str(REPOSITORY / "scripts")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        try:
            yield other
        finally:
            other.kill()


def test_a_run_is_refused_beside_another_one(tmp_path: Path) -> None:
    path = tmp_path / "work" / "run.lock"
    with held_by_another(path, "running") as other:
        lock = RunLock(path)
        assert lock.holder.startswith(f"running, process {other.pid} on ")
        with pytest.raises(FoldlineError, match=rf"run\.lock: another run works .*\(running, process {other.pid} on "):
            lock.start()
    # It cannot run what it planned beside the other run, even if that has ended.
    with pytest.raises(FoldlineError, match="another run works in this directory"):
        lock.start()


def test_a_lock_is_released_when_its_process_ends(tmp_path: Path) -> None:
    with held_by_another(tmp_path / "run.lock", "running"):
        pass
    lock = RunLock(tmp_path / "run.lock")
    assert lock.holder == ""
    lock.start()
    assert (tmp_path / "run.lock").read_text().startswith(f"running, process {os.getpid()} on ")
    lock.release()


def test_a_command_waits_while_another_one_plans(tmp_path: Path) -> None:
    with held_by_another(tmp_path / "run.lock", "planning") as other:
        assert RunLock(tmp_path / "run.lock", wait_s=0).holder.startswith("planning, process")
        threading.Timer(0.3, other.kill).start()
        lock = RunLock(tmp_path / "run.lock")
    assert lock.holder == ""
    lock.release()


def test_started_programs_do_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run.lock")
    done = subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True, check=True)
    assert "run.lock" not in done.stdout
    lock.release()


def test_the_same_process_may_lock_again(tmp_path: Path) -> None:
    first, second = RunLock(tmp_path / "run.lock"), RunLock(tmp_path / "run.lock")
    assert (first.holder, second.holder) == ("", "")
    second.start()
    second.release()
    first.release()
