"""`snakemake check`: a few rows through all steps before a run, and nothing left but a log and a page."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from fixtures.images import write_config, write_dataset
from fixtures.project import Project, copy_workflow
from foldline.planning.run_lock import RunLock
from PIL import Image

pytestmark = pytest.mark.slow

# What a check leaves beside what a dry run leaves.
LEFT = {"check.html", "logs/check.log"}
IMAGE_MODEL = {"backbone": "efficientnet-lite0", "image_size": 32, "epochs": 1, "batch_size": 16}


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file but Snakemake's own and the lock, which names the last process."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_relative_to(folder / ".snakemake") and path.name != "run.lock"
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a model of metadata alone, in which nothing has run."""
    folder = tmp_path_factory.mktemp("check")
    copy_workflow(folder)
    write_dataset(folder / "data")
    path = folder / "config" / "config.yaml"
    write_config(path)
    config = yaml.safe_load(path.read_text())
    del config["models"]["a"]
    path.write_text(yaml.safe_dump(config))
    return Project(folder)


def test_a_check_leaves_what_a_dry_run_leaves(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    project.snakemake("-n")
    before = tree(project.folder)
    printed = project.snakemake("check").stderr
    after = tree(project.folder)
    assert after.keys() - before.keys() == LEFT
    assert {name: content for name, content in after.items() if name in before} == before
    assert list(tmp_path.iterdir()) == []
    assert "train: 60 rows in 30 groups (data/train.csv)" in printed
    assert "external: 8 rows" in printed
    assert "test: 16 rows" in printed
    assert re.search(r"train rows of each class: target \d+", printed)
    assert "2 folds of 30 rows, before" in printed
    assert "1 epoch in batches of 16; 2 folds of 2 steps" in printed
    assert re.search(r"\b\d+ jobs \(.*2 train_fold.*\)", printed)
    assert re.search(r"all together about [\d.]+ m?s .* and [\d.]+ [kM]B of disk", printed)


def replace_line(path: Path, number: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")


def test_problems_of_configuration_tables_and_images_are_in_one_report(project: Project, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(project.folder / "data", data)
    replace_line(data / "train.csv", 5, "s003,p001,arm,yes")
    replace_line(data / "train.csv", 9, "nosuch,p003,leg,1")
    replace_line(data / "test.csv", 4, "s062,torso")
    replace_line(data / "external.csv", 4, "e002,e002,arm,2")
    replace_line(data / "sample_submission.csv", 3, "other,0")
    (data / "images" / "s011.png").write_bytes(b"no image")
    config = yaml.safe_load((project.folder / "config" / "config.yaml").read_text())
    config["models"] = {"b": IMAGE_MODEL | {"lerning_rate": 1, "epochs": 0, "inputs": "image"}, "B b": IMAGE_MODEL}
    config["prediction"] = {"views": 3}
    config["evaluation"] = {"confidence": "much"}
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(config))
    command = ["check", "--configfile", str(path), "--directory", str(tmp_path)]
    done = project.snakemake(*command, check=False)
    assert done.returncode == 1
    printed = done.stdout + done.stderr
    for problem in (
        "12 problems",
        "config: models.B b: this name is not allowed; use lowercase letters, digits, _ and -, with a letter or digit "
        "first, such as b0-big",
        "config: models.b.lerning_rate is not a known key. Did you mean models.b.learning_rate?",
        "config: models.b.epochs is 0; set it to at least 1",
        "config: models.b.inputs is 'image'; set it to a list such as [image, metadata]",
        "config: prediction.views is 3; set it to one of 1, 2, 4, 8",
        "config: evaluation.confidence is 'much'; set it to a number such as",
        "data/train.csv, line 5: label 'yes' (column target) of id 's003' is not 0 or 1; set dataset.labels.kind",
        "data/train.csv, line 9: id 'nosuch': image data/images/nosuch.png does not exist; add or repair",
        "data/train.csv, line 13: id 's011': image data/images/s011.png cannot be used: it is a text file, not a JPEG",
        "data/test.csv, line 4: site of id 's062' is 'torso'",
        "data/external.csv, line 4: label '2' (column target) of id 'e002' is not 0 or 1",
        "data/sample_submission.csv",
    ):
        assert problem in printed, printed
    assert not re.search(r"\b(object|array|string|integer|boolean)\b|\^\S+\$|is not of type|Traceback", printed)
    # What was read is kept for the corrected configuration.
    assert (tmp_path / ".foldline" / "data_index.parquet").is_file()
    assert not (tmp_path / "results").exists()


def test_problems_of_all_models_are_in_one_report(project: Project, tmp_path: Path) -> None:
    """The page shows them too, and has the model that can be trained. A check runs again whenever it is requested.

    Training images of 12 bits in files of 16, which come out dark, are a warning beside them.
    """
    shutil.copytree(project.folder / "data", tmp_path / "data")
    for path in (tmp_path / "data" / "images").glob("s0[0-5]*.png"):
        gray = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(gray.astype(np.uint16) << 4).save(path)
    (project.folder / "wrong.h5").write_bytes(b"no weights")
    models = {"a": IMAGE_MODEL | {"weights": "wrong.h5"}, "c": IMAGE_MODEL | {"weights": "wrong.h5", "dropout": 0.5}}
    dataset = json.dumps({"root": str(tmp_path / "data")})
    done = project.snakemake("check", "--config", f"models={json.dumps(models)}", f"dataset={dataset}", check=False)
    assert done.returncode == 1
    printed = done.stdout + done.stderr
    for model in models:
        assert f"models.{model}, fold 0: wrong.h5" in printed
    assert "Traceback" not in printed
    page = (project.folder / "check.html").read_text()
    assert page.count("wrong.h5: ") == 4
    dark = r"train, of the images that were tried: \d+ of \d+ images with more than 8 bits .* come out dark.* measure"
    assert re.search(dark, printed)
    assert re.search(dark, page)
    assert "There is no estimate" in page
    assert "First losses" in page


def test_a_check_works_beside_a_run(project: Project) -> None:
    lock = RunLock(project.folder / ".foldline" / "run.lock")
    lock.start()
    before = tree(project.folder)
    try:
        printed = project.snakemake("check").stderr
    finally:
        lock.release()
    assert "another run works in this directory" in printed
    assert "no problem was found" in printed
    after = tree(project.folder)
    assert {name for name in after if after[name] != before.get(name)} <= LEFT


def test_a_measurement_leaves_a_log_alone(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs again whenever it is requested."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    project.snakemake("-n")
    before = tree(project.folder)
    for _ in range(2):
        printed = project.snakemake("measure").stderr
        assert "measured 60 of 60 training images" in printed
        assert "nothing to set: no training image has more than 8 bits" in printed
    after = tree(project.folder)
    assert {name for name in after if after[name] != before.get(name)} == {"logs/measure.log"}
    assert list(tmp_path.iterdir()) == []


def test_a_check_leaves_results_alone(finished_project: Project) -> None:
    # A job that ended within a second of planning gets an older key file from the next command, whatever that is.
    finished_project.snakemake("-n")
    before = tree(finished_project.folder)
    printed = finished_project.snakemake("check").stderr
    after = tree(finished_project.folder)
    (finished_project.folder / "check.html").unlink()
    (finished_project.folder / "logs" / "check.log").unlink()
    assert {name for name in after if after[name] != before.get(name)} == LEFT
    assert "no problem was found" in printed
    assert "Nothing to be done" in finished_project.snakemake().stderr
