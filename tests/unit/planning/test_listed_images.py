"""The rows of a split without a table are the files that match the path of an image."""

from pathlib import Path

import pytest
from foldline.planning.dataset_section import ImageTable
from foldline.planning.listed_images import listed_ids

FILES = ["a.png", "b.png", "c.PNG", "d.jpg", ".png", "x/a.png", "x/x_red.png", "x/x_blue.png", "y/x_red.png", "{a}.png"]


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("{id}.png", ["a", "b", "{a}"]),
        ("./{id}.png", ["a", "b", "{a}"]),
        ("x/{id}.png", ["a", "x_blue", "x_red"]),
        ("{id}/a.png", ["x"]),
        ("{id}/{id}_{channel}.png", ["x"]),
        ("x/{id}_{channel}.png", ["x"]),
        ("{{id}}.png", ["a"]),
        ("[ab]{id}.png", []),
    ],
)
def test_ids_are_those_of_the_files(tmp_path: Path, pattern: str, ids: list[str]) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert listed_ids(ImageTable("", str(tmp_path), pattern)) == ids
    assert listed_ids(ImageTable("", "elsewhere", f"{tmp_path}/{pattern}")) == ids
