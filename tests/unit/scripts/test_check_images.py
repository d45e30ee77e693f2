"""One message for the unusable images of all splits, and a table of all images."""

from pathlib import Path

import pandas as pd
import pytest
from check_images import check_images
from foldline.errors import FoldlineError
from foldline.io.tables import IMAGES, INTEGER, INVENTORY, REAL, TEXT, read_table, write_table


def inventory(path: Path, problems: dict[str, str], *, width: int = 3) -> list[Path]:
    """Write the inventory of images, by their ids."""
    fillers = {TEXT: "0", INTEGER: 7, REAL: 0.0}
    table = pd.DataFrame(
        {"id": list(problems), **{name: fillers[kind] for name, kind in INVENTORY.items() if name != "id"}}
    )
    table = table.assign(problem=list(problems.values()), path=table["id"] + ".png", width=width, height=2)
    write_table(table, path, INVENTORY)
    return [path]


def test_one_message_names_all_images_with_a_problem(tmp_path: Path) -> None:
    train = inventory(tmp_path / "train.parquet", {"a": "damaged: cut", "b": "", "c": "missing: no such file"})
    # An id may be in two splits, with another image.
    test = inventory(tmp_path / "test.parquet", {"a": "", "d": "damaged: empty"})
    lines = r"a.png: image of id a: damaged: cut\nc.png: .*missing: no such file\nd.png: .*damaged: empty$"
    with pytest.raises(FoldlineError, match=rf"3 of 5 images cannot be used; .* from the tables:\n{lines}"):
        check_images({"train": train, "test": test}, tmp_path / "images.csv")
    assert not (tmp_path / "images.csv").exists()


def test_usable_images_are_counted(tmp_path: Path) -> None:
    train = [
        *inventory(tmp_path / "0.parquet", {"a": "", "b": ""}),
        *inventory(tmp_path / "1.parquet", {"c": ""}, width=9),
    ]
    check_images({"train": train, "test": inventory(tmp_path / "2.parquet", {"a": ""})}, tmp_path / "images.csv")
    table = read_table(tmp_path / "images.csv", IMAGES, key=("split",))
    assert table.to_numpy().tolist() == [["train", 3, 21, 3, 9, 2, 2], ["test", 1, 7, 3, 3, 2, 2]]
