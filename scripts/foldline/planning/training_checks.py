"""Checks of the keys of a training that need each other."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from foldline.errors import counted


def training_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    """Lines about settings without effect, and those that no training can do well with.

    Args:
        name: name of the model.
        config: the completed configuration.
    """
    model, seen = config["models"][name], set[tuple[str, str]]()
    for fold, override in [("", {}), *model["fold_overrides"].items()]:
        settings = _Overridden(model, override)
        for key, problem in chain(_problems(settings), _size_problems(settings)):
            # A problem that a fold has in common with the model is named once.
            if (key, problem) not in seen:
                seen.add((key, problem))
                section = f"{name}.fold_overrides.{fold}" if key.partition(".")[0] in override else name
                yield f"config: models.{section}.{key} {problem}"


class _Overridden:
    """Settings of a model in a fold; a wrong value is an error only when it is read, as in `UsableValues`."""

    def __init__(self, model: Mapping[str, Any], override: Mapping[str, Any]) -> None:
        self._model, self._override = model, override

    def __getitem__(self, key: str) -> Any:
        return (self._override if key in self._override else self._model)[key]


def _problems(model: _Overridden) -> Iterator[tuple[str, str]]:
    """Key, and what is wrong with it."""
    if model["ema_warmup"] and model["ema_decay"] is None:
        yield "ema_warmup", "is true, but ema_decay is null; set ema_decay, such as 0.999, or ema_warmup to false"
    if model["normalization"] != "train" and model["weights"] == "none":
        yield (
            "normalization",
            f"is {model['normalization']}, but weights is none, so the means and variances are of no data; set "
            "normalization to train, or weights to imagenet",
        )
    if model["batch_size"] % model["accumulate"]:
        yield (
            "accumulate",
            f"is {model['accumulate']}, but batch_size is {model['batch_size']}, which has no such number of equal "
            "parts; set accumulate to a divisor of batch_size",
        )
    yield from _average_problems(model)
    needed = model["schedule"]["warmup_epochs"] + model["schedule"]["hold_epochs"]
    epochs = model["epochs"]
    if model["head_epochs"] and model["head_epochs"] + max(needed, 1) > epochs:
        yield (
            "head_epochs",
            f"is {model['head_epochs']}, which leaves too few of {counted(epochs, 'epoch')} for all layers and for "
            "schedule.warmup_epochs and hold_epochs; lower it, or raise epochs",
        )
    if model["sampling"]["hardest"] and model["sampling"]["share"] == 1:
        yield (
            "sampling.hardest",
            f"is {model['sampling']['hardest']:g}, but sampling.share is 1, so every epoch has all rows; set share, "
            "such as 0.3, or hardest to 0",
        )
    if model["backbone"] is None:
        for key, value, neutral in (
            ("optimizer.layer_decay", model["optimizer"]["layer_decay"], 1),
            ("normalization", model["normalization"], "train"),
            ("head_epochs", model["head_epochs"], 0),
            ("size_schedule", model["size_schedule"], []),
            ("prediction_size", model["prediction_size"], None),
        ):
            if value != neutral:
                yield key, f"is {_shown(value)}, but the model has no backbone; set it to {_shown(neutral)}"


def _average_problems(model: _Overridden) -> Iterator[tuple[str, str]]:
    """Key, and what is wrong with it, of the average of the last epochs."""
    count = model["swa_epochs"]
    if not count:
        return
    if count > model["epochs"]:
        yield "swa_epochs", f"is {count}, but epochs is {model['epochs']}; set it to that number or less"
    for key, value, needed in (
        ("select_epoch", model["select_epoch"], "last"),
        ("early_stopping.patience", model["early_stopping"]["patience"], None),
        ("ema_decay", model["ema_decay"], None),
    ):
        if value != needed:
            yield (
                "swa_epochs",
                f"is {count}, so the weights are the average of the last epochs, but {key} is {value}; set {key} to "
                f"{_shown(needed)}, or swa_epochs to 0",
            )


def _size_problems(model: _Overridden) -> Iterator[tuple[str, str]]:
    """Key, and what is wrong with it, of the sizes of images beside that of the shards."""
    most, stages = model["image_size"], model["size_schedule"]
    sizes = [("prediction_size", model["prediction_size"]), *(("size_schedule", one["image_size"]) for one in stages)]
    for key, size in sizes:
        if size is not None and size > most:
            yield (
                key,
                f"has images of {size} pixels, but those of the shards have {most}; set it to {most} or less, or raise "
                "image_size",
            )
    total = sum(stage["epochs"] for stage in stages)
    if total > model["epochs"]:
        yield (
            "size_schedule",
            f"has {counted(total, 'epoch')}, but epochs is {model['epochs']}; lower those of size_schedule, or raise "
            "epochs",
        )


def _shown(value: object) -> str:
    return "null" if value is None else str(value)
