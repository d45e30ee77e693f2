"""A stored data index equals the index of the rows, and is rebuilt when one of its sources changed."""

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from fixtures.channels import CHANNELS, write_channels
from fixtures.heic import TURNED
from fixtures.images import EXTERNAL, write_dataset
from fixtures.pictures import photograph, saved
from fixtures.project import REPOSITORY
from fixtures.tfrecords import examples, write_tfrecord
from foldline.dataset.id_hash import shard_index, shard_name
from foldline.errors import FoldlineError
from foldline.images.options import ImageOptions
from foldline.io.storage import ObjectInfo
from foldline.planning import data_index as module
from foldline.planning import image_content, image_files
from foldline.planning.configuration import complete, read_schema
from foldline.planning.data_index import FILE, DataIndex, DataIndexer
from foldline.planning.dataset_section import without_labels
from foldline.planning.equal_files import CONTRADICTIONS
from foldline.planning.index_table import SCHEMA as SCHEMA_OF_TABLE
from foldline.planning.raw_data import RawData
from foldline.tfrecords import record_index
from PIL import Image

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
        external=EXTERNAL,
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
    # Another number of shards needs no rows.
    other = index(config, tmp_path, count=8)
    assert other["splits"]["train"][0] == first["splits"]["train"][0]
    assert index(config, tmp_path, count=8) == other
    assert index(config, tmp_path) == first
    assert reads.count == 1


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


@pytest.mark.parametrize("content", [b"", b"garbage", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_corrupt_index_is_rebuilt(config: dict[str, Any], tmp_path: Path, reads: Reads, content: bytes) -> None:
    first = index(config, tmp_path)
    (tmp_path / FILE).write_bytes(content)
    assert index(config, tmp_path) == first
    assert index(config, tmp_path) == first
    assert reads.count == 2


def test_a_truncated_index_is_rebuilt(config: dict[str, Any], tmp_path: Path, reads: Reads) -> None:
    first = index(config, tmp_path)
    content = (tmp_path / FILE).read_bytes()
    for number, size in enumerate((len(content) - 1, len(content) - 16, len(content) // 2, 10), start=2):
        (tmp_path / FILE).write_bytes(content[:size])
        assert index(config, tmp_path) == first
        assert reads.count == number


def test_a_changed_byte_changes_no_result(config: dict[str, Any], tmp_path: Path, reads: Reads) -> None:
    first, others = index(config, tmp_path), {}
    content = (tmp_path / FILE).read_bytes()
    for count, position in enumerate(range(4, len(content) - 4, len(content) // 16), start=5):
        damaged = bytearray(content)
        damaged[position] ^= 1
        (tmp_path / FILE).write_bytes(damaged)
        assert index(config, tmp_path) == first
        (tmp_path / FILE).write_bytes(damaged)
        # These digests are not in the index, so its rows are used.
        others[count] = index(config, tmp_path, count=count)
        (tmp_path / FILE).unlink()
        assert index(config, tmp_path, count=count) == others[count]
    # Each index that was removed, and some of the damaged ones.
    assert reads.count > 1 + len(others)


def test_the_index_holds_what_is_known_of_each_image(config: dict[str, Any], tmp_path: Path) -> None:
    index(config, tmp_path)
    table = pq.read_table(tmp_path / FILE)
    assert table.schema.names == list(SCHEMA_OF_TABLE)
    rows = {row["id"]: row for row in table.to_pylist()}
    assert list(rows)[:2] == ["s000", "s001"]
    path = tmp_path / "data" / "images" / "s003.png"
    status = path.stat()
    with Image.open(path) as image:
        width, height = image.size
    expected = {
        "split": "train",
        "path": str(path),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "format": "PNG",
        "width": width,
        "height": height,
        "record_offset": None,
    }
    assert {name: rows["s003"][name] for name in expected} == expected
    assert [len(rows[name]["row_digest"]) for name in rows] == [16] * len(rows)
    assert {row["split"] for row in rows.values()} == {"train", "test", "external"}


def read_images(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are read from now on."""
    found: list[str] = []
    read = image_files.read_content
    monkeypatch.setattr(image_files, "read_content", lambda path, how: found.append(Path(path).name) or read(path, how))
    return found


def test_an_edited_table_needs_no_image_again(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = index(config, tmp_path)
    found = read_images(monkeypatch)
    table = tmp_path / "data" / "train.csv"
    table.write_text(table.read_text().replace("s003,p001", "s003,p000"))
    after = index(config, tmp_path)
    assert found == []
    assert after["splits"]["train"][0] == before["splits"]["train"][0]
    changed = {name for name, digest in after["splits"]["train"][1].items() if digest not in str(before)}
    assert changed == {shard_name(shard_index("s003", 4), 4)}
    assert len(pq.read_table(tmp_path / FILE)) == 18


def test_images_without_a_row_stay_known_while_they_are_there(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(config, tmp_path)
    without = {**config, "dataset": {**config["dataset"], "external": None}}
    index(without, tmp_path)
    assert pq.read_table(tmp_path / FILE)["split"].to_pylist().count(None) == 2
    found = read_images(monkeypatch)
    index(config, tmp_path)
    assert found == []
    (removed,) = [path for path in (tmp_path / "data" / "images").iterdir() if path.stem == "e000"]
    removed.unlink()
    index(without, tmp_path)
    assert pq.read_table(tmp_path / FILE)["split"].to_pylist().count(None) == 1


def test_images_that_were_read_before_an_error_stay_known(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "data" / "sample_submission.csv"
    right = table.read_text()
    table.write_text(right.replace("s012", "s099"))
    found = read_images(monkeypatch)
    with pytest.raises(FoldlineError, match="sample_submission"):
        index(config, tmp_path)
    assert len(found) == 18
    table.write_text(right)
    first = index(config, tmp_path)
    assert len(found) == 18
    assert index(config, tmp_path) == first


def test_unusable_headers_of_all_splits_are_reported_before_any_job(config: dict[str, Any], tmp_path: Path) -> None:
    index(config, tmp_path)
    for name, content in (("s003", b"no image"), ("s013", b""), ("e000", b"\0" * 128 + b"DICM")):
        (tmp_path / "data" / "images" / f"{name}.png").write_bytes(content)
    # The second time the bytes are known.
    for _ in range(2):
        with pytest.raises(FoldlineError) as caught:
            index(config, tmp_path)
        first, *lines = str(caught.value).splitlines()
        assert first == "3 problems"
        for line, words in zip(lines, ("train.csv, line 5", "test.csv, line 3", "external.csv, line 2"), strict=True):
            assert words in line
            assert "cannot be used: " in line
        assert "empty file" in lines[1]
        assert "DICOM" in lines[2]
    rows = pq.read_table(tmp_path / FILE).to_pylist()
    (row,) = (row for row in rows if row["path"].endswith("s003.png"))
    assert (row["sha256"], row["width"]) == (hashlib.sha256(b"no image").hexdigest(), None)


def test_all_unusable_headers_of_a_split_have_a_line(config: dict[str, Any], tmp_path: Path) -> None:
    names = [f"s{number:03d}" for number in range(8)]
    for name in names:
        (tmp_path / "data" / "images" / f"{name}.png").write_bytes(b"no image")
    with pytest.raises(FoldlineError) as caught:
        index(config, tmp_path)
    first, *lines = str(caught.value).splitlines()
    assert first == "8 problems"
    assert all(f"id {name!r}" in line for name, line in zip(names, lines, strict=True))
    assert all(line.endswith("; replace the file, or leave the image out") for line in lines)


def test_images_whose_range_is_unknown_are_reported_with_all_problems_before_any_job(
    config: dict[str, Any], tmp_path: Path, reads: Reads
) -> None:
    folder = tmp_path / "data" / "images"
    for name, kind in {"s003": "f4", "s004": "f4", "s005": "f4", "s007": "i2", "s013": "u4"}.items():
        # Planning recognizes formats by their content.
        tifffile.imwrite(folder / f"{name}.png", np.ones((20, 20), kind))
    (folder / "s006.png").write_bytes(b"")
    # The second time the bytes are known.
    for _ in range(2):
        with pytest.raises(FoldlineError) as caught:
            index(config, tmp_path)
        first, *lines = str(caught.value).splitlines()
        assert first == "4 problems"
        assert "empty file" in lines[0]
        assert "line 5: id 's003'" in lines[1]
        assert "s003.png (and 2 more images) cannot be used: a TIFF with float samples of 32 bits" in lines[1]
        assert "set dataset.intensity to {max: VALUE}" in lines[1]
        assert "s007.png cannot be used: a TIFF with signed samples of 16 bits" in lines[2]
        assert "s013.png cannot be used: a TIFF with whole samples of 32 bits" in lines[3]
    # Alone, they are no error before it is known what is requested.
    tifffile.imwrite(folder / "s006.png", np.ones((20, 20), "f4"))
    stored = index(config, tmp_path)
    assert [problem.count("range is not known") for problem in stored["unranged"]] == [1, 1, 1]
    assert "s003.png (and 3 more images)" in stored["unranged"][0]
    count = reads.count
    assert index(config, tmp_path) == stored
    assert reads.count == count
    config["dataset"]["intensity"] = {"max": 1}
    assert index(config, tmp_path)["unranged"] == []


def test_all_images_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    names = [f"s{number}" for number in range(1200)]
    for name in names:
        (folder / f"{name}.png").write_bytes(b"a text")
    rows = "".join(f"{name},{number % 2}\n" for number, name in enumerate(names))
    (folder / "train.csv").write_text(f"id,y\n{rows}")
    dataset = {"root": str(folder), "train_images": "{id}.png", "id_column": "id", "target_column": "y"}
    dataset |= {"test_table": None, "test_images": None, "sample_submission": None}
    config = complete({"dataset": dataset, "folds": {"count": 2}, "models": {"m": {"image_size": 32}}}, SCHEMA)
    for _ in range(2):
        with pytest.raises(FoldlineError) as caught:
            index(config, tmp_path)
        lines = str(caught.value).splitlines()
        assert lines[0] == "1,200 problems"
        assert "and 1,170 more images with unusable headers" in lines[-1]


def test_heic_images_without_their_decoder_are_reported_with_all_problems(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "images"
    for name in ("s003", "s004"):
        (folder / f"{name}.png").write_bytes(TURNED)
    monkeypatch.setitem(sys.modules, "pillow_heif", ModuleType("pillow_heif"))
    sys.modules["pillow_heif"].__spec__ = ModuleSpec("pillow_heif", None)
    stored = index(config, tmp_path)
    # The package may be removed when the images are known.
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(FoldlineError, match="lacks the package pillow-heif"):
        index(config, tmp_path)
    (folder / "s006.png").write_bytes(b"")
    with pytest.raises(FoldlineError) as caught:
        index(config, tmp_path)
    first, empty, heic = str(caught.value).splitlines()
    assert (first, "empty file" in empty, bool(stored)) == ("2 problems", True, True)
    assert "s003.png (and 1 more image) cannot be used: a HEIC image, for which" in heic
    assert "lacks the package pillow-heif; run python -m pip install" in heic


def test_files_beyond_the_limit_are_reported_before_any_job(config: dict[str, Any], tmp_path: Path) -> None:
    config["dataset"]["max_megapixels"] = 0.01
    index(config, tmp_path)
    path = tmp_path / "data" / "images" / "s003.png"
    path.write_bytes(path.read_bytes() + bytes(80_000))
    with pytest.raises(
        FoldlineError, match=r"train\.csv, line 5.*s003\.png cannot be used: a file of 0 MB; dataset\.max"
    ):
        index(config, tmp_path)


def test_objects_beyond_the_limit_are_reported_from_the_listing(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte of them is read, now or in the scan."""

    def listed(folder: str) -> dict[str, ObjectInfo]:
        sizes = {f"{folder}/{path.name}": path.stat().st_size for path in (tmp_path / "data" / "images").iterdir()}
        sizes[f"{folder}/s003.png"] = large
        return {url: ObjectInfo(size, f"md5Hash:{size}", 1) for url, size in sizes.items()}

    monkeypatch.setattr(image_files.storage, "list_objects", listed)
    config["dataset"] |= {"train_images": "gs://bucket/images/{id}.png", "test_images": "gs://bucket/images/{id}.png"}
    config["dataset"]["external"] = None
    large = 1_200_000_001
    with pytest.raises(
        FoldlineError, match=r"line 5.*s003\.png cannot be used: a file of 1,200 MB; .* allows 1,200 MB"
    ):
        index(config, tmp_path)
    large -= 1
    assert index(config, tmp_path)["splits"]["train"][0]


def test_an_image_with_a_page_of_its_own_is_read_as_the_configuration_says(
    config: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "data" / "images" / "s003.png"
    tifffile.imwrite(path, np.zeros((2, 8, 9, 3), np.uint8), photometric="rgb")
    with pytest.raises(FoldlineError, match=r"s003\.png cannot be used: 2 pages"):
        index(config, tmp_path)
    config["dataset"]["page"] = 2
    assert index(config, tmp_path) == index(config, tmp_path)
    rows = {Path(row["path"]).name: row for row in pq.read_table(tmp_path / FILE).to_pylist()}
    assert (rows["s003.png"]["format"], rows["s003.png"]["width"]) == ("TIFF", 9)


def test_headers_are_read_again_with_other_options_and_then_known(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the table changed since then. White concerns samples, not headers."""
    before = index(config, tmp_path)
    found = read_images(monkeypatch)
    config["dataset"]["intensity"] = {"bits": 12}
    assert index(config, tmp_path) == before
    assert found == []
    config["dataset"]["max_megapixels"] = 1.0
    table = tmp_path / "data" / "train.csv"
    for count in (18, 18):
        assert index(config, tmp_path)["splits"]["train"][0] == before["splits"]["train"][0]
        assert len(found) == count
        table.write_text(table.read_text().replace("s003,p001", "s003,p000"))
    config["dataset"]["max_megapixels"] = 0.0001
    with pytest.raises(FoldlineError, match=r"s000\.png cannot be used: .* megapixels; dataset\.max_megapixels allows"):
        index(config, tmp_path)


def records_config(root: Path, **changes: Any) -> dict[str, Any]:
    """A data set of TFRecord files, whose test records have labels too."""
    for split, count, first in (("train", 8, 0), ("test", 4, 8)):
        write_tfrecord(root / "records" / f"{split}.tfrec", examples(count, first=first))
    records = {f"{split}_records": [f"records/{split}.tfrec"] for split in ("train", "test")}
    none = {"train_images": None, "test_images": None, "sample_submission": None}
    return configuration(root, **records, **none, **changes)


@pytest.mark.parametrize("test_labels", [None, "own"])
def test_records_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test_labels: str | None) -> None:
    (tmp_path / "data" / "records").mkdir(parents=True)
    config = records_config(tmp_path / "data", test_labels=test_labels)
    first = index(config, tmp_path)
    content = (tmp_path / FILE).read_bytes()
    monkeypatch.setattr(record_index, "index_file", None)
    assert index(config, tmp_path) == first
    assert (tmp_path / FILE).read_bytes() == content
    rows = pq.read_table(tmp_path / FILE).to_pylist()
    assert [row["split"] for row in rows] == ["train"] * 8 + ["test"] * 4
    assert all(row["record_offset"] > 0 and row["record_length"] > row["size"] > 0 for row in rows)
    assert (tmp_path / "raw" / "test_labels.csv").is_file() == (test_labels == "own")


def test_other_records_of_the_same_size_and_mtime_are_read(tmp_path: Path) -> None:
    (tmp_path / "data" / "records").mkdir(parents=True)
    config = records_config(tmp_path / "data")
    before = index(config, tmp_path)
    path = tmp_path / "data" / "records" / "train.tfrec"
    status = path.stat()
    other = write_tfrecord(path.with_name("other"), [{**one, "target": 1 - one["target"]} for one in examples(8)])
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    assert path.stat().st_size == status.st_size
    assert index(config, tmp_path)["splits"]["train"] != before["splits"]["train"]


def test_the_index_is_mirrored_and_a_new_machine_starts_from_the_mirror(
    config: dict[str, Any], tmp_path: Path, reads: Reads
) -> None:
    mirror = tmp_path / "bucket"

    def indexed(machine: str) -> dict[str, Any]:
        indexer = DataIndexer(
            config, folder=tmp_path / machine, pinned=None, record_tables=str(tmp_path / "raw"), mirror=str(mirror)
        )
        data_index = indexer.read()
        content = content_of(data_index, 4)
        indexer.store(data_index)
        return content

    first = indexed("a")
    assert (mirror / FILE).read_bytes() == (tmp_path / "a" / FILE).read_bytes()
    assert indexed("b") == first
    assert reads.count == 1
    (mirror / FILE).write_bytes(b"damaged")
    assert indexed("c") == first
    assert reads.count == 2
    assert (mirror / FILE).read_bytes() == (tmp_path / "c" / FILE).read_bytes()


def test_the_reading_of_the_labels_is_stored(tmp_path: Path, reads: Reads) -> None:
    write_dataset(tmp_path / "data", train=12, test=4, external=2)
    labels = {"kind": "multiclass", "classes": ["a", "b"]}
    config = configuration(tmp_path / "data", labels=labels, submission={"class": "a", "column": "target"})
    first = index(config, tmp_path)
    assert first["label_cells"] == {"cells": "numbers", "first_number": 0}
    assert index(config, tmp_path) == first
    assert reads.count == 1


def test_one_file_with_two_labels_is_known_from_the_stored_index(
    config: dict[str, Any], tmp_path: Path, reads: Reads
) -> None:
    assert CONTRADICTIONS not in index(config, tmp_path)["found"]
    table, images = tmp_path / "data" / "train.csv", tmp_path / "data" / "images"
    labels = {line.split(",")[0]: line.split(",")[-1] for line in table.read_text().splitlines()[1:]}
    other = next(name for name in labels if labels[name] != labels["s000"])
    shutil.copyfile(images / "s000.png", images / f"{other}.png")
    (text,) = index(config, tmp_path)["found"][CONTRADICTIONS]
    assert text.startswith("1 image with different labels in several rows: ")
    assert index(config, tmp_path)["found"][CONTRADICTIONS] == [text]
    assert reads.count == 2
    config["leaks"]["contradictory_labels"] = "error"
    with pytest.raises(
        FoldlineError, match=r"1 image with different labels in several rows: .*; correct the labels or remove"
    ):
        index(config, tmp_path)


def test_a_missing_image_is_named(config: dict[str, Any], tmp_path: Path) -> None:
    index(config, tmp_path)
    (tmp_path / "data" / "images" / "s003.png").unlink()
    with pytest.raises(FoldlineError, match=r"train\.csv, line 5: id 's003': image .*s003\.png does not exist"):
        index(config, tmp_path)


def test_data_without_labels_are_read_and_stored(config: dict[str, Any], tmp_path: Path) -> None:
    dataset = without_labels(config["dataset"]) | {"train_images": "images/{id}.*"}
    indexer = DataIndexer({**config, "dataset": dataset}, folder=tmp_path, pinned=None, record_tables=str(tmp_path))
    data_index = indexer.read()
    indexer.store(data_index)
    assert list(data_index.splits) == ["test"]


def test_a_missing_image_hides_no_missing_fold_column(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "data" / "images" / "s003.png").unlink()
    with pytest.raises(FoldlineError, match=r"2 problems\n.*s003\.png does not exist.*\n.*train\.csv: no column kfold"):
        index({**config, "folds": {**config["folds"], "column": "kfold"}}, tmp_path)


def test_a_missing_group_hides_no_lack_of_groups(config: dict[str, Any], tmp_path: Path) -> None:
    table = tmp_path / "data" / "train.csv"
    table.write_text(table.read_text().replace(",p001,", ",,", 1))
    with pytest.raises(
        FoldlineError, match=r"2 problems\n.*the group .* of id 's002' is .*\n.*have at most 7 groups \("
    ):
        index({**config, "folds": {**config["folds"], "count": 8}}, tmp_path)
    with pytest.raises(FoldlineError, match=r"^[^\n]*the group .* of id 's002' is [^\n]*$"):
        index({**config, "folds": {**config["folds"], "count": 7}}, tmp_path)


def test_headers_are_read_again_when_the_code_that_reads_them_changes(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()
    read_content = image_files.read_content

    def counted(path: str, options: ImageOptions) -> image_content.ImageContent:
        read.append(path)
        return read_content(path, options)

    monkeypatch.setattr(image_files, "read_content", counted)
    first = index(config, tmp_path)
    every = sorted(read)
    assert every
    read.clear()
    index(config, tmp_path)
    assert read == []
    # The digest of the code of the whole index changes as well.
    monkeypatch.setattr(image_content, "_code", lambda: "other")
    monkeypatch.setattr(module, "code_digest", lambda path: f"other {path}")
    assert index(config, tmp_path) == first
    assert sorted(read) == every


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


def test_a_missing_channel_hides_no_problem_of_the_others(tmp_path: Path) -> None:
    write_channels(tmp_path / "data", train=8, test=4)
    folder = tmp_path / "data" / "train"
    first, second = CHANNELS[:2]
    (folder / f"s000_{second}.png").unlink()
    Image.new("L", (20, 24)).save(folder / f"s001_{second}.png")
    Image.new("RGB", (32, 32), "red").save(folder / f"s002_{first}.png")
    images = {f"{split}_images": f"{split}/{{id}}_{{channel}}.png" for split in ("train", "test")}
    config = configuration(tmp_path / "data", id_column="id", group_column=None, channels=list(CHANNELS), **images)
    with pytest.raises(FoldlineError) as error:
        index(config, tmp_path)
    text = str(error.value)
    assert f"s000_{second}.png does not exist" in text
    assert f"s001_{second}.png cannot be used: 20 x 24 pixels, but s001_{first}.png has 32 x 32" in text
    assert f"s002_{first}.png cannot be used: a color image" in text


def test_data_without_a_sample_submission_are_read_again_if_the_one_that_was_made_is_gone(
    config: dict[str, Any], tmp_path: Path, reads: Reads
) -> None:
    config["dataset"]["sample_submission"] = None
    first = index(config, tmp_path)
    assert index(config, tmp_path) == first
    assert reads.count == 1
    made = tmp_path / "raw" / "sample_submission.csv"
    content = made.read_bytes()
    made.write_bytes(content.replace(b"s012", b"s099"))
    assert index(config, tmp_path) == first
    made.unlink()
    assert index(config, tmp_path) == first
    assert reads.count == 3
    assert made.read_bytes() == content


def test_a_new_or_removed_file_in_a_folder_of_rows_is_noticed(
    config: dict[str, Any], tmp_path: Path, reads: Reads
) -> None:
    images = tmp_path / "data" / "images"
    for name in ("a", "b"):
        (tmp_path / "data" / "train" / name).mkdir(parents=True)
    for number, path in enumerate(sorted(images.glob("s00*.png"))):
        path.rename(tmp_path / "data" / "train" / ("a" if number % 2 else "b") / path.name)
    none = dict.fromkeys(("train_images", "target_column", "group_column", "external", "sample_submission"))
    folders = {"class_folders": "train/{class}/{id}.png", "metadata_columns": []}
    labels = {**config["dataset"]["labels"], "kind": "multiclass", "classes": ["a", "b"]}
    config["dataset"] |= {**none, **folders, "labels": labels}
    first = index(config, tmp_path)
    assert index(config, tmp_path) == first
    assert reads.count == 1
    added = tmp_path / "data" / "train" / "a" / "new.png"
    added.write_bytes(saved(photograph(8, 77), "PNG"))
    assert index(config, tmp_path)["splits"]["train"] != first["splits"]["train"]
    added.unlink()
    assert index(config, tmp_path) == first
    assert reads.count == 3


def test_records_that_cannot_be_read_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    config = records_config(tmp_path)
    (tmp_path / "records" / "train.tfrec").write_bytes(b"no record at all")
    with pytest.raises(FoldlineError) as error:
        index(config, tmp_path)
    assert "train.tfrec, record 1 has a length" in str(error.value)
    assert "folds.count" not in str(error.value)
