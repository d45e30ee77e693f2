"""Exactly what went stale runs again: each row of the table is an edit and the set of jobs that it makes stale.

Every edit is tried on a project as it was left by its run, and on a copy of it that came without `.snakemake/` and with
mtimes in a random order, as from a bucket or a colleague.
"""

import contextlib
import csv
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from fixtures.project import Project
from foldline.dataset.id_hash import shard_index, shard_name
from PIL import Image

FOLDS, MODELS = range(3), "ab"
REPORT = {"render_report"}
AFTER_BLEND = {"blend_folds", "evaluate"} | REPORT
FOLD_TABLE = {"make_folds", *(f"class_weights/fold{fold}" for fold in FOLDS)}


def jobs(rule: str, models: str = MODELS, folds: object = FOLDS) -> set[str]:
    return {f"{rule}/{model}/fold{fold}" for model in models for fold in folds}


def training(models: str = MODELS, folds: object = FOLDS) -> set[str]:
    return (
        jobs("train_fold", models, folds)
        | jobs("predict_oof", models, folds)
        | jobs("predict_test", models, folds)
        | AFTER_BLEND
    )


def shards_of(name: str, split: str) -> set[str]:
    """The shard of the inventory and the shard of a sample; the train split of `fixtures.images` has 4 and 2."""
    scans, shards = {"train": (4, 2), "external": (1, 1), "test": (1, 1)}[split]
    return {
        f"scan_images/{split}/{shard_name(shard_index(name, scans), scans)}",
        f"shard_records/32/{split}/{shard_name(shard_index(name, shards), shards)}",
    }


# Every fold sees every training row: to train on, or as rows held out.
AUDITS = {f"audit_leaks/{split}" for split in ("train", "external", "test")}
TRAIN_ROW = shards_of("s000", "train") | AUDITS | FOLD_TABLE | training()
EXTERNAL_ROW = shards_of("e000", "external") | (AUDITS - {"audit_leaks/train"}) | FOLD_TABLE | training()
TEST_ROW = shards_of("s060", "test") | {"audit_leaks/test"} | jobs("predict_test") | AFTER_BLEND


def edit_config(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "config" / "config.yaml"
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config, sort_keys=False))

    return edit


def append(name: str, text: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        with (folder / name).open("a") as handle:
            handle.write(text)

    return edit


def touch(pattern: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.touch()

    return edit


def edit_label(folder: Path) -> None:
    path = folder / "data" / "train.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    rows[1][3] = str(1 - int(rows[1][3]))
    with path.open("w", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)


def edit_image(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "data" / "images" / f"{name}.png"
        picture = Image.open(path).convert("RGB")
        picture.putpixel((0, 0), (255, 0, 0))
        picture.save(path)

    return edit


def new_test_row(folder: Path) -> None:
    shutil.copy(folder / "data/images/s060.png", folder / "data/images/new.png")
    append("data/test.csv", "new,arm\n")(folder)
    append("data/sample_submission.csv", "new,0\n")(folder)


def delete(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def set_value(*path: str | int, value: object) -> Callable[[Path], None]:
    def change(config: dict) -> None:
        for key in path[:-1]:
            config = config.setdefault(key, {})
        config[path[-1]] = value

    return edit_config(change)


def new_model(config: dict) -> None:
    config["models"]["c"] = {**config["models"]["a"], "seed": 9}


CASES = {
    "nothing": (lambda folder: None, set()),
    "scripts touched": (touch("scripts/**/*.py"), set()),
    "raw images touched": (touch("data/images/*.png"), set()),
    "raw tables touched": (touch("data/*.csv"), set()),
    "comment in a script": (append("scripts/train_fold.py", "\n# A comment.\n"), set()),
    "blend method": (set_value("blend", "method", value="rank_mean"), AFTER_BLEND),
    "blending code": (append("scripts/foldline/evaluation/blending.py", "\nEDITED = 1\n"), AFTER_BLEND),
    "loss function": (append("scripts/foldline/training/losses.py", "\nEDITED = 1\n"), training()),
    "figure code": (append("scripts/foldline/report/score_plots.py", "\nEDITED = 1\n"), REPORT),
    "report template": (append("scripts/foldline/report/template.html", "<!-- edited -->"), REPORT),
    "learning rate of one model": (set_value("models", "a", "learning_rate", value=0.01), training("a")),
    "override for one fold": (set_value("models", "a", "fold_overrides", value={2: {"seed": 5}}), training("a", [2])),
    "new model": (edit_config(new_model), training("c")),
    "words of a metadata column": (
        set_value("dataset", "metadata", "site", "vocabulary", value=["arm", "leg", "head"]),
        training("b"),
    ),
    "bytes of an external image": (edit_image("e000"), EXTERNAL_ROW),
    "new test row": (new_test_row, TEST_ROW),
    "bytes of a test image": (edit_image("s060"), TEST_ROW),
    "label of a training row": (edit_label, TRAIN_ROW),
    "bytes of a training image": (edit_image("s000"), TRAIN_ROW),
    "model file deleted": (delete("results/models/a/fold1/weights.weights.h5"), training("a", [1])),
    "test-time views": (
        set_value("prediction", "views", value=4),
        jobs("predict_oof") | jobs("predict_test") | AFTER_BLEND,
    ),
    "accelerator": (set_value("accelerator", value="cpu"), set()),
    "fold seed": (set_value("folds", "seed", value=4), FOLD_TABLE | training()),
}


@pytest.fixture(scope="session")
def copied_project(finished_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("copied") / "project"
    ignored = shutil.ignore_patterns(".snakemake", ".foldline")
    shutil.copytree(finished_project.folder, folder, ignore=ignored)
    order = random.Random(5)
    for path in sorted(folder.rglob("*")):
        moment = 1_700_000_000 + order.randrange(10_000_000)
        os.utime(path, (moment, moment))
    return Project(folder)


@contextlib.contextmanager
def undone(folder: Path) -> Iterator[None]:
    """Take back what is done to the inputs and results of a project."""
    watched = [path for name in ("config", "scripts", "data", "results") for path in (folder / name).rglob("*")]
    before = {path: path.read_bytes() for path in watched if path.is_file()}
    times = {path: path.stat().st_mtime_ns for path in before}
    try:
        yield
    finally:
        for name in ("config", "scripts", "data"):
            for path in (folder / name).rglob("*"):
                if path.is_file() and path not in before:
                    path.unlink()
        for path, content in before.items():
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)
                os.utime(path, ns=(times[path], times[path]))


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["finished", "copied"])
@pytest.mark.parametrize("case", CASES)
def test_exactly_the_stale_jobs_run(case: str, kept: str, request: pytest.FixtureRequest) -> None:
    project = request.getfixturevalue(f"{kept}_project")
    edit, expected = CASES[case]
    with undone(project.folder):
        edit(project.folder)
        assert project.stale() == expected
