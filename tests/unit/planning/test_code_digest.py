"""The digest of a script covers all code that runs, and nothing else."""

import ast
import hashlib
import io
import itertools
import random
import tokenize
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fixtures.project import REPOSITORY
from foldline.planning import data_index, image_content
from foldline.planning.code_digest import INTROSPECTION, code_digest, reachable, reduced

SCRIPTS = REPOSITORY / "scripts"
# The module that looks for uses of `__doc__` names it.
INTROSPECTIVE = {"foldline/planning/code_digest.py"}
MODULES = {
    name: path.read_text(encoding="utf-8")
    for path in sorted(SCRIPTS.rglob("*.py"))
    if (name := path.relative_to(SCRIPTS).as_posix()) not in INTROSPECTIVE
}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = ast.Module | ast.ClassDef | FUNCTION
# Syntax that Python versions parse differently, or that one of them may come to parse differently.
NASTY = '''
from __future__ import annotations
import os.path as path, typing
from . import *


@decorated(1, *args, key="a" "b", **options)
async def f(a, /, b: int = 0x_ff, *rest: str, c, d=-0.0, **more: dict[str, "int"]) -> list[tuple[int, ...]]:
    """Docstring."""
    global counter
    counter: int = 1
    total: float
    async with a as (x, y), b: pass
    async for (index, item) in enumerate(rest):
        await item
    else:
        del rest[0], rest[1:2, ::3], rest[*c]
    if (n := len(rest)) > 1_000 and not a <= b < c or d is not None:
        yield {**more, 1: 1.0, True: 1j, None: ...}, {*rest}, [*rest], (*rest,)
    elif 12345678901234567890123456789012345678901234567890:
        raise ValueError("\\N{DIGIT ONE}\\x00\\ud800\\u0378é") from None
    return


class Nested(Base, metaclass=Meta):
    """Docstring."""

    field: int = 1
    other: "str | None"
    untyped = b"bytes\\xff"

    def method(self): return (lambda q, *, w=2: (q ** -w, q @ w, q // w, ~q))

text = f"a{{b}}" f"{x!r:>{width}.{precision}}" "c" rf"\\d{y:}" f"{z = !s:%Y-%m-%d}" f"""{d['k']}""" f""
match point:
    case {"x": 0 | 1.5 | -2, **others} if others: ...
    case Point(x=[first, *_], y=(None | True)) | [Point() as first]: pass
    case "a" "b" | path.sep: pass
    case _: nonlocal_ = {k: v for k, v in pairs if k if v}, {s async for s in t}, (yielded for yielded in u)
try:
    assert text, "message"
except* (OSError, ValueError) as errors:
    raise
else:
    x = y = z; x += 1; x.y: int = 2; (x): int = 3
finally:
    while True: break
if typing.TYPE_CHECKING:
    import heavy
else:
    light = 1 if x else 2
print(text, end="")
'''


def code(text: str) -> str:
    return reduced(text, introspective=False).code


def test_the_digest_is_the_same_under_every_python() -> None:
    digest = hashlib.sha256(code(NASTY).encode()).hexdigest()
    assert digest == "2d984271a65153ca7011146a3d2ec78445402e6060ded72bfc8bcb66018a13cf"


# Edits that change nothing that code does: each takes source text and returns other source text.


def has_docstring(node: ast.AST) -> bool:
    return isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None


def edited_tree(text: str, edit: Callable[[ast.AST], None]) -> str:
    tree = ast.parse(text)
    for node in list(ast.walk(tree)):
        edit(node)
    return ast.unparse(ast.fix_missing_locations(tree))


def with_other_docstrings(text: str) -> str:
    def edit(node: ast.AST) -> None:
        if has_docstring(node):
            node.body[0] = ast.Expr(ast.Constant("Other words: template.html."))

    return edited_tree(text, edit)


def without_docstrings(text: str) -> str:
    def edit(node: ast.AST) -> None:
        if has_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]

    return edited_tree(text, edit)


def with_docstrings(text: str) -> str:
    def edit(node: ast.AST) -> None:
        if isinstance(node, DOCUMENTED) and not has_docstring(node):
            node.body = [ast.Expr(ast.Constant("Words.")), *node.body]

    return edited_tree(text, edit)


def with_comments_and_blank_lines(text: str) -> str:
    lines = text.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            row, column = token.start
            lines[row - 1] = f"{lines[row - 1][:column]}  # a comment \n\n\n# another\n"
    return "".join(["# first\n", *lines])


def in_parentheses(text: str) -> str:
    lines = text.encode().splitlines(keepends=True)
    nodes = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Return | ast.Assign)]
    ends = [(node.end_lineno, node.end_col_offset, b"\n)") for node in nodes if node is not None]
    starts = [(node.lineno, node.col_offset, b"(\n") for node in nodes if node is not None]
    for line, column, inserted in sorted(starts + ends, reverse=True):
        lines[line - 1] = lines[line - 1][:column] + inserted + lines[line - 1][column:]
    return b"".join(lines).decode()


def formatted_otherwise(text: str) -> str:
    return ast.unparse(ast.parse(text))


def indented_by_tabs(text: str) -> str:
    lines = text.splitlines(keepends=True)
    depth, indents = 0, {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        depth += {tokenize.INDENT: 1, tokenize.DEDENT: -1}.get(token.type, 0)
        if token.string.strip() and token.line[: token.start[1]].strip() == "" and token.type != tokenize.COMMENT:
            indents.setdefault(token.start[0], (depth, token.start[1]))
    for row, (level, column) in indents.items():
        lines[row - 1] = "\t" * level + lines[row - 1][column:]
    return "".join(lines)


def with_other_argument_annotations(text: str) -> str:
    def edit(node: ast.AST) -> None:
        if isinstance(node, FUNCTION):
            arguments = node.args
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                argument.annotation = ast.Name("Edited")

    return edited_tree(text, edit)


def with_other_return_annotations(text: str) -> str:
    def edit(node: ast.AST) -> None:
        if isinstance(node, FUNCTION):
            node.returns = ast.Constant("Edited") if node.returns is None else None

    return edited_tree(text, edit)


def with_other_local_annotations(text: str) -> str:
    def swapped(node: ast.stmt) -> ast.stmt:
        match node:
            case ast.Assign(targets=[ast.Name() as target]):
                return ast.AnnAssign(target, ast.Name("Edited"), node.value, simple=1)
            case ast.AnnAssign(value=ast.expr()):
                return ast.Assign([node.target], node.value)
        return node

    def edit(node: ast.AST) -> None:
        if isinstance(node, FUNCTION):
            declared = ast.AnnAssign(ast.Name("declared"), ast.Name("Edited"), simple=1)
            node.body = [*map(swapped, node.body), declared]

    return edited_tree(text, edit)


@pytest.mark.parametrize(
    "edit",
    [
        *(with_other_docstrings, without_docstrings, with_docstrings),
        *(with_comments_and_blank_lines, in_parentheses, formatted_otherwise, indented_by_tabs),
        *(with_other_argument_annotations, with_other_return_annotations, with_other_local_annotations),
    ],
)
def test_words_and_layout_change_no_digest_of_any_module(edit: Callable[[str], str]) -> None:
    edited = {name: edit(text) for name, text in MODULES.items()}
    assert sum(edited[name] != MODULES[name] for name in MODULES) > 0.5 * len(MODULES)
    assert [name for name, text in MODULES.items() if code(edited[name]) != code(text)] == []


# Edits of what code does: each takes the nodes of a tree that count and lists the possible edits of that kind.
Edits = list[Callable[[], object]]
OTHER_VALUE: dict[type, Callable[[Any], object]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    float: lambda value: value + 0.5,
    type(None): lambda value: 0,
}


def nodes_that_count(tree: ast.Module) -> list[ast.AST]:
    dropped = []
    for node in ast.walk(tree):
        dropped += [getattr(node, "annotation", None), getattr(node, "returns", None)]
        match node:
            case ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None) | ast.If(test=ast.Name("TYPE_CHECKING")):
                dropped.append(node)
    ids = {id(node) for root in dropped if root is not None for node in ast.walk(root)}
    return [node for node in ast.walk(tree) if id(node) not in ids]


def changed_constants(nodes: list[ast.AST]) -> Edits:
    constants = [node for node in nodes if isinstance(node, ast.Constant) and type(node.value) in OTHER_VALUE]
    return [partial(setattr, node, "value", OTHER_VALUE[type(node.value)](node.value)) for node in constants]


def changed_strings(nodes: list[ast.AST]) -> Edits:
    strings = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [partial(setattr, node, "value", f"{node.value}x") for node in strings]


def changed_operators(nodes: list[ast.AST]) -> Edits:
    edits: Edits = []
    for node in nodes:
        match node:
            case ast.BinOp():
                edits.append(partial(setattr, node, "op", ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()))
            case ast.BoolOp():
                edits.append(partial(setattr, node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()))
            case ast.Compare():
                other = ast.LtE() if isinstance(node.ops[0], ast.Lt) else ast.Lt()
                edits.append(partial(node.ops.__setitem__, 0, other))
    return edits


def removed_statements(nodes: list[ast.AST]) -> Edits:
    counted = {id(node) for node in nodes}
    bodies = [body for node in nodes for name in ("body", "orelse") if isinstance(body := getattr(node, name, 0), list)]
    return [
        partial(body.__setitem__, index, ast.Pass())
        for body in bodies
        for index, statement in enumerate(body)
        if id(statement) in counted and not isinstance(statement, ast.Pass)
    ]


def changed_defaults(nodes: list[ast.AST]) -> Edits:
    lists = [
        defaults for node in nodes if isinstance(node, ast.arguments) for defaults in (node.defaults, node.kw_defaults)
    ]
    return [
        partial(defaults.__setitem__, index, ast.Name("edited")) for defaults in lists for index in range(len(defaults))
    ]


def added_fields(nodes: list[ast.AST]) -> Edits:
    added = ast.AnnAssign(ast.Name("added"), ast.Name("int"), simple=1)
    return [partial(node.body.append, added) for node in nodes if isinstance(node, ast.ClassDef)]


def swapped_fields(nodes: list[ast.AST]) -> Edits:
    def swap(body: list[ast.stmt], index: int) -> None:
        body[index], body[index + 1] = body[index + 1], body[index]

    return [
        partial(swap, node.body, index)
        for node in nodes
        if isinstance(node, ast.ClassDef)
        for index, pair in enumerate(itertools.pairwise(node.body))
        if all(isinstance(statement, ast.AnnAssign) for statement in pair)
    ]


def changed_field_types(nodes: list[ast.AST]) -> Edits:
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    fields = [field for node in classes for field in node.body if isinstance(field, ast.AnnAssign)]
    return [partial(setattr, field, "annotation", ast.Name("Edited")) for field in fields]


def removed_decorators(nodes: list[ast.AST]) -> Edits:
    return [node.decorator_list.pop for node in nodes if getattr(node, "decorator_list", [])]


@pytest.mark.parametrize(
    ("kind", "at_least"),
    [
        *((changed_constants, 70), (changed_strings, 80), (changed_operators, 60), (removed_statements, 90)),
        *((changed_defaults, 30), (added_fields, 30), (changed_field_types, 20), (swapped_fields, 20)),
        (removed_decorators, 30),
    ],
)
def test_an_edit_of_code_changes_the_digest_of_any_module(
    kind: Callable[[list[ast.AST]], Edits], at_least: int
) -> None:
    generator = random.Random(333)
    edited, unchanged = 0, []
    for name, text in MODULES.items():
        tree = ast.parse(text)
        edits = kind(nodes_that_count(tree))
        if edits:
            generator.choice(edits)()
            edited += 1
            if code(ast.unparse(ast.fix_missing_locations(tree))) == code(text):
                unchanged.append(name)
    assert edited >= at_least
    assert unchanged == []


# Single decisions.
CONSTANTS = ["1", "1.0", "True", "'1'", "b'1'", "1j", "None", "...", "0.0", "-0.0", "0x1" + "0" * 5000]


@pytest.mark.parametrize(
    ("one", "other"),
    list(itertools.combinations(CONSTANTS, 2)),
)
def test_constants_of_different_types_differ(one: str, other: str) -> None:
    assert code(f"x = {one}") != code(f"x = {other}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f():\n    x: int = 3", "def f():\n    x = 3"),
        ("def f():\n    x: int\n    x = 3", "def f():\n    x = 3"),
        ("def f():\n    self.x: int = 3", "def f():\n    self.x = 3"),
        ("class A:\n    def f(self):\n        x: int = 3", "class A:\n    def f(self):\n        x = 3"),
        ("X: Final[int] = 3", "X = 3"),
        ("X: int", ""),
        ("def f():\n    'Docstring.'", "def f(): pass"),
        ("def f():\n    ...", "def f(): pass"),
        ("class A:\n    'Docstring.'\n    pass\n    'More.'", "class A: ..."),
        ("'template.html'", ""),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", "import b"),
        ("if typing.TYPE_CHECKING:\n    import a", ""),
        ("x = 'a' 'b'", "x = 'ab'"),
        ("x = f'a' f'{y}' 'b'", "x = f'a{y}b'"),
        ("x = f'{y=}'", "x = f'y={y!r}'"),
        ("x = (1_000,)", "x = 1000,"),
    ],
)
def test_these_are_the_same_code(one: str, other: str) -> None:
    assert reduced(one, introspective=False) == reduced(other, introspective=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("class A:\n    x: int = 3", "class A:\n    x = 3"),
        ("class A:\n    x: int", "class A:\n    x: ClassVar[int]"),
        ("class A:\n    x: InitVar[int]", "class A: pass"),
        ("class A:\n    if y:\n        x: int", "class A:\n    if y:\n        pass"),
        ("def f():\n    class A:\n        x: int", "def f():\n    class A: pass"),
        ("if not TYPE_CHECKING:\n    import a", ""),
        ("if x: pass", ""),
        ("def f(): yield", "def f(): pass"),
        ("x = 'Words.'", "x = 'Other words.'"),
        ("f({**a})", "f({None: a})"),
        ("def f(*, a, b=1): pass", "def f(*, a=1, b): pass"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("x = f'{y!r}'", "x = f'{y!s}'"),
        ("x = f'{y}{z}'", "x = f'{y}' + f'{z}'"),
        ("x = a, b", "x = [a, b]"),
        ("x = y = 1", "x = 1"),
        ("from a import b", "from .a import b"),
        ("import a as b", "import b as a"),
    ],
)
def test_these_are_different_code(one: str, other: str) -> None:
    assert code(one) != code(other)


# Files.


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "__init__.py").write_text("")
    (tmp_path / "library" / "near.py").write_text("from library.far import FAR\nNEAR = FAR\n")
    (tmp_path / "library" / "far.py").write_text("from . import page\nFAR = 1\nTEMPLATE = 'page.html'\n")
    (tmp_path / "library" / "page.py").write_text("TITLE = 'Page'\n")
    (tmp_path / "library" / "page.html").write_text("<p>")
    (tmp_path / "library" / "other.py").write_text("OTHER = 1\n")
    (tmp_path / "step.py").write_text("def f():\n    'Words.'\n    import library.near\n    return 1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("step.py", "def f():\n    import library.near\n    return 2\n"),
        ("library/near.py", "from library.far import FAR\nNEAR = FAR + 1\n"),
        ("library/far.py", "from . import page\nFAR = 2\nTEMPLATE = 'page.html'\n"),
        ("library/page.py", "TITLE = 'Other page'\n"),
        ("library/page.html", "<p> "),
        ("library/__init__.py", "import library.other\n"),
    ],
)
def test_an_edit_of_what_runs_changes_the_digest(scripts: Path, name: str, text: str) -> None:
    before = code_digest(scripts / "step.py")
    (scripts / name).write_text(text)
    assert code_digest(scripts / "step.py") != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("step.py", "# Why.\ndef f() -> int:\n    'Others.'\n    import library.near  # here\n\n    return 1\n"),
        ("library/__init__.py", "'A package.'\n"),
        (
            "library/near.py",
            "from library.far import FAR\nNEAR: int = FAR\nif TYPE_CHECKING:\n    import library.other\n",
        ),
        ("library/other.py", "OTHER = 2\n"),
        ("library/unused.py", "X = 1\n"),
    ],
)
def test_words_and_other_modules_do_not_change_the_digest(scripts: Path, name: str, text: str) -> None:
    before = code_digest(scripts / "step.py")
    (scripts / name).write_text(text)
    assert code_digest(scripts / "step.py") == before


@pytest.mark.parametrize("use", ["print(step.f.__doc__)", "from inspect import getdoc", "getattr(f, '__doc__')"])
def test_docstrings_count_where_code_reads_them(scripts: Path, use: str) -> None:
    (scripts / "library" / "far.py").write_text(f"{use}\n")
    before = code_digest(scripts / "step.py")
    (scripts / "step.py").write_text("def f():\n    'Other words.'\n    import library.near\n    return 1\n")
    assert code_digest(scripts / "step.py") != before


def test_annotations_count_where_code_reads_them(scripts: Path) -> None:
    (scripts / "library" / "far.py").write_text("from typing import get_type_hints\n")
    before = code_digest(scripts / "step.py")
    (scripts / "step.py").write_text("def f() -> int:\n    'Words.'\n    import library.near\n    return 1\n")
    assert code_digest(scripts / "step.py") != before


def test_the_data_index_depends_on_all_code_that_reads_the_data() -> None:
    """A module's own imports are looked up beside the scripts: its folder holds none of them."""
    packages = {path.parent.name for path in reachable(Path(data_index.__file__), root=SCRIPTS)}
    assert packages - {"foldline"} == set(data_index.PACKAGES)
    of_headers = reachable(Path(image_content.__file__), root=SCRIPTS)
    assert {"headers.py", "jpeg.py", "image_content.py", "decoding_memory.py"} <= {path.name for path in of_headers}


def test_imports_are_looked_up_in_the_root(scripts: Path) -> None:
    module = scripts / "library" / "near.py"
    before = code_digest(module, root=scripts), code_digest(module)
    (scripts / "library" / "far.py").write_text("X = 'another value'\n")
    assert code_digest(module, root=scripts) != before[0]
    assert code_digest(module) == before[1]


def test_no_step_reads_docstrings_or_annotations() -> None:
    """Else a better word in any docstring would train every fold again."""
    for script in SCRIPTS.glob("*.py"):
        words = set().union(
            *(
                reduced(path.read_bytes(), introspective=False).words
                for path in reachable(script)
                if path.suffix == ".py"
            )
        )
        assert words & INTROSPECTION == set(), script.name


def test_scripts_of_a_folder_may_share_the_files_that_modules_name() -> None:
    named: dict[Path, set[Path]] = {}
    for name in ("class_weights", "render_report", "blend_folds"):
        script = SCRIPTS / f"{name}.py"
        assert code_digest(script, named) == code_digest(script)
    assert SCRIPTS / "foldline/report/frame.html" in named[SCRIPTS / "foldline/report/html.py"]
