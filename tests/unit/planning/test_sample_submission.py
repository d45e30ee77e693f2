"""How the plan reads the sample submission: what it takes from it, and how predicted classes are written."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.images import write_dataset
from fixtures.plans import changed_jobs, path_of, plan_of
from fixtures.settings import dataset_settings
from foldline.errors import FoldlineError
from foldline.planning.sample_submission import read_sample_submission, write_sample_submission
from foldline.planning.workflow_plan import WorkflowPlan

COLORS = ["red", "green", "blue"]
AFTER_BLEND = {"blend_folds", "evaluate", "render_report", "export_ensemble"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose training labels are the numbers 1, 2 and 3."""
    write_dataset(tmp_path / "data", train=12, test=4, external=0)
    (tmp_path / "config").mkdir()
    label_rows(tmp_path, ["1", "2", "3"])
    return tmp_path


def label_rows(folder: Path, words: list[str]) -> None:
    """Write words in turn as labels of the training table."""
    path = folder / "data" / "train.csv"
    header, *lines = path.read_text().splitlines()
    lines = [f"{line.rpartition(',')[0]},{words[number % len(words)]}" for number, line in enumerate(lines)]
    path.write_text("\n".join([header, *lines]) + "\n")


def plan(folder: Path, *, classes: list[str], kind: str = "multiclass", **submission: Any) -> WorkflowPlan:
    """Plan of a submission of predicted classes."""
    dataset = {"root": "data", "id_column": "image_name", "target_column": "target"}
    dataset |= {"train_images": "images/{id}.png", "test_images": "images/{id}.png"}
    dataset |= {"labels": {"kind": kind, "classes": classes}, "submission": {"form": "labels", **submission}}
    config = {"dataset": dataset, "folds": {"count": 2}, "models": {"m": {"inputs": ["metadata"], "image_size": 32}}}
    dataset |= {
        "metadata_columns": ["site"],
        "metadata": {"site": {"kind": "categorical", "vocabulary": ["arm", "leg"]}},
    }
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    return plan_of(folder)


def fill(folder: Path, cells: list[str], *, more: str = "") -> None:
    """Write the sample submission with these cells in turn, and maybe with a further column."""
    header = f"image_name,target{f',{more}' if more else ''}"
    rows = [
        f"s{12 + number:03d},{cells[number % len(cells)]}{f',{more}{number}' if more else ''}" for number in range(4)
    ]
    (folder / "data" / "sample_submission.csv").write_text("\n".join([header, *rows]) + "\n")


def words_of(plan: WorkflowPlan) -> dict[str, Any]:
    return plan.job_arguments("blend_folds", {})["submission_form"]["class_words"]


@pytest.mark.parametrize("fresh", [True, False], ids=["rows", "stored index"])
def test_classes_that_are_numbers_are_written_as_they_are_called(folder: Path, fresh: bool) -> None:
    """They came out as 0, 1 and 2, so every row was off by one."""
    fill(folder, ["1"])
    if not fresh:
        plan(folder, classes=["1", "2", "3"])
    words = words_of(plan(folder, classes=["1", "2", "3"]))
    assert words == {"words": "names", "first_number": 0, "source": "as in the training labels"}


@pytest.mark.parametrize("cells", [["0"], [""], ["1"]])
def test_training_labels_decide_over_placeholders(folder: Path, cells: list[str]) -> None:
    fill(folder, cells)
    expected = {"words": "numbers", "first_number": 1, "source": "as in the training labels"}
    assert words_of(plan(folder, classes=COLORS)) == expected
    # The second time it comes from the stored index.
    assert words_of(plan(folder, classes=COLORS)) == expected
    label_rows(folder, COLORS)
    assert words_of(plan(folder, classes=COLORS))["words"] == "names"


def test_the_sample_submission_decides_over_training_labels(folder: Path) -> None:
    fill(folder, ["red", "blue"])
    assert words_of(plan(folder, classes=COLORS)) == {
        "words": "names",
        "first_number": 0,
        "source": "as in the sample submission",
    }
    fill(folder, ["2", "0"])
    assert words_of(plan(folder, classes=COLORS))["first_number"] == 0


def test_a_cell_of_a_multilabel_submission_is_split_and_any_other_is_not(folder: Path) -> None:
    fill(folder, ["red blue", "green"])
    assert words_of(plan(folder, classes=COLORS, kind="multilabel", separator=" "))["words"] == "names"
    names = ["red|green", "blue", "pink"]
    label_rows(folder, names)
    fill(folder, ["red|green", "blue"])
    assert words_of(plan(folder, classes=names))["source"] == "as in the sample submission"


def test_ids_with_the_suffix_of_the_test_images(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("id,target\na.jpg,0\nb.png,0\n")
    own = {"id_column": "id", "target_column": "target", "test_table": None, "test_images": "test/{id}.*"}
    message = (
        r"2 ids missing that the test images have \(a, b\).* for the test images.*"
        r"set dataset\.test_images to test/\{id\}, so"
    )
    with pytest.raises(FoldlineError, match=message):
        read_sample_submission(str(path), dataset_settings(**own), ["a", "b"])
    with pytest.raises(FoldlineError, match=r"correct dataset\.test_images or dataset\.sample_submission so"):
        read_sample_submission(str(path), dataset_settings(**own), ["a", "b", "c"])
    with pytest.raises(FoldlineError, match=r"that the test table has .* correct dataset\.test_table or"):
        read_sample_submission(str(path), dataset_settings(**own | {"test_table": "test.csv"}), ["a", "b"])


def test_class_folders_name_a_sample_submission_that_they_do_not_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = dataset_settings(root=str(tmp_path), class_folders="train", target_column=None, sample_submission=None)
    write_sample_submission(str(tmp_path / "made.csv"), dataset, ["a"])
    assert "is not used" not in caplog.text
    (tmp_path / "sample_submission.csv").touch()
    write_sample_submission(str(tmp_path / "made.csv"), dataset, ["a"])
    assert "sample_submission.csv is not used: set dataset.sample_submission to sample_submission.csv" in caplog.text


def test_what_stays_open_names_the_key_and_is_settled_by_it(folder: Path) -> None:
    label_rows(folder, COLORS)
    fill(folder, ["1", "2"])
    with pytest.raises(
        FoldlineError, match=r"sample_submission\.csv: .* set dataset\.submission\.words to names or num"
    ):
        plan(folder, classes=COLORS)
    chosen = plan(folder, classes=COLORS, words="numbers", first_number=1)
    assert words_of(chosen) == {"words": "numbers", "first_number": 1, "source": "as set in dataset.submission.words"}


def test_only_what_the_submission_takes_makes_it_stale(folder: Path) -> None:
    fill(folder, ["0"], more="width")
    before = plan(folder, classes=COLORS)
    fill(folder, ["1"], more="width")
    assert changed_jobs(before, plan(folder, classes=COLORS)) == set()
    path = folder / "data" / "sample_submission.csv"
    path.write_text(path.read_text().replace("width2", "width7"))
    changed = changed_jobs(before, plan(folder, classes=COLORS))
    assert changed == AFTER_BLEND & {path_of(job) for job in before.jobs}
    fill(folder, ["3", "1"], more="width")
    # Decided by other cells, though the words are the same.
    assert "blend_folds" in changed_jobs(before, plan(folder, classes=COLORS))
