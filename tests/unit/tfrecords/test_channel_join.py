"""Records of single channels are joined by the id in their names; a missing record is reported, never shifted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.channel_steps import RECORD_KEYS, batch, read, records_in, scan, shard
from fixtures.channels import CHANNELS, cells, write_channels
from fixtures.pictures import photograph, saved
from fixtures.tfrecords import write_tfrecord
from foldline.dataset.channels import joint_digest
from foldline.errors import FoldlineError
from foldline.tfrecords.channel_join import JoinedRecord, join_channels
from foldline.tfrecords.example_proto import decode_example
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_files import read_records
from foldline.tfrecords.record_index import index_files

NAMES = RecordNames("image_name", "target", None, ())
FORM = "{id}_{channel}"


def channel_records(count: int = 8, *, form: str = FORM, edge: int = 32) -> list[dict[str, Any]]:
    """Features of one record per channel, as the public protein-atlas records have them, sample after sample."""
    made = []
    for number in range(count):
        planes = np.moveaxis(cells(number, number % 2, edge=edge), 2, 0)
        for channel, plane in zip(CHANNELS, planes, strict=True):
            name = form.format(id=f"s{number:03d}", channel=channel)
            label = str(number % 2).encode()
            made.append({"image": saved(plane, "PNG"), "image_name": name.encode(), "target": label})
    return made


def join(
    folder: Path, *files: Sequence[dict[str, Any]], channels: Sequence[str] = CHANNELS, form: str = FORM
) -> dict[str, list[JoinedRecord]]:
    folder.mkdir(exist_ok=True)
    paths = [str(write_tfrecord(folder / f"{number}.tfrec", records)) for number, records in enumerate(files)]
    by_name = {Path(path).name: file.records for path, file in index_files(paths, NAMES).files.items()}
    return join_channels(by_name, channels=channels, record_name=form, grouped=False)


def flat(joined: dict[str, list[JoinedRecord]]) -> dict[str, JoinedRecord]:
    return {record.id: record for records in joined.values() for record in records}


def test_records_are_joined_in_any_order_and_from_any_file(tmp_path: Path) -> None:
    """Row 17: one record per channel."""
    records = channel_records()
    order = np.random.default_rng(1).permutation(len(records))
    shuffled = [records[index] for index in order]
    joined, split = flat(join(tmp_path / "a", records)), flat(join(tmp_path / "b", shuffled[:11], shuffled[11:]))
    assert list(joined) == [f"s{number:03d}" for number in range(8)]
    for name, sample in joined.items():
        assert (sample.target, sample.group) == (str(int(name[1:]) % 2), name)
        other = split[name]
        assert (other.sha256, other.bytes, other.target) == (sample.sha256, sample.bytes, sample.target)
    assert len({sample.sha256 for sample in joined.values()}) == 8
    assert all(location.startswith(("0.tfrec#", "1.tfrec#")) for location in split["s003"].locations)
    assert split["s003"].location("any").count("|") == 3


@pytest.mark.parametrize("form", ["{channel}-{id}", "well {id} of {channel}.png"])
def test_record_names_may_have_another_form(form: str, tmp_path: Path) -> None:
    assert len(flat(join(tmp_path, channel_records(form=form), form=form))) == 8


def test_a_missing_channel_is_reported(tmp_path: Path) -> None:
    records = channel_records()
    del records[4 * 2 + 1]
    words = (
        r"0\.tfrec, record 9, id 's002_red': its sample has no record of channel green \('s002_green' is in no file\)"
    )
    with pytest.raises(FoldlineError, match=words):
        join(tmp_path, records)


def test_an_unknown_channel_is_reported(tmp_path: Path) -> None:
    words = (
        r"record 4, id 's000_yellow' \(and 7 more records\): the id does not have the form \{id\}_\{channel\} .* "
        "channels red, green, blue;"
    )
    with pytest.raises(FoldlineError, match=words):
        join(tmp_path, channel_records(), channels=CHANNELS[:3])


def test_labels_of_one_sample_must_agree(tmp_path: Path) -> None:
    records = channel_records()
    records[6]["target"] = b"0"
    words = r"0\.tfrec, record 7, id 's001_blue': label, group or metadata .* differ from .* of 0\.tfrec, record 5"
    with pytest.raises(FoldlineError, match=words):
        join(tmp_path, records)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """PNG files of 24 training and 6 test samples, and records of the same PNGs in shuffled order."""
    write_channels(tmp_path)
    for split in ("train", "test"):
        records = []
        for path in sorted((tmp_path / split).iterdir()):
            number = int(path.name[1:4])
            labels = {"target": str(number % 2).encode()} if split == "train" else {}
            records.append({"image": path.read_bytes(), "image_name": path.stem.encode(), **labels})
        order = np.random.default_rng(2).permutation(len(records))
        for number in range(3):
            write_tfrecord(tmp_path / f"{split}{number}.tfrec", [records[index] for index in order[number::3]])
    return tmp_path


def scan_records(root: Path) -> pd.DataFrame:
    """Scan the training records; the inventory."""
    table = read(root, **RECORD_KEYS).tables["train"]
    return scan(root, images=None, table=table, locations=table)


def test_files_and_records_of_the_same_images_are_the_same_data(root: Path) -> None:
    """Row 17: shards of PNG files and of records of single channels hold the same pixels."""
    from_files, from_records = read(root), read(root, **RECORD_KEYS)
    for split, samples in from_files.splits.items():
        assert sorted(samples.digests()) == sorted(from_records.splits[split].digests())
    scan(root)
    path = shard(root, "files")
    scan_records(root)
    other = shard(root, "records", locations=from_records.tables["train"])
    assert records_in(path) == records_in(other)
    pixels, others = batch(path, CHANNELS), batch(other, CHANNELS)
    for name, image in pixels.items():
        np.testing.assert_array_equal(image, others[name])
        np.testing.assert_array_equal(image, cells(int(name[1:]), int(name[1:]) % 2))


def test_repeated_records_are_reported(root: Path) -> None:
    twice = {"image": saved(photograph(32, 32, 1), "PNG"), "image_name": b"s001_red", "target": b"1"}
    write_tfrecord(root / "train3.tfrec", [twice])
    with pytest.raises(FoldlineError, match=r"train3\.tfrec, record 1: id 's001_red' is also in .*train\d\.tfrec"):
        read(root, **RECORD_KEYS)


def test_channels_of_other_sizes_are_a_problem_of_their_sample(root: Path) -> None:
    height = dict.fromkeys(CHANNELS, 32) | {"blue": 40}
    images = {name: saved(photograph(rows, 32, 1), "PNG") for name, rows in height.items()}
    records = [
        {"image": image, "image_name": f"s099_{name}".encode(), "target": b"1"} for name, image in images.items()
    ]
    write_tfrecord(root / "train3.tfrec", records)
    table = scan_records(root).set_index("id")
    assert "32 x 40 pixels, but train3.tfrec#" in table.loc["s099", "problem"]
    assert list(table.index[table["problem"] != ""]) == ["s099"]


def test_a_record_in_color_is_a_problem_of_its_sample(root: Path) -> None:
    path = root / "train0.tfrec"
    records = [{name: values[0] for name, values in decode_example(data).items()} for data in read_records(path)]
    records[0]["image"] = saved(photograph(32, 32, 3), "PNG")
    write_tfrecord(path, records)
    table = scan_records(root)
    wrong = table[table["problem"] != ""]
    assert list(wrong["id"]) == [records[0]["image_name"].decode().split("_")[0]]
    assert wrong["problem"].iloc[0].startswith("train0.tfrec#12+")
    assert joint_digest(["a", "b"]) not in set(table["sha256"])


def test_an_unknown_column_cannot_be_renamed(root: Path) -> None:
    words = r"dataset\.record_features has 'ID', which is not a column of this config \(id, target\)"
    with pytest.raises(FoldlineError, match=words):
        read(root, record_features={"ID": "image_name"})
