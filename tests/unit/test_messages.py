"""Messages count in correct English: "1 row", not "1 rows"."""

import re
from pathlib import Path

import pytest
from fixtures.project import REPOSITORY

NOUNS = (
    *("cells", "classes", "columns", "draws", "duplicates", "epochs", "files", "folds", "groups", "ids", "images"),
    *("lines", "models", "networks", "pairs", "problems", "records", "rows", "runs", "scores", "shards", "steps"),
    "views",
)
# A count in an f-string, or %d, and then a noun in the plural, with at most one word between them.
COUNTED = re.compile(r"(?:(?<!\{)\{[^{}\n]*\}|%d) (?:[a-z-]+ )?(?:" + "|".join(NOUNS) + r")\b")
# Counts that are never 1, and texts that are no counts.
ALLOWED = {
    "blend_folds.py": ["%d scores"],
    "foldline/dataset/labels.py": ["{len(indices)} classes"],
    "foldline/errors.py": ["{sum(counts):,} problems"],
    "foldline/planning/config_checks.py": ["{classes} classes"],
    "foldline/report/methods.py": ["{metrics.folds} folds"],
    "foldline/report/training_plots.py": ["{label} rows", "{label} rows"],
    "foldline/splits/hamming_search.py": ["{MAX_PAIRS} pairs"],
    "foldline/training/history.py": ["%d images"],
    "foldline/training/progress_log.py": ["%d images"],
    "make_folds.py": ["%d folds", "{total} rows", "%d rows"],
}
SCRIPTS = REPOSITORY / "scripts"


@pytest.mark.parametrize("name", sorted(str(path.relative_to(SCRIPTS)) for path in SCRIPTS.rglob("*.py")))
def test_a_count_may_be_1(name: str) -> None:
    """`errors.counted` gives the right form of the noun."""
    assert COUNTED.findall(Path(SCRIPTS / name).read_text(encoding="utf-8")) == ALLOWED.get(name, [])
