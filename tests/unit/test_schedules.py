"""Learning rates over the steps of a training."""

import pytest
from foldline.errors import FoldlineError
from foldline.schedules import make_schedule

COSINE = {"name": "cosine", "warmup_epochs": 1, "final_fraction": 0.1}


def test_cosine_rises_falls_and_ends_where_it_says() -> None:
    rate = make_schedule(COSINE, learning_rate=0.5, epochs=5, steps_per_epoch=10)
    rates = [rate(step) for step in range(50)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10] == max(rates) == 0.5
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.05)
    middle = 10 + 39 / 2
    assert (rate(int(middle)) + rate(int(middle) + 1)) / 2 == pytest.approx(0.5 * 0.55)


def test_warm_up_is_a_straight_line_from_above_zero() -> None:
    rate = make_schedule({**COSINE, "warmup_epochs": 0.5}, learning_rate=1.0, epochs=2, steps_per_epoch=8)
    assert [rate(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_constant_stays() -> None:
    rate = make_schedule(
        {**COSINE, "name": "constant", "warmup_epochs": 0}, learning_rate=0.2, epochs=3, steps_per_epoch=4
    )
    assert {rate(step) for step in range(12)} == {0.2}


def test_a_single_step_has_the_highest_rate() -> None:
    rate = make_schedule({**COSINE, "warmup_epochs": 0}, learning_rate=0.2, epochs=1, steps_per_epoch=1)
    assert rate(0) == 0.2


@pytest.mark.parametrize("changes", [{"name": "steps"}, {"warmup_epochs": 6}])
def test_what_cannot_be_is_refused(changes: dict) -> None:
    with pytest.raises(FoldlineError):
        make_schedule({**COSINE, **changes}, learning_rate=0.2, epochs=5, steps_per_epoch=4)
