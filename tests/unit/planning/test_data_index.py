"""A stored data index equals the index of the rows, and is rebuilt when one of its sources changed."""

import os
from dataclasses import dataclass
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
from foldline.planning.raw_data import RawData

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


@dataclass
class Reads:
    """How often rows were read."""

    count: int = 0


@pytest.fixture(autouse=True)
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Counts calls of `read_raw_data`."""
    reads, read_raw_data = Reads(), module.read_raw_data

    def counted(*arguments: Any, **named: Any) -> RawData:
        reads.count += 1
        return read_raw_data(*arguments, **named)

    monkeypatch.setattr(module, "read_raw_data", counted)
    return reads


def index(config: dict[str, Any], folder: Path, *, count: int = 4) -> dict[str, Any]:
    """Content of the index of the data with their digests in `count` shards; the index is stored."""
    indexer = DataIndexer(config, folder=folder, pinned=None, record_tables=str(folder / "raw"))
    data_index = indexer.read()
    content = content_of(data_index, count)
    indexer.store(data_index)
    return content


def content_of(data_index: DataIndex, count: int) -> dict[str, Any]:
    splits = {
        name: (split.image_bytes.tolist(), split.shard_digests(count)) for name, split in data_index.splits.items()
    }
    return {"splits": splits, **{name: value for name, value in vars(data_index).items() if name != "splits"}}


def test_a_stored_index_equals_the_one_of_the_rows(config: dict[str, Any], tmp_path: Path, reads: Reads) -> None:
    first = index(config, tmp_path)
    assert list(first["splits"]) == ["train", "test", "external"]
    assert [len(digests) for _, digests in first["splits"].values()] == [4, 3, 1]
    assert index(config, tmp_path) == first
    assert reads.count == 1
    # Rows are read once more for a number of shards that is new.
    other = index(config, tmp_path, count=8)
    assert reads.count == 2
    assert other["splits"]["train"][0] == first["splits"]["train"][0]
    assert index(config, tmp_path, count=8) == other
    assert index(config, tmp_path) == first
    assert reads.count == 2


@pytest.mark.parametrize("what", ["bytes", "mtime", "table", "sample", "folds", "root"])
def test_rows_are_read_again_when_something_changed(
    config: dict[str, Any], tmp_path: Path, reads: Reads, what: str
) -> None:
    before = index(config, tmp_path)
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
    after = index(config, tmp_path)
    assert reads.count == 2
    assert (after["splits"] != before["splits"]) == (what in ("bytes", "table"))
    assert (after["submission"] != before["submission"]) == (what == "sample")
    assert index(config, tmp_path) == after
    assert reads.count == 2


def test_rows_are_read_again_by_other_code(
    config: dict[str, Any], tmp_path: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(config, tmp_path)
    monkeypatch.setattr(module, "code_digest", lambda path: "another")
    index(config, tmp_path)
    assert reads.count == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"{}\n", b'{"path_bytes": 3}\na\0b', b'{"path_bytes": 0, "more": 1}\n12345678', b"\xff\n"],
)
def test_a_corrupt_index_is_rebuilt(config: dict[str, Any], tmp_path: Path, reads: Reads, content: bytes) -> None:
    first = index(config, tmp_path)
    (tmp_path / "data_index").write_bytes(content)
    assert index(config, tmp_path) == first
    assert index(config, tmp_path) == first
    assert reads.count == 2


def test_a_truncated_index_is_rebuilt(config: dict[str, Any], tmp_path: Path, reads: Reads) -> None:
    first = index(config, tmp_path)
    content = (tmp_path / "data_index").read_bytes()
    for number, size in enumerate((len(content) - 1, len(content) - 16, len(content) // 2, 10), start=2):
        (tmp_path / "data_index").write_bytes(content[:size])
        assert index(config, tmp_path) == first
        assert reads.count == number


def test_the_reading_of_the_labels_is_stored(tmp_path: Path, reads: Reads) -> None:
    write_dataset(tmp_path / "data", train=12, test=4, external=2)
    labels = {"kind": "multiclass", "classes": ["a", "b"]}
    config = configuration(tmp_path / "data", labels=labels, submission={"class": "a", "column": "target"})
    first = index(config, tmp_path)
    assert first["label_cells"] == {"cells": "numbers", "first_number": 0}
    assert index(config, tmp_path) == first
    assert reads.count == 1


def test_a_missing_image_is_named(config: dict[str, Any], tmp_path: Path) -> None:
    index(config, tmp_path)
    (tmp_path / "data" / "images" / "s003.png").unlink()
    with pytest.raises(FoldlineError, match=r"train\.csv, line 5: id 's003': image .*s003\.png does not exist"):
        index(config, tmp_path)


def test_an_image_that_changes_during_the_read_is_read_again(
    config: dict[str, Any], tmp_path: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = module.read_raw_data

    def changed(*arguments: Any, **named: Any) -> RawData:
        data = read(*arguments, **named)
        os.utime(tmp_path / "data" / "images" / "s003.png", (1, 1))
        return data

    with monkeypatch.context() as patch:
        patch.setattr(module, "read_raw_data", changed)
        index(config, tmp_path)
    index(config, tmp_path)
    assert reads.count == 2


def test_channels_of_a_row_count_together(tmp_path: Path, reads: Reads) -> None:
    write_channels(tmp_path / "data", train=8, test=4)
    images = {f"{split}_images": f"{split}/{{id}}_{{channel}}.png" for split in ("train", "test")}
    config = configuration(tmp_path / "data", id_column="id", group_column=None, channels=list(CHANNELS), **images)
    first = index(config, tmp_path)
    sizes = [(tmp_path / "data" / "train" / f"s000_{name}.png").stat().st_size for name in CHANNELS]
    assert first["splits"]["train"][0][0] == sum(sizes)
    assert index(config, tmp_path) == first
    assert reads.count == 1
    (tmp_path / "data" / "train" / "s000_purple.png").write_bytes(b"x")
    with pytest.raises(FoldlineError, match=r"s000_purple\.png: not one of dataset\.channels"):
        index(config, tmp_path)


def test_data_without_a_sample_submission_are_read_each_time(
    config: dict[str, Any], tmp_path: Path, reads: Reads
) -> None:
    config["dataset"]["sample_submission"] = None
    first = index(config, tmp_path)
    assert index(config, tmp_path) == first
    assert reads.count == 2
    assert not (tmp_path / "data_index").exists()
