"""The image of a row is the one file that its paths give, and rows without one are named."""

import random
import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest
from foldline.errors import FoldlineError
from foldline.planning.dataset_section import ImageTable
from foldline.planning.folder_files import FolderFiles
from foldline.planning.image_errors import unusable
from foldline.planning.image_files import LocalImages
from foldline.planning.image_patterns import ImagePattern, parsed
from foldline.planning.image_search import ImageSearch, is_ignored


def search(
    root: Path, patterns: list[str], rows: list[dict[str, str]], channels: tuple[str, ...] = (), ignored: str = ""
) -> list[list[str]]:
    files = ImageTable("train.csv", str(root), parsed(patterns))
    images = ImageSearch(files, LocalImages(), ignored=[ignored] if ignored else [])
    found, problems = images.paths(rows, channels)
    if problems:
        raise unusable(problems, lambda number: f"row {number}")
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = ["a/1.jpg", "a/2.JPG", "a/3.jpeg", "a/3.txt", "b/4.png", "b/4.b.png", "b/5.png", "c/d/6.tif", "c/.7.png"]
    names += ["d/8_red.png", "e/8_blue.png", "d/9_mask.png", "d/9_crop.png", "two words/[1].png", "*.png"]
    for name in [*names, "f/10.JPG", "f/10.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "row", "path"),
    [
        (["a/{id}.*"], {"id": "2"}, "a/2.JPG"),
        (["a/{id}.*"], {"id": "3"}, "a/3.jpeg"),
        (["b/{id}.*"], {"id": "4"}, "b/4.png"),
        (["*/{id}.jpg"], {"id": "1"}, "a/1.jpg"),
        (["**/{id}.tif"], {"id": "6"}, "c/d/6.tif"),
        (["**/{id}.*"], {"id": "1"}, "a/1.jpg"),
        (["c/**/{id}.*"], {"id": "6"}, "c/d/6.tif"),
        (["a/{id}.jpg", "b/{id}.png"], {"id": "5"}, "b/5.png"),
        (["x/{id}.jpg", "./a//{id}.jpg"], {"id": "1"}, "a/1.jpg"),
        (["{folder}/{id}.jpg"], {"id": "1", "folder": "a"}, "a/1.jpg"),
        (["{folder}/{id}.*"], {"id": "6", "folder": "c\\d"}, "c/d/6.tif"),
        (["{path}"], {"id": "x", "path": "./a//1.jpg"}, "a/1.jpg"),
        (["{path}"], {"id": "x", "path": "a\\1.jpg"}, "a/1.jpg"),
        (["{path}.*"], {"id": "x", "path": "a/1"}, "a/1.jpg"),
        (["{path}.*"], {"id": "x", "path": "a/2.jpg"}, "a/2.JPG"),
        (["*/{id}.*"], {"id": "1.png"}, "a/1.jpg"),
        (["a/{id}.*"], {"id": "1.b"}, None),
        (["f/{id}.*"], {"id": "10.jpg"}, "f/10.JPG"),
        (["*/{id}.*"], {"id": "[1]"}, "two words/[1].png"),
        (["{id}*"], {"id": "*"}, "*.png"),
        (["{path}"], {"id": "x", "path": "/elsewhere/1.jpg"}, "/elsewhere/1.jpg"),
        (["c/{id}.*"], {"id": ".7"}, None),
        (["d/{id}_*.png"], {"id": "8"}, "d/8_red.png"),
    ],
)
def test_a_row_has_the_file_that_its_path_gives(
    root: Path, patterns: list[str], row: dict[str, str], path: str | None
) -> None:
    if path is None:
        with pytest.raises(FoldlineError, match="no image matches"):
            search(root, patterns, [row])
    else:
        assert search(root, patterns, [row]) == [[path]]


def test_each_channel_is_searched(root: Path) -> None:
    assert search(root, ["*/{id}_{channel}.png"], [{"id": "8"}], ("red", "blue")) == [["d/8_red.png", "e/8_blue.png"]]
    with pytest.raises(FoldlineError, match=r"row 0: no image matches .*/\*/8_green\.png"):
        search(root, ["*/{id}_{channel}.png"], [{"id": "8"}], ("red", "green"))


@pytest.mark.parametrize(
    ("patterns", "row", "words"),
    [
        (
            ["d/{id}_*.png"],
            {"id": "9"},
            r"row 0: 2 files match .*d/9_\*\.png \(d/9_crop\.png, d/9_mask\.png\), but a row",
        ),
        (["a/{id}.*", "b/{id}.*"], {"id": "x"}, r"no image matches .*a/x\.\* or .*b/x\.\*; add or repair"),
        (["a/{id}.jpg", "*/{id}.jpg"], {"id": "5"}, "no image matches"),
        (
            ["{folder}/{id}.*"],
            {"id": "1", "folder": ""},
            r"column folder is empty, but the path of the image '\{folder\}",
        ),
    ],
)
def test_a_row_without_one_image_is_named(root: Path, patterns: list[str], row: dict[str, str], words: str) -> None:
    with pytest.raises(FoldlineError, match=words):
        search(root, patterns, [row])


@pytest.mark.parametrize(
    ("patterns", "name", "words"),
    [
        (["z/{id}.*"], "12", ", but there is 0012.png (leading zeros count: write the id as the file has it)"),
        (["z/{id}.*"], "12.0", ", but there is 0012.png (leading zeros count, and so does .0: write the id"),
        (["z/{id}.*"], "caf\u00e9", ", but there is cafe\u0301.png (its accents are characters of their own, as macOS"),
        (["z/{id}.*"], "A3.PNG", ", but there is a3.png (case counts)"),
        (["*/{id}.*"], "12", ", but there is z/0012.png (leading zeros count"),
        (["**/{id}.jpg"], "A3", ", but there is z/a3.png (case counts)"),
        (["**/{id}.jpg"], "a3", ", but there is z/a3.png; add"),
        (["*/x/{id}.*"], "12", "; add or repair"),
        (["z/{id}_*.png"], "12", "; add or repair"),
        (["Z/{id}.*"], "12", "{root}/Z, but there is {root}/z (case counts)"),
        (["no/{id}.*", "nor/{id}.*"], "12", ", and there is no folder {root}/no; add"),
        (["no/{id}.*", "z/{id}.*"], "12", ", but there is 0012.png (leading"),
    ],
)
def test_files_that_may_be_meant_are_named(root: Path, patterns: list[str], name: str, words: str) -> None:
    (root / "z").mkdir()
    for file in ("0012.png", "cafe\u0301.png", "a3.png"):
        (root / "z" / file).touch()
    with pytest.raises(FoldlineError, match=f"no image matches .*{re.escape(words.format(root=root))}"):
        search(root, patterns, [{"id": name}])


def test_a_folder_with_the_name_of_an_image_is_named(root: Path) -> None:
    (root / "a" / "7.png").mkdir()
    with pytest.raises(FoldlineError, match=r"no image matches .*a/7\.\*; .*a/7\.png is a folder, not an image; add"):
        search(root, ["a/{id}.*"], [{"id": "7"}])


def test_files_can_be_ignored_by_name_or_path(root: Path) -> None:
    assert search(root, ["d/{id}_*.png"], [{"id": "9"}], ignored="*_mask.png") == [["d/9_crop.png"]]
    assert search(root, ["d/{id}_*.png"], [{"id": "9"}], ignored="d/*_crop*") == [["d/9_mask.png"]]
    assert not is_ignored("d/9_mask.png", ["mask", "9"])


def test_a_link_that_leads_to_its_own_folder_is_followed_once(root: Path) -> None:
    (root / "c" / "loop").symlink_to(root / "c")
    assert search(root, ["**/{id}.tif"], [{"id": "6"}]) == [["c/d/6.tif"]]


def test_matches_are_those_of_a_slow_look_at_each_name() -> None:
    """Against `fnmatch` of each part of the path."""
    random_ = random.Random(5)
    names = sorted(
        {"/".join(random_.choices(["a", "ab", "b_a", "ba", "aab"], k=random_.randint(1, 3))) for _ in range(90)}
    )
    files = FolderFiles(names)
    for _ in range(300):
        parts = random_.choices(["a*", "*b", "*", "ab", "a*b", "b_*", "*a*"], k=random_.randint(1, 3))
        pattern = ImagePattern("/".join(parts)).filled({})
        expected = [
            name
            for name in names
            if len(PurePosixPath(name).parts) == len(parts) and all(map(fnmatchcase, PurePosixPath(name).parts, parts))
        ]
        assert files.matches(pattern) == expected


def test_words_and_wildcards_of_a_pattern() -> None:
    pattern = ImagePattern("a/{site}/{id}_{channel}_*.png")
    assert (pattern.words, pattern.columns, pattern.is_plain) == (("site", "id", "channel"), ("site",), False)
    assert ImagePattern("a/{id}_{channel}.png").is_plain
    assert [ImagePattern(text).leaves_suffix_open for text in ("{id}", "{id}.*", "a/*", "{id}.png")] == [True] * 3 + [
        False
    ]
    assert str(pattern.filled({"site": "s*", "id": "1", "channel": "red"})) == "a/s*/1_red_*.png"


@pytest.mark.parametrize(
    ("patterns", "ids", "problem"),
    [
        (["a/{id}.*"], ["3.jpg", "3.png"], "a/3.jpeg is the only file that matches .*a/3.png.*id '3.jpg' too"),
        (["a/{id}.*"], ["3", "3.png"], "a/3.jpeg .* id '3' too"),
        (["*/*{id}*.tif", "e/*{id}*.png"], ["8", "8_blue"], "e/8_blue.png .* id '8' too"),
    ],
)
def test_a_file_is_the_image_of_one_id(root: Path, patterns: list[str], ids: list[str], problem: str) -> None:
    with pytest.raises(FoldlineError, match=problem):
        search(root, patterns, [{"id": id_} for id_ in ids])


def test_rows_may_name_one_file_by_a_column(root: Path) -> None:
    rows = [{"id": id_, "path": "a/1"} for id_ in "xy"]
    assert search(root, ["{path}.*"], rows) == [["a/1.jpg"]] * 2
