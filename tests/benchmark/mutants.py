"""How many random mutants of core modules the unit tests kill.

A mutant is a module with one small fault: a comparison, an operator, a constant, a condition or a statement is changed.
It is killed when the unit tests that import its module fail or do not end. Survivors are printed with their diff: each
is a gap in the tests, or a change that no caller can observe.

Usage: python tests/benchmark/mutants.py [--count 200] [--seed 1] [--workers 2] [MODULE ...]
"""

import argparse
import ast
import copy
import difflib
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

REPOSITORY = Path(__file__).resolve().parents[2]
CORE = (
    "dataset/labels",
    "dataset/metadata",
    "evaluation/blending",
    "evaluation/merging",
    "evaluation/metrics",
    "evaluation/thresholds",
    "planning/code_digest",
    "planning/job_keys",
    "splits/class_weights",
    "splits/duplicates",
    "splits/fold_repair",
    "splits/group_folds",
)
TIMEOUT_SECONDS = 300
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


@dataclass(frozen=True)
class Mutant:
    """A module with one fault.

    Attributes:
        module: path below `scripts/foldline` without suffix.
        text: source of the module with the fault.
        change: the fault as a diff.
    """

    module: str
    text: str
    change: str


def faults_of(tree: ast.Module) -> list[tuple[int, str]]:
    """Number of each node, in the order of `ast.walk`, that a fault can be put into, and the fault."""
    skipped = {id(inner) for node in ast.walk(tree) for inner in _without_effect(node)}
    faults = []
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in skipped:
            faults += [(number, kind) for kind in _kinds(node)]
    return faults


def _without_effect(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes inside of annotations, docstrings, messages of errors and logs, which tests need not see."""
    outer: list[ast.AST | None] = []
    if isinstance(node, ast.FunctionDef):
        arguments = [inner for inner in ast.walk(node.args) if isinstance(inner, ast.arg)]
        outer = [node.returns, *(argument.annotation for argument in arguments)]
    elif isinstance(node, ast.AnnAssign):
        outer = [node.annotation]
    elif isinstance(node, ast.JoinedStr):
        outer = [node]
    elif isinstance(node, ast.Expr):
        is_log = re.match(r"log(ger|ging)?\.", ast.unparse(node))
        outer = [node] if isinstance(node.value, ast.Constant) or is_log else []
    for part in outer:
        if part is not None:
            yield from ast.walk(part)


def _kinds(node: ast.AST) -> list[str]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
            return ["comparison"]
        case ast.BinOp(op=operator) if type(operator) in OPERATORS:
            return ["operator"]
        case ast.BoolOp():
            return ["and/or"]
        case ast.Constant(value=bool() | int() | float()):
            return ["constant"]
        case ast.If() | ast.IfExp() | ast.While():
            return ["condition"]
        case ast.Assign() | ast.AugAssign() | ast.Raise() | ast.Expr() | ast.Continue() | ast.Break():
            return ["statement"]
        case ast.Return(value=ast.expr()):
            return ["return"]
    return []


def with_fault(tree: ast.Module, number: int, kind: str) -> ast.Module:
    """Copy of a module with a fault in one node; see `faults_of`."""
    tree = copy.deepcopy(tree)
    node = list(ast.walk(tree))[number]
    match node, kind:
        case ast.Compare(), "comparison":
            node.ops = [COMPARISONS[type(node.ops[0])]()]
        case ast.BinOp(), "operator":
            node.op = OPERATORS[type(node.op)]()
        case ast.BoolOp(), _:
            node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        case ast.Constant(), _:
            node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
        case ((ast.If() | ast.IfExp() | ast.While()), _):
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Return(), _:
            node.value = ast.Constant(None)
        case _:
            _replace(tree, node, ast.Pass())
    return ast.fix_missing_locations(tree)


def _replace(tree: ast.Module, old: ast.AST, new: ast.stmt) -> None:
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list) and old in statements:
                statements[statements.index(old)] = new


def source_of(module: str) -> str:
    """Source of a module of the library."""
    return (REPOSITORY / "scripts" / "foldline" / f"{module}.py").read_text(encoding="utf-8")


def draw_mutants(modules: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """Draw mutants: about as many of each module, none twice."""
    generator = random.Random(seed)
    mutants = []
    for index, module in enumerate(modules):
        tree = ast.parse(source_of(module))
        original, faults = ast.unparse(tree), faults_of(tree)
        share = count // len(modules) + (index < count % len(modules))
        for number, kind in generator.sample(faults, min(share, len(faults))):
            text = ast.unparse(with_fault(tree, number, kind))
            lines = list(difflib.unified_diff(original.splitlines(), text.splitlines(), n=0, lineterm=""))[2:]
            mutants.append(Mutant(module, text, "\n".join(lines)))
    return mutants


def tests_of(module: str) -> list[str]:
    """Unit tests that import a module, by itself or through the script that they test."""
    name = "foldline." + module.replace("/", ".")
    package, _, last = name.rpartition(".")
    pattern = re.compile(rf"{re.escape(name)}\b|from {re.escape(package)} import [^\n]*\b{last}\b")
    scripts = [path.stem for path in (REPOSITORY / "scripts").glob("*.py") if pattern.search(path.read_text())]
    through = re.compile("|".join([pattern.pattern, *(rf"from {script} import" for script in scripts)]))
    folder = REPOSITORY / "tests" / "unit"
    found = [path for path in folder.rglob("test_*.py") if through.search(path.read_text(encoding="utf-8"))]
    # The test of the module itself first, those of its package next: most mutants end there.
    order = {path: (path.stem != f"test_{last}", path.parent.name != module.split("/")[0], str(path)) for path in found}
    return [str(path.relative_to(REPOSITORY)) for path in sorted(found, key=order.__getitem__)]


def is_killed(mutant: Mutant, tests: Sequence[str], clone: Path) -> bool:
    """Run tests in a copy of the repository in which a module is replaced by its mutant."""
    target = clone / "scripts" / "foldline" / f"{mutant.module}.py"
    original = target.read_text(encoding="utf-8")
    target.write_text(mutant.text, encoding="utf-8")
    command = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
    ]
    try:
        done = subprocess.run([*command, *tests], cwd=clone, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(original, encoding="utf-8")
    return done.returncode != 0


def copy_repository(folder: Path) -> Path:
    """Copy what the unit tests need."""
    for name in ("scripts", "tests", "config", "workflow", "envs"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "Makefile"):
        shutil.copy(REPOSITORY / name, folder / name)
    return folder


def run(mutants: Sequence[Mutant], workers: int, judge: Callable[[Mutant, Sequence[str], Path], bool]) -> list[bool]:
    """Whether each mutant is killed, in order."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        clones: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            clones.put(copy_repository(Path(folder) / str(number)))

        def judged(mutant: Mutant) -> bool:
            clone = clones.get()
            try:
                killed = judge(mutant, tests_of(mutant.module), clone)
            finally:
                clones.put(clone)
            print(f"{'killed' if killed else 'SURVIVED'} {mutant.module}\n{mutant.change}", flush=True)
            return killed

        return list(pool.map(judged, mutants))


def main() -> None:
    """Print every mutant, then a line for each module and one for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=CORE, metavar="MODULE")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    mutants = draw_mutants(arguments.modules, arguments.count, arguments.seed)
    originals = [Mutant(module, source_of(module), "(unchanged)") for module in arguments.modules]
    for module, failed in zip(arguments.modules, run(originals, arguments.workers, is_killed), strict=True):
        if failed:
            sys.exit(f"{module}: its tests fail without a fault: {' '.join(tests_of(module))}")
    killed = run(mutants, arguments.workers, is_killed)
    for module in arguments.modules:
        own = [dead for mutant, dead in zip(mutants, killed, strict=True) if mutant.module == module]
        print(f"{module}: {sum(own)} of {len(own)}")
    print(f"all: {sum(killed)} of {len(killed)} killed, {100 * sum(killed) / max(1, len(killed)):.1f} %")


if __name__ == "__main__":
    main()
