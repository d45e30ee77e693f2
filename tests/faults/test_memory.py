"""A step that runs out of memory says so, with the keys to lower, in whatever way it ends."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.faults import run_code, step_code
from fixtures.forked import SCRIPT_SERVER
from fixtures.images import write_config, write_dataset
from fixtures.project import Project, copy_workflow, with_environment

pytestmark = [pytest.mark.faults, pytest.mark.slow]

REMEDY = "lower models.b3.batch_size or models.b3.image_size, or give the job more memory (mem_mb)"
TIMEOUT_SECONDS = 30


def log_of(folder: Path) -> str:
    """The only line of the log, without its time; a watchdog may write it a moment after the step has ended."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (text := (folder / "a.log").read_text()).endswith("\n"):
        assert time.monotonic() < deadline, text
        time.sleep(0.02)
    (line,) = text.splitlines()
    return line.split(" ", 2)[2]


def test_an_array_that_exceeds_the_memory(tmp_path: Path) -> None:
    done = run_code(step_code("import numpy as np\nnp.ones(2**34)"), megabytes=2000, folder=tmp_path)
    assert done.returncode == 1
    assert log_of(tmp_path) == f"ERROR out of memory; {REMEDY}"
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.built").exists()


def test_a_tensor_that_exceeds_the_memory(tmp_path: Path) -> None:
    """TensorFlow has an error of its own for it."""
    (tmp_path / "a.py").write_text(step_code("import tensorflow as tf\ntf.zeros([2**40])"))
    done = SCRIPT_SERVER.run(tmp_path / "a.py", [], folder=tmp_path, environment=with_environment())
    assert done.returncode == 1
    line = log_of(tmp_path)
    assert line.startswith("ERROR the memory of the device is used up (")
    assert "OOM when allocating tensor with shape[1099511627776]" in line
    assert line.endswith(f"; {REMEDY}")


@pytest.mark.parametrize(
    ("how", "code"),
    [("os.kill(os.getpid(), signal.SIGKILL)", -9), ("ctypes.string_at(0)", -11), ("os.abort()", -6)],
    ids=["killed", "a crash", "aborted"],
)
def test_a_step_that_dies_without_a_word(how: str, code: int, tmp_path: Path) -> None:
    """The kernel kills, and libraries crash under a limit of memory."""
    done = run_code(step_code(f"import ctypes, os, signal\n{how}"), folder=tmp_path)
    assert done.returncode == code
    line = log_of(tmp_path)
    assert line.startswith("ERROR the process of this job was killed or crashed before it could say why")
    assert REMEDY in line
    assert line in done.stderr


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of processes with 150 MB of memory, of either version."""
    root = Path("/sys/fs/cgroup")
    files = {root: "memory.max", root / "memory": "memory.limit_in_bytes"}
    try:
        parent = next(folder for folder, name in files.items() if any(folder.glob(f"*/{name}")))
        group = parent / "foldline-faults"
        group.mkdir(exist_ok=True)
        with (group / files[parent]).open("r+") as handle:
            handle.write("150000000")
    except (StopIteration, OSError) as error:
        pytest.skip(f"no control groups that limit memory: {error}")
    yield group
    for _ in range(50):
        try:
            group.rmdir()
            return
        except OSError:
            time.sleep(0.1)


def test_a_step_that_the_kernel_kills(small_group: Path, tmp_path: Path) -> None:
    """The kernel counts its kills, so the line is sure of the reason."""
    body = f"""
    from pathlib import Path
    Path({str(small_group / "cgroup.procs")!r}).write_text(str(__import__("os").getpid()))
    taken = b"x" * int("600000000")
    """
    done = run_code(step_code(body), folder=tmp_path)
    assert done.returncode == -9
    assert log_of(tmp_path) == f"ERROR the kernel killed the process of this job, because memory ran out; {REMEDY}"


def test_snakemake_shows_why_a_job_was_killed(tmp_path: Path) -> None:
    copy_workflow(tmp_path)
    write_dataset(tmp_path / "data", train=24, test=4, external=8)
    write_config(tmp_path / "config" / "config.yaml")
    script = tmp_path / "scripts" / "scan_images.py"
    text = script.read_text().replace(
        "    with step(snakemake):\n", "    with step(snakemake):\n        __import__('os').abort()\n"
    )
    assert "abort" in text
    script.write_text(text)
    done = Project(tmp_path).snakemake("results/inventory/test/00000-of-00001.parquet", check=False)
    assert done.returncode == 1
    assert "the process of this job was killed or crashed before it could say why" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
