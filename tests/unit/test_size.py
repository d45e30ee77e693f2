"""Functions and modules stay small enough to read at a glance."""

import ast
from collections.abc import Iterator

from fixtures.project import REPOSITORY

SCRIPTS = REPOSITORY / "scripts"
MOST_LINES, MOST_PARAMETERS, MOST_MODULE_LINES = 60, 7, 350
# Functions that may exceed this, by path and name, each with the reason.
EXCEPTIONS: dict[str, str] = {}


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Path and name, and definition, of every function and method."""
    for path in sorted(SCRIPTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(SCRIPTS)}:{node.name}", node


def test_functions_are_short_and_take_few_parameters() -> None:
    large = {}
    for name, node in functions():
        lines = (node.end_lineno or 0) - node.lineno + 1
        parameters = len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)
        if lines > MOST_LINES or parameters > MOST_PARAMETERS:
            large[name] = (lines, parameters)
    assert large.keys() == EXCEPTIONS.keys(), large


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SCRIPTS.rglob("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > MOST_MODULE_LINES} == {}
