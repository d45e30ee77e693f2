"""Generate the key tables of `config/README.md` from the schema; `make config-reference` renews them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from foldline.planning.configuration import read_schema, resolve

REPOSITORY = Path(__file__).resolve().parents[3]
SCHEMA = REPOSITORY / "config" / "config.schema.yaml"
README = REPOSITORY / "config" / "README.md"
START, END = "<!-- key tables: generated from config.schema.yaml -->", "<!-- end of key tables -->"
# Placeholder in the path of a key for a name that the user chooses, by the mapping that holds the names.
PLACEHOLDERS = {
    "presets": "PRESET",
    "metadata": "COLUMN",
    "record_features": "COLUMN",
    "test_columns": "COLUMN",
    "columns": "COLUMN",
    "models": "MODEL",
    "external": "SET",
    "labels": "WORD",
    "values": "CELL",
    "fold_overrides": "FOLD",
}
TYPES = {"object": "mapping", "string": "text"}
LIMITS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Attributes:
        path: its full name, such as `models.MODEL.hidden[].units`.
        schema: its schema, references resolved.
        required: whether it must be set.
    """

    path: str
    schema: Mapping[str, Any]
    required: bool


def keys_of(schema: Mapping[str, Any]) -> list[Key]:
    """All keys of a schema in its order, except sections: mappings that only group other keys."""
    return list(_properties(schema, schema, ""))


def key_tables(schema: Mapping[str, Any]) -> str:
    """Markdown tables of all keys: one for each top-level section, and one for the keys outside of any section."""
    sections = groupby(sorted(keys_of(schema), key=lambda key: _section(key) != ""), key=_section)
    return "\n\n".join(_table(section or "General", keys) for section, keys in sections)


def with_tables(text: str, tables: str) -> str:
    """Text of the README with the generated tables between its two marks replaced."""
    before, rest = text.split(START)
    return f"{before}{START}\n\n{tables}\n\n{END}{rest.split(END)[1]}"


def _properties(schema: Mapping[str, Any], root: Mapping[str, Any], prefix: str) -> Iterator[Key]:
    for name, child in schema.get("properties", {}).items():
        child = _resolved(child, root)
        if child.get("type") != "object" or "properties" not in child:
            yield Key(prefix + name, child, name in schema.get("required", []))
        yield from _children(child, root, prefix + name)


def _children(schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[Key]:
    """Keys inside of a mapping, or of the mappings in a list."""
    yield from _properties(schema, root, f"{path}.")
    if isinstance(schema.get("additionalProperties"), dict):
        child = _resolved(schema["additionalProperties"], root)
        path = f"{path}.{PLACEHOLDERS[path.rpartition('.')[2]]}"
        if "properties" not in child:
            yield Key(path, child, required=False)
        yield from _children(child, root, path)
    if "items" in schema:
        yield from _properties(schema["items"], root, f"{path}[].")


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without references, in itself and in its items."""
    schema = resolve(schema, root)
    return {**schema, "items": resolve(schema["items"], root)} if "items" in schema else schema


def _section(key: Key) -> str:
    section, dot, _ = key.path.partition(".")
    return section if dot or section in PLACEHOLDERS else ""


def _table(title: str, keys: Iterable[Key]) -> str:
    lines = [f"### {title}", "", "| key | type, range | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{key.path}` | {_type(key.schema)} | {_default(key)} | {_meaning(key.schema)} |" for key in keys]
    return "\n".join(lines)


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(_code(value) for value in schema["enum"])
    kinds: list[str] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    text = " or ".join(_list(schema["items"]) if kind == "array" else TYPES.get(kind, kind) for kind in kinds)
    limits = [limit.format(schema[key]) for key, limit in LIMITS.items() if key in schema]
    return f"{text}, {' and '.join(limits)}" if limits else text


def _list(item: Mapping[str, Any]) -> str:
    if "enum" in item:
        return f"list of {_type(item)}"
    kind, comma, limits = _type(item).partition(",")
    return f"list of {kind}s{comma}{limits}"


def _default(key: Key) -> str:
    if "default" in key.schema:
        return _code(key.schema["default"])
    return "required" if key.required else ""


def _code(value: Any) -> str:
    """A value as it is written in YAML."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{_escaped(text)}`"


def _meaning(schema: Mapping[str, Any]) -> str:
    return _escaped(" ".join(schema.get("description", "").split()))


def _escaped(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    tables = key_tables(read_schema(SCHEMA))
    README.write_text(with_tables(README.read_text(encoding="utf-8"), tables), encoding="utf-8")
