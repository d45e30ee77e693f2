"""The table of faults in `README.md` has each test of this folder with its number of cases, and at least 60 faults."""

import importlib
import math
import re
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent
ROW = re.compile(r"^\| `(test_\w+)\.py` `(test_\w+)` \| (\d+) \|", re.MULTILINE)
LEAST_FAULTS = 60


def cases(module: ModuleType) -> dict[tuple[str, str], int]:
    """Number of cases of each test of a module."""
    counted = {}
    for name, test in vars(module).items():
        if name.startswith("test_"):
            marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
            counted[Path(module.__file__).stem, name] = math.prod(len(mark.args[1]) for mark in marks)
    return counted


def test_every_fault_is_in_the_table() -> None:
    rows = {(module, test): int(number) for module, test, number in ROW.findall((FOLDER / "README.md").read_text())}
    found: dict[tuple[str, str], int] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        if path != Path(__file__):
            found |= cases(importlib.import_module(f"faults.{path.stem}"))
    assert rows == found
    assert sum(rows.values()) > LEAST_FAULTS
