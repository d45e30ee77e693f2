"""Look-ups in the `models` section of a completed configuration."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from foldline.io.result_paths import FINAL, Member
from foldline.models.model_config import ModelConfig
from foldline.planning.fold_plan import members

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


def prediction_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """How rows are predicted, the fields of `PredictionConfig`."""
    return {key: config["prediction"][key] for key in ("views", "batch_size")}


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
