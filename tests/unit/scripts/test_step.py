"""A step is built when its body ended well, and says in its log why it did not."""

import base64
import contextlib
import hashlib
import logging
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fixtures.step_jobs import step_job
from foldline.errors import FoldlineError, StoppedError
from foldline.io.build_record import BuildRecord
from foldline.io.files import sha256_of_file
from foldline.step import step


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """`step` takes over the root logger and warnings; other tests get back what they had."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def job(tmp_path: Path) -> SimpleNamespace:
    """A job with an input and an output, which exists already."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "train.py").write_text("EPOCHS = 3\n")
    (tmp_path / "folds.csv").write_text("id,fold\n")
    (tmp_path / "weights.h5").write_text("weights")
    return step_job(
        script=tmp_path / "scripts" / "train.py",
        key="a digest",
        inputs={"folds": str(tmp_path / "folds.csv")},
        outputs={"weights": str(tmp_path / "weights.h5"), "built": str(tmp_path / "keys" / "step.built")},
        log=str(tmp_path / "logs" / "step.log"),
        dependents=[str(tmp_path / "keys" / name) for name in ("dependent.built", "absent.built")],
    )


def record_of(job: SimpleNamespace) -> BuildRecord | None:
    return BuildRecord.read(Path(job.output.built))


def test_a_step_that_ends_well_records_its_key_and_its_outputs(
    job: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    with step(job):
        logging.getLogger("foldline.test").info("at work")
        assert not Path(job.output.built).exists()
    record = record_of(job)
    assert record.key == "a digest"
    assert record.outputs == {"weights.h5": (7, base64.b64encode(hashlib.md5(b"weights").digest()).decode())}
    assert record.inodes == {"weights.h5": Path(job.output.weights).stat().st_ino}
    assert "INFO at work" in Path(job.log[0]).read_text()
    assert "INFO at work" in capfd.readouterr().err


def test_the_record_of_an_uploaded_output_does_not_depend_on_the_machine(job: SimpleNamespace) -> None:
    job.params.job["on_disk"] = False
    with step(job):
        pass
    assert record_of(job).inodes == {}
    assert record_of(job).finished_ns == 0


def test_results_of_earlier_outputs_are_stale_once_a_step_ends(job: SimpleNamespace) -> None:
    dependent = Path(job.params.job["dependents"][0])
    dependent.parent.mkdir()
    dependent.write_text("record")
    with pytest.raises(SystemExit), step(job):
        raise FoldlineError("bad")
    assert dependent.exists()
    with step(job):
        assert dependent.exists()
    assert not dependent.exists()


def test_a_step_does_not_run_with_code_that_was_not_planned(job: SimpleNamespace) -> None:
    Path(job.scriptdir, "train.py").write_text("EPOCHS = 4\n")
    with pytest.raises(SystemExit) as ended, step(job):
        pytest.fail("the body runs")
    assert ended.value.code == 1
    assert "train.py: the code of this step changed after the run was planned" in Path(job.log[0]).read_text()


def test_a_step_does_not_read_weights_that_were_not_planned(job: SimpleNamespace) -> None:
    weights = Path(job.input.folds).with_name("imagenet.pth")
    weights.write_text("planned")
    job.params.job["raw_files"] = {str(weights): sha256_of_file(weights)}
    with step(job):
        weights.write_text("edited")
    with pytest.raises(SystemExit), step(job):
        pytest.fail("the body runs")
    assert "imagenet.pth changed after the run was planned" in Path(job.log[0]).read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [("id,fold\ns1,0\n", "has 13 bytes, but its job wrote 8"), ("id;fold\n", "is not as its job wrote it (MD5)")],
)
def test_a_step_does_not_read_an_input_that_was_edited_after_its_job_wrote_it(
    job: SimpleNamespace, content: str, words: str
) -> None:
    folds = Path(job.input.folds)
    built = folds.with_name("folds.built")
    BuildRecord.of_files("another key", [folds], on_disk=True).write(built)
    job.params.job["records"] = {str(folds): str(built)}
    with step(job):
        pass
    folds.write_text(content)
    with pytest.raises(SystemExit), step(job):
        pytest.fail("the body runs")
    assert f"folds.csv {words}; leave results alone while a workflow runs" in Path(job.log[0]).read_text()
    # Restored, touched or copied: the content counts.
    folds.write_text("id,fold\n")
    with step(job):
        pass


@pytest.mark.parametrize("change", ["content", "mtime", "deleted"])
def test_a_step_whose_input_changed_meanwhile_fails(job: SimpleNamespace, change: str) -> None:
    path = Path(job.input.folds)
    with pytest.raises(SystemExit) as ended, step(job):
        if change == "content":
            path.write_text("id,fold\na,1\n")
        elif change == "mtime":
            os.utime(path, ns=(5, 5))
        else:
            path.unlink()
    assert ended.value.code == 1
    assert "folds.csv changed while this step read it" in Path(job.log[0]).read_text()
    assert record_of(job) is None


def test_an_input_from_the_future_is_no_newer_than_outputs(job: SimpleNamespace) -> None:
    future = time.time_ns() + 10**12
    os.utime(job.input.folds, ns=(future, future))
    with step(job):
        assert Path(job.input.folds).stat().st_mtime_ns <= time.time_ns()
        # As another step does that starts at the same time.
        os.utime(job.input.folds)
    assert Path(job.output.built).exists()


def test_bad_input_ends_the_step_with_its_message_alone(
    job: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, step(job):
        raise FoldlineError("train.csv, line 3: label 'x' is not 0 or 1")
    assert ended.value.code == 1
    log = Path(job.log[0]).read_text()
    assert "ERROR train.csv, line 3: label 'x' is not 0 or 1\n" in log
    assert "Traceback" not in log
    assert "label 'x'" in capfd.readouterr().err
    assert not Path(job.output.built).exists()


def test_a_defect_leaves_its_traceback_in_the_log(job: SimpleNamespace) -> None:
    with pytest.raises(SystemExit) as ended, step(job):
        raise ZeroDivisionError("of a defect")
    assert ended.value.code == 1
    log = Path(job.log[0]).read_text()
    assert "Traceback (most recent call last)" in log
    assert "ZeroDivisionError: of a defect" in log
    assert not Path(job.output.built).exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_step_that_is_stopped_is_not_built(error: type[BaseException], job: SimpleNamespace) -> None:
    with pytest.raises(error), step(job):
        raise error
    assert not Path(job.output.built).exists()


def test_warnings_go_to_the_log(job: SimpleNamespace) -> None:
    with step(job), warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("a strange column", UserWarning, stacklevel=1)
    assert "a strange column" in Path(job.log[0]).read_text()


def test_a_log_begins_anew(job: SimpleNamespace) -> None:
    Path(job.log[0]).parent.mkdir()
    Path(job.log[0]).write_text("of the last run\n")
    with step(job):
        pass
    assert "of the last run" not in Path(job.log[0]).read_text()


def attempt(job: SimpleNamespace, message: str, *, fails: bool = False, resumable: bool = True) -> list[str]:
    """Messages in the log after one attempt of a job, before which Snakemake removes the log."""
    Path(job.log[0]).unlink(missing_ok=True)
    with contextlib.suppress(SystemExit), step(job, resumable=resumable):
        logging.getLogger("foldline.test").info(message)
        if fails:
            raise StoppedError("stopped")
    return [line.split(" ", 3)[-1] for line in Path(job.log[0]).read_text().splitlines()]


def test_a_resumed_step_continues_its_log(job: SimpleNamespace) -> None:
    assert attempt(job, "first", fails=True) == ["first", "stopped"]
    assert attempt(job, "second", fails=True) == ["first", "stopped", "second", "stopped"]
    assert attempt(job, "third") == ["first", "stopped", "second", "stopped", "third"]
    assert [path.name for path in Path(job.log[0]).parent.iterdir()] == ["step.log"]
    # It was complete: done again, it begins a new log.
    assert attempt(job, "fourth") == ["fourth"]


def test_the_log_of_another_key_is_not_continued(job: SimpleNamespace) -> None:
    attempt(job, "first", fails=True)
    job.params.job["key"] = "another digest"
    assert attempt(job, "second", fails=True) == ["second", "stopped"]
    assert len(list(Path(job.log[0]).parent.iterdir())) == 2


def test_other_steps_begin_a_new_log(job: SimpleNamespace) -> None:
    attempt(job, "first", fails=True, resumable=False)
    assert attempt(job, "second", resumable=False) == ["second"]


def test_a_log_begins_anew_without_hard_links(job: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, target: Path) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(Path, "hardlink_to", fail)
    attempt(job, "first", fails=True)
    assert attempt(job, "second") == ["second"]
    assert [path.name for path in Path(job.log[0]).parent.iterdir()] == ["step.log"]


def test_a_rule_without_a_log(job: SimpleNamespace) -> None:
    job.log = []
    with step(job):
        pass
    assert Path(job.output.built).exists()


def test_what_follows_a_built_step_is_done_last(job: SimpleNamespace) -> None:
    seen: list[bool] = []
    with step(job) as done:
        assert done.key == "a digest"
        done.after_success(lambda: seen.append(Path(job.output.built).exists()))
    assert seen == [True]
    with pytest.raises(SystemExit), step(job) as done:
        done.after_success(lambda: seen.append(False))
        raise FoldlineError("bad")
    assert seen == [True]


def test_stopped_work_ends_with_a_code_of_its_own(job: SimpleNamespace) -> None:
    with pytest.raises(SystemExit) as ended, step(job):
        raise StoppedError("stopped by SIGTERM")
    assert ended.value.code == 75
    assert "WARNING stopped by SIGTERM" in Path(job.log[0]).read_text()
    assert not Path(job.output.built).exists()
