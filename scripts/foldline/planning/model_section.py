"""Look-ups in the `models` section of a completed configuration."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from foldline.models.model_config import ModelConfig

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


def training_config(config: Mapping[str, Any], model: str, fold: int) -> dict[str, Any]:
    """All other settings of a model, the overrides of the fold applied: the fields of `TrainingConfig`.

    Args:
        config: the completed configuration.
        model: name of the model.
        fold: number of the fold.
    """
    section = config["models"][model]
    settings = {key: value for key, value in section.items() if key not in (*MODEL_KEYS, "fold_overrides")}
    overrides: dict[str, Any] = section["fold_overrides"].get(str(fold), {})
    return settings | overrides
