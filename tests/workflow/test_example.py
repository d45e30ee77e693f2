"""The embedded example: what its rule writes, and what `make submission` reached with it, where that has been run."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from example_data import DEFECT_PROBABILITY, Outputs, example_data, labels_of, package_folder
from foldline.errors import FoldlineError
from sklearn.metrics import roc_auc_score


def write(folder: Path, pinned: Path) -> None:
    outputs = Outputs(*(folder / f"{name}.csv" for name in ("train", "test", "submission")))
    example_data(pinned=pinned, outputs=outputs, example="elpv")


def test_the_example_is_written_as_a_user_would_bring_it(repository: Path, tmp_path: Path) -> None:
    write(tmp_path, repository / "workflow" / "examples" / "elpv.csv")
    train, test = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("train", "test"))
    assert list(train.columns) == ["image_name", "cell", "cell_type", "target"]
    assert list(test.columns) == ["image_name", "cell", "cell_type"]
    assert (len(train), len(test)) == (2099, 525)
    assert 0.25 < train["target"].mean() < 0.35
    assert len(list((tmp_path / "images").glob("*.png"))) == 2624
    # A module of 50 cells was photographed twice: both photographs of a cell are in one split, and in one group.
    cell_of = dict(zip(train["image_name"], train["cell"], strict=True))
    pairs = [(f"cell{number}", f"cell{number + 542}") for number in range(1735, 1785)]
    assert all(cell_of[first] == cell_of[second] == first for first, second in pairs)
    assert len(set(cell_of.values())) == len(train) - len(pairs)
    assert set(test["cell"]) == set(test["image_name"])


def test_other_data_than_pinned_are_refused(repository: Path, tmp_path: Path) -> None:
    pinned = tmp_path / "pinned.csv"
    text = (repository / "workflow" / "examples" / "elpv.csv").read_text()
    pinned.write_text(text.replace("train,cell0001,cell0001,1", "train,cell0001,cell0001,0"))
    with pytest.raises(FoldlineError, match="the data of the package elpv-dataset differ"):
        write(tmp_path, pinned)


@pytest.fixture
def results(repository: Path) -> Path:
    if not (repository / "results" / "keys" / "blend_folds.built").is_file():
        pytest.skip("`make submission` has not been run in this clone")
    return repository / "results"


def test_the_example_reaches_its_scores(results: Path) -> None:
    """The labels of the held-out cells are looked up here, outside of the workflow."""
    oof = pd.read_csv(results / "oof.csv")
    pooled = roc_auc_score(oof["target"], oof["blend"])
    truth = {name: probability > DEFECT_PROBABILITY for name, _, probability in labels_of(package_folder())}
    with (results / "submission.csv").open(newline="") as handle:
        submission = [(truth[row["image_name"]], float(row["target"])) for row in csv.DictReader(handle)]
    held_out = roc_auc_score(*zip(*submission, strict=True))
    assert pooled >= 0.88
    assert abs(pooled - held_out) <= 0.03
    assert json.loads((results / "metrics.json").read_text())["models"]["blend"]["auc"]["value"] == pytest.approx(
        pooled
    )
