"""A second run in the same directory is refused; the lock of a killed process is released."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.project import REPOSITORY
from foldline.errors import FoldlineError
from foldline.planning.run_lock import hold

CODE = """
import sys
sys.path[:0] = sys.argv[2:]
from foldline.planning.run_lock import hold
hold(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_is_released_when_its_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "work" / "run.lock"
    folders = [str(REPOSITORY / "scripts")]
    command = [sys.executable, "-c", CODE, str(path), *folders]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(FoldlineError, match=rf"run\.lock: another run works .*\(process {other.pid} on "):
            hold(path)
        other.kill()
    os.close(hold(path))


def test_started_programs_do_not_inherit_the_lock(tmp_path: Path) -> None:
    descriptor = hold(tmp_path / "run.lock")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)


def test_the_same_process_may_lock_again(tmp_path: Path) -> None:
    first, second = hold(tmp_path / "run.lock"), hold(tmp_path / "run.lock")
    assert f"process {os.getpid()} on" in (tmp_path / "run.lock").read_text()
    os.close(second)
    os.close(first)
