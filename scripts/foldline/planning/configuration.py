"""The configuration, checked and completed before the DAG is built.

`with_preset` lays a preset over it; `complete` fills in the defaults of the schema and refuses what it does not allow.
Every error is one line that names the key, the value and what is allowed.
"""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from foldline.errors import FoldlineError, listing


def read_schema(path: str | Path) -> dict[str, Any]:
    """Read a JSON schema in YAML."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def with_preset(config: Mapping[str, Any], typed: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a configuration with the presets laid over it that it asks for, one after the other.

    Args:
        config: the configuration, with the values typed on the command line in it.
        typed: those values alone; they stay above the presets. Snakemake hands over what stands in braces as text,
            which becomes the number or null that the schema wants.
        schema: the schema.

    Raises:
        FoldlineError: there is no such preset.
    """
    config = _plain(config)
    presets = config.get("presets", {})
    chosen = config.get("preset") or []
    for name in [chosen] if isinstance(chosen, str) else chosen:
        if name not in presets:
            raise FoldlineError(f"config: preset is {name!r}; presets has {listing(sorted(presets)) or 'none'}")
        config = _overlaid(config, presets[name])
    return _overlaid(config, _converted(_plain(typed), schema, schema, _parsed_text))


def typed_part(config: Mapping[str, Any], *, whole: Mapping[str, Any], typed: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values typed on the command line that belong to a configuration.

    Args:
        config: the configuration: that of the workflow itself, or of a module that another workflow handed one of its
            sections, or a mapping made for it.
        whole: the configuration of the main workflow.
        typed: the values typed for that.
    """
    if config is whole:
        return typed
    return next((values for name, values in typed.items() if whole.get(name) is config), {})


def _converted(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], convert: Callable[[Any, Mapping[str, Any]], Any]
) -> Any:
    """Copy with `convert(value, schema)` in the place of each value that is neither a list nor a mapping."""
    schema = resolve(schema, root)
    if isinstance(value, list):
        return [_converted(item, schema.get("items", {}), root, convert) for item in value]
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        return {key: _converted(item, known.get(key, others), root, convert) for key, item in value.items()}
    return convert(value, schema)


def _parsed_text(value: Any, schema: Mapping[str, Any]) -> Any:
    """Text parsed as YAML if the schema does not allow text, or if it is null; other values as they are."""
    if not isinstance(value, str) or not schema or value in schema.get("enum", []):
        return value
    types = schema.get("type", [])
    keeps = "string" in types and not (value == "null" and "null" in types)
    try:
        return value if keeps else yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _in_type_of_schema(value: Any, schema: Mapping[str, Any]) -> Any:
    """Number in the type of the schema: 10.0 epochs become 10, a learning rate of 1 becomes 1.0, -0.0 becomes 0.0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    types = schema.get("type", [])
    if "number" in types:
        return float(value) + 0.0
    if "integer" in types:
        return int(value)
    return next((allowed for allowed in schema.get("enum", []) if allowed == value), value)


def _overlaid(below: Any, above: Any) -> Any:
    """Mapping with the keys of both, at every level; a value of `above` that is no mapping wins."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: _overlaid(below[key], value) if key in below else value for key, value in above.items()}}


def complete(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a configuration with the schema's defaults filled in and its numbers in the schema's types.

    Raises:
        FoldlineError: unknown key, wrong type, value out of range; the most telling of the errors only.
    """
    completed = _with_defaults(_plain(config), schema, schema)
    errors = sorted(Draft202012Validator(schema).iter_errors(completed), key=lambda error: len(error.absolute_path))
    if errors:
        raise FoldlineError(_message(errors[0]))
    return _converted(completed, schema, schema, _in_type_of_schema)


def _plain(value: Any) -> Any:
    """Copy with text keys: YAML reads `3:` as an integer key, and fold numbers are keys."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with its `$ref` into `root` replaced; keys beside the reference win."""
    if "$ref" not in schema:
        return dict(schema)
    target: Any = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolve(target, root), **{key: value for key, value in schema.items() if key != "$ref"}}


def _with_defaults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    schema = resolve(schema, root)
    if isinstance(value, list) and "items" in schema:
        return [_with_defaults(item, schema["items"], root) for item in value]
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    known = schema.get("properties", {})
    for key, below in known.items():
        below = resolve(below, root)
        if key not in filled and "default" in below:
            filled[key] = _plain(below["default"])
    for key, item in filled.items():
        below = known.get(key, schema.get("additionalProperties"))
        if isinstance(below, dict):
            filled[key] = _with_defaults(item, below, root)
    return filled


BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}


def _message(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    prefix = f"{place}." if place else ""
    value, limit = _shown(error.instance), error.validator_value
    match error.validator:
        case "additionalProperties":
            known = sorted(error.schema["properties"])
            unknown = next(key for key in error.instance if key not in known)
            close = difflib.get_close_matches(unknown, known, n=1)
            hint = f" Did you mean {prefix}{close[0]}?" if close else ""
            return f"config: {prefix}{unknown} is not a known key.{hint} Known keys: {listing(known, limit=40)}"
        case "required":
            absent = next(key for key in limit if key not in error.instance)
            meaning = " ".join(error.schema["properties"][absent].get("description", "").split())
            return f"config: {prefix}{absent} is missing. {meaning}".rstrip()
        case "enum":
            return f"config: {place} is {value}; allowed: {', '.join(_shown(item) for item in limit)}"
        case "type":
            kinds = limit if isinstance(limit, list) else [limit]
            hint = "; YAML reads 1e-3 as text, write 1.0e-3" if _is_number(error.instance) else ""
            return f"config: {place} is {value}; it must be of type {' or '.join(kinds)}{hint}"
        case "pattern" if "propertyNames" in error.absolute_schema_path:
            return f"config: {prefix}{error.instance} is no allowed name; it must match {limit}"
        case "pattern":
            return f"config: {place} is {value}; it must match {limit}"
        case bound if bound in BOUNDS:
            return f"config: {place} is {value}; it must be {BOUNDS[bound]} {limit}"
        case _:
            return f"config: {place or 'the configuration'}: {error.message}"


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)
