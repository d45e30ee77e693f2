"""Losses with which a training cannot go well are errors."""

import pytest
from foldline.errors import FoldlineError
from foldline.training.loss_checks import check_finite, check_learning


def test_a_loss_that_is_always_0_names_the_keys() -> None:
    with pytest.raises(FoldlineError) as caught:
        check_learning("b0 fold 1", [0.0, 0.0, 0.0], [0.5])
    assert str(caught.value).startswith("b0 fold 1: the loss is 0 in every step of epoch 2, so nothing is learned;")
    for key in ("loss.hard_labels", "loss.label_smoothing", "loss.alpha", "class_weights"):
        assert key in str(caught.value)


@pytest.mark.parametrize(("losses", "epochs"), [([0.5, 0.5], []), ([0.5], [0.5, 0.5])])
def test_a_loss_that_does_not_change_names_the_keys(losses: list[float], epochs: list[float]) -> None:
    with pytest.raises(FoldlineError) as caught:
        check_learning("b0 fold 1", losses, epochs)
    number = len(epochs) + 1
    assert f"the loss is 0.5 in every step of epoch {number} and does not change, so nothing is learned; raise" in str(
        caught.value
    )
    for key in ("learning_rate", "trainable", "weights: none"):
        assert key in str(caught.value)


@pytest.mark.parametrize(
    ("losses", "epochs"), [([0.0, 0.1], []), ([0.5, 0.4], [0.5]), ([0.5], []), ([0.5], [0.6, 0.5]), ([0.1, 0.2], [0.3])]
)
def test_a_loss_that_changes_is_accepted(losses: list[float], epochs: list[float]) -> None:
    check_learning("b0 fold 1", losses, epochs)
    check_finite("b0 fold 1", losses, 3, lambda step: step)
    assert losses


def test_a_loss_that_is_not_finite_names_its_step_and_rate() -> None:
    with pytest.raises(FoldlineError, match=r"the loss is not finite in step 12 \(learning rate 0\.012\); lower"):
        check_finite("b0 fold 1", [0.5, 0.4, float("inf")], 10, lambda step: step / 1000)
