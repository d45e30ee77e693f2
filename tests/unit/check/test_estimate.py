"""Time and disk are what was measured of a row, a step or a start, times how often a run does it."""

from dataclasses import replace

import pytest
from foldline.check.estimate import FoldRows, Work, bytes_text, image_costs, model_costs, seconds_text
from foldline.training.schedules import mean_area
from foldline.training.speed import Speed
from foldline.training.training_config import SizeStage

SPEED = Speed(
    step=0.2, batch=0.1, predict=0.01, start=20.0, predict_start=5.0, weights=1000, checkpoints=6000, predictions=8.0
)
FOLDS = [FoldRows(96, 48), FoldRows(100, 44)]
WORK = Work(FOLDS, epochs=3, batch_size=10, test_rows=10, predicting=2, views=4, test_views=8)


def test_images_are_read_once_and_written_in_each_size() -> None:
    rows = {"train": 1000, "test": 100}
    shard = {
        "224/train": (0.03, 9000.0),
        "64/train": (0.02, 900.0),
        "224/test": (0.04, 8000.0),
        "64/test": (0.02, 800.0),
    }
    read, small, large = image_costs(rows, {"train": 0.01, "test": 0.02}, shard)
    assert read.seconds == pytest.approx(1000 * 0.01 + 100 * 0.02)
    assert read.bytes == 0
    assert (small.name, large.name) == ("shards of 64 pixels", "shards of 224 pixels")
    assert small.seconds == pytest.approx(22.0)
    assert (large.seconds, large.bytes) == (pytest.approx(34.0), pytest.approx(9.8e6))
    assert "1,000 train rows x 30 ms and 9.0 kB" in large.how


def test_a_model_trains_validates_starts_and_predicts_in_every_fold() -> None:
    assert [WORK.steps(fold) for fold in WORK.folds] == [28, 30]
    train, checkpoints, predict = model_costs("b3", SPEED, WORK, overlapping=False)
    assert train.seconds == pytest.approx(58 * (0.2 + 0.1) + 3 * (48 + 44) * 0.01 + 2 * 20.0)
    assert "58 steps x 300 ms (step and batch) + 3 epochs x 92 held-out rows x 10 ms + 2 starts x 20 s" in train.how
    assert train.bytes == 2000
    assert (checkpoints.seconds, checkpoints.bytes) == (0, 6000)
    assert predict.seconds == pytest.approx(4 * (48 + 44 + 2 * 10) * 0.01 + 4 * 5.0)
    assert predict.how == "4 views x 112 rows x 10 ms + 4 starts x 5.0 s"
    assert predict.bytes == pytest.approx((48 + 44 + 2 * 10) * 8.0)


def test_folds_that_share_the_views_predict_test_rows_faster() -> None:
    predict = model_costs("b3", SPEED, replace(WORK, test_views=4), overlapping=False)[-1]
    assert predict.seconds == pytest.approx((4 * (48 + 44) + 4 * 10) * 0.01 + 4 * 5.0)
    assert predict.how == "(4 views x 92 held-out rows + 4 views x 10 test rows) x 10 ms + 4 starts x 5.0 s"


def test_smaller_images_take_less_time() -> None:
    train, _, predict = model_costs("b3", SPEED, replace(WORK, area=0.5), overlapping=False)
    assert train.seconds == pytest.approx(58 * (0.5 * 0.2 + 0.1) + 3 * (48 + 44) * 0.01 + 2 * 20.0)
    assert predict == model_costs("b3", SPEED, WORK, overlapping=False)[2]
    assert mean_area([SizeStage(1, 50), SizeStage(1, 100)], 4, 100) == pytest.approx((0.25 + 3) / 4)


def test_every_job_imports_its_libraries() -> None:
    assert SPEED.with_imports(3.0) == replace(SPEED, start=23.0, predict_start=8.0)


def test_batches_are_made_while_a_gpu_computes() -> None:
    alone = [model_costs("b3", SPEED, WORK, overlapping=overlapping)[0].seconds for overlapping in (False, True)]
    assert alone[0] - alone[1] == pytest.approx(58 * 0.1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0031, "3.1 ms"),
        (0.25, "250 ms"),
        (9.96, "10 s"),
        (99, "99 s"),
        (720, "12 min"),
        (12_240, "3.4 h"),
        (432_000, "5.0 days"),
    ],
)
def test_times_have_two_digits_and_a_unit(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (120, "120 bytes"), (45_000, "45 kB"), (1.24e9, "1.2 GB"), (3e12, "3.0 TB")]
)
def test_sizes_have_two_digits_and_a_unit(count: float, text: str) -> None:
    assert bytes_text(count) == text
