"""The error for a missing image names the files that it may have been meant for."""

from pathlib import Path

import pytest
from foldline.planning.image_errors import instead_of


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("12.jpg", ", but there is 0012.jpg (leading zeros count: write the id as the file has it)"),
        ("0.jpg", ", but there is 0000.jpg (leading zeros count: write the id as the file has it)"),
        ("00120.jpg", ", but there is 120.jpg (leading zeros count: write the id as the file has it)"),
        ("2.jpg", ""),
        ("A2.png", ", but there is a2.jpg (case counts)"),
    ],
)
def test_files_of_similar_names_are_named(tmp_path: Path, name: str, end: str) -> None:
    for other in ("0000.jpg", "0012.jpg", "120.jpg", "a2.jpg"):
        (tmp_path / other).touch()
    assert instead_of(str(tmp_path / name)) == end
