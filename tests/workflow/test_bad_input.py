"""Bad input stops the workflow before the DAG is built, with one line that says what to correct."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from fixtures.plans import plan_of
from fixtures.project import Project
from foldline.errors import FoldlineError


def write_changed(folder: Path, project: Project, change: dict[str, Any]) -> Path:
    """Write the configuration of a project with other sections, or other keys of them, under a folder."""
    config = yaml.safe_load((project.folder / "config" / "config.yaml").read_text())
    for section, values in change.items():
        config[section] = {**config[section], **values} if section != "models" else values
    path = folder / "config" / "config.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": {"cuont": 3}}, "config: folds.cuont is not a known key. Did you mean folds.count?"),
        (
            {"models": {"a": {"backbone": "resnet50", "image_size": 64}}},
            "config: models.a: no backbone 'resnet50'",
        ),
        (
            {"folds": {"count": 31}},
            "config: folds.count is 31, but the training data have only 30 groups (column patient_id); set folds.count",
        ),
        ({"dataset": {"metadata_columns": ["site", "age"]}}, "data/train.csv: no column age"),
        ({"dataset": {"root": "dat"}}, "config: dataset.root is 'dat', but there is no such folder; correct the path"),
        (
            {"dataset": {"train_images": "images/{id}.jpg"}},
            "data/train.csv, line 2: id 's000': image data/images/s000.jpg",
        ),
        (
            {"dataset": {"metadata": {"site": {"kind": "categorical", "vocabulary": ["arm"]}}}},
            "data/train.csv, line 2: site of id 's000' is 'leg'",
        ),
        (
            {"dataset": {"train_images": None, "train_records": ["x*.tfrec"]}},
            "dataset.train_records: no file matches data/x*.tfrec",
        ),
    ],
)
def test_no_plan_is_made_of_bad_input(
    new_project: Project, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_changed(tmp_path, new_project, change)
    (tmp_path / "data").symlink_to(new_project.folder / "data")
    # A message of several problems has a line for each table.
    with pytest.raises(FoldlineError, match=rf"^(\d problems\n)?{re.escape(message)}") as caught:
        plan_of(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 or lines[0] == f"{len(lines) - 1} problems"


@pytest.mark.slow
def test_a_submission_without_a_test_split_is_refused_in_one_line(new_project: Project, tmp_path: Path) -> None:
    change = {"dataset": {"test_table": None, "test_images": None, "root": str(new_project.folder / "data")}}
    path = write_changed(tmp_path, new_project, change)
    done = new_project.snakemake("-n", "results/submission.csv", "--configfile", str(path), check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "so there is no test split and no submission; request results/report.html" in output
    assert "Traceback" not in output
    jobs = new_project.snakemake("-n", "--configfile", str(path)).stdout
    assert "render_report" in jobs
    assert "predict_test" not in jobs


@pytest.mark.slow
@pytest.mark.parametrize("where", ["configuration", "data"])
def test_snakemake_shows_one_line_and_builds_no_dag(new_project: Project, tmp_path: Path, where: str) -> None:
    if where == "configuration":
        change, message = {"folds": {"cuont": 3}}, "config: folds.cuont is not a known key."
    else:
        shutil.copytree(new_project.folder / "data", tmp_path / "data")
        table = tmp_path / "data" / "train.csv"
        lines = table.read_text().splitlines()
        lines[4] = lines[4][:-1] + "yes"
        table.write_text("\n".join(lines))
        change = {"dataset": {"root": str(tmp_path / "data")}}
        message = "train.csv, line 5: label 'yes' (column target) of id 's003' is not 0 or 1"
    path = write_changed(tmp_path, new_project, change)
    done = new_project.snakemake("-n", "--configfile", str(path), check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert message in output
    assert "Building DAG" not in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_only_a_measurement_starts_without_the_range_of_float_images(new_project: Project, tmp_path: Path) -> None:
    shutil.copytree(new_project.folder / "data", tmp_path / "data")
    tifffile.imwrite(tmp_path / "data" / "images" / "s003.png", np.ones((20, 20), np.float32))
    path = write_changed(tmp_path, new_project, {"dataset": {"root": str(tmp_path / "data")}})
    wrong = ["--config", "folds={cuont: 3}"]
    assert "measure" in new_project.snakemake("-n", "measure", "--configfile", str(path)).stdout
    for words in ([], ["check", "measure"], wrong):
        done = new_project.snakemake("-n", *words, "--configfile", str(path), check=False)
        output = done.stdout + done.stderr
        assert done.returncode == 1
        assert "float samples of 32 bits, whose range is not known; set dataset.intensity" in output
        assert ("folds.cuont is not a known key" in output) == (words is wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "config/config.yaml: no such configuration file; name one with --configfile"),
        (b"a: \xe9\n", "config/config.yaml, line 1: the configuration file is not text in UTF-8"),
        (
            b"folds: {count: 1}\nfolds: {cuont: 2}\n",
            "4 problems\n"
            "config/config.yaml, line 2: key folds occurs twice, first in line 1; remove one, or rename it\n"
            "config: dataset is missing; set it.\n"
            "config: models is missing; set it. The models, by a name of your choice",
        ),
    ],
)
def test_faults_of_the_configuration_file_are_shown_without_traceback(
    new_project: Project, tmp_path: Path, data: bytes | None, message: str
) -> None:
    if data is not None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "config.yaml").write_bytes(data)
    done = new_project.snakemake("-n", "--directory", str(tmp_path), check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert message in output
    assert "Traceback" not in output
