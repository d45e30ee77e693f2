"""Errors of the schema in one line for the reader: the key, its value, what is allowed, what to do."""

import copy
import difflib
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import ValidationError

from foldline.errors import listing

BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}
# What the types of the schema are called in YAML, and an example of each.
TYPES: dict[str, tuple[str, Any]] = {
    "integer": ("a whole number", 3),
    "number": ("a number", 0.5),
    "string": ("a text", "abc"),
    "boolean": ("true or false", None),
    "array": ("a list", "[a, b]"),
    "object": ("a mapping", "{a: 1}"),
    "null": ("null", None),
}
# What the patterns of the schema mean, with an example of each.
_COST = r"cost ([1-9][0-9]*(\.[0-9]+)?|0?\.[0-9]*[1-9])"
THRESHOLDS = rf"^(best_f1|prevalence|(sensitivity|specificity) (0?\.[0-9]*[1-9]|1)|{_COST})$"
OPERATING_POINT = r"^(sensitivity|specificity) (0?\.[0-9]*[1-9]|1)$"
# Patterns of rules with a number; see `evaluation.rules`.
RULES = (THRESHOLDS, OPERATING_POINT)
PATTERNS = {
    r"^[^{}]*(\{id\}[^{}]*\{channel\}|\{channel\}[^{}]*\{id\})[^{}]*$": (
        "write {id} and {channel} once each, such as '{id}_{channel}'"
    ),
    r"^[^{}]*(\{id\}[^{}]*\{class\}|\{class\}[^{}]*\{id\})[^{}]*$": (
        "write {id} and {class} once each, such as '{id}_{class}'"
    ),
    r"^[a-z0-9][a-z0-9_-]*$": "use lowercase letters, digits, _ and -, with a letter or digit first, such as b0-big",
    r"^[A-Za-z0-9][A-Za-z0-9_-]*$": "use letters, digits, _ and -, with a letter or digit first, such as red",
    r"^(0|[1-9][0-9]*)(-repeat([2-9]|[1-9][0-9]+))?$": (
        "use the number of a fold, counted from 0, such as 2, or 2-repeat3 for a fold of the third repeat"
    ),
    r"^full$": "set it to full, to the bits of the camera such as {bits: 12}, or to the white sample such as {max: 1}",
    r"^(file|full)$": "set it to file, to full, or to a window such as {center: 40, width: 400}",
    THRESHOLDS: "set it to a number from 0 to 1 such as 0.5, to best_f1, prevalence, sensitivity 0.95 or cost 10",
    OPERATING_POINT: "write sensitivity or specificity and a share above 0, such as sensitivity 0.9",
}
# Likeness from which a key, or a word, may be a typo of another; the words "group" and "drop" have 0.67.
LIKE_KEY, LIKE_WORD = 0.6, 0.7
# Short names of keys that others use.
ALIASES = {"lr": "learning_rate", "bs": "batch_size", "flip": "flip_horizontal", "hflip": "flip_horizontal"}
# What to do about an empty value.
MINIMA = {
    "minLength": "write a text, or remove the key",
    "minItems": "list at least {}",
    "minProperties": "add at least {}",
}


def error_messages(errors: Iterable[ValidationError], *, inside: str = "") -> list[str]:
    """Lines about errors of the schema, each problem once.

    Args:
        errors: the errors.
        inside: key of the mapping that was compared with the schema, if it is not the whole configuration.
    """
    return list(dict.fromkeys(message for error in errors for message in _messages(error, inside)))


def wrong_key(error: ValidationError) -> tuple[str, ...]:
    """Path of keys to the value that an error is about; the items of a list are not told apart.

    Empty, for nothing, if the error is about a name or an unknown or missing key; see `usable_values`.
    """
    if error.validator in ("additionalProperties", "required") or "propertyNames" in error.absolute_schema_path:
        return ()
    return key_path(error)


def key_path(error: ValidationError) -> tuple[str, ...]:
    """As `wrong_key`, but of a wrong name the path to its entry, and of a missing key that to the mapping around it."""
    path = tuple(map(str, itertools.takewhile(lambda name: isinstance(name, str), error.absolute_path)))
    return (*path, str(error.instance)) if "propertyNames" in error.absolute_schema_path else path


def as_meant(config: Mapping[str, Any], errors: Iterable[ValidationError]) -> dict[str, Any]:
    """Copy of a configuration whose unknown keys and words are those of the schema that they resemble.

    Unknown keys that resemble none, or one that is set as well, are left out; such words stay.

    Args:
        config: the configuration, in which all mappings are dictionaries.
        errors: its errors.
    """
    meant: dict[str, Any] = copy.deepcopy(dict(config))
    for error in errors:
        validator, allowed, schema, instance = _parts(error)
        places: list[Any] = [meant]
        for name in error.absolute_path:
            places.append(places[-1][name])
        if validator == "additionalProperties":
            _rename_keys(places[-1], schema["properties"])
        elif validator == "enum" and (word := close_word(instance, allowed, LIKE_WORD)):
            places[-2][error.absolute_path[-1]] = word
    return meant


def close_word(word: object, known: Iterable[object], likeness: float = LIKE_KEY) -> str | None:
    """The known word that a word is likely meant for; None if none is as like it."""
    words = [each for each in known if isinstance(each, str)]
    if isinstance(word, str) and ALIASES.get(word) in words:
        return ALIASES[word]
    close = difflib.get_close_matches(word, words, n=1, cutoff=likeness) if isinstance(word, str) else []
    return next(iter(close), None)


def _rename_keys(section: dict[str, Any], known: Mapping[str, Any]) -> None:
    for name in [name for name in section if name not in known]:
        value, close = section.pop(name), close_word(name, known)
        if close is not None:
            section.setdefault(close, value)


def _messages(error: ValidationError, inside: str) -> list[str]:
    validator, _, schema, instance = _parts(error)
    key = ".".join(filter(None, (inside, _key(error.absolute_path))))
    if validator == "additionalProperties":
        return [_unknown_key(schema, name, key) for name in instance if name not in schema["properties"]]
    if validator == "required":
        return [_missing_key(schema, name, key) for name in schema["required"] if name not in instance]
    return [_message(error, key)]


def _message(error: ValidationError, key: str) -> str:
    validator, limit, schema, instance = _parts(error)
    value = _shown(instance)
    match validator:
        case "enum":
            close = close_word(instance, limit, LIKE_WORD)
            meant = f"; did you mean {close!r}?" if close else ""
            return f"config: {key} is {value}; set it to one of {', '.join(map(_shown, limit))}{_hint(schema)}{meant}"
        case "type" if schema.get("pattern") in (PATTERNS if isinstance(schema["type"], list) else RULES):
            return f"config: {key} is {value}; {PATTERNS[schema['pattern']]}"
        case "type":
            return f"config: {key or 'the file'} is {value}; set it to {_type_words(schema, instance)}{_hint(schema)}"
        case "pattern" if "propertyNames" in error.absolute_schema_path:
            return f"config: {_inside(key)}{instance}: this name is not allowed; {PATTERNS[limit]}"
        case "pattern":
            return f"config: {key} is {value}; {PATTERNS[limit]}"
        case "maxItems":
            return f"config: {key} has {len(instance)} entries; list at most {limit}"
        case "maxProperties":
            return f"config: {key} has {len(instance)} entries; write one of them alone"
        case "uniqueItems":
            return f"config: {key} is {value}; list every entry once"
    if validator in BOUNDS:
        return f"config: {key} is {value}; set it to {BOUNDS[validator]} {limit}"
    if validator in MINIMA:
        return f"config: {key} is empty; {MINIMA[validator].format('one entry' if limit == 1 else f'{limit} entries')}"
    meaning = " ".join(schema.get("description", "").split())
    return f"config: {key or 'the file'} is {value}, which is not allowed. {meaning}".rstrip()


def _hint(schema: Mapping[str, Any]) -> str:
    """What else the value may have been meant for, from the schema."""
    return f"; {schema['$comment']}" if "$comment" in schema else ""


def _parts(error: ValidationError) -> tuple[str, Any, Any, Any]:
    """Keyword of the schema that failed, its value, the schema around it, and the value that it does not allow."""
    return str(error.validator), error.validator_value, error.schema, error.instance


def _unknown_key(schema: Mapping[str, Any], unknown: str, key: str) -> str:
    known = sorted(schema["properties"])
    close = close_word(unknown, known)
    hint = f" Did you mean {_inside(key)}{close}?" if close else ""
    return (
        f"config: {_inside(key)}{unknown} is not a known key.{hint} Rename or remove it; known keys"
        f"{f' of {key}' if key else ''}: {listing(known, limit=40)}"
    )


def _missing_key(schema: Mapping[str, Any], missing: str, key: str) -> str:
    meaning = " ".join(schema["properties"][missing].get("description", "").split())
    return f"config: {_inside(key)}{missing} is missing; set it. {meaning}".rstrip()


def _type_words(schema: Mapping[str, Any], value: Any) -> str:
    """The allowed types with examples: "a text such as abc, or null"."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    hint = ""
    if _is_number(value):
        hint = "; YAML reads 1e-3 as text, write 1.0e-3" if "e" in value.lower() else "; remove the quotes"
    if isinstance(value, bool) and "string" in types:
        words = "yes, on and true" if value else "no, off and false"
        hint = f"; YAML reads {words} as {_shown(value)}, so write such a text in quotes, as {words.split(',')[0]!r}"
    elif isinstance(value, int | float) and "string" in types:
        hint = f"; write a number that is a name in quotes, as '{value}', with all of its digits"
    return ", or ".join(_with_example(name, schema) for name in types) + hint


def _with_example(name: str, schema: Mapping[str, Any]) -> str:
    words, example = TYPES[name]
    if name in ("integer", "number"):
        example = schema.get("default") or max(example, schema.get("minimum", example))
    if name == "array":
        example = _list_example(schema.get("items", {}))
    if name == "object" and schema.get("properties"):
        key, value = next(iter(schema["properties"].items()))
        example = f"{{{key}: {value.get('default') or (value.get('enum') or ['...'])[0]}}}"
    return words if example is None else f"{words} such as {example}"


def _list_example(items: Mapping[str, Any]) -> str:
    """A list of entries that the schema of the entries allows."""
    if "enum" in items:
        return f"[{', '.join(map(str, items['enum'][:2]))}]"
    return {"number": "[1, 2]", "integer": "[1, 2]"}.get(str(items.get("type")), "[a, b]")


def _key(path: Iterable[str | int]) -> str:
    """A path in a configuration as readers write it: models.b0.augment.rotation[1]."""
    return "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path).removeprefix(".")


def _inside(key: str) -> str:
    return f"{key}." if key else ""


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def _is_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True
