"""Work spread over processes: order, memory, errors, and nothing left behind."""

import contextlib
import functools
import operator
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import psutil
import pytest
from foldline.errors import FoldlineError
from foldline.io.workers import ordered_map

PATIENCE_SECONDS = 60


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers: int) -> None:
    double = functools.partial(operator.mul, 2)
    assert list(ordered_map(double, range(103), workers=workers, chunk=4)) == list(range(0, 206, 2))
    assert list(ordered_map(double, [], workers=workers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_items_are_taken_only_as_fast_as_results_are(workers: int) -> None:
    taken = []
    source = (taken.append(number) or number for number in range(10_000))
    results = ordered_map(functools.partial(operator.add, 1), source, workers=workers, chunk=2)
    assert list(islice(results, 5)) == [1, 2, 3, 4, 5]
    assert len(taken) <= 5 + workers * 3 * 2
    results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_out_in_its_place(workers: int) -> None:
    results = ordered_map(functools.partial(operator.truediv, 6), [3, 2, 0, 1], workers=workers, chunk=1)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_killed_worker_is_an_error_with_a_way_out() -> None:
    with pytest.raises(FoldlineError, match="fewer threads or more memory"):
        list(ordered_map(os._exit, [1, 2, 3], workers=2, chunk=1))


def test_workers_do_not_run_the_main_script_and_end_with_it(tmp_path: Path) -> None:
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
    workers = []
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(workers) < 2:
            assert time.monotonic() < deadline, "the workers did not start"
            time.sleep(0.05)
            workers = [psutil.Process(int(path.name)) for path in tmp_path.iterdir() if path.name.isdecimal()]
        assert (tmp_path / "runs").read_text() == "x"
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=PATIENCE_SECONDS)
        assert not alive
    finally:
        process.kill()
        process.wait()
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
