"""Digest of a script and of all that it imports below `scripts/`: what "code" means when a job is judged stale.

Snakemake compares the mtime of the script alone; this looks at what would run. Comments, blank lines and trailing
spaces do not count, so that a clearer comment trains nothing again. Standard library only.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def code_digest(script: str | Path) -> str:
    """Hex SHA-256 over a script and the modules it imports, directly or not, from the folder of the script.

    Data files that a module opens beside itself (`template.html`) count too: every name of a file that stands
    beside a module and occurs in it as a string.

    Args:
        script: path of the script; its folder is where imports are looked up, as when Python runs it.
    """
    script = Path(script).resolve()
    digest = hashlib.sha256()
    for path in sorted(reachable(script)):
        digest.update(path.relative_to(script.parent).as_posix().encode() + b"\0")
        digest.update(_significant(path).encode() + b"\0")
    return digest.hexdigest()


def reachable(script: Path) -> set[Path]:
    """A script, the modules below its folder that it imports, directly or not, and the data files beside these."""
    seen: set[Path] = set()
    queue = [script]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.suffix == ".py":
            queue.extend(_imports(path, script.parent))
    return seen


@cache
def _imports(path: Path, root: Path) -> tuple[Path, ...]:
    found: list[Path] = []
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.extend(_files_of(alias.name, root))
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.extend(_files_of(node.module, root))
            for alias in node.names:
                found.extend(_files_of(f"{node.module}.{alias.name}", root))
        elif isinstance(node, ast.Constant) and _names_a_file(node.value) and (path.parent / node.value).is_file():
            found.append(path.parent / node.value)
    return tuple(found)


def _names_a_file(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) < 100 and "." in value.strip(".") and value.isprintable()


def _files_of(module: str, root: Path) -> Iterator[Path]:
    """Files that importing `module` runs: those of its packages and its own, where they stand below `root`."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:depth])
        for candidate in (place.with_suffix(".py"), place / "__init__.py"):
            if candidate.is_file():
                yield candidate


@cache
def _significant(path: Path) -> str:
    """Text of a file; of Python source without comments, blank lines and trailing spaces (strings stay as they are)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    lines = text.splitlines()
    inside_strings: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column]
        elif row < token.end[0] and tokenize.tok_name[token.type] in ("STRING", "FSTRING_MIDDLE"):
            inside_strings.update(range(row - 1, token.end[0]))
    return "\n".join(
        line if number in inside_strings else line.rstrip()
        for number, line in enumerate(lines)
        if number in inside_strings or line.strip()
    )
