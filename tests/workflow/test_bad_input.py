"""Bad input stops the workflow before the DAG is built, with one line that says what to mend."""

import shutil
from pathlib import Path

import pytest
import yaml
from fixtures.project import Project

pytestmark = pytest.mark.slow


def refusal(project: Project, tmp_path: Path, change: dict) -> str:
    config = yaml.safe_load((project.folder / "config" / "config.yaml").read_text())
    for section, values in change.items():
        config[section] = {**config[section], **values} if isinstance(values, dict) else values
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(config))
    done = project.snakemake("-n", "--configfile", str(path), check=False)
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert "Building DAG" not in output
    assert "Traceback" not in output
    return output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folds": {"cuont": 3}}, "config: folds.cuont is not a known key. Did you mean folds.count?"),
        ({"folds": {"count": 31}}, "folds.count is 31, but the training table has 30 groups (column patient_id)"),
        (
            {"dataset": {"metadata_columns": ["site", "age"]}},
            "train.csv: no column age; the table has image_name, patient_id",
        ),
        ({"dataset": {"root": "nowhere"}}, "nowhere/train.csv: no such table"),
        ({"dataset": {"train_images": "images/{id}.jpg"}}, "line 2: id 's000': image data/images/s000.jpg"),
        (
            {"dataset": {"metadata": {"site": {"kind": "categorical", "vocabulary": ["arm"]}}}},
            "is 'leg', not in the vocabulary arm; mend the row",
        ),
        ({"dataset": {"train_images": None, "train_records": ["x*.tfrec"]}}, "no file matches data/x*.tfrec"),
        ({"models": {"a": {"backbone": "resnet50", "image_size": 64}}}, "models.a: no backbone 'resnet50'"),
    ],
)
def test_one_line_before_the_dag(new_project: Project, tmp_path: Path, change: dict, words: str) -> None:
    assert words in refusal(new_project, tmp_path, change)


def test_a_wrong_label_is_named_with_its_line(new_project: Project, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(new_project.folder / "data", data)
    table = data / "train.csv"
    lines = table.read_text().splitlines()
    lines[4] = lines[4][:-1] + "yes"
    table.write_text("\n".join(lines))
    output = refusal(new_project, tmp_path, {"dataset": {"root": str(data)}})
    assert "train.csv, line 5: label 'yes' (column target) of id 's003' is not 0 or 1" in output
