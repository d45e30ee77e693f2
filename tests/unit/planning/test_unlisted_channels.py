"""Files of a row whose channel is not in the configuration are refused, however the path is written."""

import re
from pathlib import Path

import pytest
from fixtures.channels import dataset_section, write_channels
from fixtures.pictures import photograph, saved
from fixtures.settings import dataset_settings
from foldline.errors import FoldlineError, SeveralProblemsError
from foldline.planning.dataset_section import ImageTable
from foldline.planning.image_files import LocalImages
from foldline.planning.image_patterns import parsed
from foldline.planning.raw_data import read_raw_data
from foldline.planning.unlisted_channels import check_channel_files

ROWS = [{"id": "0", "path": "./p\\0"}, {"id": "a_1", "path": "p/a_1"}]


def check(root: Path, patterns: list[str], ignored: list[str]) -> None:
    files = ImageTable("train.csv", str(root), parsed(patterns))
    check_channel_files(LocalImages(), files, ROWS, ["red"], ignored)


@pytest.mark.parametrize(
    ("patterns", "file"),
    [
        (["p/{id}_{channel}.png"], "p/0_yellow.png"),
        (["p/{id}_{channel}.*"], "p/0_yellow.jpg"),
        (["q/{id}_{channel}.*", "p/{id}_{channel}.*"], "p/a_1_yellow.png"),
        (["./p//{channel}_{id}.png"], "p/yellow_a_1.png"),
        (["*/{id}_{channel}.*"], "p/0_yellow.png"),
        (["**/{id}_{channel}*"], "p/q/0_yellow.png"),
        (["{id}/{channel}.png"], "0/yellow.png"),
        (["p/{channel}/{id}.png"], "p/yellow/0.png"),
        (["{path}_{channel}.png"], "p/a_1_yellow.png"),
        (["{path}_{channel}.png"], "p/0_yellow.png"),
    ],
)
def test_a_file_of_a_row_and_another_channel_is_refused(tmp_path: Path, patterns: list[str], file: str) -> None:
    passed = [file.replace("yellow", "red"), file.replace("0", "9").replace("a_1", "b_1"), "p/0_yellow.txt", "p/0.png"]
    for name in passed:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    check(tmp_path, patterns, [])
    (tmp_path / file).touch()
    with pytest.raises(FoldlineError, match=rf"^{tmp_path}/{file}: not one of dataset\.channels \(red\)"):
        check(tmp_path, patterns, [])
    check(tmp_path, patterns, ["*yellow*"])
    check(tmp_path, patterns, [f"{Path(file).parent}/*{Path(file).name[2:]}"])


def test_channels_in_color_or_of_another_size_are_refused_by_their_headers(tmp_path: Path) -> None:
    write_channels(tmp_path, train=3, test=1)
    settings = dataset_settings(**dataset_section(tmp_path))
    write_channels(tmp_path / "larger", train=1, test=0, edge=40)
    (tmp_path / "larger/train/s000_blue.png").replace(tmp_path / "train/s000_blue.png")
    (tmp_path / "train/s001_green.png").write_bytes(saved(photograph(32, 32), "PNG"))
    with pytest.raises(SeveralProblemsError) as caught:
        read_raw_data(settings, record_tables=str(tmp_path / "raw"))
    larger, colored = caught.value.problems
    assert re.search(
        r"line 2: id 's000': image .*s000_blue\.png cannot be used: 40 x 40 pixels, but s000_red\.", larger
    )
    assert re.search(r"line 3: id 's001': image .*s001_green\.png cannot be used: a color image, but the", colored)
