"""The tests themselves: what is called a test is one, can fail, and draws no number from a generator without a seed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
MODULES = sorted(TESTS.rglob("*.py"))
# Generators of `random` and `numpy.random`, which get a seed.
SEEDED = {"Random", "default_rng"}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


def functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.FunctionDef))


def name_of(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


def asserts(node: ast.AST, helpers: dict[str, ast.FunctionDef]) -> bool:
    """Whether code asserts something, itself or in a function of its module that it calls."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assert):
            return True
        if isinstance(inner, ast.Call):
            called = ast.unparse(inner.func)
            if called in ("pytest.raises", "pytest.warns") or called.rpartition(".")[2].startswith("assert_"):
                return True
            if called in helpers and asserts(helpers[called], {k: v for k, v in helpers.items() if k != called}):
                return True
    return False


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_tests_are_called_tests(path: Path) -> None:
    tree = parsed(path)
    named = [function for function in functions(tree) if function.name.startswith("test_")]
    is_test_module = path.name.startswith("test_")
    wrong = [
        function.name
        for function in named
        if not (is_test_module and function in tree.body)
        or any(ast.unparse(mark).startswith("pytest.fixture") for mark in function.decorator_list)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.name.startswith("test_")], ids=name_of)
def test_every_test_can_fail(path: Path) -> None:
    tree = parsed(path)
    helpers = {function.name: function for function in functions(tree)}
    tests = [function for function in tree.body if isinstance(function, ast.FunctionDef)]
    tests = [function for function in tests if function.name.startswith("test_")]
    assert tests
    assert [test.name for test in tests if not asserts(test, helpers)] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_test_draws_from_a_global_generator(path: Path) -> None:
    tree = parsed(path)
    generators = {"np.random", "numpy.random"}
    # Elsewhere `random` is the name of a generator with a seed.
    generators |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names} & {
        "random"
    }
    drawn = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            module, _, name = ast.unparse(node.func).rpartition(".")
            if module in generators and name != "seed" and (name not in SEEDED or not (node.args or node.keywords)):
                drawn.append(f"line {node.lineno}: {module}.{name}")
    assert drawn == []
