"""Lines of progress appear in long epochs alone, with the right numbers."""

import logging

import pytest
from foldline.training.progress_log import ProgressLog, StepsAhead, in_words


@pytest.fixture
def ahead() -> StepsAhead:
    return StepsAhead(epoch=2, epochs=5, first=100, end=200, last=500)


def test_a_line_has_speed_loss_and_time_left(ahead: StepsAhead, caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    log = ProgressLog("m fold 0", 32, clock=lambda: now)
    log.start()
    assert not log.is_due(105)
    now = 1029.0
    assert not log.is_due(120)
    now = 1030.0
    assert log.is_due(120)
    with caplog.at_level(logging.INFO):
        log.write(120, 0.4567, ahead)
    # 15 steps of 32 images in 30 s.
    assert caplog.messages == [
        "m fold 0  epoch 2/5  20 %  loss .457  16 images/s  3 min left of the epoch, 13 min of the training without "
        "validation"
    ]
    assert not log.is_due(121)
    now = 1060.0
    assert log.is_due(150)
    log.start()
    assert not log.is_due(201)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3569, "59 min"), (3571, "1 h 00 min"), (9000, "2 h 30 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
