"""A process that is killed leaves a line in its log; one that ends by itself does not."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fixtures.project import REPOSITORY
from foldline.io.watchdog import watched

REMEDY = "lower models.a.batch_size"
TIMEOUT_SECONDS = 30


def dying(folder: Path, how: str) -> subprocess.CompletedProcess[str]:
    """A process with a watchdog that ends in the middle of its work."""
    code = (
        f"import os, signal, sys; sys.path.insert(0, {str(REPOSITORY / 'scripts')!r})\n"
        "from foldline.io.watchdog import watched, working_on\n"
        f"with watched('step.log', remedy={REMEDY!r}):\n    {how}\n"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def line_of(log: Path) -> str:
    """The log, once the watchdog has written it."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (log.exists() and log.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return log.read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_process_that_dies_without_a_word(number: signal.Signals, tmp_path: Path) -> None:
    done = dying(tmp_path, f"os.kill(os.getpid(), {int(number)})")
    assert done.returncode == -number
    log = line_of(tmp_path / "step.log")
    assert log.count("\n") == 1
    assert " ERROR the process of this job was killed or crashed before it could say why" in log
    assert REMEDY in log
    assert done.stderr == log


def test_a_process_that_dies_says_what_it_worked_on(tmp_path: Path) -> None:
    dying(tmp_path, "with working_on('a/b  c.jpg'): pass\n    with working_on('a/d.jpg'): os.abort()")
    assert line_of(tmp_path / "step.log").endswith("run the same command again; it was at a/d.jpg\n")


def test_what_a_process_worked_on_is_over(tmp_path: Path) -> None:
    dying(tmp_path, "with working_on('a/d.jpg'): pass\n    os.abort()")
    assert line_of(tmp_path / "step.log").endswith("run the same command again\n")


@pytest.mark.parametrize("how", ["pass", "sys.exit(1)", "raise KeyboardInterrupt", "1 / 0"])
def test_a_process_that_ends_by_itself(how: str, tmp_path: Path) -> None:
    dying(tmp_path, how)
    assert not (tmp_path / "step.log").exists()


def test_a_kill_by_the_kernel_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count of /proc/vmstat grows while the process runs."""
    (tmp_path / "grep").write_text("#!/bin/sh\ndate +%N >> counts; echo oom_kill $(wc -l < counts)\n")
    (tmp_path / "grep").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    done = dying(tmp_path, "import time; time.sleep(0.5); os.kill(os.getpid(), 9)")
    assert f"the kernel killed the process of this job, because memory ran out; {REMEDY}" in line_of(
        tmp_path / "step.log"
    )
    assert done.returncode == -9


def test_without_a_shell_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    reached = False
    with watched(None, remedy=REMEDY):
        reached = True
    assert reached
