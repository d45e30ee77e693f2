"""The recipes fit the folders of their competitions: tables with images, and TFRecords, with and without patients."""

import contextlib
from pathlib import Path

import pytest
import yaml
from fixtures.competitions import write_atlas, write_melanoma
from fixtures.example_config import CONFIG_FOLDER, SCHEMA
from foldline.errors import FoldlineError
from foldline.planning.config_checks import check_combinations
from foldline.planning.configuration import complete, with_preset
from foldline.planning.data_index import DataIndexer
from foldline.planning.plan import make_plan
from foldline.planning.workflow_plan import WorkflowPlan


def plan_of(name: str, presets: list[str], **dataset: str) -> WorkflowPlan:
    """Plan of a recipe for data in the working directory."""
    recipe = yaml.safe_load((CONFIG_FOLDER / f"{name}.yaml").read_text())
    completed = complete(with_preset({**recipe, "preset": presets}, {"dataset": dataset}, SCHEMA), SCHEMA)
    check_combinations(completed)
    return make_plan(
        completed, DataIndexer(completed, folder=Path(".foldline"), pinned=None, record_tables="raw").read()
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the miniature of each competition's folder; one of the melanoma records without patients."""
    folder = tmp_path_factory.mktemp("competitions")
    write_atlas(folder / "hpa")
    write_melanoma(folder / "melanoma")
    write_melanoma(folder / "strangers", patients=False)
    return folder


@pytest.mark.parametrize(
    ("name", "presets", "dataset"),
    [
        ("hpa", [], {"root": "hpa"}),
        ("hpa", ["records"], {"root": "hpa"}),
        ("melanoma", [], {"root": "melanoma"}),
        ("melanoma", ["competition_records"], {"root": "melanoma"}),
        ("melanoma", ["competition_records", "no_patients"], {"root": "melanoma"}),
        ("melanoma", ["competition_records", "no_patients"], {"root": "strangers"}),
        # All files in one folder, as in the public records of 384 pixels.
        ("melanoma", ["records"], {"root": "melanoma/tfrecords", "sample_submission": "../sample_submission.csv"}),
    ],
)
def test_a_recipe_fits_the_folder_of_its_competition(
    name: str, presets: list[str], dataset: dict[str, str], folders: Path
) -> None:
    with contextlib.chdir(folders):
        plan = plan_of(name, [*presets, "seed"], **dataset)
    rules = {job.rule for job in plan.jobs}
    assert {"scan_images", "train_fold", "predict_test", "blend_folds"} <= rules
    form = plan.job_arguments("blend_folds", {})["submission_form"]
    if name == "hpa":
        assert form["columns"] == ["PredictionString"]
        assert form["class_words"] == {"words": "numbers", "first_number": 0, "source": "as in the training labels"}
    else:
        assert form["columns"] == ["target"]


def test_records_without_patients_name_the_key_to_change(folders: Path) -> None:
    message = r"no feature 'patient_id' \(dataset\.group_column"
    with contextlib.chdir(folders), pytest.raises(FoldlineError, match=message):
        plan_of("melanoma", ["competition_records"], root="strangers")
