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
        ("12.0.jpg", ", but there is 0012.jpg (leading zeros count, and so does .0: write the id as the file has it)"),
        ("2.jpg", ""),
        ("A2.png", ", but there is a2.jpg (case counts)"),
        (
            "caf\u00e9.png",
            ", but there is cafe\u0301.png (its accents are characters of their own, as macOS writes them; rename the "
            "file, or write the id like it)",
        ),
    ],
)
def test_files_of_similar_names_are_named(tmp_path: Path, name: str, end: str) -> None:
    for other in ("0000.jpg", "0012.jpg", "120.jpg", "a2.jpg", "cafe\u0301.png"):
        (tmp_path / other).touch()
    assert instead_of(str(tmp_path / name)) == end


@pytest.mark.parametrize(
    ("folder", "end"),
    [
        ("PICS/a", "pics/A (case counts)"),
        ("pics/a", "pics/A (case counts)"),
        ("pics/b", ""),
        ("picture/a", ""),
    ],
)
@pytest.mark.parametrize("relative", [True, False])
def test_the_folder_is_named_that_differs_in_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, end: str, relative: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pics" / "A").mkdir(parents=True)
    (tmp_path / "Pics").touch()
    root = "" if relative else f"{tmp_path}/"
    ending = f", but there is {root}{end}" if end else ""
    assert instead_of(f"{root}{folder}/1.jpg") == f", nor does its folder {root}{folder}{ending}"
