"""Digest of a script and all code that it imports from `scripts/`; a job is stale when the digest of its code changes.

The digest is made from the syntax tree. Comments, docstrings and formatting do not count, nor do annotations of
arguments, return values, and local or module-level names. The annotated names of a class body do, because a dataclass
reads them. The digest is the same under every supported Python; the texts of `ast.dump` and `ast.unparse` are not.
"""

import ast
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

# Fields of nodes that never change what code does.
_SKIPPED_FIELDS = frozenset({"ctx", "kind", "simple", "type_comment", "type_ignores"})
# Code that uses one of these names may read the docstrings or annotations of any module.
INTROSPECTION = frozenset(
    {
        *("__doc__", "getdoc", "__annotations__", "get_annotations", "get_type_hints"),
        *("singledispatch", "singledispatchmethod"),
    }
)


@dataclass
class Source:
    """The source text of a module, reduced to what counts.

    Attributes:
        code: canonical text of its code.
        imports: what it may import, as (level, module): level 0 is absolute, level 1 below the module's own package.
        words: names and string constants that it uses; a string may name a data file.
    """

    code: str = ""
    imports: set[tuple[int, str]] = field(default_factory=set)
    words: set[str] = field(default_factory=set)


def code_digest(
    script: str | Path, named: dict[Path, set[Path]] | None = None, *, root: str | Path | None = None
) -> str:
    """Hex SHA-256 of a script or module and of the modules below a folder that it imports, directly or not.

    A data file beside a module (`template.html`) counts byte by byte if a string of the module is its name. If any of
    the code reads docstrings or annotations, then those of all of it count.

    Args:
        script: path of the script.
        named: see `reachable`.
        root: see `reachable`.

    Raises:
        SyntaxError: a module cannot be parsed.
    """
    script = Path(script).resolve()
    root = Path(root).resolve() if root else script.parent
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in reachable(script, named, root=root)}
    modules = {name: content for name, content in contents.items() if name.endswith(".py")}
    introspective = any(reduced(content, introspective=False).words & INTROSPECTION for content in modules.values())
    for name, content in modules.items():
        contents[name] = reduced(content, introspective=introspective).code.encode()
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def digest_of_packages(names: Sequence[str]) -> str:
    """Hex SHA-256 of the modules of some packages of the library, byte by byte, which is 100 times as fast."""
    library, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(path for name in names for path in (library / name).glob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(library).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def reachable(script: Path, named: dict[Path, set[Path]] | None = None, *, root: Path | None = None) -> set[Path]:
    """A script or module, the modules that it imports, directly or not, and the data files beside them.

    Args:
        script: path of the script or module.
        named: the files that each module names; grows. For scripts of one folder whose files do not change meanwhile.
        root: the folder in which imports are looked up; None for that of the script, as Python does.
    """
    named = {} if named is None else named
    root = root or script.parent
    seen: set[Path] = set()
    queue = [script]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.suffix == ".py":
            if path not in named:
                named[path] = set(_files_named_in(path, root))
            queue.extend(named[path])
    return seen


def _files_named_in(path: Path, root: Path) -> Iterator[Path]:
    """Modules that a module imports, the `__init__.py` files of their packages, and data files that it names."""
    source = reduced(path.read_bytes(), introspective=False)
    for level, module in source.imports:
        package = path.relative_to(root).parts[:-level] if level else ()
        target = root
        for part in (*package, *module.split(".")):
            target /= part
            yield from filter(Path.is_file, (target.with_suffix(".py"), target / "__init__.py"))
    for word in source.words:
        if "." in word.strip(".") and len(word) < 100 and word.isprintable() and (path.parent / word).is_file():
            yield path.parent / word


@cache
def reduced(content: bytes | str, *, introspective: bool) -> Source:
    """Reduce the source text of a module to what counts.

    Args:
        content: the text, or the bytes of the file.
        introspective: whether docstrings and annotations count too.
    """
    source = Source()
    source.code = _Writer(source, introspective).text(ast.parse(content), in_class=False)
    return source


class _Writer:
    """Writes the nodes of a syntax tree as text, and notes imports and words."""

    def __init__(self, source: Source, introspective: bool) -> None:
        self._source = source
        self._introspective = introspective

    def text(self, value: object, *, in_class: bool) -> str:
        """Canonical text of a node, a list of nodes, or a constant; empty where there is none."""
        match value:
            case None | []:
                return ""
            case [ast.stmt(), *_]:
                # A block in which nothing happens equals `pass`.
                return " ".join(self.text(item, in_class=in_class) for item in self._statements(value, in_class))
            case list():
                # `None` is the key of `**mapping` in a dict, and the missing default of a keyword-only argument.
                return " ".join(self.text(item, in_class=in_class) or "None" for item in value)
            case ast.Constant():
                return self._constant(value.value)
            case ast.JoinedStr():
                return self._f_string(value)
            case ast.AnnAssign(value=ast.expr() as assigned) if not (in_class or self._introspective):
                value = ast.Assign(targets=[value.target], value=assigned)
            case ast.ClassDef():
                in_class = True
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                in_class = False
            case ast.AST():
                pass
            case _:
                return self._constant(value)
        self._note_imports(value)
        fields = {name: self.text(getattr(value, name, None), in_class=in_class) for name in self._fields(value)}
        return f"{type(value).__name__}({', '.join(f'{name}=[{text}]' for name, text in fields.items() if text)})"

    def _fields(self, node: ast.AST) -> list[str]:
        """Names of the fields that count, in an order that does not depend on the Python version."""
        skipped = _SKIPPED_FIELDS
        if isinstance(node, ast.arg | ast.FunctionDef | ast.AsyncFunctionDef) and not self._introspective:
            skipped |= {"annotation", "returns"}
        return sorted(set(node._fields) - skipped)

    def _statements(self, body: Sequence[object], in_class: bool) -> Iterator[object]:
        """The statements of a block that do something."""
        for statement in body:
            match statement:
                case ast.Pass():
                    pass
                case ast.Expr(value=ast.Constant()) if not self._introspective:
                    pass
                # `name: type` alone makes the name local: code to which that matters can only fail.
                case ast.AnnAssign(value=None) if not (in_class or self._introspective):
                    pass
                case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                    yield from self._statements(statement.orelse, in_class)
                case _:
                    yield statement

    def _f_string(self, node: ast.JoinedStr) -> str:
        """Text of an f-string, its adjacent constants joined: Python versions cut them differently."""
        texts = []
        for constant, group in groupby(node.values, lambda part: isinstance(part, ast.Constant)):
            parts: list[object] = list(group)
            if constant:
                parts = ["".join(str(part.value) for part in parts if isinstance(part, ast.Constant))]
            texts += [self.text(part, in_class=False) for part in parts if part]
        return f"JoinedStr({' '.join(texts)})"

    def _note_imports(self, node: ast.AST) -> None:
        match node:
            case ast.Import():
                self._source.imports.update((0, alias.name) for alias in node.names)
            case ast.ImportFrom():
                package = f"{node.module}." if node.module else ""
                self._source.imports.update((node.level, package + alias.name) for alias in node.names)

    def _constant(self, value: object) -> str:
        """Text of a constant with its type: 1, 1.0, True, "1" and b"1" differ."""
        if isinstance(value, str):
            self._source.words.add(value)
        # Not `repr`: the characters it escapes depend on the Python version, and it refuses integers of many digits.
        return f"{type(value).__name__}:{hex(value) if type(value) is int else ascii(value)}"
