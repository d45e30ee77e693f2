"""Exactly what went stale runs again: each row of the table is an edit and the set of jobs that it makes stale.

Most rows compare the keys of the jobs in two plans, before and after the edit: a job runs again when its key changed.
What keys cannot show, the rest tries with Snakemake itself on a finished project: as its run left it, and as it comes
from a bucket or a colleague, without `.snakemake/` and with mtimes in a random order, future ones included.
"""

import contextlib
import csv
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from fixtures.plans import changed_jobs, plan_of
from fixtures.project import Project
from foldline.dataset.id_hash import shard_index, shard_name
from foldline.errors import FoldlineError
from foldline.planning.workflow_plan import WorkflowPlan
from PIL import Image

Edit = Callable[[Path], None]

FOLDS, MODELS = range(2), "ab"
# Folds of the second of two repeats.
REPEATED = [f"{fold}-repeat2" for fold in FOLDS]
REPORT = {"render_report"}
# Only on request: no run of the default targets has them.
EXPORTS = ("export_model", "export_ensemble")
ENSEMBLE = {"export_ensemble"}
AFTER_OOF = {"evaluate"} | REPORT
AFTER_BLEND = {"blend_folds"} | ENSEMBLE | AFTER_OOF
WEIGHTS = {f"class_weights/fold{fold}" for fold in FOLDS}
# What people look at.
SHOWN = {"show_pairs", "look_alikes"}
FOLD_TABLE = {"make_folds", "look_alikes"} | WEIGHTS


def jobs(rule: str, models: str = MODELS, folds: object = FOLDS) -> set[str]:
    return {f"{rule}/{model}/fold{fold}" for model in models for fold in folds}


def predicting(models: str = MODELS, folds: object = FOLDS) -> set[str]:
    rules = ("predict_oof", "predict_test", "export_model")
    return AFTER_BLEND.union(*(jobs(rule, models, folds) for rule in rules))


def training(models: str = MODELS, folds: object = FOLDS) -> set[str]:
    return jobs("train_fold", models, folds) | predicting(models, folds)


def scan_of(name: str, split: str) -> set[str]:
    """The shard of the inventory that has a sample; `fixtures.images` makes 4 of the train split."""
    count = {"train": 4, "external": 1, "test": 1}[split]
    return {
        f"scan_images/{split}/{shard_name(shard_index(name, count), count)}",
        "check_images",
        "show_pairs",
        "look_alikes",
    }


def shards_of(name: str, split: str) -> set[str]:
    """The shard of the inventory and the shard that have a sample; `fixtures.images` makes 2 of the train split."""
    count = {"train": 2, "external": 1, "test": 1}[split]
    return scan_of(name, split) | {f"shard_records/32/{split}/{shard_name(shard_index(name, count), count)}"}


EMBEDDINGS = {f"embed_images/{split}" for split in ("train", "external", "test")}
DRIFT = {"detect_drift"}
# What is audited again is compared again.
AUDITS = {*SHOWN, *(f"audit_leaks/{split}" for split in ("train", "external", "test"))} | DRIFT
ALL_SHARDS = {f"shard_records/32/{split}/00000-of-00001" for split in ("external", "test")}
SCANS = {
    "check_images",
    "show_pairs",
    "look_alikes",
    *(f"scan_images/{split}/00000-of-00001" for split in ("external", "test")),
}
SCANS |= {f"scan_images/train/{shard_name(index, 4)}" for index in range(4)}
ALL_SHARDS |= {f"shard_records/32/train/{shard_name(index, 2)}" for index in range(2)}
# Every fold sees every training row: to train on, or as rows held out.
TRAIN_ROW = shards_of("s000", "train") | {"embed_images/train"} | AUDITS | FOLD_TABLE | training()
EXTERNAL_ROW = shards_of("e000", "external") | {"embed_images/external"} | FOLD_TABLE | training()
EXTERNAL_ROW |= AUDITS - {"audit_leaks/train"}
TEST_ROW = (
    shards_of("s060", "test") | {"embed_images/test", "audit_leaks/test"} | DRIFT | jobs("predict_test") | AFTER_BLEND
)


def edit_config(change: Callable[[dict], None]) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / "config" / "config.yaml"
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config, sort_keys=False))

    return edit


def set_value(*path: str | int, value: object) -> Edit:
    def change(config: dict) -> None:
        for key in path[:-1]:
            config = config.setdefault(key, {})
        config[path[-1]] = value

    return edit_config(change)


def append(name: str, text: str) -> Edit:
    def edit(folder: Path) -> None:
        with (folder / name).open("a") as handle:
            handle.write(text)

    return edit


def touch(*patterns: str) -> Edit:
    def edit(folder: Path) -> None:
        for path in (path for pattern in patterns for path in folder.glob(pattern)):
            path.touch()

    return edit


def edit_row(name: str, column: str, value: str) -> Edit:
    """Set a cell of the train table."""

    def edit(folder: Path) -> None:
        path = folder / "data" / "train.csv"
        rows = list(csv.DictReader(path.read_text().splitlines()))
        (row,) = (row for row in rows if row["image_name"] == name)
        assert row[column] != value
        row[column] = value
        with path.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(row), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    return edit


def edit_image(name: str) -> Edit:
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


def swap_rows_of_the_submission(folder: Path) -> None:
    path = folder / "data" / "sample_submission.csv"
    header, first, second, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, second, first, *rest, ""]))


def new_model(config: dict) -> None:
    config["models"]["c"] = {**config["models"]["a"], "seed": 9}


COMMENT = "\n# A comment.\n"
CODE = "\nEDITED = 1\n"
DATA_ROWS = {
    "raw files touched": (touch("data/*.csv", "data/images/*.png"), set()),
    "label of a training row": (edit_row("s000", "target", "0"), TRAIN_ROW),
    "patient of a training row": (edit_row("s000", "patient_id", "p029"), TRAIN_ROW),
    "metadata of a training row": (edit_row("s000", "site", "arm"), TRAIN_ROW),
    "bytes of a training image": (edit_image("s000"), TRAIN_ROW),
    "bytes of an external image": (edit_image("e000"), EXTERNAL_ROW),
    "bytes of a test image": (edit_image("s060"), TEST_ROW),
    "new test row": (new_test_row, TEST_ROW),
    "order of the submission": (swap_rows_of_the_submission, AFTER_BLEND),
}
CONFIG_ROWS = {
    "accelerator": (set_value("accelerator", value="cpu"), set()),
    "checkpoints": (set_value("checkpoints", "seconds", value=7), set()),
    "title of the report": (set_value("report", "title", value="Skin"), REPORT),
    "confidence of the intervals": (set_value("evaluation", "confidence", value=0.9), DRIFT | AFTER_OOF),
    "blend method": (set_value("blend", "method", value="rank_mean"), AFTER_BLEND),
    "calibration": (set_value("calibration", "method", value="platt"), AFTER_BLEND),
    "batches of prediction": (
        set_value("prediction", "batch_size", value=8),
        jobs("predict_oof") | jobs("predict_test") | AFTER_BLEND,
    ),
    "test-time views": (set_value("prediction", "views", value=4), predicting()),
    "test images in shared views": (
        set_value("prediction", "test_views", value="split"),
        jobs("predict_test") | AFTER_BLEND,
    ),
    "learning rate of one model": (set_value("models", "a", "learning_rate", value=0.01), training("a")),
    "rows of an epoch": (set_value("models", "a", "sampling", value={"share": 0.5}), training("a")),
    "sizes in training": (
        set_value("models", "a", "size_schedule", value=[{"epochs": 1, "image_size": 32}]),
        training("a"),
    ),
    "size in predictions": (set_value("models", "a", "prediction_size", value=32), training("a")),
    "override of a recipe": (
        set_value("models", "a", "fold_overrides", value={1: {"sampling": {"share": 0.5}}}),
        training("a", [1]),
    ),
    "override for one fold": (set_value("models", "a", "fold_overrides", value={1: {"seed": 5}}), training("a", [1])),
    "new model": (edit_config(new_model), training("c")),
    "vocabulary of a metadata column": (
        set_value("dataset", "metadata", "site", "vocabulary", value=["arm", "leg", "head"]),
        {"list_classes"} | training("b"),
    ),
    "class weights": (set_value("class_weights", "method", value="balanced"), WEIGHTS | training()),
    "colors of the images": (
        set_value("dataset", "color_profile", value="ignore"),
        SCANS | ALL_SHARDS | EMBEDDINGS | AUDITS | FOLD_TABLE | training(),
    ),
    "quality of the shards": (
        set_value("shards", "jpeg_quality", value=90),
        ALL_SHARDS | EMBEDDINGS | AUDITS | FOLD_TABLE | training(),
    ),
    "network of the embeddings": (
        set_value("embeddings", "backbone", value="efficientnet-b0"),
        EMBEDDINGS | AUDITS | FOLD_TABLE | training(),
    ),
    "size of the embedded images": (
        set_value("embeddings", "image_size", value=48),
        {name.replace("/32/", "/48/") for name in ALL_SHARDS} | EMBEDDINGS | AUDITS | FOLD_TABLE | training(),
    ),
    "no embeddings": (
        set_value("embeddings", "enabled", value=False),
        (AUDITS | FOLD_TABLE | training()) - {"look_alikes"},
    ),
    "fold seed": (set_value("folds", "seed", value=4), FOLD_TABLE | training()),
    "number of folds": (
        set_value("folds", "count", value=3),
        FOLD_TABLE | {"class_weights/fold2"} | training(folds=range(3)),
    ),
    "final model": (
        set_value("models", "a", "final", value=True),
        {"class_weights/final", "train_final/a", "export_model/a/final"},
    ),
    "further repeat": (
        set_value("folds", "repeats", value=2),
        {"repeat_folds/2", *(f"class_weights/fold{fold}" for fold in REPEATED)} | training(folds=REPEATED),
    ),
    "near duplicates": (set_value("leaks", "near_duplicate_bits", value=8), AUDITS | FOLD_TABLE | training()),
    "duplicates to drop": (set_value("leaks", "policy", "near", "train", value="drop"), FOLD_TABLE | training()),
    "duplicates of test images": (
        set_value("leaks", "policy", "near", "test", value="error"),
        {"audit_leaks/test", *SHOWN} | DRIFT | REPORT,
    ),
}
CODE_ROWS = {
    "scripts touched": (touch("scripts/**/*.py"), set()),
    "comment in a script": (append("scripts/train_fold.py", COMMENT), set()),
    "comment in the library": (append("scripts/foldline/io/files.py", COMMENT), set()),
    "planning code": (append("scripts/foldline/planning/plan.py", CODE), set()),
    "report template": (append("scripts/foldline/report/template.html", "<!-- edited -->"), REPORT),
    "drift code": (append("scripts/foldline/evaluation/drift.py", CODE), DRIFT | REPORT),
    "figure code": (append("scripts/foldline/report/score_plots.py", CODE), REPORT),
    "blending code": (append("scripts/foldline/evaluation/blending.py", CODE), AFTER_BLEND),
    "loss function": (append("scripts/foldline/training/losses.py", CODE), training()),
}
ROWS = DATA_ROWS | CONFIG_ROWS | CODE_ROWS


@pytest.fixture(scope="module")
def planned(new_project: Project) -> tuple[Path, WorkflowPlan]:
    """A folder with data, configuration and data index, and the plan that was made there."""
    return new_project.folder, plan_of(new_project.folder)


@pytest.mark.parametrize("row", ROWS)
def test_exactly_the_keys_of_stale_jobs_change(row: str, planned: tuple[Path, WorkflowPlan], tmp_path: Path) -> None:
    before, plan = planned
    edit, expected = ROWS[row]
    # Code that is not edited is that of the repository, whose digests this process knows.
    for name in ("config", "data", ".foldline", *(["scripts"] if row in CODE_ROWS else [])):
        shutil.copytree(before / name, tmp_path / name)
    edit(tmp_path)
    assert changed_jobs(plan, plan_of(tmp_path)) == expected


def weigh(folder: Path, name: str, weight: str) -> None:
    """Give a row of the train or external table a weight, and all other rows the weight 1, in a further column."""
    for table in ("train.csv", "external.csv"):
        path = folder / "data" / table
        rows = list(csv.DictReader(path.read_text().splitlines()))
        for row in rows:
            row["weight"] = weight if row["image_name"] == name else row.get("weight", "1")
        with path.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture(scope="module")
def weighted(planned: tuple[Path, WorkflowPlan], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WorkflowPlan]:
    """The planned folder with a column of weights, which the configuration names."""
    folder = tmp_path_factory.mktemp("weighted")
    for name in ("config", "data", ".foldline"):
        shutil.copytree(planned[0] / name, folder / name)
    weigh(folder, "", "1")
    set_value("dataset", "weight_column", value="weight")(folder)
    return folder, plan_of(folder)


# Every fold trains on a row, or holds it out.
WEIGHT = FOLD_TABLE | training()
WEIGHTED_ROWS = {
    "weight of a training row": (lambda folder: weigh(folder, "s000", "2.5"), WEIGHT),
    "weight of an external row": (lambda folder: weigh(folder, "e000", "0"), WEIGHT),
    "spelling of a weight": (lambda folder: weigh(folder, "s000", "1.00"), set()),
    "weight of an external set": (set_value("dataset", "external", "external", "weight", value=0.5), WEIGHT),
    "weighted metrics": (set_value("evaluation", "weighted", value=True), AFTER_BLEND),
}


@pytest.mark.parametrize("row", WEIGHTED_ROWS)
def test_weights_make_no_scan_and_no_shard_stale(row: str, weighted: tuple[Path, WorkflowPlan], tmp_path: Path) -> None:
    before, plan = weighted
    edit, expected = WEIGHTED_ROWS[row]
    for name in ("config", "data", ".foldline"):
        shutil.copytree(before / name, tmp_path / name)
    edit(tmp_path)
    assert changed_jobs(plan, plan_of(tmp_path)) == expected


def test_a_column_of_weights_makes_no_scan_and_no_shard_stale(
    planned: tuple[Path, WorkflowPlan], weighted: tuple[Path, WorkflowPlan]
) -> None:
    assert changed_jobs(planned[1], weighted[1]) == WEIGHT


def confirm(*pairs: str) -> Edit:
    """Write a table of confirmed pairs."""

    def edit(folder: Path) -> None:
        (folder / "config" / "pairs.csv").write_text("\n".join(["id,other_id,verdict", *pairs]) + "\n")

    return edit


@pytest.fixture(scope="module")
def confirmed(
    planned: tuple[Path, WorkflowPlan], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, WorkflowPlan]:
    """The planned folder with a table of confirmed pairs."""
    folder = tmp_path_factory.mktemp("confirmed")
    for name in ("config", "data", ".foldline"):
        shutil.copytree(planned[0] / name, folder / name)
    confirm("s000,s001,same", "s003,s002,no")(folder)
    set_value("leaks", "confirmed", value="config/pairs.csv")(folder)
    return folder, plan_of(folder)


CONFIRMED_ROWS = {
    "pairs in another order": (confirm("s003,s002,", "s001,s000,yes"), set()),
    "a pair of training images": (
        confirm("s000,s001,yes", "s003,s002,yes"),
        {"audit_leaks/train", *SHOWN} | DRIFT | WEIGHT,
    ),
    "a pair of a test image": (
        confirm("s000,s001,yes", "s060,s002,yes"),
        {"audit_leaks/test", *SHOWN} | DRIFT | REPORT,
    ),
}


@pytest.mark.parametrize("row", CONFIRMED_ROWS)
def test_confirmed_pairs_make_the_audit_of_their_split_stale(
    row: str, confirmed: tuple[Path, WorkflowPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, plan = confirmed
    edit, expected = CONFIRMED_ROWS[row]
    for name in ("config", "data", ".foldline"):
        shutil.copytree(before / name, tmp_path / name)
    edit(tmp_path)
    assert changed_jobs(plan, plan_of(tmp_path)) == expected


def test_a_wrong_pair_is_reported_before_any_job(confirmed: tuple[Path, WorkflowPlan], tmp_path: Path) -> None:
    for name in ("config", "data", ".foldline"):
        shutil.copytree(confirmed[0] / name, tmp_path / name)
    confirm("s000,s000,yes", "s000,x,yes")(tmp_path)
    with pytest.raises(
        FoldlineError, match=r"pairs.csv, line 2: 's000' is paired with itself; line 3: other_id 'x' is no"
    ):
        plan_of(tmp_path)


def edit_column(column: str, values: Callable[[int, dict[str, str]], object]) -> Edit:
    """Set a column of the train table, which may be new."""

    def edit(folder: Path) -> None:
        path = folder / "data" / "train.csv"
        rows = list(csv.DictReader(path.read_text().splitlines()))
        table = [{**row, column: values(number, row)} for number, row in enumerate(rows)]
        with path.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)

    return edit


# Two rows of each patient, in two folds.
OWN_FOLDS = edit_column("kfold", lambda number, row: number // 2 % 2)
HOLDOUT_JOBS = jobs("predict_holdout") | {"score_holdout"}


@pytest.fixture(scope="module")
def own_folds(
    planned: tuple[Path, WorkflowPlan], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, WorkflowPlan]:
    """The planned folder with a column of folds and one of slides, which the configuration names."""
    folder = tmp_path_factory.mktemp("own_folds")
    for name in ("config", "data", ".foldline"):
        shutil.copytree(planned[0] / name, folder / name)
    OWN_FOLDS(folder)
    edit_column("slide", lambda number, row: number // 2)(folder)
    set_value("folds", "column", value="kfold")(folder)
    set_value("dataset", "group_column", value=["patient_id", "slide"])(folder)
    set_value("dataset", "external", "external", "columns", value={"slide": None})(folder)
    return folder, plan_of(folder)


OWN_FOLD_ROWS = {
    "folds in another spelling": (edit_column("kfold", lambda number, row: f"{number // 2 % 2}.0"), set()),
    "folds of a patient": (edit_column("kfold", lambda number, row: 1 if number < 2 else row["kfold"]), WEIGHT),
    "slides of other names": (edit_column("slide", lambda number, row: f"x{number // 2}"), WEIGHT),
    "a column that no key names": (edit_column("note", lambda number, row: number), set()),
    "a holdout": (
        lambda folder: (
            edit_column("later", lambda number, row: int(number >= 50))(folder),
            set_value("folds", "holdout", value={"column": "later"})(folder),
        ),
        WEIGHT | HOLDOUT_JOBS,
    ),
}


@pytest.mark.parametrize("row", OWN_FOLD_ROWS)
def test_folds_of_the_user_make_no_scan_and_no_shard_stale(
    row: str, own_folds: tuple[Path, WorkflowPlan], tmp_path: Path
) -> None:
    before, plan = own_folds
    edit, expected = OWN_FOLD_ROWS[row]
    for name in ("config", "data", ".foldline"):
        shutil.copytree(before / name, tmp_path / name)
    edit(tmp_path)
    assert changed_jobs(plan, plan_of(tmp_path)) == expected


def test_a_column_of_folds_makes_no_scan_and_no_shard_stale(
    planned: tuple[Path, WorkflowPlan], own_folds: tuple[Path, WorkflowPlan]
) -> None:
    # Other groups make other parts of the data to tell the splits apart.
    assert changed_jobs(planned[1], own_folds[1]) == WEIGHT | DRIFT | REPORT


@pytest.fixture(scope="module")
def copied_project(finished_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project without `.snakemake/` and with mtimes in a random order, some of them in the future."""
    folder = tmp_path_factory.mktemp("copied") / "project"
    ignored = shutil.ignore_patterns(".snakemake", ".foldline")
    shutil.copytree(finished_project.folder, folder, ignore=ignored)
    order = random.Random(5)
    now = int(time.time())
    for path in sorted(folder.rglob("*")):
        moment = now + order.randrange(-10_000_000, 1_000_000)
        os.utime(path, (moment, moment))
    return Project(folder)


@contextlib.contextmanager
def undone(folder: Path) -> Iterator[None]:
    """Take back what is done to the inputs and results of a project."""
    watched = [path for name in ("config", "scripts", "data", "results") for path in (folder / name).rglob("*")]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in watched if path.is_file()}
    try:
        yield
    finally:
        for path, (content, mtime) in before.items():
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)
                os.utime(path, ns=(mtime, mtime))


def delete_a_model(folder: Path) -> None:
    (folder / "results/models/a/fold1/weights.weights.h5").unlink()


def damage(name: str, *, cut: int | None = None) -> Edit:
    """Cut a result, or change its last byte; its mtime stays."""

    def edit(folder: Path) -> None:
        path = folder / name
        status, content = path.stat(), path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if cut is None else content[:cut])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return edit


SHARD = f"results/shards/32/train/{shard_name(0, 2)}.tfrec"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "edit", "expected"),
    [
        ("finished", touch("scripts/**/*.py", "data/**/*.*", "config/*"), set()),
        ("finished", *ROWS["override for one fold"]),
        ("finished", *ROWS["blending code"]),
        ("finished", delete_a_model, training("a", [1])),
        ("finished", damage("results/models/a/fold1/weights.weights.h5"), training("a", [1])),
        ("finished", damage("results/submission.csv", cut=0), AFTER_BLEND),
        ("copied", touch("results/folds.csv"), set()),
        ("copied", *ROWS["bytes of a training image"]),
        ("copied", *ROWS["override for one fold"]),
        ("copied", delete_a_model, training("a", [1])),
        (
            "copied",
            damage(SHARD, cut=1000),
            {SHARD.replace("results/shards", "shard_records")[:-6], "embed_images/train"}
            | AUDITS
            | FOLD_TABLE
            | training(),
        ),
    ],
    ids=[
        *("touched", "override", "code", "deleted model", "damaged model", "empty submission"),
        *("touched copy", "image", "override in a copy", "deleted copy", "cut shard"),
    ],
)
def test_exactly_the_stale_jobs_run(state: str, edit: Edit, expected: set[str], request: pytest.FixtureRequest) -> None:
    project = request.getfixturevalue(f"{state}_project")
    with undone(project.folder):
        edit(project.folder)
        assert project.stale() == {name for name in expected if not name.startswith(EXPORTS)}


@pytest.mark.slow
def test_what_is_behind_a_job_that_was_forced_alone_is_stale(finished_project: Project) -> None:
    with undone(finished_project.folder):
        finished_project.snakemake("--forcerun", "evaluate", "--until", "evaluate")
        assert finished_project.stale() == REPORT
