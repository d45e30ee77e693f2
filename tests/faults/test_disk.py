"""Steps on a full or read-only disk: one line with the path, nothing half-written, and no lost training."""

import contextlib
import errno
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fixtures.faults import fill, largest_file, mounted, one_line, public_folder, run_code, step_code, unprivileged
from fixtures.records import RECORDS, write_file
from fixtures.small_training import small_network
from foldline.errors import FoldlineError
from foldline.io.files import write_json
from foldline.io.parquet import write_parquet
from foldline.io.system_errors import system_error, system_errors_explained
from foldline.io.tables import LEAKS, write_table
from foldline.models.weights_file import load_weights, save_weights
from foldline.training.checkpoint_store import open_store
from foldline.training.checkpoints import Checkpoints
from foldline.training.snapshot_file import Snapshot
from foldline.training.training_config import CheckpointConfig

pytestmark = pytest.mark.faults

TABLE = pd.DataFrame({"id": ["a" * 300] * 200, "other_id": "b", "other_split": "train", "kind": "near", "distance": 1})


def write_leaks(path: Path) -> None:
    table = TABLE.assign(id=[f"{name}{number}" for number, name in enumerate(TABLE["id"])], same_label="yes")
    write_table(table, path, LEAKS)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a table": write_leaks,
    "a Parquet file": lambda path: write_parquet(pa.table({"x": np.random.default_rng(1).random(2000)}), path),
    "a shard": write_file,
    "a JSON file": lambda path: write_json(path, ["0123456789"] * 10_000),
    "weights": lambda path: save_weights(small_network(), path),
}


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "size=64k") as folder:
        fill(folder)
        yield folder


@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_leaves_no_file(what: str, full_disk: Path) -> None:
    path = full_disk / "file"
    with pytest.raises(FoldlineError) as caught, system_errors_explained():
        WRITERS[what](path)
    one_line(str(caught.value), f"{path}: the disk is full; free some space")
    assert [entry.name for entry in full_disk.iterdir()] == ["filler"]


@pytest.mark.parametrize("what", WRITERS)
def test_a_limit_for_the_size_of_files(what: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError) as caught, system_errors_explained(), largest_file(3000):
        WRITERS[what](tmp_path / "file")
    one_line(str(caught.value), "the file would be larger than allowed; raise the limit (ulimit -f)")
    assert list(tmp_path.iterdir()) == []


def test_weights_on_a_machine_whose_temporary_folder_is_full(
    full_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    with pytest.raises(FoldlineError) as caught, system_errors_explained():
        save_weights(small_network(), tmp_path / "weights.h5")
    one_line(str(caught.value), str(full_disk), "the disk is full")


def test_a_step_whose_log_cannot_grow(full_disk: Path, tmp_path: Path) -> None:
    """Lost log records are no reason to fail; stderr still has them."""
    body = "import logging\nlogging.info('at work')"
    done = run_code(step_code(body, log=str(full_disk / "a.log")), folder=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "a.built").exists()
    assert done.stderr.endswith("INFO at work\n")
    assert done.stderr.count("\n") == 1


def test_a_step_whose_record_cannot_be_written(full_disk: Path, tmp_path: Path) -> None:
    done = run_code(step_code("pass", built=str(full_disk / "a.built")), folder=tmp_path)
    assert done.returncode == 1
    one_line((tmp_path / "a.log").read_text(), f"ERROR {full_disk}/a.built: the disk is full; free some space")


def test_a_step_whose_log_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    done = run_code(step_code("pass", log="logs/a.log"), folder=tmp_path)
    assert done.returncode == 1
    one_line(done.stderr, "logs is a file, not a folder; move the file away")


def test_a_read_only_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "ro") as folder:
        with pytest.raises(FoldlineError) as caught, system_errors_explained():
            write_file(folder / "shard.tfrec")
        one_line(str(caught.value), f"{folder}/shard.tfrec: the file system is read-only; work in a folder")


def test_a_folder_that_belongs_to_somebody_else() -> None:
    with public_folder() as folder:
        with pytest.raises(FoldlineError) as caught, system_errors_explained(), unprivileged():
            write_file(folder / "results" / "shard.tfrec")
        one_line(str(caught.value), f"{folder}/results: permission denied; change the permissions")


@contextlib.contextmanager
def too_few_descriptors() -> Iterator[None]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_too_many_open_files(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError) as caught, system_errors_explained(), too_few_descriptors():
        write_file(tmp_path / "shard.tfrec")
    one_line(str(caught.value), f"{tmp_path}/shard.tfrec: too many open files; raise the limit (ulimit -n)")


def file_in_place(folder: Path) -> Path:
    (folder / "checkpoints").touch()
    return folder / "checkpoints"


CHECKPOINTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a file": (file_in_place, "is a file, not a folder"),
    "below a file": (lambda folder: file_in_place(folder) / "own", "is a file, not a folder"),
    "impossible": (lambda folder: Path("/proc/checkpoints"), "no such file or folder"),
    "a name that is too long": (lambda folder: folder / ("c" * 300), "a longer name than the file system allows"),
    "of somebody else": (lambda folder: folder / "checkpoints", "permission denied"),
}


@pytest.mark.parametrize("fault", CHECKPOINTS)
def test_a_checkpoint_folder_that_cannot_be_made(fault: str) -> None:
    make, words = CHECKPOINTS[fault]
    with public_folder() as folder:
        root = make(folder)
        with pytest.raises(FoldlineError) as caught, unprivileged():
            open_store(root, "b3.fold0", "key")
    one_line(str(caught.value), words, "set checkpoints.folder to a folder that you can write")


def test_a_full_disk_costs_a_checkpoint_but_no_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with mounted(tmp_path / "disk", "size=256k") as folder, caplog.at_level(logging.WARNING):
        config = CheckpointConfig(folder=str(folder / "checkpoints"), seconds=0, share=1)
        checkpoints = Checkpoints(config, "b3.fold0", "key")
        checkpoints.save(Snapshot({"step": 1}, {"weights": [np.ones(10)]}), step=1)
        fill(folder)
        checkpoints.save(Snapshot({"step": 2}, {"weights": [np.ones(10)]}), step=2)
        seen: list[int] = []
        checkpoints.load(lambda snapshot: seen.append(snapshot.facts["step"]))
        checkpoints.close()
    assert seen == [1]
    (message,) = [record.getMessage() for record in caplog.records]
    one_line(message, "no checkpoint written (", "No space left on device", "the training continues")


def test_weights_on_a_disk_that_fails_while_they_are_read(tmp_path: Path) -> None:
    """A file that was cut by a full disk, in place of one that is whole."""
    network = small_network()
    save_weights(network, tmp_path / "whole.h5")
    data = (tmp_path / "whole.h5").read_bytes()
    for length in (0, 8, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.h5").write_bytes(data[:length])
        with pytest.raises(FoldlineError) as caught:
            load_weights(network, tmp_path / "cut.h5")
        one_line(str(caught.value), "cut.h5: not the weights of this network", "remove the file and run")


def test_words_for_quotas() -> None:
    """A quota cannot be set here; its error is that of the system."""
    message = str(system_error(OSError(errno.EDQUOT, "Disk quota exceeded", "results/a.csv")))
    assert message.startswith("results/a.csv: your disk quota is used up; free some space")
    assert len(RECORDS) == 3
