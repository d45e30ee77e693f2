"""Checks of the keys of a training that need each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from foldline.errors import counted


def training_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    """Lines about settings without effect, and those that no training can do well with.

    Args:
        name: name of the model.
        config: the completed configuration.
    """
    model = config["models"][name]
    where = f"config: models.{name}"
    if model["ema_warmup"] and model["ema_decay"] is None:
        yield f"{where}.ema_warmup is true, but ema_decay is null; set ema_decay, such as 0.999, or ema_warmup to false"
    if model["normalization"] == "frozen" and model["weights"] == "none":
        yield (
            f"{where}.normalization is frozen, but weights is none, so the means and variances are of no data; set "
            "normalization to train, or weights to imagenet"
        )
    needed = model["schedule"]["warmup_epochs"] + model["schedule"]["hold_epochs"]
    epochs = min([model["epochs"], *(each.get("epochs", model["epochs"]) for each in model["fold_overrides"].values())])
    if model["head_epochs"] and model["head_epochs"] + max(needed, 1) > epochs:
        yield (
            f"{where}.head_epochs is {model['head_epochs']}, which leaves too few of {counted(epochs, 'epoch')} for "
            "all layers and for schedule.warmup_epochs and hold_epochs; lower it, or raise epochs"
        )
    if model["backbone"] is None:
        for key, value, neutral in (
            ("optimizer.layer_decay", model["optimizer"]["layer_decay"], 1),
            ("normalization", model["normalization"], "train"),
            ("head_epochs", model["head_epochs"], 0),
        ):
            if value != neutral:
                yield f"{where}.{key} is {value}, but the model has no backbone; set it to {neutral}"
