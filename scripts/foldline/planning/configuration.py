"""The configuration, checked against its schema and completed before the DAG is built.

`with_preset` lays presets over a configuration; `complete` fills in the defaults of the schema and raises an error for
everything that the schema does not allow. `schema_errors` words these errors, and `config_reader` reports them together
with those of the other checks.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, TypeChecker, ValidationError
from jsonschema.validators import extend

from foldline.errors import FoldlineError, listing, problems_error
from foldline.evaluation.rules import canonical_rule
from foldline.planning.schema_errors import RULES, error_messages


def _is_finite_number(checker: TypeChecker, value: Any) -> bool:
    """Whether a value is a number of JSON; YAML has infinity and NaN as well."""
    return Draft202012Validator.TYPE_CHECKER.is_type(value, "number") and math.isfinite(value)


_Validator = extend(  # type: ignore[no-untyped-call]  # the stub of jsonschema has no types here
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("number", _is_finite_number)
)


def read_schema(path: str | Path) -> dict[str, Any]:
    """Read a JSON schema from a YAML file."""
    schema: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return schema


def with_preset(
    config: Mapping[str, Any], command_line: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Copy of a configuration with its chosen presets laid over it, the last one on top.

    Args:
        config: the configuration, the values of the command line included.
        command_line: the values of the command line alone; they win over the presets. Snakemake hands over values in
            braces as text, which becomes the number or null that the schema asks for.
        schema: the schema.

    Raises:
        FoldlineError: a preset does not exist.
    """
    laid: dict[str, Any] = plain(config)
    presets, names = laid.get("presets", {}), chosen_presets(laid)
    if not isinstance(presets, dict) or names is None:
        # The schema refuses this configuration.
        return laid
    for name in names:
        if name not in presets:
            known = f"set it to one of {listing(sorted(presets))}" if presets else "remove it: presets has no entry"
            raise FoldlineError(f"config: preset is {name!r}, which is not in presets; {known}")
        laid = _overlaid(laid, presets[name])
    overlaid: dict[str, Any] = _overlaid(laid, _converted(plain(command_line), schema, schema, _parsed_text))
    return overlaid


def chosen_presets(config: Mapping[str, Any]) -> list[str] | None:
    """Names of the presets that a configuration applies to itself; None if `preset` is no text and no list of texts."""
    chosen = config.get("preset") or []
    names = [chosen] if isinstance(chosen, str) else chosen
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def complete(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a configuration with the defaults of the schema filled in and its numbers in the types of the schema.

    Raises:
        FoldlineError: unknown keys, wrong types and values out of range, those at the highest level first.
    """
    completed, errors = completed_with_errors(config, schema)
    if errors:
        raise problems_error(error_messages(errors))
    return completed


def completed_with_errors(
    config: Mapping[str, Any], schema: Mapping[str, Any]
) -> tuple[dict[str, Any], list[ValidationError]]:
    """As `complete`, but wrong values stay where they are, and come with their errors."""
    filled = _converted(_with_defaults(plain(config), schema, schema), schema, schema, _in_own_spelling)
    return _converted(filled, schema, schema, _in_type_of_schema), errors_of(filled, schema)


def errors_of(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[ValidationError]:
    """Everything that a schema does not allow, those at the highest level first."""
    return sorted(_Validator(schema).iter_errors(config), key=lambda error: len(error.absolute_path))


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with its `$ref` into `root` replaced; keys beside the reference win."""
    if "$ref" not in schema:
        return dict(schema)
    target: Any = root
    for key in schema["$ref"].removeprefix("#/").split("/"):
        target = target[key]
    return {**resolve(target, root), **{key: value for key, value in schema.items() if key != "$ref"}}


def plain(value: Any) -> Any:
    """Copy with keys as text: YAML reads `3:` as an integer key, and fold numbers are keys.

    The command line hands over `3` as text, so a mapping may have both keys; their values are laid over each other.
    """
    if isinstance(value, Mapping):
        copy: dict[str, Any] = {}
        for key, item in value.items():
            name, item = str(key), plain(item)
            copy[name] = _overlaid(copy[name], item) if name in copy else item
        return copy
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _overlaid(base: Any, overlay: Any) -> Any:
    """Mapping with the keys of both, at every level; a value of `overlay` that is not a mapping replaces the other."""
    if not (isinstance(base, dict) and isinstance(overlay, dict)):
        return overlay
    return {**base, **{key: _overlaid(base[key], value) if key in base else value for key, value in overlay.items()}}


def _converted(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], convert: Callable[[Any, Mapping[str, Any]], Any]
) -> Any:
    """Copy with `convert(value, schema)` in place of each value that is neither a list nor a mapping."""
    schema = resolve(schema, root)
    if isinstance(value, list):
        return [_converted(item, schema.get("items", {}), root, convert) for item in value]
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        return {key: _converted(item, properties.get(key, others), root, convert) for key, item in value.items()}
    return convert(value, schema)


def _parsed_text(value: Any, schema: Mapping[str, Any]) -> Any:
    """Text parsed as YAML if the schema does not allow text, or if it is null; other values as they are."""
    if not isinstance(value, str) or not schema or value in schema.get("enum", []):
        return value
    types = schema.get("type", [])
    if "string" in types and not (value == "null" and "null" in types):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _in_type_of_schema(value: Any, schema: Mapping[str, Any]) -> Any:
    """Number in the type of the schema: 10.0 epochs become 10, a learning rate of 1 becomes 1.0, -0.0 becomes 0.0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    types = schema.get("type", [])
    if "number" in types:
        return float(value) + 0.0
    if "integer" in types and float(value).is_integer():
        return int(value)
    return next((allowed for allowed in schema.get("enum", []) if allowed == value), value)


def _in_own_spelling(value: Any, schema: Mapping[str, Any]) -> Any:
    """Rule of a threshold in its one spelling, so that `sensitivity 0.90` is no other value than `sensitivity 0.9`."""
    return canonical_rule(value) if isinstance(value, str) and schema.get("pattern") in RULES else value


def _with_defaults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    schema = resolve(schema, root)
    if isinstance(value, list) and "items" in schema:
        return [_with_defaults(item, schema["items"], root) for item in value]
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    properties = schema.get("properties", {})
    for key, property_schema in properties.items():
        property_schema = resolve(property_schema, root)
        if key not in filled and "default" in property_schema:
            filled[key] = plain(property_schema["default"])
    for key, item in filled.items():
        item_schema = properties.get(key, schema.get("additionalProperties"))
        if isinstance(item_schema, dict):
            filled[key] = _with_defaults(item, item_schema, root)
    return filled
