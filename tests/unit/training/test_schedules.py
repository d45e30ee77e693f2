"""Learning rates of every step, for each schedule."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from fixtures.settings import training_config
from foldline.errors import FoldlineError
from foldline.training.schedules import make_schedule

COSINE = training_config(schedule={"warmup_epochs": 1, "final_fraction": 0.1}).schedule
# The policy of the protein-atlas notebook: 1e-5 to 1e-4 in 3 epochs, 2 epochs of hold, then down by .9 an epoch.
POLICY = replace(
    COSINE,
    name="exponential",
    warmup_epochs=3,
    initial_fraction=0.1,
    hold_epochs=2,
    stepped=True,
    decay_from="warmup",
)


def test_cosine_rises_and_falls_to_its_final_fraction() -> None:
    rate = make_schedule(COSINE, learning_rate=0.5, epochs=5, steps_per_epoch=10).rate
    rates = [rate(step) for step in range(50)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10] == max(rates) == 0.5
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.05)
    middle = 10 + 39 / 2
    assert (rate(int(middle)) + rate(int(middle) + 1)) / 2 == pytest.approx(0.5 * 0.55)


def test_the_warm_up_is_linear_and_starts_above_zero() -> None:
    rate = make_schedule(replace(COSINE, warmup_epochs=0.5), learning_rate=1.0, epochs=2, steps_per_epoch=8).rate
    assert [rate(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_constant_rate_never_changes() -> None:
    rate = make_schedule(
        replace(COSINE, name="constant", warmup_epochs=0), learning_rate=0.2, epochs=3, steps_per_epoch=4
    ).rate
    assert {rate(step) for step in range(12)} == {0.2}


def test_a_single_step_has_the_highest_rate() -> None:
    rate = make_schedule(replace(COSINE, warmup_epochs=0), learning_rate=0.2, epochs=1, steps_per_epoch=1).rate
    assert rate(0) == 0.2


def custom_lr_scheduler(epoch, warmup_epochs=3, sustain_epochs=2, initial_lr=1e-5, max_lr=1e-4, epsilon=0.9):
    """The notebook's own definition."""
    if epoch < warmup_epochs:
        return ((max_lr - initial_lr) / warmup_epochs * epoch) + initial_lr
    if epoch < warmup_epochs + sustain_epochs:
        return max_lr
    return ((max_lr - initial_lr) * epsilon ** (epoch - warmup_epochs)) + initial_lr


def test_the_stepped_schedule_equals_that_of_the_notebook() -> None:
    """Row 21."""
    rate = make_schedule(POLICY, learning_rate=1e-4, epochs=15, steps_per_epoch=7.5).rate
    for epoch in range(15):
        first, last = -(-15 * epoch // 2), -(-15 * (epoch + 1) // 2) - 1
        assert rate(first) == pytest.approx(custom_lr_scheduler(epoch))
        assert rate(last) == rate(first)


def test_the_corrected_schedule_has_no_jump() -> None:
    """Row 21, corrected: the decay begins where the hold ends."""
    smooth = make_schedule(
        replace(POLICY, stepped=False, decay_from="hold"), learning_rate=1.0, epochs=15, steps_per_epoch=50
    )
    rates = [smooth.rate(step) for step in range(750)]
    assert max(abs(after - before) for before, after in itertools.pairwise(rates)) < 0.01
    assert rates[0] == pytest.approx(0.1, abs=0.01)
    assert rates[150:250] == [1.0] * 100
    assert rates[300] == pytest.approx(0.1 + 0.9 * 0.9)
    jumping = make_schedule(POLICY, learning_rate=1.0, epochs=15, steps_per_epoch=50)
    assert jumping.rate(249) - jumping.rate(250) == pytest.approx(0.9 * (1 - 0.81))


def test_a_plateau_lowers_the_rate_after_its_patience() -> None:
    """Row 11: factor .4, patience 2, min delta 1e-4."""
    schedule = make_schedule(
        replace(COSINE, name="plateau", warmup_epochs=0), learning_rate=1.0, epochs=9, steps_per_epoch=1
    )
    rates = []
    for auc in (0.7, 0.8, 0.80005, 0.79, 0.8001, 0.8002, 0.9, 0.1):
        schedule.observe(auc)
        rates.append(schedule.rate(0))
    assert rates == pytest.approx([1, 1, 1, 0.4, 0.4, 0.4, 0.4, 0.4])


def test_scores_change_the_rate_at_a_plateau_only() -> None:
    schedule = make_schedule(COSINE, learning_rate=1.0, epochs=5, steps_per_epoch=10)
    before = schedule.rate(30)
    for _ in range(5):
        schedule.observe(0.5)
    assert schedule.rate(30) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "steps"}, r"schedule\.name is 'steps'; allowed: constant, cosine, exponential, plateau"),
        ({"warmup_epochs": 4.5, "hold_epochs": 1}, r"warmup_epochs 4\.5 and hold_epochs 1 are more than 5 epochs"),
    ],
)
def test_impossible_schedules_are_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FoldlineError, match=message):
        make_schedule(replace(COSINE, **changes), learning_rate=0.2, epochs=5, steps_per_epoch=4)
