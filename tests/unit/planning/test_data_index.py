"""A stored data index equals one that was read anew, and is dropped as soon as one of its sources changes."""

import os
from pathlib import Path
from typing import Any

import pytest
from fixtures.channels import CHANNELS, write_channels
from fixtures.images import write_dataset
from fixtures.project import REPOSITORY
from foldline.errors import FoldlineError
from foldline.planning import data_index as module
from foldline.planning.configuration import complete, read_schema
from foldline.planning.data_index import DataIndex, DataIndexer

SCHEMA = read_schema(REPOSITORY / "config" / "config.schema.yaml")


def configuration(root: Path, **changes: Any) -> dict[str, Any]:
    dataset = {"root": str(root), "id_column": "image_name", "target_column": "target", "group_column": "patient_id"}
    dataset |= {"train_images": "images/{id}.png", "test_images": "images/{id}.png", **changes}
    config = {"dataset": dataset, "folds": {"count": 2}, "models": {"m": {"image_size": 32}}}
    return complete(config, SCHEMA)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    write_dataset(tmp_path / "data", train=12, test=4, external=2)
    return configuration(
        tmp_path / "data",
        metadata_columns=["site"],
        external={"table": "external.csv", "images": "images/{id}.png"},
    )


def surveyed(config: dict[str, Any], folder: Path, *, count: int = 4) -> tuple[dict[str, Any], bool]:
    """All that a data_index tells, and whether rows were read for it; it is kept."""
    indexer = DataIndexer(config, folder=folder, pinned=None, record_tables=str(folder / "raw"))
    data_index = indexer.read()
    told = facts(data_index, count)
    indexer.store(data_index)
    return told, indexer._data is not None


def facts(data_index: DataIndex, count: int) -> dict[str, Any]:
    splits = {
        name: (split.image_bytes.tolist(), split.shard_digests(count)) for name, split in data_index.splits.items()
    }
    return {"splits": splits, **{name: value for name, value in vars(data_index).items() if name != "splits"}}


def test_a_kept_survey_tells_what_the_rows_do(config: dict[str, Any], tmp_path: Path) -> None:
    first, read = surveyed(config, tmp_path)
    assert read
    assert list(first["splits"]) == ["train", "test", "external"]
    assert surveyed(config, tmp_path) == (first, False)
    # A cut that nobody asked for yet takes the rows, once.
    other, read = surveyed(config, tmp_path, count=8)
    assert read
    assert other["splits"]["train"][0] == first["splits"]["train"][0]
    assert surveyed(config, tmp_path, count=8) == (other, False)
    assert surveyed(config, tmp_path) == (first, False)


@pytest.mark.parametrize("what", ["bytes", "mtime", "table", "sample", "folds", "root"])
def test_whatever_changed_is_read_again(config: dict[str, Any], tmp_path: Path, what: str) -> None:
    before, _ = surveyed(config, tmp_path)
    root = tmp_path / "data"
    image = root / "images" / "s003.png"
    if what == "bytes":
        stat = image.stat()
        image.write_bytes(image.read_bytes() + b"\0")
        os.utime(image, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif what == "mtime":
        os.utime(image, (1, 1))
    elif what == "table":
        table = root / "train.csv"
        table.write_text(table.read_text().replace("s003,p001", "s003,p000"))
    elif what == "sample":
        table = root / "sample_submission.csv"
        table.write_text("\n".join([*table.read_text().splitlines()[:1], "s015,0", "s014,0", "s013,0", "s012,0"]))
    elif what == "folds":
        config["folds"]["count"] = 3
    else:
        (tmp_path / "data").rename(tmp_path / "moved")
        config["dataset"]["root"] = str(tmp_path / "moved")
    after, read = surveyed(config, tmp_path)
    assert read
    assert (after["splits"] != before["splits"]) == (what in ("bytes", "table"))
    assert (after["submission"] != before["submission"]) == (what == "sample")
    assert surveyed(config, tmp_path) == (after, False)


def test_other_code_reads_again(config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surveyed(config, tmp_path)
    monkeypatch.setattr(module, "code_digest", lambda path: "another")
    assert surveyed(config, tmp_path)[1]


def test_an_image_that_is_gone_is_named(config: dict[str, Any], tmp_path: Path) -> None:
    surveyed(config, tmp_path)
    (tmp_path / "data" / "images" / "s003.png").unlink()
    with pytest.raises(FoldlineError, match=r"train\.csv, line 5: id 's003': image .*s003\.png does not exist"):
        surveyed(config, tmp_path)


def test_an_image_that_changes_while_it_is_read_is_read_again(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = module.read_raw_data

    def changed(*arguments: Any, **named: Any) -> Any:
        data = read(*arguments, **named)
        os.utime(tmp_path / "data" / "images" / "s003.png", (1, 1))
        return data

    with monkeypatch.context() as patch:
        patch.setattr(module, "read_raw_data", changed)
        surveyed(config, tmp_path)
    assert surveyed(config, tmp_path)[1]


def test_channels_of_a_row_count_together(tmp_path: Path) -> None:
    write_channels(tmp_path / "data", train=8, test=4)
    images = {f"{split}_images": f"{split}/{{id}}_{{channel}}.png" for split in ("train", "test")}
    config = configuration(tmp_path / "data", id_column="id", group_column=None, channels=list(CHANNELS), **images)
    first, _ = surveyed(config, tmp_path)
    sizes = [(tmp_path / "data" / "train" / f"s000_{name}.png").stat().st_size for name in CHANNELS]
    assert first["splits"]["train"][0][0] == sum(sizes)
    assert surveyed(config, tmp_path) == (first, False)
    (tmp_path / "data" / "train" / "s000_purple.png").write_bytes(b"x")
    with pytest.raises(FoldlineError, match=r"s000_purple\.png: not one of dataset\.channels"):
        surveyed(config, tmp_path)


def test_nothing_is_kept_of_data_without_a_sample_submission(config: dict[str, Any], tmp_path: Path) -> None:
    config["dataset"]["sample_submission"] = None
    first, _ = surveyed(config, tmp_path)
    assert surveyed(config, tmp_path) == (first, True)
    assert not (tmp_path / "data_index").exists()
