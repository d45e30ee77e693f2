"""Labels of the test rows are read, checked, and reach the scores of the test rows alone."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fixtures.example_config import SCHEMA
from fixtures.images import dataset_section, write_dataset
from fixtures.pictures import photograph, saved
from fixtures.tfrecords import examples, write_tfrecord
from foldline.errors import FoldlineError
from foldline.planning.config_checks import check_combinations
from foldline.planning.configuration import complete
from foldline.planning.data_index import DataIndex, DataIndexer
from foldline.planning.known_labels import find_known_labels
from foldline.planning.plan import make_plan
from foldline.planning.raw_data import read_raw_data

MODEL = {"image_size": 32, "backbone": "efficientnet-lite0", "weights": "none"}


def config_of(root: Path, **dataset: Any) -> dict[str, Any]:
    section = dataset_section(str(root), **dataset)
    config = complete({"dataset": section, "folds": {"count": 2}, "models": {"a": MODEL}}, SCHEMA)
    check_combinations(config)
    return config


def index_of(config: dict[str, Any], folder: Path) -> DataIndex:
    return DataIndex.from_raw_data(read_raw_data(config["dataset"], record_tables=str(folder / "tables")))


def found(config: dict[str, Any], folder: Path) -> Any:
    index = index_of(config, folder)
    return find_known_labels(
        config["dataset"], index.tables, labels=index.label_cells, record_tables=str(folder / "tables")
    )


def keys(config: dict[str, Any], folder: Path) -> dict[str, str]:
    """Key of each job of a plan."""
    plan = make_plan(config, index_of(config, folder), known_labels=found(config, folder))
    return {job.name: job.key for job in plan.jobs}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set whose test table has labels in its last column, every third row a positive."""
    write_dataset(tmp_path / "data", train=12, test=6, external=0)
    label_test_rows(tmp_path / "data", [1, 0, 0, 1, 0, 0])
    return tmp_path / "data"


def label_test_rows(root: Path, labels: list[Any]) -> None:
    table = pd.read_csv(root / "test.csv")
    table["target"] = labels
    table.to_csv(root / "test.csv", index=False)


def test_labels_of_the_test_table_are_read(root: Path, tmp_path: Path) -> None:
    """Row 26."""
    known = found(config_of(root, test_labels="own"), tmp_path)
    assert known.read() == dict(zip([f"s{number:03d}" for number in range(12, 18)], "100100", strict=True))
    assert found(config_of(root), tmp_path) is None


def test_labels_of_another_table_are_read_in_any_order(root: Path, tmp_path: Path) -> None:
    own = found(config_of(root, test_labels="own"), tmp_path)
    table = pd.read_csv(root / "test.csv")
    table.iloc[::-1][["target", "image_name"]].to_csv(root / "solution.csv", index=False)
    known = found(config_of(root, test_labels="solution.csv"), tmp_path)
    assert (known.read(), known.digest) == (own.read(), own.digest)


def test_changed_test_labels_change_the_test_scores_and_the_report_alone(root: Path, tmp_path: Path) -> None:
    """Row 26: they never reach training, folds, blend or thresholds."""
    config = config_of(root, test_labels="own")
    before = keys(config, tmp_path)
    label_test_rows(root, [0, 1, 1, 0, 1, 1])
    after = keys(config, tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"score_test", "render_report"}
    unlabeled = keys(config_of(root), tmp_path)
    assert before.keys() - unlabeled.keys() == {"score_test"}
    assert {name for name in unlabeled if unlabeled[name] != before[name]} == {"render_report"}


def test_folders_are_the_labels_of_test_images(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for split, words in (("train", ("cat", "dog")), ("test", ("dog", "cat"))):
        for number in range(8):
            path = data / split / words[number % 2] / f"{number // 2}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(saved(photograph(16, 16, seed=number), "JPEG"))
    section = {
        "root": str(data),
        "id_column": "id",
        "class_folders": "train",
        "labels": {"kind": "multiclass", "classes": ["cat", "dog"]},
        "test_table": None,
        "test_images": "test/{class}/*",
        "test_labels": "own",
        "sample_submission": None,
    }
    config = complete({"dataset": section, "folds": {"count": 2}, "models": {"a": MODEL}}, SCHEMA)
    check_combinations(config)
    codes = {"cat": "10", "dog": "01"}
    known = found(config, tmp_path).read()
    assert known == {f"{word}/{number}.jpg": code for word, code in codes.items() for number in range(4)}
    (data / "test" / "cat").rename(data / "test" / "cta")
    with pytest.raises(
        FoldlineError, match=r"^dataset\.test_images: label 'cta' of id 'cta/0\.jpg' and of 3 more rows con"
    ):
        found(config, tmp_path)


def test_a_wrong_label_hides_no_wrong_id(root: Path, tmp_path: Path) -> None:
    config = config_of(root, test_labels="solution.csv")
    table = pd.read_csv(root / "test.csv").astype(object)
    table.loc[0, "target"] = "x"
    table.loc[1, "image_name"] = "other"
    table.to_csv(root / "solution.csv", index=False)
    with pytest.raises(FoldlineError, match=r"^2 problems\n.*label 'x'.*\n.*no label for the test id s013 "):
        found(config, tmp_path)


def test_a_missing_test_image_hides_no_wrong_label(root: Path, tmp_path: Path) -> None:
    config = config_of(root, test_labels="own")
    label_test_rows(root, [1, 0, 0, 1, 0, "x"])
    (root / "images" / "s013.png").unlink()
    indexer = DataIndexer(config, folder=tmp_path, pinned=None, record_tables=str(tmp_path / "tables"))
    with pytest.raises(FoldlineError, match=r"^2 problems\n.*s013\.png does not exist.*\n.*label 'x'"):
        indexer.read()


def test_labels_that_change_after_the_planning_are_refused(root: Path, tmp_path: Path) -> None:
    known = found(config_of(root, test_labels="own"), tmp_path)
    label_test_rows(root, [0, 1, 1, 0, 1, 1])
    with pytest.raises(FoldlineError, match=r"test\.csv: its labels changed after the run was planned"):
        known.read()


def test_every_test_row_needs_one_label(root: Path, tmp_path: Path) -> None:
    table = pd.read_csv(root / "test.csv").rename(index={0: 9})
    table.loc[9, "image_name"] = "other"
    table.to_csv(root / "solution.csv", index=False)
    with pytest.raises(FoldlineError, match=r"solution\.csv: no label for the test id s012 and id other, which .*test"):
        found(config_of(root, test_labels="solution.csv"), tmp_path)
    label_test_rows(root, [1, 0, 0, 1, 0, "x"])
    with pytest.raises(FoldlineError, match=r"test\.csv, line 7: label 'x' \(column target\) of id 's017' is not 0 or"):
        found(config_of(root, test_labels="own"), tmp_path)


def test_the_training_rows_decide_how_cells_write_labels(root: Path, tmp_path: Path) -> None:
    """Test cells of 1 and 2 alone could be numbers from 0 or from 1."""
    train = pd.read_csv(root / "train.csv")
    train["target"] = [1, 2, 3] * 4
    train.to_csv(root / "train.csv", index=False)
    label_test_rows(root, [1, 2, 1, 2, 1, 2])
    labels = {"kind": "multiclass", "classes": ["mole", "scar", "wart"]}
    known = found(
        config_of(root, test_labels="own", labels=labels, sample_submission=None, submission={"class": "scar"}),
        tmp_path,
    )
    assert list(known.read().values()) == ["100", "010"] * 3


def test_labels_of_test_records_are_read(tmp_path: Path) -> None:
    root = tmp_path / "records"
    root.mkdir()
    rows = examples(9)
    write_tfrecord(root / "train0-6.tfrec", rows[:6])
    write_tfrecord(root / "test0-3.tfrec", rows[6:])
    config = config_of(
        root,
        train_images=None,
        test_images=None,
        train_records=["train*.tfrec"],
        test_records=["test*.tfrec"],
        sample_submission=None,
        metadata_columns=[],
        metadata={},
        test_labels="own",
    )
    expected = {row["image_name"].decode(): str(row["target"]) for row in rows[6:]}
    assert found(config, tmp_path).read() == expected


def test_placeholders_are_no_labels(root: Path) -> None:
    with pytest.raises(FoldlineError, match=r"dataset\.test_labels is 'own', which reads sample_submission\.csv, but"):
        config_of(root, test_labels="own", test_table="sample_submission.csv")
