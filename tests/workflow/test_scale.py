"""How many jobs a large data set becomes; `tests/benchmark/planning.py` measures the time for a million images."""

import re
from pathlib import Path

import pytest
from fixtures.many import write_many
from fixtures.project import Project, copy_workflow

pytestmark = pytest.mark.slow


def test_jobs_follow_models_and_folds_and_not_the_images(tmp_path: Path) -> None:
    project = Project(tmp_path)
    copy_workflow(tmp_path)
    write_many(tmp_path, train=3000, test=300, models=4, folds=5, megabytes=0.5)
    output = project.snakemake("-n", "--quiet", "rules").stdout
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)}
    # 750 and 75 MB of images: more than 32 shards of half a MB, and twice as many shards of the inventory.
    assert counts["scan_images"] == 64 + 64
    # 60, 79, 177 and 315 MB to train on, and a tenth of that in the test split.
    # 32 and 4 have the images that are embedded.
    assert counts["shard_records"] == 4 * 32 + 8 + 8 + 32 + 32 + 32 + 4
    assert [counts[rule] for rule in ("train_fold", "predict_oof", "predict_test")] == [4 * 5] * 3
    of_images = ["list_classes", "check_images", "embed_images", "audit_leaks", "show_pairs", "look_alikes"]
    assert [counts[rule] for rule in of_images] == [1, 1, 2, 2, 1, 1]
    of_folds = ["make_folds", "detect_drift", "class_weights", "blend_folds", "evaluate", "render_report", "all"]
    assert [counts[rule] for rule in of_folds] == [1, 1, 5, 1, 1, 1, 1]
    assert counts["total"] == sum(counts.values()) - counts["total"]
    # Nobody read the images.
    assert "data_index.parquet" in {path.name for path in (tmp_path / ".foldline").iterdir()}
