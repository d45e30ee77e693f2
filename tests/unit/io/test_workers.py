"""A map over several processes: order, memory, errors, and no orphaned processes."""

import contextlib
import functools
import operator
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import psutil
import pytest
from foldline.errors import FoldlineError
from foldline.io.workers import ordered_map

TIMEOUT_SECONDS = 60


@pytest.mark.parametrize("workers", [1, 3])
def test_results_are_in_the_order_of_the_items(workers: int) -> None:
    double = functools.partial(operator.mul, 2)
    assert list(ordered_map(double, range(103), workers=workers, chunk=4)) == list(range(0, 206, 2))
    assert list(ordered_map(double, [], workers=workers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_items_are_read_lazily(workers: int) -> None:
    taken: list[int] = []
    source = (taken.append(number) or number for number in range(10_000))
    results = ordered_map(functools.partial(operator.add, 1), source, workers=workers, chunk=2)
    assert list(islice(results, 5)) == [1, 2, 3, 4, 5]
    assert len(taken) <= 5 + workers * 3 * 2
    results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_raised_after_the_results_before_it(workers: int) -> None:
    results = ordered_map(functools.partial(operator.truediv, 6), [3, 2, 0, 1], workers=workers, chunk=1)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_killed_worker_is_reported_with_what_to_do() -> None:
    with pytest.raises(FoldlineError, match="fewer threads or more memory"):
        list(ordered_map(os._exit, [1, 2, 3], workers=2, chunk=1))


KINDS = {signal.SIGSEGV: "crashed (SIGSEGV) at a file named 7; save the image again", signal.SIGKILL: "more memory"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_dying_worker_names_its_item(kind: int) -> None:
    """Only the process that gets item 7 dies; the other one, which has items too, is not blamed."""
    code = f"import os, time; N == 7 and os.kill(os.getpid(), {kind:d}); time.sleep(.02)"
    items = [code.replace("N", str(number)) for number in range(16)]
    with pytest.raises(FoldlineError) as caught:
        list(ordered_map(exec, items, workers=2, chunk=2, name=lambda item: f"a file named {item.split()[3]}"))
    message = str(caught.value)
    assert KINDS[kind] in message
    assert [word for word in message.replace(";", " ").split() if word.isdecimal()] == ["7"]


def faults_of_new_buffers(rounds: int) -> int:
    """Page faults of buffers of 1 MB that are written and freed, after the first ones."""
    before = 0
    for number in range(rounds + 3):
        if number == 3:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        # Two buffers: the end of the heap is freed with them.
        assert bytes(bytearray(b"x") * 1_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these limits")
def test_workers_use_freed_memory_again() -> None:
    faults = list(ordered_map(faults_of_new_buffers, [100, 100], workers=2, chunk=1))
    # A buffer has 244 pages.
    assert max(faults) < 2_000


def test_workers_do_not_run_the_main_script_and_exit_with_it(tmp_path: Path) -> None:
    scripts = Path(sys.modules[ordered_map.__module__].__file__).parents[2]
    work = f"import os, pathlib, time; pathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch(); time.sleep(600)"
    script = tmp_path / "main.py"
    script.write_text(
        f"import sys\n"
        f"sys.path.insert(0, {str(scripts)!r})\n"
        f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\n"
        f"from foldline.io.workers import ordered_map\n"
        f"list(ordered_map(exec, [{work!r}] * 4, workers=2, chunk=1))\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    workers: list[psutil.Process] = []
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while len(workers) < 2:
            assert time.monotonic() < deadline, "the workers did not start"
            time.sleep(0.05)
            workers = [psutil.Process(int(path.name)) for path in tmp_path.iterdir() if path.name.isdecimal()]
        assert (tmp_path / "runs").read_text() == "x"
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=TIMEOUT_SECONDS)
        assert not alive
    finally:
        process.kill()
        process.wait()
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
