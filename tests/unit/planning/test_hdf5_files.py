"""Images in HDF5 files are found, known again while the file stays, and refused by what they are."""

import fcntl
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from fixtures.channels import CHANNELS
from fixtures.example_config import SCHEMA
from fixtures.hdf5 import write_hdf5
from fixtures.images import write_dataset
from fixtures.pictures import photograph, saved
from fixtures.settings import dataset_settings
from foldline.dataset.locations import read_locations
from foldline.errors import FoldlineError
from foldline.io.hdf5_paths import Entry
from foldline.planning import image_files
from foldline.planning.configuration import complete
from foldline.planning.data_index import FILE, DataIndex, DataIndexer
from foldline.planning.hdf5_files import Hdf5Files
from foldline.planning.image_checks import image_checks
from foldline.planning.raw_data import RawData, read_raw_data
from foldline.tfrecords.image_sources import scan_sample


@pytest.fixture
def dataset(tmp_path: Path) -> dict[str, Any]:
    """Twelve rows with PNG files, which are in the HDF5 file `images.hdf5` as well."""
    write_dataset(tmp_path / "data", train=8, test=4)
    write_hdf5(tmp_path / "data" / "images.hdf5", png_files(tmp_path / "data"))
    return dataset_settings(
        root=str(tmp_path / "data"),
        id_column="image_name",
        group_column="patient_id",
        train_images="images.hdf5::{id}",
        test_images="images.hdf5::{id}",
    )


def png_files(root: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted((root / "images").glob("*.png"))}


def read(dataset: dict[str, Any]) -> RawData:
    return read_raw_data(dataset, record_tables=str(Path(dataset["root"]) / "raw"))


def indexed(dataset: dict[str, Any], folder: Path) -> DataIndex:
    """The data index, which is stored."""
    config = complete({"dataset": dataset, "folds": {"count": 2}, "models": {"m": {"image_size": 32}}}, SCHEMA)
    indexer = DataIndexer(config, folder=folder, pinned=None, record_tables=str(folder / "raw"))
    index = indexer.read()
    for split in index.splits.values():
        split.shard_digests(4)
    indexer.store(index)
    return index


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the images that are read from now on."""
    found: list[str] = []
    place = Hdf5Files.place
    monkeypatch.setattr(Hdf5Files, "place", lambda self, entry: found.append(entry.key) or place(self, entry))
    return found


def test_entries_have_the_digests_and_sizes_of_files(dataset: dict[str, Any]) -> None:
    files = read({**dataset, "train_images": "images/{id}.png", "test_images": "images/{id}.png"})
    entries = read(dataset)
    for split, samples in entries.splits.items():
        assert samples.digests() == files.splits[split].digests()
        assert list(samples.sizes) == list(files.splits[split].sizes)
    assert list(files.locations) == []
    table = read_locations(entries.locations["train"])
    data = (Path(dataset["root"]) / "images.hdf5").read_bytes()
    for name, location in table.items():
        assert location.startswith(f"images.hdf5::{name}#")
        offset, length = map(int, location.rpartition("#")[2].split("+"))
        assert data[offset : offset + length] == png_files(Path(dataset["root"]))[name]


@pytest.mark.parametrize(
    "stored",
    [
        np.void,
        np.bytes_,
        lambda data: np.frombuffer(data, np.uint8),
        lambda data: np.frombuffer(data, np.int8),
        lambda data: np.array([np.void(data)]),
    ],
    ids=["opaque", "string", "uint8", "int8", "one of one"],
)
@pytest.mark.parametrize("options", [{}, {"userblock_size": 1024}, {"libver": "latest"}], ids=["usual", "user", "new"])
def test_bytes_are_those_that_hdf5_gives(tmp_path: Path, stored: Callable[[bytes], Any], options: dict) -> None:
    data = saved(photograph(20, 30), "JPEG")
    path = write_hdf5(tmp_path / "a.h5", {"before": b"x" * 77, "group/a": stored(data)}, **options)
    files = Hdf5Files()
    place = files.place(Entry(str(path), "group/a"))
    files.close()
    assert path.read_bytes()[place.offset : place.offset + place.length] == data
    (image,) = [scan_sample([f"{path}::group/a#{place.offset}+{place.length}"], image_feature="image", gray=False)]
    assert (image.cells["width"], image.cells["height"], image.cells["problem"]) == (30, 20, "")


def test_known_entries_are_not_read_again(dataset: dict[str, Any], tmp_path: Path, reads: list[str]) -> None:
    first = indexed(dataset, tmp_path)
    assert len(reads) == 12
    again = indexed(dataset, tmp_path)
    table = tmp_path / "data" / "train.csv"
    table.write_text(table.read_text().replace("s003,p001", "s003,p000"))
    edited = indexed(dataset, tmp_path)
    assert len(reads) == 12
    for index in (again, edited):
        assert [split.image_bytes for split in index.splits.values()] == [
            split.image_bytes for split in first.splits.values()
        ]
    assert sum(first.splits["train"].image_bytes) < (tmp_path / "data" / "images.hdf5").stat().st_size
    assert digests(again) == digests(first) != digests(edited)


def digests(index: DataIndex) -> dict[str, str]:
    return index.splits["train"].shard_digests(4)


def test_a_changed_entry_concerns_its_row_alone(dataset: dict[str, Any], tmp_path: Path, reads: list[str]) -> None:
    """Also if all bytes move, and if the time of the file does not tell."""
    before = indexed(dataset, tmp_path)
    path = tmp_path / "data" / "images.hdf5"
    status = path.stat()
    images = {"a new one": b"x" * 5000, **png_files(tmp_path / "data")}
    write_hdf5(path, images)
    same = indexed(dataset, tmp_path)
    assert (len(reads), digests(same)) == (24, digests(before))
    written = read_locations(same.locations["train"])
    assert written == read_locations(read(dataset).locations["train"])
    with h5py.File(path, "r+") as file:
        del file["s003"]
        file["s003"] = np.void(saved(photograph(24, 24, seed=99), "PNG"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    changed = indexed(dataset, tmp_path)
    different = [name for name, digest in digests(changed).items() if digest != digests(before)[name]]
    assert len(different) == 1
    assert changed.splits["test"].shard_digests(4) == before.splits["test"].shard_digests(4)


def test_entries_without_a_row_stay_known(dataset: dict[str, Any], tmp_path: Path, reads: list[str]) -> None:
    indexed(dataset, tmp_path)
    table = tmp_path / "data" / "train.csv"
    rows = table.read_text()
    table.write_text("\n".join(rows.splitlines()[:-1]))
    indexed(dataset, tmp_path)
    assert pq.read_table(tmp_path / FILE)["split"].to_pylist().count(None) == 1
    table.write_text(rows)
    indexed(dataset, tmp_path)
    assert len(reads) == 12


def test_columns_of_the_table_may_name_file_and_key(dataset: dict[str, Any]) -> None:
    plain = read(dataset)
    root = Path(dataset["root"])
    write_hdf5(root / "s003.h5", {"site/s003": (root / "images" / "s003.png").read_bytes()})
    for name in ("train", "test"):
        header, *rows = (root / f"{name}.csv").read_text().splitlines()
        paths = [f"images.hdf5::{row.split(',')[0]}" if "s002" not in row else "images/s002.png" for row in rows]
        paths = [path if "s003" not in path else "s003.h5::site/s003" for path in paths]
        (root / f"{name}.csv").write_text("\n".join([f"{header},path", *map(",".join, zip(rows, paths, strict=True))]))
    by_column = read({**dataset, "train_images": None, "test_images": None, "image_column": "path"})
    assert by_column.splits["train"].digests() == plain.splits["train"].digests()
    locations = read_locations(by_column.locations["train"])
    assert locations["s002"] == "images/s002.png"
    assert re.fullmatch(r"s003\.h5::site/s003#\d+\+\d+", locations["s003"])


def test_channels_may_be_keys(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    names = [*png_files(root)]
    gray = {f"{name}/{channel}": saved(photograph(8, 8, 1), "PNG") for name in names for channel in CHANNELS}
    write_hdf5(root / "gray.h5", gray)
    path = "gray.h5::{id}/{channel}"
    data = read({**dataset, "channels": list(CHANNELS), "train_images": path, "test_images": path})
    paths = read_locations(data.locations["train"])["s003"].split("|")
    assert [location.partition("#")[0] for location in paths] == [f"gray.h5::s003/{name}" for name in CHANNELS]


def test_missing_keys_are_named_with_the_most_similar_one(dataset: dict[str, Any]) -> None:
    root = Path(dataset["root"])
    images = png_files(root)
    images["S002"] = images.pop("s002")
    images["s0051"] = images.pop("s005")
    write_hdf5(root / "images.hdf5", images)
    with pytest.raises(FoldlineError) as caught:
        read({**dataset, "test_images": "images/{id}.png"})
    message = str(caught.value)
    assert re.search(r"train\.csv, line 4: id 's002': image .*/images\.hdf5::s002 does not exist; the most si", message)
    assert "the most similar key in the file is 'S002'" in message
    assert "images.hdf5::s005 does not exist; the most similar key in the file is 's0051'" in message
    assert "\n" not in message
    with pytest.raises(FoldlineError, match=r"absent\.hdf5::s000 does not exist, because there is no file .*absent\.h"):
        read({**dataset, "train_images": "absent.hdf5::{id}"})
    with pytest.raises(FoldlineError, match=r"images\.hdf5::a/s000 does not exist, and the file has no keys there"):
        read({**dataset, "train_images": "images.hdf5::a/{id}"})


def vary(file: h5py.File) -> None:
    file.create_dataset("s000", shape=(), dtype=h5py.vlen_dtype(np.uint8))


def external(file: h5py.File) -> None:
    other = Path(file.filename).with_name("other.hdf5")
    file["s000"] = h5py.ExternalLink(str(write_hdf5(other, {"x": b"abc"})), "x")


def outside(file: h5py.File) -> None:
    file.create_dataset("s000", shape=(3,), dtype="u1", external=[("bytes.bin", 0, 3)])


def compact(file: h5py.File) -> None:
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((3,))
    h5py.h5d.create(file.id, b"s000", h5py.h5t.NATIVE_UINT8, space, settings)


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (lambda file: file.create_dataset("s000", data=np.zeros(9, np.uint8), chunks=(3,)), "stored in chunks"),
        (
            lambda file: file.create_dataset("s000", data=np.zeros(9, np.uint8), compression="gzip"),
            "in chunks, as with",
        ),
        (compact, "that is stored in its header"),
        (vary, "of variable length"),
        (lambda file: file.create_dataset("s000", data="text"), "of variable length"),
        (external, "a link into another HDF5 file; name that file"),
        (outside, "with its bytes in another file"),
        (lambda file: file.create_dataset("s000", shape=(4,), dtype="u1"), "an empty dataset"),
        (lambda file: file.create_dataset("s000", data=h5py.Empty("V3")), r"a dataset of \|V3 with shape None"),
        (lambda file: file.create_dataset("s000", data=np.zeros((4, 5, 3), np.uint8)), r"uint8 with shape \(4, 5, 3\)"),
        (lambda file: file.create_dataset("s000", data=np.zeros(4, np.uint16)), r"uint16 with shape \(4,\), not the"),
        (lambda file: file.create_dataset("s000", data=np.zeros((), [("a", "i4")])), "of .*'a'.* not the bytes of an"),
        (
            lambda file: file.create_dataset("s000", data=np.zeros((), [("a\n" + "b" * 99, "i4")])),
            r"'a\\nb+\.\.\. with",
        ),
        (lambda file: file.create_group("s000"), "a group; save the bytes of each image file as one dataset"),
        (lambda file: file.create_dataset("s000", data=np.void(b"no image")), "it is a text file, not a JPEG"),
    ],
    ids=[
        *("chunks", "gzip", "compact", "vlen", "text", "external link", "external file", "no bytes", "null", "pixels"),
        *("uint16", "compound", "hostile name", "group", "no image"),
    ],
)
def test_other_storage_is_refused_by_name(
    dataset: dict[str, Any], store: Callable[[h5py.File], Any], words: str
) -> None:
    path = Path(dataset["root"]) / "images.hdf5"
    with h5py.File(path, "r+") as file:
        del file["s000"]
        store(file)
    with pytest.raises(
        FoldlineError, match=rf"train\.csv, line 2: id 's000': image .*::s000 cannot be .*{words}"
    ) as caught:
        read(dataset)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("damage", ["truncated", "replaced", "empty", "groups", "folder"])
def test_a_damaged_file_is_one_line(dataset: dict[str, Any], damage: str) -> None:
    path = Path(dataset["root"]) / "images.hdf5"
    data = path.read_bytes()
    start = data.index(b"TREE")
    words = {
        "groups": r"the HDF5 file is damaged \([A-Za-z -]+\); copy it again",
        "folder": "a folder, not a file",
    }.get(damage, r"HDF5 cannot open the file \([^()]+\); copy it again")
    damaged = {"truncated": data[: len(data) // 2], "replaced": b"<html>", "empty": b""}
    path.write_bytes(damaged.get(damage, data[:start] + bytes(400) + data[start + 400 :]))
    if damage == "folder":
        path.unlink()
        path.mkdir()
    with pytest.raises(FoldlineError, match=rf"line 2: id 's000': image .*images\.hdf5::s000 cannot be read: {words}"):
        read({**dataset, "test_images": "images/{id}.png"})


def test_a_file_that_another_program_writes_is_named(dataset: dict[str, Any]) -> None:
    with (Path(dataset["root"]) / "images.hdf5").open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(FoldlineError, match=r"::s000 cannot be read: another program writes the file; wait for"):
            read(dataset)
    assert len(read(dataset).splits) == 2


def test_a_file_that_ends_within_an_image_is_refused(dataset: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    place = Hdf5Files.place
    monkeypatch.setattr(Hdf5Files, "place", lambda self, entry: place(self, entry)._replace(offset=10**9))
    with pytest.raises(FoldlineError, match=r"images\.hdf5::s000 cannot be read: the file is truncated"):
        read(dataset)


def test_the_missing_package_is_named(dataset: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(FoldlineError, match="this Python lacks the package h5py; run `make environment`"):
        read(dataset)


def test_files_are_closed(dataset: dict[str, Any]) -> None:
    images = image_files.LocalImages()
    images.facts([f"{dataset['root']}/images.hdf5::s000"], row_of=str)
    with h5py.File(Path(dataset["root"]) / "images.hdf5", "r+") as file:
        assert "s000" in file


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"root": "gs://bucket/data"}, "in a bucket, which cannot be read there; copy the file to a disk"),
        ({"train_images": ["a.hdf5::{id}", "b/{id}.png"]}, "cannot be one of several paths; write it alone, or set"),
        ({"train_images": "a.hdf5::{id}.*"}, r"but with \*; write file and key in full, such as train-image\.hdf5"),
        ({"train_images": "a.H5::{id}.*"}, r"but with \*; write file and key"),
        ({"train_images": "a.hdf5"}, r"is 'a\.hdf5', an HDF5 file; write :: between .* such as a\.hdf5::\{id\}"),
        ({"train_images": "a.H5/{id}"}, r"is 'a\.H5/\{id\}', an HDF5 file; write :: .* such as a\.H5::\{id\}"),
        ({"train_images": "*/a.hdf5::{id}"}, r"but with \*; write file and key"),
        ({"test_table": None}, "its keys are not listed as rows; set dataset.test_table to a table with the ids"),
    ],
)
def test_what_a_path_cannot_say_is_refused(dataset: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    changed = {**dataset, **changes}
    problems = [problem for check in image_checks(changed) for problem in check]
    assert re.search(words, problems[0])
    assert problems[0].startswith("config: dataset.t")
    assert [problem for check in image_checks(dataset) for problem in check] == []
