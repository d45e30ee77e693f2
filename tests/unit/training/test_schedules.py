"""Learning rates of every step, for each schedule."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fixtures.settings import training_config
from foldline.errors import FoldlineError
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.schedules import Progress, make_schedule

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


@pytest.mark.parametrize("warmup", [0, 1, 3, 5])
@pytest.mark.parametrize("hold", [0, 1, 2, 7])
@pytest.mark.parametrize("steps_per_epoch", [1, 7.5, 100 / 3])
def test_the_stepped_schedule_equals_that_of_the_notebook(warmup: int, hold: int, steps_per_epoch: float) -> None:
    """Row 21: trainings of every length, in the first and the last step of every epoch."""
    policy = replace(POLICY, warmup_epochs=warmup, hold_epochs=hold)
    for epochs in range(max(1, warmup + hold), 31):
        rate = make_schedule(policy, learning_rate=1e-4, epochs=epochs, steps_per_epoch=steps_per_epoch).rate
        for epoch in range(epochs):
            first, last = (math.ceil(number * steps_per_epoch - 1e-9) for number in (epoch, epoch + 1))
            expected = custom_lr_scheduler(epoch, warmup_epochs=warmup, sustain_epochs=hold)
            assert [rate(first), rate(last - 1)] == pytest.approx([expected] * 2, rel=1e-12), (epochs, epoch)


def test_the_decay_begins_in_the_last_epoch_too() -> None:
    """Row 21: of six epochs, three are warm-up and two are the hold."""
    rate = make_schedule(POLICY, learning_rate=1e-4, epochs=6, steps_per_epoch=10).rate
    assert rate(50) == pytest.approx(8.29e-5)
    smooth = replace(POLICY, stepped=False, decay_from="hold")
    rate = make_schedule(smooth, learning_rate=1.0, epochs=6, steps_per_epoch=10).rate
    assert rate(55) == pytest.approx(0.1 + 0.9 * 0.9**0.5)


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


def keras_rates(scores: Sequence[float], *, mode: str) -> list[float]:
    """Rates after each epoch by the callback of Keras, from 1."""
    variable = tf.Variable(1.0)
    callback = tf_keras.callbacks.ReduceLROnPlateau("score", factor=0.4, patience=2, min_delta=1e-4, mode=mode)
    callback.set_model(SimpleNamespace(optimizer=SimpleNamespace(lr=variable)))
    callback.on_train_begin()
    rates = []
    for epoch, score in enumerate(scores):
        callback.on_epoch_end(epoch, {"score": score})
        rates.append(float(variable))
    return rates


@pytest.mark.parametrize("seed", range(20))
def test_plateaus_are_those_of_keras(seed: int) -> None:
    """Rows 11 and 22: of an AUC and of a loss, whose differences are near the smallest one that counts."""
    scores = 0.7 + np.cumsum(np.random.default_rng(seed).integers(-2, 3, 30)) * 0.4e-4
    plateau = replace(COSINE, name="plateau", warmup_epochs=0)
    found: dict[str, list[float]] = {"max": [], "min": []}
    for mode, rates in found.items():
        schedule = make_schedule(plateau, learning_rate=1.0, epochs=30, steps_per_epoch=1)
        for score in scores:
            schedule.observe(score if mode == "max" else -score)
            rates.append(schedule.rate(0))
        assert rates == pytest.approx(keras_rates(scores, mode=mode))
        assert rates[-1] < 1


@pytest.mark.parametrize("seed", range(20))
def test_early_stopping_waits_as_that_of_keras(seed: int) -> None:
    """Rows 11 and 22."""
    scores = 0.7 + np.cumsum(np.random.default_rng(seed).integers(-2, 3, 60)) * 0.4e-4
    model = SimpleNamespace(stop_training=False)
    callback = tf_keras.callbacks.EarlyStopping("score", mode="max", patience=5, min_delta=1e-4)
    callback.set_model(model)
    callback.on_train_begin()
    progress = Progress(1e-4)
    for epoch, score in enumerate(scores):
        callback.on_epoch_end(epoch, {"score": score})
        progress.observe(score)
        assert (progress.waited >= 5) == model.stop_training, epoch
        if model.stop_training:
            break
    assert model.stop_training


def test_a_plateau_can_lower_the_rate_of_another_schedule() -> None:
    """Row 22: the notebook has a callback for plateaus of the loss beside its policy."""
    config = replace(POLICY, reduce_on_plateau=True, factor=0.1, patience=5, monitor="loss")
    schedule = make_schedule(config, learning_rate=1e-4, epochs=30, steps_per_epoch=1)
    assert schedule.monitor == "loss"
    for epoch in range(12):
        # The first epoch is an improvement; the fifth after it ends a plateau.
        reductions = max(0, epoch - 1) // 5
        assert schedule.rate(epoch) == pytest.approx(custom_lr_scheduler(epoch) * 0.1**reductions)
        schedule.observe(-0.5)


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
