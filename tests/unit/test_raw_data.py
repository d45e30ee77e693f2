"""The raw tables and images are read and checked once, and digests follow contents, not times."""

import csv
import os
from pathlib import Path
from typing import Any

import pytest
from fixtures.images import write_dataset
from foldline.errors import FoldlineError
from raw_data import DigestCache, RawData, read_raw_data


@pytest.fixture
def dataset(tmp_path: Path) -> dict[str, Any]:
    write_dataset(tmp_path / "data", train=8, test=4)
    return {
        "example": None,
        "root": str(tmp_path / "data"),
        "train_table": "train.csv",
        "test_table": "test.csv",
        "sample_submission": "sample_submission.csv",
        "id_column": "image_name",
        "target_column": "target",
        "group_column": "patient_id",
        "metadata_columns": ["site"],
        "train_images": "images/{id}.png",
        "test_images": "images/{id}.png",
    }


def read(dataset: dict[str, Any]) -> RawData:
    return read_raw_data(dataset, cache=Path(dataset["root"]) / "cache.tsv", pinned=None)


def rewrite(path: Path, change: Any) -> None:
    rows = list(csv.reader(path.read_text().splitlines()))
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows(change(rows))


def test_rows_and_digests_are_read(dataset: dict[str, Any]) -> None:
    data = read(dataset)
    assert [sample.row.id for sample in data.parts["train"]] == [f"s{number:03d}" for number in range(8)]
    assert data.parts["test"][0].row.target == ""
    assert data.submission == ["image_name", "target", "s008", "s009", "s010", "s011"]
    assert len({sample.sha256 for part in data.parts.values() for sample in part}) == 12


def test_only_changed_files_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_text(path.name)
    cache = DigestCache(tmp_path / "cache.tsv")
    before = cache.of(paths, where=["a", "b"])
    cache.save()
    read_paths = []
    monkeypatch.setattr("raw_data.sha256_of_file", lambda path: read_paths.append(path) or "new")
    os.utime(paths[0], (1, 1))
    after = DigestCache(tmp_path / "cache.tsv").of(paths, where=["a", "b"])
    assert read_paths == [paths[0]]
    assert after == [("new", 1), before[1]]


def test_a_missing_image_is_named_with_its_row(dataset: dict[str, Any]) -> None:
    (Path(dataset["root"]) / "images" / "s002.png").unlink()
    with pytest.raises(FoldlineError, match=r"train\.csv, line 4: id 's002': image .*s002\.png does not exist"):
        read(dataset)


def test_an_id_in_both_parts_is_refused(dataset: dict[str, Any]) -> None:
    rewrite(Path(dataset["root"]) / "test.csv", lambda rows: [*rows, ["s001", "arm"]])
    with pytest.raises(FoldlineError, match="s001 stand in the train and in the test table"):
        read(dataset)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-1], r"1 ids of the test table are not in it \(s011\)"),
        (lambda rows: [*rows, ["x", "0"]], r"1 ids are not in the test table \(x\)"),
        (lambda rows: [*rows, rows[-1]], "id s011 more than once"),
        (lambda rows: [["image_name", "label"], *rows[1:]], "columns image_name, label"),
        (lambda rows: [[*row, "0"] for row in rows], "columns image_name, target, 0"),
    ],
)
def test_a_sample_submission_must_fit(dataset: dict[str, Any], change: Any, words: str) -> None:
    rewrite(Path(dataset["root"]) / "sample_submission.csv", change)
    with pytest.raises(FoldlineError, match=words):
        read(dataset)


def test_facts_do_not_hold_the_line(dataset: dict[str, Any]) -> None:
    before = sorted(sample.facts() for sample in read(dataset).parts["train"])
    rewrite(Path(dataset["root"]) / "train.csv", lambda rows: [rows[0], *reversed(rows[1:])])
    assert sorted(sample.facts() for sample in read(dataset).parts["train"]) == before
