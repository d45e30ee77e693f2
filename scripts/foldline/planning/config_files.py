"""Faults of a configuration file that are gone once it is read: a key given twice, a number that YAML reads otherwise.

Snakemake reads the files first, and of a key that occurs twice it takes the last one without a word.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from foldline.errors import FoldlineError
from foldline.io.files import read_file
from foldline.io.system_errors import reason

MERGE, INTEGER, NUMBER = (f"tag:yaml.org,2002:{name}" for name in ("merge", "int", "float"))
# YAML 1.1 reads 010 in base 8 and 1:30 in base 60.
# A path such as {folder}/{id}.jpg without quotes, which YAML reads as a mapping with more text behind it.
UNQUOTED = re.compile(r"^\s*(?P<key>[\w-]+):\s+(?P<value>\{[\w-]+\}[^\s#,:\]}][^\s#]*)\s*(#.*)?$")
BASE_8 = re.compile(r"[-+]?0[0-9_]+")


class _ContainsItselfError(Exception):
    """A value of a YAML document is an alias of a value around it."""


@dataclass(frozen=True)
class Problem:
    """A fault of a configuration file.

    Attributes:
        keys: path of keys to it.
        line: its line, counted from 1.
        text: what is wrong and what to do.
    """

    keys: Sequence[str]
    line: int
    text: str


def read_text(path: str | Path) -> str:
    """Text of a configuration file.

    Raises:
        FoldlineError: the file does not exist, cannot be read, is empty or is not text in UTF-8.
    """
    try:
        data = read_file(path)
    except FileNotFoundError:
        raise FoldlineError(
            f"{path}: no such configuration file; name one with --configfile, or work in a folder that has this one"
        ) from None
    except OSError as error:
        raise FoldlineError(f"{path}: the configuration file cannot be read: {reason(error)}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FoldlineError(
            f"{path}, line {line}: the configuration file is not text in UTF-8; save it in this encoding"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise FoldlineError(f"{path}, line {line}: the configuration file contains a NUL byte; remove it")
    if not text.strip():
        raise FoldlineError(f"{path}: the configuration file is empty; see config/README.md for the keys to set")
    return text


def check_file(path: str | Path) -> None:
    """Refuse a configuration file that Snakemake would answer with a traceback or without a line number.

    Raises:
        FoldlineError: as `read_text`; or the file is not YAML, or it is not a mapping.
    """
    text = read_text(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        if _is_json(text):
            return
        raise FoldlineError(f"{path}{_where(error)}: not YAML ({_what(error)}); {_remedy(text)}") from None
    if not isinstance(node, yaml.MappingNode):
        raise FoldlineError(f"{path}: a configuration is a mapping of keys to values, such as {{folds: {{count: 5}}}}")


def file_problems(path: str | Path, *, section: str | None = None) -> list[str]:
    """Keys that occur twice and misread numbers of a configuration file, in lines for the user.

    Args:
        path: a file that Snakemake has read: YAML or JSON.
        section: only look at this key of the file; None for all.

    Raises:
        FoldlineError: as `read_text`; or a value contains itself.
    """
    text = read_text(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        # JSON that YAML does not read, such as tabs for indentation.
        return [f"{path}: {problem}" for problem in _repeated_in_json(text, section)]
    try:
        problems = list(_problems(node, []))
    except _ContainsItselfError as error:
        raise FoldlineError(f"{path}{error}; write the values out instead of the alias") from None
    return [
        f"{path}, line {problem.line}: {problem.text}" for problem in problems if section in (None, *problem.keys[:1])
    ]


def argument_problems(arguments: Sequence[str], *, section: str | None = None) -> list[str]:
    """The same faults of the values that the command line gives after --config, in lines for the user.

    Args:
        arguments: the values, such as "folds={count: 3}".
        section: only look at this key; None for all.
    """
    problems: list[str] = []
    names: list[str] = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if section not in (None, name):
            continue
        if name in names:
            problems.append(f"{name} is given twice; write all of its values into one argument: '{name}={{...}}'")
        names.append(name)
        with contextlib.suppress(yaml.YAMLError):
            node = yaml.compose(value, Loader=yaml.SafeLoader)
            # Snakemake reads a number outside of braces as Python does.
            problems += [problem.text for problem in _problems(node, [name])] if "{" in value else []
    return [f"--config: {problem}" for problem in problems]


def _problems(node: Any, keys: Sequence[str], around: Sequence[Any] = ()) -> Iterator[Problem]:
    """Problems of a node of a YAML document and of everything in it.

    Args:
        node: the node.
        keys: its path of keys.
        around: the nodes that contain it.
    """
    if any(node is other for other in around):
        raise _ContainsItselfError(f", line {node.start_mark.line + 1}: {'.'.join(keys)} contains itself")
    around = (*around, node)
    if isinstance(node, yaml.ScalarNode):
        misread = _misread(node)
        if misread:
            yield Problem(keys, node.start_mark.line + 1, f"{'.'.join(keys)}: {misread}")
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            path = [*keys[:-1], f"{keys[-1]}[{index}]"] if keys else [f"[{index}]"]
            yield from _problems(item, path, around)
    else:
        line_of: dict[str, int] = {}
        for key_node, value in node.value:
            if key_node.tag == MERGE:
                continue
            name, line = str(key_node.value), key_node.start_mark.line + 1
            path = [*keys, name]
            if name in line_of:
                first = f", first in line {line_of[name]}" if line_of[name] < line else ""
                yield Problem(path, line, f"key {'.'.join(path)} occurs twice{first}; remove one, or rename it")
            line_of.setdefault(name, line)
            yield from _problems(value, path, around)


def _misread(node: Any) -> str:
    """What is wrong with a scalar that YAML reads as another number than it shows; "" for any other."""
    text = node.value
    if node.tag == INTEGER and BASE_8.fullmatch(text) and yaml.safe_load(text) != int(text):
        return f"YAML reads {text} as {yaml.safe_load(text)} (base 8); write {int(text)}, or quote it"
    if node.tag in (INTEGER, NUMBER) and ":" in text:
        return f"YAML reads {text} as {yaml.safe_load(text)} (base 60); quote it, or write the number"
    return ""


def _repeated_in_json(text: str, section: str | None) -> list[str]:
    """Keys that occur twice in a mapping of a JSON text."""
    found: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        found.extend(name for name in dict.fromkeys(names) if names.count(name) > 1)
        return dict(pairs)

    try:
        json.loads(text, object_pairs_hook=mapping)
    except ValueError:
        return []
    # The hook does not know where it is, so a section cannot be told from the rest.
    return [f"key {name} occurs twice in one mapping; remove one of them" for name in found if section is None]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _remedy(text: str) -> str:
    """What to do about a text that is not YAML."""
    for number, line in enumerate(text.splitlines(), start=1):
        found = UNQUOTED.search(line)
        if found:
            quoted = found["value"].rstrip()
            return f'quote a path that starts with {{ (line {number}): {found["key"]}: "{quoted}"'
    return "correct the line"


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _what(error: yaml.YAMLError) -> str:
    """The reason that YAML gives, in one line."""
    return " ".join(str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).split())
