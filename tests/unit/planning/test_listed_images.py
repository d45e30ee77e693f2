"""The rows of a split without a table are the files that match a pattern, maybe in a folder for each class."""

import csv
import logging
from pathlib import Path
from typing import Any

import pytest
from fixtures.settings import dataset_settings
from foldline.errors import FoldlineError, Problems
from foldline.planning.dataset_section import image_table
from foldline.planning.image_files import LocalImages
from foldline.planning.listed_images import ImageLister

FILES = ["a.png", "b.png", "c.PNG", "d.jpg", ".png", "x/a.png", "x/x_red.png", "x/x_blue.png", "y/x_red.png", "{a}.png"]


def write(root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def listed(root: Path, split: str = "test", **changes: Any) -> tuple[dict[str, list[str]], list[list[str]]]:
    """Paths by id, and the table."""
    dataset = dataset_settings(**{"root": str(root), "test_table": None, "sample_submission": None, **changes})
    files = image_table(dataset, split)
    assert files is not None
    table = root / "made"
    problems = Problems()
    paths = ImageLister(dataset, split, files, LocalImages()).write_table(str(table), problems)
    problems.check()
    return paths, list(csv.reader(table.read_text().splitlines()))


@pytest.mark.parametrize(
    ("pattern", "channels", "ids"),
    [
        ("{id}.png", [], ["a", "b", "{a}"]),
        ("./{id}.png", [], ["a", "b", "{a}"]),
        ("x/{id}.png", [], ["a", "x_blue", "x_red"]),
        ("{id}/a.png", [], ["x"]),
        ("x/{id}_{channel}.png", ["blue", "red"], ["x"]),
        ("{{id}}.png", [], ["a"]),
        ("{id}.*", [], ["a", "b", "c", "d", "{a}"]),
        ("*/{id}_red.png", [], None),
        ("x/{id}_*", [], None),
        ("**/{id}_blue.png", [], ["x"]),
    ],
)
def test_ids_are_those_of_the_files(tmp_path: Path, pattern: str, channels: list[str], ids: list[str] | None) -> None:
    write(tmp_path / "data", FILES)
    for root, path in ((tmp_path / "data", pattern), (tmp_path, f"{tmp_path}/data/{pattern.removeprefix('./')}")):
        if ids is None:
            remedy = "the path so that every" if pattern == "x/{id}_*" else r"\S*\*/\*_red\.png, so that the ids"
            with pytest.raises(FoldlineError, match=f"are both the image of id 'x'; write {remedy}") as caught:
                listed(root, test_images=path, channels=channels)
            assert str(caught.value).count("dataset.ignore") == 1
            continue
        paths, table = listed(root, test_images=path, channels=channels)
        assert list(paths) == ids
        assert [row[0] for row in table] == ["id", *ids]
        assert all(len(one) == max(1, len(channels)) for one in paths.values())
        assert all((root / file).is_file() for one in paths.values() for file in one)


def test_folders_are_classes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, ["train/cat/1.JPG", "train/dog/1.jpg", "train/dog/deep/2.png", "train/dog/.DS_Store"])
    write(tmp_path, ["train/Thumbs.db", "train/cat/notes.txt", "train/cat/more.txt", "train/dog/scan", "other/x/1.jpg"])
    with caplog.at_level(logging.WARNING):
        paths, table = listed(tmp_path, "train", class_folders="train", target_column=None)
    assert table == [
        ["id", "class", "path"],
        ["cat/1.JPG", "cat", "train/cat/1.JPG"],
        ["dog/1.jpg", "dog", "train/dog/1.jpg"],
        ["dog/deep/2.png", "dog", "train/dog/deep/2.png"],
        ["dog/scan", "dog", "train/dog/scan"],
    ]
    assert paths["dog/1.jpg"] == ["train/dog/1.jpg"]
    assert "passed over files that are no images: .db (1), .txt (2)" in caplog.text
    assert "no image in" not in caplog.text


def test_folders_without_images_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, ["train/cat/1.jpg", "train/dog/1.jpg", "train/cow/notes.txt", "train/.cache/x"])
    (tmp_path / "train" / "bird").mkdir()
    listed(tmp_path, "train", class_folders="train", target_column=None)
    assert "dataset.class_folders: no image in train/bird, train/cow, so these folders are no class" in caplog.text
    caplog.clear()
    listed(tmp_path, "train", class_folders="train", target_column=None, ignore=["train/cow/*", "train/bird/*"])
    assert "no image in" not in caplog.text


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("test/**/*", ["a/1.jpg", "a/deep/2.png", "b/1.jpg"]),
        ("test/**", ["a/1.jpg", "a/deep/2.png", "b/1.jpg"]),
        ("test/*/*.jpg", ["a/1.jpg", "b/1.jpg"]),
        ("./test/{class}/**/*", ["a/1.jpg", "a/deep/2.png", "b/1.jpg"]),
        ("*/{class}/**/*", ["test/a/1.jpg", "test/a/deep/2.png", "test/b/1.jpg"]),
    ],
)
def test_ids_of_test_images_in_folders_are_their_paths(tmp_path: Path, pattern: str, ids: list[str]) -> None:
    write(tmp_path, ["test/a/1.jpg", "test/b/1.jpg", "test/a/deep/2.png", "test/a/LICENSE", "test/a/notes.txt"])
    of_test = {"target_column": None, "class_folders": "train", "test_images": pattern}
    _, table = listed(tmp_path, **of_test, test_labels="own" if "{class}" in pattern else None)
    assert [row[0] for row in table] == ["id", *ids]
    if "{class}" in pattern:
        assert [row[1] for row in table] == ["class", *(name.removeprefix("test/")[0] for name in ids)]


def test_files_of_a_project_are_no_images(tmp_path: Path) -> None:
    write(tmp_path, ["train/cat/1.jpg", "train/dog/1.jpg", "LICENSE", "train/ReadMe"])
    paths, _ = listed(tmp_path, "train", class_folders="*/{class}/*.jpg", target_column=None)
    assert list(paths) == ["train/cat/1.jpg", "train/dog/1.jpg"]


@pytest.mark.parametrize("name", ["train/cat/ 1.jpg", "train/cat /1.jpg", "train/cat/1 "])
def test_a_name_that_a_table_does_not_keep_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, [name, "train/dog/1.jpg"])
    with pytest.raises(
        FoldlineError, match=r"class_folders: '.*': a part of this path starts or ends with a space; re"
    ):
        listed(tmp_path, "train", class_folders="train", target_column=None)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ["train/cat/caf\udce9.jpg", "train/dog/1.jpg"])
    with pytest.raises(FoldlineError, match=r"the file b'train/cat/caf\\xe9\.jpg' is no text in UTF-8"):
        listed(tmp_path, "train", class_folders="train", target_column=None)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["fit/a/1.jpg", "fit/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"], "fit, val each have only the folders a"),
        (["Train/a/1.jpg", "test/b/1.jpg"], "Train, test have the names of splits, so they look like splits"),
    ],
)
def test_folders_of_splits_are_no_classes(tmp_path: Path, files: list[str], words: str) -> None:
    write(tmp_path / "data", files)
    with pytest.raises(FoldlineError, match=f"class_folders is 'data', where the folders {words}"):
        listed(tmp_path, "train", class_folders="data", target_column=None)
    for pattern in ("data/*/{class}/**/*", "data/{class}/**/*"):
        listed(tmp_path, "train", class_folders=pattern, target_column=None)


def test_a_path_of_class_folders_has_groups_and_metadata(tmp_path: Path) -> None:
    write(tmp_path, ["sick/p1_bacteria_1.jpeg", "sick/p1_virus_2.jpeg", "fine/p2_none_1.jpeg"])
    folders = {"class_folders": "{class}/{patient}_{cause}_*.jpeg", "target_column": None}
    _, table = listed(tmp_path, "train", **folders, group_column="patient", metadata_columns=["cause"])
    assert table == [
        ["id", "class", "patient", "cause", "path"],
        ["fine/p2_none_1.jpeg", "fine", "p2", "none", "fine/p2_none_1.jpeg"],
        ["sick/p1_bacteria_1.jpeg", "sick", "p1", "bacteria", "sick/p1_bacteria_1.jpeg"],
        ["sick/p1_virus_2.jpeg", "sick", "p1", "virus", "sick/p1_virus_2.jpeg"],
    ]


def test_an_image_without_a_class_is_refused_or_ignored_by_key(tmp_path: Path) -> None:
    write(tmp_path, ["train/cat/1.jpg", "train/dog/1.jpg", "train/loose.jpg", "train/dog/1_mask.png"])
    folders: dict[str, Any] = {"class_folders": "train", "target_column": None}
    with pytest.raises(FoldlineError, match=r"1 file \(train/loose\.jpg\) in the folder .*so they have no class"):
        listed(tmp_path, "train", **folders)
    paths, _ = listed(tmp_path, "train", **folders, ignore=["LOOSE.*", "train/*/*_Mask.png"])
    assert list(paths) == ["cat/1.jpg", "dog/1.jpg"]


@pytest.mark.parametrize(
    ("files", "changes", "words"),
    [
        (["x.jpg"], {"test_images": "test/{id}.png"}, r"test_images: no file matches .*test/\{id\}\.png, and dataset"),
        (
            ["a_red.png", "b_red.png", "b_blue.png"],
            {"test_images": "{id}_{channel}.png", "channels": ["red", "blue"]},
            r"id 'a' has no image of the channel blue \(a_red\.png\); add the files, or list those beside them in",
        ),
        (
            ["a_red.png", "a_blue.png"],
            {"test_images": "{id}_{channel}.png", "channels": ["red"]},
            r"a_blue\.png: 'blue' is not one of dataset\.channels \(red\)",
        ),
    ],
)
def test_files_that_give_no_rows_are_refused(
    tmp_path: Path, files: list[str], changes: dict[str, Any], words: str
) -> None:
    write(tmp_path, files)
    with pytest.raises(FoldlineError, match=words):
        listed(tmp_path, **changes)


def test_no_class_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ["other/a.png"])
    with pytest.raises(FoldlineError, match=r"class_folders: no file matches .*/train/.*, a folder for each class"):
        listed(tmp_path, "train", class_folders="train", target_column=None)
    with pytest.raises(FoldlineError, match=r"its images \(did you mean 'other'\?\); correct the path or dataset.root"):
        listed(tmp_path, "train", class_folders="ohter", target_column=None)
