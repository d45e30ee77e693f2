"""Raw tables and images are read and checked once; digests depend on contents, not on times."""

import csv
import hashlib
import json
import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.images import write_dataset
from fixtures.pictures import photograph, saved
from fixtures.settings import dataset_settings
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.dataset.locations import read_locations
from foldline.dataset.row_weights import RowWeights
from foldline.dataset.sample_table import read_rows
from foldline.dataset.scan_config import ScanConfig
from foldline.errors import FoldlineError, SeveralProblemsError
from foldline.io.settings import build
from foldline.planning.dataset_section import columns_of, scan_settings, table_arguments, without_labels
from foldline.planning.raw_data import RawData, read_raw_data
from foldline.planning.row_weights import row_weights_of, weight_arguments
from foldline.planning.target_checks import rename_problems


@pytest.fixture
def dataset(tmp_path: Path) -> dict[str, Any]:
    write_dataset(tmp_path / "data", train=8, test=4)
    return dataset_settings(
        root=str(tmp_path / "data"),
        id_column="image_name",
        group_column="patient_id",
        metadata_columns=["site"],
        train_images="images/{id}.png",
        test_images="images/{id}.png",
    )


def read(dataset: dict[str, Any]) -> RawData:
    root = Path(dataset["root"])
    return read_raw_data(dataset, record_tables=str(root / "raw"))


def rewrite(path: Path, change: Any) -> None:
    rows = list(csv.reader(path.read_text().splitlines()))
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows(change(rows))


def test_ids_of_one_row_per_class_are_recognized(dataset: dict[str, Any]) -> None:
    """If there is an image of the sample without the class."""
    path = Path(dataset["root"]) / "train.csv"

    def per_class(rows: list[list[str]]) -> list[list[str]]:
        column = rows[0].index("image_name")
        made = [
            [*row[:column], f"{row[column]}_{name}", *row[column + 1 :]] for row in rows[1:] for name in ("edh", "any")
        ]
        return [rows[0], *made]

    rewrite(path, per_class)
    words = (
        "the ids look like one row per image and class, as there is an image of 's000': set dataset.row_per_class to "
        "'{id}_{class}', dataset.labels.kind to multilabel and dataset.labels.classes to [edh, any]"
    )
    with pytest.raises(FoldlineError, match=re.escape(words)):
        read(dataset)
    rewrite(path, lambda rows: [*rows[:1], *rows[2:]])
    with pytest.raises(FoldlineError, match="does not exist") as error:
        read(dataset)
    assert "the ids look like" not in str(error.value)


def test_rows_and_digests_are_read(dataset: dict[str, Any]) -> None:
    data = read(dataset)
    assert [sample.row.id for sample in data.splits["train"]] == [f"s{number:03d}" for number in range(8)]
    assert set(data.splits["test"].rows.target) == {""}
    assert data.submission == ["image_name", "target", "s008", "s009", "s010", "s011"]
    assert len({sample.content for split in data.splits.values() for sample in split}) == 12


def test_a_missing_image_is_named_with_its_row(dataset: dict[str, Any]) -> None:
    (Path(dataset["root"]) / "images" / "s002.png").unlink()
    with pytest.raises(FoldlineError, match=r"train\.csv, line 4: id 's002': image .*s002\.png does not exist"):
        read(dataset)


def test_unusable_headers_are_reported_beside_missing_images(dataset: dict[str, Any]) -> None:
    images = Path(dataset["root"]) / "images"
    (images / "s002.png").unlink()
    (images / "s005.png").write_bytes(b"no image")
    with pytest.raises(FoldlineError) as error:
        read(dataset)
    title, missing, unusable = str(error.value).splitlines()
    assert title == "2 problems"
    assert re.search(r"train\.csv, line 4: id 's002': image .*s002\.png does not exist", missing)
    assert re.search(r"train\.csv, line 7: id 's005': image .*s005\.png cannot be used", unusable)


def test_a_missing_image_is_told_with_a_file_of_another_suffix_and_without_its_folder(dataset: dict[str, Any]) -> None:
    images = Path(dataset["root"]) / "images"
    (images / "s002.png").rename(images / "S002.PNG")
    with pytest.raises(
        FoldlineError, match=r"s002\.png does not exist, but there is S002\.PNG \(case counts\); add or"
    ):
        read(dataset)
    (images / "S002.PNG").rename(images / "s002.PNG")
    hint = r"; set dataset\.train_images to 'images/\{id\}\.\*', where \.\* is any suffix, add or repair"
    instead = rf"s002\.png does not exist, but there is s002\.PNG{hint}"
    with pytest.raises(FoldlineError, match=instead):
        read(dataset)
    with pytest.raises(FoldlineError, match=r"imgs/s000\.png does not exist, nor does its folder .*/imgs; "):
        read({**dataset, "train_images": "imgs/{id}.png"})
    # The ids have the suffix.
    rewrite(images.parent / "train.csv", lambda rows: [rows[0], *([f"{row[0]}.png", *row[1:]] for row in rows[1:])])
    with pytest.raises(FoldlineError, match=rf"s000\.png\.png does not exist, but there is s000\.png; .*{hint}"):
        read(dataset)
    with pytest.raises(FoldlineError, match=instead):
        read({**dataset, "train_images": "images/{id}"})
    assert len(read({**dataset, "train_images": "images/{id}.*"}).splits["train"].contents) == 8


def test_a_missing_image_that_is_a_url_is_told_so(dataset: dict[str, Any]) -> None:
    def with_urls(rows: list[list[str]]) -> list[list[str]]:
        return [[*rows[0], "url"], *([*row, f"https://x.org/{row[0]}.png"] for row in rows[1:])]

    rewrite(Path(dataset["root"]) / "train.csv", with_urls)
    column = {"train_images": None, "image_column": "url"}
    with pytest.raises(
        FoldlineError, match=r"https://x\.org/s000\.png does not exist: it is a URL, from which nothing is"
    ):
        read({**dataset, **column})


def test_a_missing_root_is_said_once(dataset: dict[str, Any], tmp_path: Path) -> None:
    message = rf"^config: dataset\.root is '.*dat', but there is no such folder; .*; did you mean {tmp_path}/data\?$"
    with pytest.raises(FoldlineError, match=message):
        read({**dataset, "root": f"{tmp_path}/dat"})
    with pytest.raises(FoldlineError, match=r"^config: dataset\.root is '.*train\.csv', which is a file"):
        read({**dataset, "root": f"{dataset['root']}/train.csv"})
    # Nothing is relative to it.
    paths = {key: f"{dataset['root']}/{dataset[key]}" for key in ("train_table", "train_images", "test_table")}
    more = {"test_images": paths["train_images"], "sample_submission": None}
    assert len(read({**dataset, **paths, **more, "root": f"{tmp_path}/data/raw"}).splits["train"].contents) == 8


def test_images_are_found_by_column_wildcard_and_in_several_folders(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    plain = read(dataset)
    for number in range(8):
        folder = root / ("a" if number % 2 else "b")
        folder.mkdir(exist_ok=True)
        (root / f"images/s{number:03d}.png").rename(folder / f"s{number:03d}.PNG")
    folders = ["b", "a"] * 4

    def with_folders(rows: list[list[str]]) -> list[list[str]]:
        added = zip(rows[1:], folders, strict=True)
        return [[*rows[0], "folder", "file"], *([*row, name, f"{name}\\{row[0]}.PNG"] for row, name in added)]

    rewrite(root / "train.csv", with_folders)
    ways: list[dict[str, Any]] = [
        {"train_images": "{folder}/{id}.PNG"},
        {"train_images": "*/{id}.PNG"},
        {"train_images": ["a/{id}.*", "b/{id}.*"]},
        {"train_images": None, "image_column": "file"},
    ]
    for way in ways:
        data = read({**dataset, **way})
        assert data.splits["train"].contents == plain.splits["train"].contents
        assert data.splits["train"].digests() == plain.splits["train"].digests()
        assert read_locations(data.locations["train"])["s001"] == "a/s001.PNG"
        assert "test" not in data.locations
    rewrite(root / "test.csv", lambda rows: [[*rows[0], "path"], *([*row, f"images/{row[0]}.png"] for row in rows[1:])])
    renamed = {"train_images": None, "test_images": None, "image_column": "file", "test_columns": {"file": "path"}}
    assert read({**dataset, **renamed}).splits["test"].contents == plain.splits["test"].contents
    assert list(rename_problems({**dataset, **renamed})) == []
    with pytest.raises(FoldlineError, match=r"no column foldr; the table has .*; did you mean folder\?"):
        read({**dataset, "train_images": "{foldr}/{id}.PNG"})
    (root / "images" / "s001.png").write_bytes(b"")
    with pytest.raises(
        FoldlineError, match=r"train\.csv, line 3: id 's001': 2 files match .*a/s001\.PNG, images/s001\.png"
    ):
        read({**dataset, "train_images": ["a/{id}.*", "b/{id}.*", "images/{id}.*"]})


def test_an_id_in_two_splits_is_refused(dataset: dict[str, Any]) -> None:
    rewrite(Path(dataset["root"]) / "test.csv", lambda rows: [*rows, ["s001", "arm"]])
    with pytest.raises(
        FoldlineError, match=r"train\.csv, line 3 and .*test\.csv, line 6: id s001 in both the train and the test split"
    ):
        read(dataset)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-1], r"1 id missing that the test table has \(s011\)"),
        (lambda rows: [*rows, ["x", "0"]], r"1 id too many for the test table \(x\)"),
        (lambda rows: [*rows, rows[-1]], r"line 6: id 's011' is also in line 5; keep one row of each id"),
        (
            lambda rows: [["image_name", "label"], *rows[1:]],
            r"no column target; .* submits image_name, target; set dataset\.submission to {column: label}",
        ),
        (lambda rows: [*rows[:2], rows[2][:1], *rows[3:]], "line 3: 1 cell; the header has 2"),
    ],
)
def test_a_sample_submission_must_match_the_test_table(dataset: dict[str, Any], change: Any, words: str) -> None:
    rewrite(Path(dataset["root"]) / "sample_submission.csv", change)
    with pytest.raises(FoldlineError, match=words):
        read(dataset)


def test_the_names_of_the_id_column_in_the_other_tables_are_set_by_their_keys(dataset: dict[str, Any]) -> None:
    for table in ("test.csv", "sample_submission.csv"):
        rewrite(Path(dataset["root"]) / table, lambda rows: [["name", *rows[0][1:]], *rows[1:]])
    with pytest.raises(
        FoldlineError,
        match=r"test\.csv: no column image_name.*; if another column has the ids, set dataset\.test_columns, for "
        r"example to \{image_name: name\}\n.*set dataset\.submission to \{columns: \{image_name: name\}\}",
    ):
        read(dataset)


def test_an_id_in_two_splits_in_two_spellings_is_refused(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    (root / "images" / "s003.png").rename(root / "images" / "\u00e9.png")
    rewrite(root / "train.csv", lambda rows: [[cell.replace("s003", "\u00e9") for cell in row] for row in rows])
    for name in ("test.csv", "sample_submission.csv"):
        rewrite(root / name, lambda rows: [[cell.replace("s010", "e\u0301") for cell in row] for row in rows])
    (root / "images" / "e\u0301.png").write_bytes((root / "images" / "\u00e9.png").read_bytes())
    with pytest.raises(FoldlineError, match=r"train\.csv, line 5 and .*test\.csv, line 4: id \u00e9 in both the train"):
        read(dataset)


def test_a_test_row_may_have_the_id_of_another_image(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    (root / "test").mkdir()
    for name in ("test.csv", "sample_submission.csv"):
        rewrite(root / name, lambda rows: [[cell.replace("s008", "s001") for cell in row] for row in rows])
    for name in ("s001", "s009", "s010", "s011"):
        (root / "test" / f"{name}.png").write_bytes(saved(photograph(8, int(name[1:]) + 20), "PNG"))
    data = read({**dataset, "test_images": "test/{id}.png"})
    assert "s001" in data.splits["train"].rows.id
    assert "s001" in data.splits["test"].rows.id
    shutil.copy(root / "images" / "s001.png", root / "test" / "s001.png")
    with pytest.raises(FoldlineError, match="id s001 in both the train and the test split"):
        read({**dataset, "test_images": "test/{id}.png"})


def test_the_files_are_the_test_rows_if_there_is_no_table(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    (root / "images" / "s003.jpg").write_bytes(b"not a PNG, so it does not match")
    listed = {**dataset, "test_table": None, "sample_submission": None}
    for number in range(8):
        (root / f"images/s{number:03d}.png").rename(root / f"images/train{number}.png")
    rewrite(root / "train.csv", lambda rows: [rows[0], *([f"train{n}", *row[1:]] for n, row in enumerate(rows[1:]))])
    with pytest.raises(
        FoldlineError,
        match=r"/images/train0\.png: id train0 in both .* \(and 7 more: train1, .* and 2 more\); remove each from one",
    ):
        read(listed)
    data = read({**listed, "test_images": "images/s{id}.png"})
    assert [sample.row.id for sample in data.splits["test"]] == ["008", "009", "010", "011"]
    assert data.splits["test"].rows.metadata == (["", "", "", ""],)
    assert data.tables["test"] == str(root / "raw" / "test.csv")
    with pytest.raises(FoldlineError, match=r"test_images: no file matches .*images/x\{id\}\.png, and dataset\.test_t"):
        read({**listed, "test_images": "images/x{id}.png"})


def test_tables_may_have_one_row_per_class(dataset: dict[str, Any]) -> None:
    root, classes = Path(dataset["root"]), ["any", "other"]
    long = {**dataset, "row_per_class": "{id}_{class}", "group_column": None, "metadata_columns": []}
    long["labels"] = dataset["labels"] | {"kind": "multilabel", "classes": classes, "empty": True}
    labels = {sample.row.id: sample.row.target for sample in read(dataset).splits["train"]}

    def per_class(rows: dict[str, str]) -> list[list[str]]:
        added = [[f"{name}_{class_name}", label] for name, label in rows.items() for class_name in classes]
        return [["image_name", "target"], *added]

    rewrite(root / "train.csv", lambda _: per_class(labels))
    rewrite(root / "sample_submission.csv", lambda rows: per_class({row[0]: row[1] for row in rows[1:]}))
    data = read(long)
    assert {sample.row.id: sample.row.target for sample in data.splits["train"]} == {
        name: label * 2 for name, label in labels.items()
    }
    assert data.submission[2:5] == ["s008_any", "s008_other", "s009_any"]
    assert read({**long, "test_table": "sample_submission.csv"}).splits["test"].rows.id == data.splits["test"].rows.id
    made = read({**long, "sample_submission": None})
    assert made.submission == data.submission


def test_there_may_be_no_test_split(dataset: dict[str, Any]) -> None:
    (Path(dataset["root"]) / "sample_submission.csv").unlink()
    data = read({**dataset, "test_table": None, "test_images": None})
    assert (set(data.splits), set(data.tables)) == ({"train"}, {"train"})
    assert (data.submission, data.sample_submission, data.class_words) == ([], "", None)


def test_facts_of_a_row_do_not_include_its_line(dataset: dict[str, Any]) -> None:
    before = sorted(read(dataset).splits["train"].digests())
    rewrite(Path(dataset["root"]) / "train.csv", lambda rows: [rows[0], *reversed(rows[1:])])
    assert sorted(read(dataset).splits["train"].digests()) == before


def test_tables_and_submission_are_the_users_own(dataset: dict[str, Any]) -> None:
    data, root = read(dataset), Path(dataset["root"])
    assert data.tables == {"train": str(root / "train.csv"), "test": str(root / "test.csv")}
    assert data.sample_submission == str(root / "sample_submission.csv")
    assert set(data.splits) == {"train", "test"}
    assert {sample.file for sample in data.splits["train"]} == {""}
    assert not (root / "raw").exists()


def test_a_sample_submission_is_written_from_the_test_rows_if_there_is_none(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    rewrite(root / "test.csv", lambda rows: [rows[0], *reversed(rows[1:])])
    data = read({**dataset, "sample_submission": None})
    assert data.submission == ["image_name", "target", "s011", "s010", "s009", "s008"]
    assert Path(data.sample_submission).read_text() == "image_name,target\ns011,0\ns010,0\ns009,0\ns008,0\n"
    os.utime(data.sample_submission, ns=(1, 1))
    read({**dataset, "sample_submission": None})
    assert Path(data.sample_submission).stat().st_mtime_ns == 1


def test_all_problems_of_the_ids_of_a_sample_submission_are_in_one_report(dataset: dict[str, Any]) -> None:
    path = Path(dataset["root"]) / "sample_submission.csv"
    rewrite(path, lambda rows: [*rows[:3], rows[2], ["", "0"], ["x", "0"]])
    with pytest.raises(SeveralProblemsError) as error:
        read(dataset)
    empty, repeated, others = error.value.problems
    assert "line 5: the id is empty" in empty
    assert "line 4: id 's009' is also in line 3" in repeated
    assert "2 ids missing that the test table has (s010, s011); 1 id too many for the test table (x)" in others


def test_a_sample_submission_without_the_folders_of_the_ids_has_a_hint(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    for name in ("train.csv", "test.csv"):
        rewrite(root / name, lambda rows: [rows[0], *([f"images/{row[0]}.png", *row[1:]] for row in rows[1:])])
    rewrite(root / "sample_submission.csv", lambda rows: [rows[0], *([f"{row[0]}.png", "0"] for row in rows[1:])])
    with pytest.raises(FoldlineError, match="the ids of the test table have folders before them: name a column with"):
        read({**dataset, "train_images": "{id}", "test_images": "{id}"})


def test_ids_that_are_paths_are_submitted_as_the_tables_spell_them(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    for name in ("train.csv", "test.csv"):
        rewrite(root / name, lambda rows: [rows[0], *([f"./images/{row[0]}.png", *row[1:]] for row in rows[1:])])
    by_path = {**dataset, "train_images": None, "test_images": None, "image_column": "image_name"}
    data = read({**by_path, "sample_submission": None})
    assert next(iter(data.splits["test"].rows.id)) == "images/s008.png"
    assert data.submission[:3] == ["image_name", "target", "./images/s008.png"]
    # Paths in another spelling than those of the test table.
    rewrite(
        root / "sample_submission.csv", lambda rows: [rows[0], *([f"images\\{row[0]}.png", "0"] for row in rows[1:])]
    )
    assert read(by_path).submission[2] == "images\\s008.png"
    assert read({**dataset, "train_images": "{id}", "test_images": "{id}"}).submission[2] == "images\\s008.png"


def test_braces_in_the_folder_of_the_data_mean_nothing(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    moved = root.with_name("{id} {channel}")
    root.rename(moved)
    data = read({**dataset, "root": str(moved)})
    assert len({sample.content for split in data.splits.values() for sample in split}) == 12


@pytest.mark.parametrize("character", [*"\t\r\n\x0b\x0c\x85\u2028"])
def test_an_id_that_breaks_lines_is_refused_and_spoils_no_cache(dataset: dict[str, Any], character: str) -> None:
    """The index of images could not be read back, even after the sample was renamed."""
    root = Path(dataset["root"])
    original = (root / "train.csv").read_bytes()
    (root / "train.csv").write_bytes(original.replace(b"s002", f'"s{character}2"'.encode()))
    (root / "images" / "s002.png").rename(root / "images" / f"s{character}2.png")
    with pytest.raises(FoldlineError, match=r"train\.csv, line 4: id 's.*2' cannot be part of a path"):
        read(dataset)
    (root / "train.csv").write_bytes(original.replace(b"s002", b"s2"))
    (root / "images" / f"s{character}2.png").rename(root / "images" / "s2.png")
    for _ in range(2):
        assert read(dataset).splits["train"].rows.id[2] == "s2"


@pytest.fixture
def with_external(dataset: dict[str, Any]) -> dict[str, Any]:
    """Three more labeled rows, with images in another folder."""
    root = Path(dataset["root"])
    (root / "old").mkdir()
    lines = ["target,site,image_name,patient_id"]
    for number in range(3):
        (root / "old" / f"e{number}.png").write_bytes(saved(photograph(8 + number, 8), "PNG"))
        lines.append(f"{number % 2},arm,e{number},p{number}")
    (root / "old.csv").write_text("\n".join(lines))
    return dataset_settings(**{**dataset, "external": {"old": {"table": "old.csv", "images": "old/{id}.png"}}})


def test_external_rows_are_read_like_training_rows(with_external: dict[str, Any]) -> None:
    data = read(with_external)
    found = data.splits["old"]
    assert [(s.row.id, s.row.target, s.row.group, s.row.metadata) for s in found] == [
        ("e0", "0", "p0", ("arm",)),
        ("e1", "1", "p1", ("arm",)),
        ("e2", "0", "p2", ("arm",)),
    ]
    images = sorted((Path(with_external["root"]) / "old").iterdir())
    assert [sample.bytes for sample in found] == [path.stat().st_size for path in images]
    assert data.tables["old"] == str(Path(with_external["root"]) / "old.csv")
    train = columns_of(with_external, "train")
    assert columns_of(with_external, "old") == replace(train, optional=("site",), external="old")
    assert data.submission == read({**with_external, "external": None}).submission


def test_train_and_external_tables_have_the_same_patients_in_any_spelling(with_external: dict[str, Any]) -> None:
    """A column of whole numbers with one empty cell is written as 3.0."""
    root = Path(with_external["root"])
    rewrite(root / "train.csv", lambda rows: [rows[0], *([row[0], f"{n}", *row[2:]] for n, row in enumerate(rows[1:]))])
    rewrite(root / "old.csv", lambda rows: [rows[0], *([*row[:-1], f"{n}.0"] for n, row in enumerate(rows[1:]))])
    data = read(with_external)
    assert [sample.row.group for sample in data.splits["train"]] == [f"{number}" for number in range(8)]
    assert [sample.row.group for sample in data.splits["old"]] == ["0", "1", "2"]


def write_labels(dataset: dict[str, Any], train: list[str], external: list[str]) -> dict[str, Any]:
    """Write label cells into the tables; the section with three classes."""
    root = Path(dataset["root"])
    rewrite(root / "train.csv", lambda rows: [rows[0], *([*row[:-1], train[n]] for n, row in enumerate(rows[1:]))])
    rewrite(root / "old.csv", lambda rows: [rows[0], *([external[n], *row[1:]] for n, row in enumerate(rows[1:]))])
    labels = {**dataset["labels"], "kind": "multiclass", "classes": ["mole", "scar", "wart"]}
    return {**dataset, "labels": labels, "sample_submission": None}


def test_label_cells_of_train_and_external_rows_are_read_together(with_external: dict[str, Any]) -> None:
    """External rows of 1 and 2 alone could be numbers from 0 or from 1."""
    data = read(write_labels(with_external, list("01201201"), list("121")))
    assert data.labels.reading == "class numbers from 0"
    assert [sample.row.target for sample in data.splits["old"]] == ["010", "001", "010"]
    data = read(write_labels(with_external, list("12312312"), list("121")))
    assert data.labels.reading == "class numbers from 1"
    assert [sample.row.target for sample in data.splits["old"]] == ["100", "010", "100"]
    with pytest.raises(FoldlineError, match=r"old\.csv, line 3: label 'scar' .* is not a class number from 0 to 2"):
        read(write_labels(with_external, list("01201201"), ["1", "scar", "2"]))
    with pytest.raises(
        FoldlineError, match=r"train\.csv, line 2: label '1' is scar if .*, but mole if the cells are class"
    ):
        read(write_labels(with_external, list("12121212"), list("121")))
    words = (
        r"train\.csv, line 4: label '3', .* from 1; .*old\.csv, line 2: label '0'.*set dataset\.external\.old\.labels"
    )
    with pytest.raises(FoldlineError, match=words):
        read(write_labels(with_external, list("12312312"), list("012")))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2,arm,e9,p9", r"old\.csv, line 5: label '2'"),
        ("1,arm,e9,p9", r"old\.csv, line 5: id 'e9': image .*e9\.png does not exist"),
        (
            "1,arm,s001,p9",
            r"train\.csv, line 3 and .*old\.csv, line 5: id s001 in both the train and the old split",
        ),
        (
            "1,arm,s009,p9",
            r"test\.csv, line 3 and .*old\.csv, line 5: id s009 in both the test and the old split",
        ),
    ],
)
def test_wrong_external_rows_are_refused(line: str, words: str, with_external: dict[str, Any]) -> None:
    root = Path(with_external["root"])
    (root / "old.csv").write_text((root / "old.csv").read_text() + f"\n{line}\n")
    if "s0" in line:
        name = f"{line.split(',')[2]}.png"
        (root / "old" / name).write_bytes((root / "images" / name).read_bytes())
    with pytest.raises(FoldlineError, match=words):
        read(with_external)


@pytest.fixture
def records(tmp_path: Path) -> dict[str, Any]:
    """Eight training records in two files and four test records in one; no table."""
    root = tmp_path / "records"
    root.mkdir()
    write_tfrecord(root / "train01-2071.tfrec", examples(5))
    write_tfrecord(root / "train02-3.tfrec", examples(3, first=5))
    write_tfrecord(root / "test00.tfrec", examples(4, first=8, labeled=False))
    return dataset_settings(
        root=str(root),
        sample_submission=None,
        id_column="image_name",
        group_column="patient_id",
        metadata_columns=METADATA,
        train_records=["train*.tfrec"],
        test_records=["test*.tfrec"],
    )


def test_a_split_can_be_ready_made_records(records: dict[str, Any]) -> None:
    """Rows 2 and 3: the data set is in TFRecord files."""
    data, root = read(records), Path(records["root"])
    made = examples(12)
    samples = [*data.splits["train"], *data.splits["test"]]
    for sample, features in zip(samples, made, strict=True):
        assert sample.row.id == features["image_name"].decode()
        assert sample.content == hashlib.sha256(features["image"]).hexdigest()
        assert sample.bytes == len(features["image"])
        assert sample.row.metadata == tuple(str(features[name]) for name in METADATA)
    assert [sample.row.target for sample in samples] == ["0", "1"] * 4 + [""] * 4
    assert [sample.row.group for sample in data.splits["train"]] == list("00112233")
    files = ["train01-2071.tfrec"] * 5 + ["train02-3.tfrec"] * 3 + ["test00.tfrec"] * 4
    assert [sample.file for sample in samples] == files
    assert data.tables == {split: str(root / "raw" / f"{split}.csv") for split in ("train", "test")}
    assert read_rows(data.tables["train"], columns_of(records, "train")) == [s.row for s in data.splits["train"]]
    assert data.submission == ["image_name", "target", *(f"ISIC_{number:04d}" for number in range(8, 12))]


def test_records_that_moved_to_other_files_are_the_same_data(records: dict[str, Any]) -> None:
    before, root = read(records), Path(records["root"])
    facts = {split: samples.digests() for split, samples in before.splits.items()}
    for path in root.glob("*.tfrec"):
        path.unlink()
    shuffled = examples(8)[::-1]
    for number in range(4):
        write_tfrecord(root / f"train{number}.tfrec", shuffled[number::4])
    write_tfrecord(root / "test.tfrec", examples(4, first=8, labeled=False)[::-1])
    after = read(records)
    assert {split: samples.digests() for split, samples in after.splits.items()} == facts
    assert after.submission == before.submission
    assert {sample.file for sample in after.splits["train"]} == {f"train{number}.tfrec" for number in range(4)}


def test_a_changed_record_changes_only_the_facts_of_its_row(records: dict[str, Any]) -> None:
    before = read(records).splits["train"]
    changed = examples(3, first=5)
    changed[1]["sex"] = 1 - changed[1]["sex"]
    write_tfrecord(Path(records["root"]) / "train02-3.tfrec", changed)
    after = read(records).splits["train"]
    assert [one == other for one, other in zip(before.digests(), after.digests(), strict=True)] == [True] * 6 + [
        False,
        True,
    ]


def test_unchanged_tables_of_records_are_not_written_again(records: dict[str, Any]) -> None:
    table = read(records).tables["train"]
    os.utime(table, ns=(1, 1))
    read(records)
    assert Path(table).stat().st_mtime_ns == 1


def test_one_split_can_have_records_and_another_images(records: dict[str, Any], with_external: dict[str, Any]) -> None:
    mixed = {**with_external, "test_records": [f"{records['root']}/test*.tfrec"], "test_images": None}
    mixed |= {"metadata": {"site": {"kind": "numeric", "vocabulary": [], "missing": []}}}
    with pytest.raises(FoldlineError, match=r"test00\.tfrec, record 1, id 'ISIC_0008' .*: no feature 'site'"):
        read(mixed)
    mixed |= {"metadata_columns": [], "sample_submission": None}
    data = read(mixed)
    assert [len(data.splits[split]) for split in ("train", "test", "old")] == [8, 4, 3]
    assert {sample.file for sample in data.splits["test"]} == {f"{records['root']}/test00.tfrec"}


def test_a_pattern_without_files_is_refused(records: dict[str, Any]) -> None:
    words = r"dataset\.train_records: no file matches .*records/none\*\.tfrec; correct the pattern or dataset\.root"
    with pytest.raises(FoldlineError, match=words):
        read({**records, "train_records": ["train*.tfrec", "none*.tfrec"]})
    (Path(records["root"]) / "train09.tfrec").write_bytes(b"")
    with pytest.raises(FoldlineError, match=rf"2 problems\n{words}\n.*train09\.tfrec: the file is empty"):
        read({**records, "train_records": ["train*.tfrec", "none*.tfrec"]})


def test_an_id_in_train_and_test_records_is_refused(records: dict[str, Any]) -> None:
    write_tfrecord(Path(records["root"]) / "test01.tfrec", examples(1, first=3, labeled=False))
    words = (
        r"/train01.*\.tfrec \(dataset\.train_records\) and .*/test01\.tfrec \(dataset\.test_records\): id ISIC_0003 in"
    )
    with pytest.raises(FoldlineError, match=words):
        read(records)


def test_a_record_file_in_two_splits_is_refused_with_the_keys(records: dict[str, Any]) -> None:
    file = min(Path(records["root"]).glob("train*"))
    overlapping = {**records, "test_records": ["test*.tfrec", f"{file.name[:7]}*"]}
    with pytest.raises(FoldlineError) as caught:
        read(overlapping)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(
        "config: dataset.train_records [train*.tfrec] and dataset.test_records [test*.tfrec, "
        f"{file.name[:7]}*] both match 1 file: {file}; change the patterns"
    )


def test_records_may_hold_images_of_several_sizes(records: dict[str, Any]) -> None:
    """They are resized like image files; those of the protein-atlas competition have three sizes."""
    rows = len(read(records).splits["train"])
    write_tfrecord(Path(records["root"]) / "train03.tfrec", examples(1, first=20, size=32))
    assert len(read(records).splits["train"]) == rows + 1


def test_packages_that_records_need_are_named(records: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "foldline.tfrecords.record_tables", None)
    with pytest.raises(FoldlineError, match=r"dataset\.train_records: .* needs google-crc32c and pillow"):
        read(records)


def test_all_problems_of_the_data_are_reported_at_once(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    rewrite(root / "train.csv", lambda rows: [*rows[:2], [*rows[2][:-1], "maybe"], *rows[3:]])
    (root / "images" / "s003.png").unlink()
    rewrite(root / "sample_submission.csv", lambda rows: [*rows[:-1], ["s099", "0"]])
    with pytest.raises(FoldlineError) as caught:
        read(dataset)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{len(lines) - 1} problems"
    for words in (
        "train.csv, line 3: label 'maybe'",
        "image .*s003.png does not exist",
        "sample_submission.csv: 1 id ",
    ):
        assert [line for line in lines[1:] if re.search(words, line)], words


@pytest.mark.parametrize("absent", ["test.csv", "sample_submission.csv"])
def test_a_missing_table_hides_no_other_one(dataset: dict[str, Any], absent: str) -> None:
    for name in ("train.csv", absent):
        (Path(dataset["root"]) / name).unlink()
    with pytest.raises(FoldlineError, match=rf"2 problems\n.*train\.csv: no such table.*\n.*{absent}: no such table"):
        read(dataset)


def lines_of(dataset: dict[str, Any]) -> list[str]:
    """The lines of the report."""
    with pytest.raises(SeveralProblemsError) as caught:
        read(dataset)
    return caught.value.problems


def assert_reported(lines: list[str], *expected: str) -> None:
    """Each problem has one line, and there are no others."""
    assert len(lines) == len(expected), lines
    for words in expected:
        assert [line for line in lines if re.search(words, line)], (words, lines)


def test_wrong_ids_labels_groups_and_images_are_reported_together(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])

    def change(rows: list[list[str]]) -> list[list[str]]:
        rows[1][-1] = "yes"
        rows[2][0] = rows[3][0]
        rows[4][0] = ""
        rows[5][1] = "NA"
        return rows

    rewrite(root / "train.csv", change)
    (root / "images" / "s006.png").write_bytes(b"text")
    (root / "images" / "s007.png").unlink()
    rewrite(root / "test.csv", lambda rows: [*rows, rows[-1]])
    rewrite(root / "sample_submission.csv", lambda rows: [*rows, ["x", "0"]])
    assert_reported(
        lines_of(dataset),
        r"train\.csv, line 2: label 'yes'",
        r"train\.csv, line 4: id 's002' is also in line 3",
        r"train\.csv, line 5: the id \(column image_name\) is empty",
        r"train\.csv, line 6: the group .* is 'NA'",
        r"train\.csv, line 8: id 's006': image .* cannot be used",
        r"train\.csv, line 9: id 's007': image .* does not exist",
        r"test\.csv, line 6: id 's011' is also in line 5",
        r"sample_submission\.csv: 1 id too many for the test table \(x\)",
    )


def test_a_missing_column_hides_no_cells_of_the_others(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    rewrite(root / "train.csv", lambda rows: [*rows[:1], [*rows[1][:-1], "yes"], *rows[2:]])
    (root / "images" / "s003.png").unlink()
    assert_reported(
        lines_of({**dataset, "group_column": "who"}),
        r"train\.csv: no column who; the table has",
        r"train\.csv, line 2: label 'yes'",
        r"train\.csv, line 5: id 's003': image",
    )
    assert_reported(
        lines_of({**dataset, "target_column": "ill"}),
        r"train\.csv: no column ill; the table has",
        r"train\.csv, line 5: id 's003': image",
        r"sample_submission\.csv: .* no column ill",
    )


def test_rows_with_a_problem_are_checked_without_labels(dataset: dict[str, Any]) -> None:
    (Path(dataset["root"]) / "images" / "s003.png").unlink()
    seen: list[RawData] = []

    def check(data: RawData) -> dict[str, Any]:
        seen.append(data)
        return {}

    with pytest.raises(FoldlineError, match="does not exist"):
        read_raw_data(dataset, check=check)
    ((split, rows),) = seen[0].unlabeled.items()
    assert (split, len(rows), set(rows.target), len(rows.metadata)) == ("train", 8, {""}, 1)


def test_classes_that_no_row_has_hide_no_unknown_word_of_a_set(with_external: dict[str, Any]) -> None:
    root = Path(with_external["root"])
    words = {"0": "dog", "1": "cat"}
    rewrite(root / "train.csv", lambda rows: [rows[0], *([*row[:-1], words[row[-1]]] for row in rows[1:])])
    dataset = with_sets(with_external, labels={"ill": "emu", "scar": None})
    labels = {**dataset["labels"], "kind": "multiclass"}
    external = {"new": dataset["external"]["new"]}
    lines = lines_of({**dataset, "labels": labels, "external": external, "sample_submission": None})
    assert any("has ill: emu, but the classes are cat, dog" in line for line in lines)
    assert any("new.csv" in line and "label 'well'" in line for line in lines)
    assert not any("label 'ill'" in line for line in lines)


def test_a_word_that_stands_for_no_class_is_reported_once(with_external: dict[str, Any]) -> None:
    root = Path(with_external["root"])
    words = {"0": "NEV", "1": "MEL"}
    rewrite(root / "train.csv", lambda rows: [rows[0], *([*row[:-1], words[row[-1]]] for row in rows[1:])])
    dataset = with_sets(with_external, labels={"ill": "mel", "well": "NEV", "1": "MEL", "scar": None})
    labels = {**dataset["labels"], "kind": "multiclass"}
    external = {"new": dataset["external"]["new"]}
    problem = r"labels has ill: mel \(did you mean 'MEL'\?\), but the classes are MEL, NEV; use one of them, or null"
    with pytest.raises(FoldlineError, match=rf"^config: dataset\.external\.new\.{problem}$"):
        read_raw_data({**dataset, "labels": labels, "external": external, "sample_submission": None})


def test_labels_that_cannot_be_told_hide_no_other_problem(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    rewrite(root / "train.csv", lambda rows: [*rows[:1], [rows[1][0], "NA", *rows[1][2:-1], "yes"], *rows[2:]])
    (root / "images" / "s003.png").unlink()
    assert_reported(
        lines_of(without_labels(dataset)),
        r"train\.csv, line 2: the group .* is 'NA'",
        r"train\.csv, line 5: id 's003': image",
    )


def test_an_empty_cell_of_paths_hides_no_missing_file(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])

    def with_paths(rows: list[list[str]]) -> list[list[str]]:
        return [[*rows[0], "file"], *([*row, f"images/{row[0]}.png"] for row in rows[1:])]

    rewrite(root / "test.csv", with_paths)
    rewrite(root / "train.csv", with_paths)
    rewrite(root / "train.csv", lambda rows: [*rows[:2], [*rows[2][:-1], ""], [*rows[3][:-1], "no/x.png"], *rows[4:]])
    (root / "images" / "s003.png").unlink()
    changed = {**dataset, "train_images": None, "test_images": None, "image_column": "file"}
    assert_reported(
        lines_of(changed),
        r"train\.csv, line 3: id 's001': column file is empty",
        r"line 4: id 's002': image .*no/x\.png does not exist, nor does its folder .*line 5: id 's003': image",
    )


def test_the_number_of_missing_images_is_told(dataset: dict[str, Any]) -> None:
    for path in (Path(dataset["root"]) / "images").iterdir():
        path.unlink()
    first, second = lines_of(dataset)
    assert "line 6: id 's004'" in first
    assert "and 3 more (8 images in all)" in first
    assert "line 5: id 's011'" in second


def test_unknown_classes_hide_no_other_problem(dataset: dict[str, Any]) -> None:
    """Classes are read from the training rows, which have a measurement in place of them."""
    root = Path(dataset["root"])
    rewrite(root / "train.csv", lambda rows: [*rows[:1], [*rows[1][:-1], "0.37"], *rows[2:]])
    (root / "images" / "s003.png").unlink()
    (root / "images" / "s009.png").unlink()
    labels = {**dataset["labels"], "kind": "multiclass"}
    assert_reported(
        lines_of({**dataset, "labels": labels}),
        r"train\.csv, line 2: label '0\.37' in column target .* is a measurement",
        r"train\.csv, line 5: id 's003': image",
        r"test\.csv, line 3: id 's009': image",
    )


def test_the_tables_of_class_folders_are_not_named(dataset: dict[str, Any]) -> None:
    """Foldline writes them, and a user knows the folders."""
    root = Path(dataset["root"]) / "folders"
    for name in ("cat/1.png", "cat/2.png", "dog/3.png", "emu/4.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(saved(photograph(len(name), 8), "PNG"))
    (root / "dog" / "bad.png").write_bytes(b"text")
    (root / "loose.png").write_bytes(b"text")
    folders = dataset_settings(
        root=str(root.parent),
        class_folders="folders",
        target_column=None,
        id_column="id",
        test_table=None,
        test_images=None,
        train_images=None,
        sample_submission=None,
        labels={**dataset["labels"], "kind": "multiclass", "classes": ["cat", "dog"]},
    )
    lines = lines_of(folders)
    assert_reported(
        lines,
        r"^dataset\.class_folders: label 'emu' of id 'emu/4\.png' contains 'emu', .*; correct the folders",
        r"^dataset\.class_folders: id 'dog/bad\.png': image .*folders/dog/bad\.png cannot be used",
        r"^dataset\.class_folders: 1 file \(folders/loose\.png\) .* so they have no class",
    )
    assert "raw" not in "".join(lines)


def with_sets(dataset: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The set `old` with other keys, and a set `new` of two images with diagnoses and no patients."""
    root = Path(dataset["root"])
    (root / "new").mkdir()
    for number in range(4):
        (root / "new" / f"n{number}.png").write_bytes(saved(photograph(20 + number, 8), "PNG"))
    # Left out: the third row has no image and no patient.
    (root / "new.csv").write_text("name,dx,site,who\nn0,ill,arm,p0\nn1,well,leg,\nn9,scar,,\nn2,1,arm,NA\n")
    new = {
        "table": "new.csv",
        "images": "new/{id}.png",
        "columns": {"image_name": "name", "target": "dx", "patient_id": "who"},
        "labels": {"ill": 1, "well": 0, "scar": None},
    }
    old = {"table": "old.csv", "images": "old/{id}.png"}
    return dataset_settings(**{**dataset, "external": {"old": old, "new": {**new, **changes}}})


def test_a_set_may_write_labels_in_its_own_words(with_external: dict[str, Any]) -> None:
    data = read(with_sets(with_external))
    assert list(data.splits) == ["train", "test", "new", "old"]
    rows = data.splits["new"].rows
    assert (list(rows.id), rows.target, list(rows.line)) == (["n0", "n1", "n2"], ["1", "0", "1"], [2, 3, 5])
    # A row without a patient is a group of its own, with a name that no id has.
    assert list(rows.group) == ["p0", "new/n1", "new/n2"]
    assert data.left_out == {"new": {"scar": 1}}
    assert [Path(path).name for path in data.splits["new"].images["path"]] == ["n0.png", "n1.png", "n2.png"]


def test_the_scan_reads_the_rows_of_a_set_as_planning_does(with_external: dict[str, Any]) -> None:
    dataset = with_sets(with_external, columns={"image_name": "name", "target": "dx", "patient_id": None, "site": None})
    data = read(dataset)
    config = build(
        ScanConfig,
        {**scan_settings(dataset, "new"), **table_arguments(dataset, "new", {})}
        | {"root": dataset["root"], "table": data.tables["new"], "images": "new/{id}.png", "digest": ""},
    )
    rows = read_rows(config.table, config.columns())
    assert rows == data.splits["new"].rows.rows()
    assert [row.group for row in rows] == ["new/n0", "new/n1", "new/n2"]
    assert {row.metadata for row in rows} == {("",)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": {"ill": 1}}, r"new\.csv, line 3: label 'well' .* neither in `labels` nor one of the classes 0, 1"),
        ({"labels": {"il": 1, "well": 0, "scar": 0}}, r"line 2: label 'ill' \(column dx\) of id 'n0' .* mean 'il'\?"),
        (
            {"labels": {"ill": 1}},
            r"line 4: label 'scar'.*add the word to dataset\.external\.new\.labels, with its class",
        ),
        ({"labels": None}, r"new\.csv, line 2: label 'ill' \(column dx\) of id 'n0' is not 0 or 1"),
        ({"labels": dict.fromkeys(["ill", "well", "scar", "1"])}, "labels leaves out all rows"),
        ({"columns": {"image_name": "name", "target": "dx"}}, r"new\.csv: no column patient_id"),
    ],
)
def test_wrong_rows_of_a_set_are_refused(changes: dict[str, Any], words: str, with_external: dict[str, Any]) -> None:
    with pytest.raises(FoldlineError, match=words):
        read(with_sets(with_external, **changes))


def test_problems_of_all_sets_are_reported_together(with_external: dict[str, Any]) -> None:
    dataset = with_sets(with_external)
    root = Path(dataset["root"])
    (root / "old.csv").write_text("target,site,image_name,patient_id\n0,arm,e0,p0\n1,leg,n0,p1\n2,leg,e2,p1\n")
    (root / "old" / "n0.png").write_bytes((root / "old" / "e1.png").read_bytes())
    (root / "new" / "n1.png").unlink()
    with pytest.raises(SeveralProblemsError) as error:
        read(dataset)
    lines = "\n".join(error.value.problems)
    assert re.search(r"new\.csv, line 3: id 'n1': image .* does not exist", lines)
    assert re.search(r"old\.csv, line 4: label '2'", lines)


def test_ids_of_two_sets_are_reported_beside_wrong_labels(with_external: dict[str, Any]) -> None:
    dataset = with_sets(with_external)
    root = Path(dataset["root"])
    table = root / "new.csv"
    table.write_text(table.read_text().replace("n0,ill", "e0,il"))
    shutil.copy(root / "old" / "e0.png", root / "new" / "e0.png")
    assert_reported(
        lines_of(dataset),
        r"new\.csv, line 2: label 'il' .*did you mean 'ill'",
        r"new\.csv, line 2 and .*old\.csv, line 2: id e0 in both the new and the old split; remove",
    )


def test_a_set_without_groups_is_told_how_to_say_so(with_external: dict[str, Any]) -> None:
    rewrite(Path(with_external["root"]) / "old.csv", lambda rows: [row[:3] for row in rows])
    words = (
        r"no column patient_id; .*; if the set has no such .*, set dataset\.external\.old\.columns to \{patient_id: n"
    )
    with pytest.raises(FoldlineError, match=words):
        read(with_external)


def test_ids_of_all_sets_are_unique(with_external: dict[str, Any]) -> None:
    dataset = with_sets(with_external)
    root = Path(dataset["root"])
    rewrite(root / "old.csv", lambda rows: [rows[0], [*rows[1][:2], "n0", "p0"], [*rows[2][:2], "n2", "p1"]])
    (root / "old" / "n0.png").write_bytes((root / "new" / "n0.png").read_bytes())
    (root / "old" / "n2.png").write_bytes((root / "old" / "e1.png").read_bytes())
    with pytest.raises(SeveralProblemsError) as error:
        read(dataset)
    same, other = error.value.problems
    where = r"new\.csv, line {} and .*old\.csv, line {}: id {} in both the new and the old split; "
    assert re.search(where.format(2, 2, "n0") + "remove each from one of them", same)
    assert re.search(where.format(5, 3, "n2") + "the images differ: rename each in one of them", other)


def test_a_set_may_be_records(with_external: dict[str, Any]) -> None:
    root = Path(with_external["root"])
    rows = [(b"r0", b"ill", b"p0"), (b"r1", b"scar", b"p1"), (b"r2", b"well", None)]
    records = [
        {"name": name, "dx": label, "who": who, "image": saved(photograph(30 + number, 8), "PNG")}
        for number, (name, label, who) in enumerate(rows)
    ]
    write_tfrecord(root / "new.tfrec", records)
    columns = {"image_name": "name", "target": "dx", "patient_id": "who", "site": None}
    dataset = with_sets(with_external, table=None, images=None, records=["new*.tfrec"], columns=columns)
    data = read(dataset)
    found = data.splits["new"]
    assert (list(found.rows.id), list(found.rows.target)) == (["r0", "r2"], ["1", "0"])
    assert list(found.rows.group) == ["p0", "new/r2"]
    assert data.left_out == {"new": {"scar": 1}}
    # The file is known by all of its records.
    assert list(found.images["id"]) == ["r0", "r1", "r2"]
    dataset["external"]["new"]["labels"] = {"il": 1}
    with pytest.raises(FoldlineError, match=r"record 1: label 'ill' \(feature dx\) of id 'r0' .*did you mean 'il'"):
        read(dataset)


def with_weights(dataset: dict[str, Any]) -> dict[str, Any]:
    """Weights in the training table and in the set `old`, none in the set `new`."""
    root = Path(dataset["root"])
    for name in ("train.csv", "old.csv"):
        rewrite(root / name, lambda rows: [[*rows[0], "w"], *([*row, str(n)] for n, row in enumerate(rows[1:], 1))])
    columns = {"image_name": "name", "target": "dx", "patient_id": "who", "w": None}
    return {**with_sets(dataset, columns=columns, weight=0.5), "weight_column": "w"}


def test_weights_of_rows_are_read_and_checked(with_external: dict[str, Any]) -> None:
    assert read(with_external).weights == ""
    dataset = with_weights(with_external)
    data = read(dataset)
    weights = row_weights_of(dataset, data.tables, digest=data.weights)
    assert weights is not None
    assert weights.of_rows(["train", "old", "new"], ["s001", "e2", "n0"]) == [2.0, 3.0, 0.5]
    # As the step gets them.
    arguments = json.loads(json.dumps(weight_arguments(dataset, data.tables, data.weights)))
    assert build(RowWeights, arguments["weights"]).of_rows(["train"], ["s007"]) == [8.0]
    # Weights are in no digest of a row.
    assert data.splits["train"].digests() == read({**dataset, "weight_column": None}).splits["train"].digests()


def test_wrong_weights_are_reported_beside_other_problems(with_external: dict[str, Any]) -> None:
    dataset = with_weights(with_external)
    root = Path(dataset["root"])
    # Wrong ids hide no wrong weights.
    rewrite(root / "train.csv", lambda rows: [rows[0], ["", *rows[1][1:-1], "-1"], *rows[2:]])
    rewrite(root / "old.csv", lambda rows: [*rows[:2], [*rows[2][:-1], "much"], *rows[3:]])
    (root / "test.csv").write_text("image_name,site\ns008,arm\ns009,arm\ns010,arm\n")
    with pytest.raises(SeveralProblemsError) as error:
        read(dataset)
    lines = "\n".join(error.value.problems)
    assert re.search(r"train\.csv, line 2: the weight \(column w\) of id '' is '-1'; give every row", lines)
    assert re.search(r"train\.csv, line 2: the id .* is empty", lines)
    assert re.search(r"old\.csv, line 3: the weight \(column w\) of id 'e1' is 'much'", lines)
    assert "s011" in lines
    rewrite(root / "train.csv", lambda rows: [rows[0], *([*row[:-1], "0"] for row in rows[1:])])
    with pytest.raises(FoldlineError, match=r"train\.csv: all rows have the weight 0 \(column w\)|old\.csv"):
        read(dataset)


@pytest.mark.parametrize(
    ("label", "kept", "words"),
    [
        ("1", 1, r" \(column w\) and the label 1 are in one group, so nothing"),
        ("0", 0, r"all rows with the label 0 of target have the weight 0 \(column w\), so no model learns it"),
    ],
)
def test_a_label_without_weight_is_refused(with_external: dict[str, Any], label: str, kept: int, words: str) -> None:
    """Before any job: the fold that holds its group out would have nothing to learn it from."""
    dataset = {**with_weights(with_external), "external": {}}
    path = Path(dataset["root"]) / "train.csv"
    samples = read(dataset).splits["train"].rows
    of_label = [name for name, code in zip(samples.id, samples.target, strict=True) if code == label]
    group_of = dict(zip(samples.id, samples.group, strict=True))
    groups = sorted({group_of[name] for name in of_label})[:kept]
    light = {name for name in of_label if group_of[name] not in groups}

    def lighter(rows: list[list[str]]) -> list[list[str]]:
        place = rows[0].index(dataset["id_column"])
        return [rows[0], *([*row[:-1], "0" if row[place] in light else "1"] for row in rows[1:])]

    rewrite(path, lighter)
    with pytest.raises(FoldlineError, match=rf"train\.csv: .*{words}"):
        read(dataset)


@pytest.mark.parametrize("label", ["0", "1"])
def test_a_class_without_weight_is_refused(with_external: dict[str, Any], label: str) -> None:
    dataset = {**with_weights(with_external), "external": {}}
    dataset["labels"] = {**dataset["labels"], "kind": "multiclass", "classes": ["0", "1"]}
    table = Path(dataset["root"]) / "train.csv"
    place = table.read_text().splitlines()[0].split(",").index("target")
    rewrite(table, lambda rows: [rows[0], *([*row[:-1], str(int(row[place] != label))] for row in rows[1:])])
    message = rf"train\.csv: all rows with the class {label} have the weight 0 \(column w\)"
    with pytest.raises(FoldlineError, match=message):
        read(dataset)


def test_a_table_without_the_weights_is_refused(with_external: dict[str, Any]) -> None:
    with pytest.raises(FoldlineError, match=r"train\.csv: no column w; the table has"):
        read({**with_external, "weight_column": "w"})


def test_records_have_weights_as_tables_do(records: dict[str, Any]) -> None:
    """Here the weight of a record is its age."""
    dataset = {**records, "weight_column": "age_approx", "metadata_columns": [], "metadata": {}}
    data = read(dataset)
    weights = row_weights_of(dataset, data.tables, digest=data.weights)
    assert weights is not None
    names = list(data.splits["train"].rows.id)
    ages = dict(zip(names, read(records).splits["train"].rows.metadata[0], strict=True))
    assert weights.of_rows(["train"] * 8, names) == [float(ages[name]) for name in names]
