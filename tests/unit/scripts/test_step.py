"""A step is built when its body ended well, and says in its log why it did not."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from foldline.errors import FoldlineError, StoppedError
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
    (tmp_path / "step.key").write_text("a digest\n")
    return SimpleNamespace(
        input=SimpleNamespace(key=str(tmp_path / "step.key")),
        output=SimpleNamespace(built=str(tmp_path / "keys" / "step.built")),
        log=[str(tmp_path / "logs" / "step.log")],
    )


def test_a_step_that_ends_well_is_built_from_its_key(job: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    with step(job):
        logging.getLogger("foldline.test").info("at work")
        assert not Path(job.output.built).exists()
    assert Path(job.output.built).read_text() == "a digest\n"
    assert "INFO at work" in Path(job.log[0]).read_text()
    assert "INFO at work" in capfd.readouterr().err


def test_the_key_is_that_of_the_start(job: SimpleNamespace) -> None:
    with step(job):
        Path(job.input.key).write_text("a later digest\n")
    assert Path(job.output.built).read_text() == "a digest\n"


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
    Path(job.input.key).write_text("another digest\n")
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
