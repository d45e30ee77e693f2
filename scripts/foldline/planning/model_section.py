"""Look-ups in the `models` section of a completed configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from foldline.io.result_paths import FINAL, Member
from foldline.models.model_config import ModelConfig
from foldline.planning.fold_plan import fold_numbers, members

MODEL_KEYS = tuple(field.name for field in fields(ModelConfig))


def model_config(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Settings of a network, the fields of `ModelConfig`; predictions are keyed by nothing else of the section.

    Args:
        config: the completed configuration.
        model: name of the model.
    """
    section = config["models"][model]
    settings = {key: section[key] for key in MODEL_KEYS}
    return settings | {"channels": section["channels"] or config["dataset"]["channels"]}


def prediction_config(config: Mapping[str, Any], split: Sequence[int] | None = None) -> dict[str, Any]:
    """How rows are predicted, the fields of `PredictionConfig`; for `split` see `view_split`."""
    settings = {key: config["prediction"][key] for key in ("views", "batch_size")}
    return settings if split is None else {**settings, "split": list(split)}


def view_split(config: Mapping[str, Any], member: Member) -> list[int] | None:
    """Which share of the views of a new image a network averages, as `PredictionConfig.split`; None for all views.

    The folds of each repeat share the views, so that a further repeat changes no prediction of the others.
    """
    prediction = config["prediction"]
    if prediction["test_views"] == "all" or prediction["views"] == 1 or member.is_final:
        return None
    folds = fold_numbers(config["folds"])
    return [folds.index(member.fold), len(folds)]


def predicting_members(config: Mapping[str, Any]) -> list[Member]:
    """The networks of each model that predict the test split and the holdout."""
    return [FINAL] if config["prediction"]["test_models"] == "final" else members(config["folds"])


def final_models(config: Mapping[str, Any]) -> list[str]:
    """Names of the models that are trained on all rows too."""
    return [name for name, model in config["models"].items() if model["final"]]


def training_config(config: Mapping[str, Any], model: str, member: Member) -> dict[str, Any]:
    """All other settings of a model, the overrides of the fold applied: the fields of `TrainingConfig`.

    Args:
        config: the completed configuration.
        model: name of the model.
        member: the fold, by whose label the overrides are, or the final network.
    """
    section = config["models"][model]
    settings = {key: value for key, value in section.items() if key not in (*MODEL_KEYS, "fold_overrides", "final")}
    overrides: dict[str, Any] = section["fold_overrides"].get(str(member), {})
    return settings | overrides
