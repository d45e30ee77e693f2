"""Presets, whether they are chosen or not: what the schema does not allow in them."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import ValidationError

from foldline.errors import listing
from foldline.planning.configuration import chosen_presets, errors_of
from foldline.planning.schema_errors import error_messages


def preset_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[list[str], set[str]]:
    """Problems of all presets of a configuration.

    Args:
        config: the configuration with keys as text, without defaults.
        schema: its schema.

    Returns:
        A line for each problem, and the same lines as they are once a chosen preset is laid over the configuration.
    """
    presets = config.get("presets", {})
    if not isinstance(presets, dict):
        return [], set()
    problems: list[str] = []
    laid_over: set[str] = set()
    for name, preset in presets.items():
        if not isinstance(preset, dict):
            # The schema refuses it.
            continue
        key = f"presets.{name}"
        inner = {section: values for section, values in preset.items() if section not in ("preset", "presets")}
        if len(inner) < len(preset):
            problems.append(
                f"config: {key} has preset or presets; list the presets to combine in preset, such as [a, b]"
            )
        errors = [error for error in errors_of(inner, schema) if not _is_incomplete(error)]
        problems += error_messages(errors, inside=key)
        problems += _models_without_size(config, name, preset)
        if name in (chosen_presets(config) or []):
            laid_over.update(error_messages(errors))
    return problems, laid_over


def _is_incomplete(error: ValidationError) -> bool:
    """Whether something is missing in a mapping, which the rest of the configuration may have."""
    in_list = any(isinstance(name, int) for name in error.absolute_path)
    return error.validator in ("required", "minProperties") and not in_list


def _models_without_size(config: Mapping[str, Any], name: str, preset: Mapping[str, Any]) -> Iterator[str]:
    """Models of a preset that no other section defines and that are no models by themselves: mostly typing errors."""
    others = [preset for other, preset in config["presets"].items() if other != name]
    known = {model for section in (config, *others) for model in _models(section)}
    for model, values in _models(preset).items():
        if model in known or (isinstance(values, dict) and "image_size" in values):
            continue
        close = difflib.get_close_matches(model, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        yield (
            f"config: presets.{name}.models.{model} is no model of this configuration ({listing(sorted(known))}) and "
            f"has no image_size.{hint} Rename it, or set image_size to add a model"
        )


def _models(section: Any) -> Mapping[str, Any]:
    models = section.get("models") if isinstance(section, dict) else None
    return models if isinstance(models, dict) else {}
