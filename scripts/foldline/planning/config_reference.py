"""The table of keys in `config/README.md`, made from the schema; `make config-reference` renews it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foldline.planning.configuration import read_schema, resolve

REPOSITORY = Path(__file__).resolve().parents[3]
SCHEMA = REPOSITORY / "config" / "config.schema.yaml"
README = REPOSITORY / "config" / "README.md"
START, END = "<!-- key table: made from config.schema.yaml -->", "<!-- end of key table -->"
RANGES = {"minimum": "from {}", "exclusiveMinimum": "above {}", "maximum": "to {}", "exclusiveMaximum": "below {}"}


def key_table(schema: Mapping[str, Any]) -> str:
    """Markdown table of all keys of a schema, one row per key that holds a value."""
    lines = ["| key | type, range | default | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{key}` | {_values(below)} | {_default(below)} | {_meaning(below)} |"
        for key, below in _keys(schema, schema)
    ]
    return "\n".join(lines)


def with_table(text: str, table: str) -> str:
    """Text of the README with the table between its two marks replaced."""
    before, rest = text.split(START)
    return f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}"


def _keys(schema: Mapping[str, Any], root: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, below in schema.get("properties", {}).items():
        below = resolve(below, root)
        further = below.get("additionalProperties")
        if "properties" in below:
            yield from _keys(below, root, f"{prefix}{name}.")
        elif name == "models":
            yield f"{prefix}{name}", below
            yield from _keys(resolve(further, root), root, f"{prefix}{name}.MODEL.")
        elif isinstance(further, dict):
            keys = ", ".join(f"`{key}`" for key in resolve(further, root).get("properties", {}))
            told = f"{below['description']} Keys: {keys}." if keys else below["description"]
            yield f"{prefix}{name}", {**below, "description": told}
        else:
            yield f"{prefix}{name}", below


def _values(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join("null" if value is None else f"`{value}`" for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    ranges = [text.format(schema[key]) for key, text in RANGES.items() if key in schema]
    return " ".join([" or ".join("mapping" if kind == "object" else kind for kind in kinds), *ranges])


def _default(schema: Mapping[str, Any]) -> str:
    if "default" not in schema:
        return ""
    value = schema["default"]
    shown = str(value).lower() if isinstance(value, bool) else str(value).replace("|", "\\|")
    return "`null`" if value is None else f"`{shown}`"


def _meaning(schema: Mapping[str, Any]) -> str:
    return " ".join(schema.get("description", "").split()).replace("|", "\\|")


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8"), key_table(read_schema(SCHEMA))), encoding="utf-8")
