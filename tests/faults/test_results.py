"""Results that cannot be written stop a run before the DAG is built, or a step at its end, in one line."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from fixtures.faults import fill, mounted, one_line
from fixtures.images import write_config, write_dataset
from fixtures.project import Project, copy_workflow

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without results."""
    return make_project(tmp_path)


def make_project(folder: Path) -> Project:
    copy_workflow(folder)
    write_dataset(folder / "data", train=24, test=4, external=8)
    write_config(folder / "config" / "config.yaml")
    return Project(folder)


@contextlib.contextmanager
def file(path: Path) -> Iterator[None]:
    """A file in place of a folder."""
    path.touch()
    yield


@contextlib.contextmanager
def dead_link(path: Path) -> Iterator[None]:
    """A symbolic link to a disk that is not mounted."""
    path.symlink_to("/mnt/gone")
    yield


@contextlib.contextmanager
def full(path: Path) -> Iterator[None]:
    """A disk without a free byte."""
    with mounted(path, "size=64k"):
        fill(path)
        yield


def read_only(path: Path) -> AbstractContextManager[Path]:
    """A read-only disk."""
    return mounted(path, "ro")


FAULTS: dict[str, tuple[str, Callable[[Path], AbstractContextManager[object]], tuple[str, ...]]] = {
    "results is a file": ("results", file, ("results is a file, not a folder", "move the file away")),
    "results is a link to nothing": (
        "results",
        dead_link,
        ("results is a symbolic link to /mnt/gone, which does not exist", "correct or remove the link"),
    ),
    "results are read-only": ("results", read_only, ("results/keys", "the file system is read-only", "--directory")),
    "the disk of the key files is full": (
        "results/keys",
        full,
        ("results/keys/", "the disk is full", "free some space"),
    ),
    "the folder of the data index is a file": (".foldline", file, (".foldline is a file, not a folder",)),
    "the disk of the data index is full": (".foldline", full, (".foldline/", "the disk is full")),
    "the folder of the data index is read-only": (
        ".foldline",
        read_only,
        (".foldline/", "the file system is read-only"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_results_that_cannot_be_written_are_refused(fault: str, project: Project) -> None:
    name, happens, words = FAULTS[fault]
    with happens(project.folder / name):
        done = project.snakemake("-n", check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in output
    assert "Building DAG" not in output
    (line,) = {line for line in output.splitlines() if words[0] in line}
    for word in words:
        assert word in line
    # Nothing is broken for the next command.
    if happens in (file, dead_link):
        (project.folder / name).unlink()
    shutil.rmtree(project.folder / name, ignore_errors=True)
    project.snakemake("-n")


def test_a_working_directory_on_a_full_disk(tmp_path: Path) -> None:
    """Snakemake cannot write its own log either, which is no reason for tracebacks."""
    with mounted(tmp_path / "disk", "size=8m") as folder:
        project = make_project(folder)
        with (folder / "filler").open("wb", buffering=0) as handle:
            # Enough for the lock and the start of Snakemake's log, and for a few of the key files.
            left = os.statvfs(folder)
            handle.write(bytes(left.f_bavail * left.f_bsize - 100_000))
        done = project.snakemake(check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in output
    (line,) = {line for line in output.splitlines() if "the disk is full" in line}
    one_line(line, "results/keys/", "free some space")
