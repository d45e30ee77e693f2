"""The packages of the library import one another in one direction, and heavy packages only where they may."""

import ast
from collections.abc import Iterator
from pathlib import Path

from fixtures.project import REPOSITORY

LIBRARY = REPOSITORY / "scripts" / "foldline"
# A package imports from the layers before its own, and from none of its own layer.
LAYERS = (
    ("images", "io", "runtime"),
    ("dataset",),
    ("evaluation", "leaks", "models", "splits", "tfrecords"),
    ("input_pipeline", "report", "planning"),
    ("inference",),
    ("training",),
    ("check",),
)
TENSORFLOW = {"runtime", "models", "input_pipeline", "inference", "training"}
# Packages that cost start-up time: what the Snakemake process loads, once per job, imports none at its top level.
HEAVY = {"numpy", "pandas", "pyarrow", "scipy", "sklearn", "PIL", "matplotlib", "tensorflow", "tf_keras"}
# What may use Arrow's tables: elsewhere, tables are pandas or arrays.
ARROW = {"io", "dataset", "evaluation", "planning"}
TOP_LEVEL = {"errors", "step"}


def imports_of_node(node: ast.AST) -> Iterator[str]:
    """Names of the modules that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{ast.unparse(node)}: a relative import"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(path: Path) -> Iterator[str]:
    """Names of the modules that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        yield from imports_of_node(node)


def imported_packages() -> Iterator[tuple[str, str, Path]]:
    """Package that imports, package of the library that is imported, file."""
    for path in LIBRARY.rglob("*.py"):
        for name in imports_of(path):
            first, *rest = name.split(".")
            if first == "foldline":
                yield path.relative_to(LIBRARY).parts[0], rest[0], path


def test_every_package_has_a_layer() -> None:
    found = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()}
    assert found == {name for layer in LAYERS for name in layer}
    assert {path.stem for path in LIBRARY.glob("*.py")} == {"__init__", *TOP_LEVEL}


def test_packages_import_in_one_direction() -> None:
    depth = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    upward = {
        f"{path.relative_to(LIBRARY)} imports {imported}"
        for package, imported, path in imported_packages()
        if package in depth and imported not in TOP_LEVEL and package != imported and depth[imported] >= depth[package]
    }
    assert not upward


def test_modules_of_a_package_import_no_circle() -> None:
    edges: dict[str, set[str]] = {}
    for path in LIBRARY.rglob("*.py"):
        name = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
        edges[name] = {
            target
            for found in imports_of(path)
            for target in (found, found.rpartition(".")[0])
            if (LIBRARY.parent / Path(*target.split("."))).with_suffix(".py").is_file()
        }
    while leaves := {name for name, targets in edges.items() if not targets & edges.keys()}:
        for name in leaves:
            del edges[name]
    assert not edges


def test_tensorflow_and_pandas_stay_where_they_belong() -> None:
    for path in LIBRARY.rglob("*.py"):
        package = path.relative_to(LIBRARY).parts[0]
        roots = {name.split(".")[0] for name in imports_of(path)}
        if package not in TENSORFLOW:
            assert not roots & {"tensorflow", "tf_keras", "efficientnet"}, path
        if package == "planning":
            assert not roots & {"pandas", "numpy", "sklearn", "scipy"}, path


def loaded_with(names: set[str]) -> dict[str, set[str]]:
    """What is imported when some modules of the library are: module of the library -> top packages from elsewhere."""
    found: dict[str, set[str]] = {}
    queue = sorted(names)
    while queue:
        name = queue.pop()
        path = (LIBRARY.parent / Path(*name.split("."))).with_suffix(".py")
        if name in found or not path.is_file():
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        imported = {
            one for node in body if isinstance(node, ast.Import | ast.ImportFrom) for one in imports_of_node(node)
        }
        found[name] = {one.split(".")[0] for one in imported} - {"foldline"}
        queue += [target for one in imported if one.startswith("foldline.") for target in (one, one.rpartition(".")[0])]
    return found


def test_the_snakemake_process_loads_no_heavy_package() -> None:
    planning = {f"foldline.planning.{path.stem}" for path in (LIBRARY / "planning").glob("*.py")} - {
        "foldline.planning.__init__"
    }
    loaded = loaded_with(planning)
    assert "foldline.io.files" in loaded
    assert "foldline.io.tables" not in loaded
    assert {name: roots & HEAVY for name, roots in loaded.items() if roots & HEAVY} == {}


def test_arrow_stays_where_tables_are_read() -> None:
    for path in LIBRARY.rglob("*.py"):
        if path.relative_to(LIBRARY).parts[0] not in ARROW:
            assert "pyarrow" not in {name.split(".")[0] for name in imports_of(path)}, path


def test_package_files_hold_a_docstring_only() -> None:
    for path in LIBRARY.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert isinstance(body[0], ast.Expr), path
