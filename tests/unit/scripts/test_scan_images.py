"""The scan of images: one row per sample, with its problem if its image cannot be used."""

import csv
import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pandas as pd
import pytest
from fixtures.pictures import photograph, png_16_bit, png_chunk, saved
from fixtures.scans import planned_digest
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.dataset.id_hash import shard_index, shard_name
from foldline.dataset.locations import write_locations
from foldline.dataset.scan_config import ScanConfig
from foldline.errors import FoldlineError
from foldline.images.decoding import decode
from foldline.images.headers import read_header
from foldline.images.options import ImageOptions
from foldline.images.perceptual_hash import hash_array, perceptual_hash
from foldline.images.picture import Picture
from foldline.images.pixel_facts import contrast, pixel_digest
from foldline.io.tables import INVENTORY, read_table
from foldline.tfrecords import image_reading
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_index import index_file
from foldline.tfrecords.record_tables import write_split_table
from PIL import Image
from scan_images import scan_images

NAMES = [f"s {number}" for number in range(12)]
CONFIG = ScanConfig(
    root="",
    table="",
    images="pictures/{id}.png",
    channels=(),
    image_feature="image",
    id_column="name",
    target_column="sick",
    group_column="patient",
    metadata_columns=("site",),
    labels=None,
    digest="",
)
ONE = shard_name(0, 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A table of 12 rows, and an image of each."""
    (tmp_path / "pictures").mkdir()
    with (tmp_path / "train.csv").open("w", newline="", encoding="utf-8") as handle:
        rows = [(name, number % 2, f"p{number // 2}", ("arm", "NA")[number % 2]) for number, name in enumerate(NAMES)]
        csv.writer(handle).writerows([("name", "sick", "patient", "site"), *rows])
    for number, name in enumerate(NAMES):
        (tmp_path / "pictures" / f"{name}.png").write_bytes(saved(photograph(20, 30, seed=number), "PNG"))
    return tmp_path


def scan(
    folder: Path, name: str = "inventory.parquet", *, shard: str = ONE, threads: int = 1, **changes: Any
) -> pd.DataFrame:
    config = replace(CONFIG, **{"root": str(folder), "table": str(folder / "train.csv"), **changes})
    split = "train" if config.target_column else "test"
    if "digest" not in changes:
        config = replace(config, digest=planned_digest(config, shard))
    outputs = {"inventory": folder / name, "thumbnails": folder / f"thumbnails-{name}"}
    scan_images(**outputs, split=split, shard=shard, config=config, threads=threads)
    return read_table(folder / name, INVENTORY)


def test_a_row_describes_its_image(root: Path) -> None:
    table = scan(root)
    assert list(table.columns) == [*INVENTORY, "site"]
    assert list(table["id"]) == sorted(NAMES)
    row = table.set_index("id").loc["s 3"]
    picture = Picture.whole(photograph(20, 30, seed=3))
    data = (root / "pictures" / "s 3.png").read_bytes()
    assert row.to_dict() == {
        "target": "1",
        "group": "p1",
        "path": "pictures/s 3.png",
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "width": 30,
        "height": 20,
        "pixels_sha256": pixel_digest(picture, width=30, height=20),
        "perceptual_hash": perceptual_hash([picture]),
        "contrast": contrast([picture.pixels]),
        "peak_sample": 0,
        "white_sample": 0,
        "problem": "",
        "site": "",
    }


def test_the_number_of_processes_does_not_change_the_bytes(root: Path) -> None:
    (root / "pictures" / "s 2.png").write_bytes(b"")
    scan(root, "one.parquet")
    scan(root, "two.parquet", threads=2)
    assert (root / "one.parquet").read_bytes() == (root / "two.parquet").read_bytes()


def test_shards_hold_every_row_once(root: Path) -> None:
    shards = [scan(root, f"{index}.parquet", shard=shard_name(index, 4)) for index in range(4)]
    assert sorted(pd.concat(shards)["id"]) == sorted(NAMES)
    for index, shard in enumerate(shards):
        assert {shard_index(name, 4) for name in shard["id"]} <= {index}


def test_a_shard_without_rows_is_an_empty_table(root: Path) -> None:
    empty = next(shard_name(index, 64) for index in range(64) if index not in {shard_index(name, 64) for name in NAMES})
    assert len(scan(root, shard=empty)) == 0


def test_a_test_inventory_has_no_target(root: Path) -> None:
    table = scan(root, target_column=None, group_column=None)
    assert set(table["target"]) == {""}
    assert list(table["group"]) == list(table["id"])


def test_sizes_are_those_of_the_upright_image(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = photograph(20, 30, seed=1)
    oriented = saved(pixels, "PNG", exif=exif.tobytes())
    (root / "pictures" / "s 1.png").write_bytes(oriented)
    row = scan(root).set_index("id").loc["s 1"]
    assert (row["width"], row["height"]) == (20, 30)
    assert row["perceptual_hash"] == perceptual_hash([Picture.whole(np.rot90(pixels, -1).copy())])


def write_deep(root: Path) -> None:
    """The same pictures with 12 bits in files of 16."""
    for number, name in enumerate(NAMES):
        samples = photograph(20, 30, channels=1, seed=number).astype(np.uint16) * 16
        (root / "pictures" / f"{name}.png").write_bytes(png_16_bit(samples))


def test_twelve_bits_in_sixteen_are_hashed_like_eight(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number, name in enumerate(NAMES):
        (root / "pictures" / f"{name}.png").write_bytes(saved(photograph(20, 30, channels=1, seed=number), "PNG"))
    eight = hash_array(list(scan(root)["perceptual_hash"]))
    write_deep(root)
    caplog.clear()
    twelve = hash_array(list(scan(root, reading=ImageOptions(white=4095))["perceptual_hash"]))
    assert caplog.text == ""
    distances = np.unpackbits(eight ^ twelve, axis=1).sum(axis=1)
    assert distances.max() <= 8


def test_the_bright_sample_of_images_with_more_than_8_bits_is_in_the_inventory(root: Path) -> None:
    write_deep(root)
    (root / "pictures" / "s 3.png").write_bytes(saved(photograph(20, 30), "PNG"))
    table = scan(root).set_index("id")
    assert tuple(table.loc["s 3", ["peak_sample", "white_sample"]]) == (0, 0)
    peak = 16 * int(np.sort(photograph(20, 30, channels=1, seed=NAMES.index("s 5")).ravel())[599])
    assert tuple(table.loc["s 5", ["peak_sample", "white_sample"]]) == (peak, 65535)
    assert scan(root, reading=ImageOptions(white=4095)).set_index("id").loc["s 5", "white_sample"] == 4095


def test_samples_above_white_are_a_problem(root: Path) -> None:
    write_deep(root)
    table = scan(root, reading=ImageOptions(white=1023))
    assert table["problem"].str.contains(r"samples are from 0 to 1023 \(dataset\.intensity\)").all()


def test_a_file_beyond_the_limit_is_a_problem_and_not_read_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "pictures" / "s 3.png"
    path.write_bytes(path.read_bytes() + bytes(9000))
    options = ImageOptions(max_megapixels=0.001)
    planned = replace(CONFIG, root=str(root), table=str(root / "train.csv"), reading=options)
    digest = planned_digest(planned, ONE)
    reads: list[str] = []
    monkeypatch.setattr(image_reading, "read", lambda path: reads.append(path) or Path(path).read_bytes())
    row = scan(root, reading=options, digest=digest).set_index("id").loc["s 3"]
    assert row["problem"] == "a file of 0 MB; dataset.max_megapixels allows 0 MB"
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(path) not in reads
    assert len(reads) == len(NAMES) - 1


def test_oddities_that_touch_no_pixel_are_counted(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in (1, 4):
        data = saved(photograph(20, 30, seed=number), "JPEG")
        (root / "pictures" / f"s {number}.png").write_bytes(data[:2] + b"junk" + data[2:])
    with caplog.at_level("INFO"):
        assert (scan(root)["problem"] == "").all()
    assert "accepted, because no pixel is touched: bytes between JPEG markers (2)" in caplog.text


def test_profiles_are_counted_and_broken_ones_are_warned_of(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    wide = imagecodecs.cms_profile("adobergb")
    profiles = {"s 1": wide, "s 4": wide, "s 5": b"hello"}
    for name, profile in profiles.items():
        (root / "pictures" / f"{name}.png").write_bytes(saved(photograph(20, 30), "PNG", icc_profile=profile))
    with caplog.at_level("INFO"):
        assert (scan(root)["problem"] == "").all()
    levels = {record.getMessage(): record.levelname for record in caplog.records}
    assert levels["train 00000-of-00001: converted to sRGB by the ICC profile: 2 images"] == "INFO"
    assert levels["train 00000-of-00001: ICC profile broken and ignored: 1 image"] == "WARNING"


def test_problems_are_listed_and_do_not_stop_the_scan(root: Path) -> None:
    folder = root / "pictures"
    intact = (folder / "s 1.png").read_bytes()
    (folder / "s 1.png").write_bytes(intact[:-5])
    (folder / "s 2.png").write_bytes(b"")
    (folder / "s 3.png").write_bytes(b"a text")
    frames = [Image.fromarray(photograph(8, 8, seed=seed)) for seed in range(2)]
    (folder / "s 5.png").write_bytes(saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    jpeg = saved(photograph(64, 64), "JPEG")
    (folder / "s 6.png").write_bytes(jpeg[:-100] + jpeg[-2:])
    table = scan(root).set_index("id")
    problems = table["problem"]
    assert problems["s 1"] == "damaged: the PNG file is truncated"
    assert problems["s 2"] == "empty file"
    assert problems["s 3"].startswith("it is a text file, not a JPEG")
    assert problems["s 5"] == "animated: 2 frames; save one of them"
    assert problems["s 6"].startswith("damaged: ")
    assert (problems[["s 0", "s 4", *(f"s {number}" for number in range(7, 12))]] == "").all()
    assert table.loc["s 1", "sha256"] == hashlib.sha256(intact[:-5]).hexdigest()
    assert table.loc["s 6", ["width", "height"]].tolist() == [64, 64]
    lengths = table["perceptual_hash"].str.len()
    assert set(lengths[problems == ""]) == {64}
    assert set(lengths[problems != ""]) == {0}


DECODER = """
import os
import imagecodecs
decode = imagecodecs.png_decode
imagecodecs.png_decode = lambda data: os.kill(os.getpid(), 9) if b"deadly" in data else decode(data)
"""


def test_a_decoder_that_kills_its_process_names_the_image(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    intact = (root / "pictures" / "s 7.png").read_bytes()
    end = len(intact) - 12
    (root / "pictures" / "s 7.png").write_bytes(intact[:end] + png_chunk(b"tEXt", b"a\0deadly") + intact[end:])
    # Worker processes run it at their start.
    (root / "sitecustomize.py").write_text(DECODER)
    monkeypatch.setenv("PYTHONPATH", str(root), prepend=os.pathsep)
    with pytest.raises(
        FoldlineError, match=r"^a worker process was killed at .*/pictures/s 7\.png; if the machine ran"
    ):
        scan(root, threads=2)


def test_problems_of_the_moment_end_the_scan_and_are_all_named(root: Path) -> None:
    digest = planned_digest(replace(CONFIG, root=str(root), table=str(root / "train.csv")), ONE)
    (root / "pictures" / "s 0.png").unlink()
    (root / "pictures" / "s 4.png").unlink()
    (root / "pictures" / "s 4.png").mkdir()
    with pytest.raises(FoldlineError) as raised:
        scan(root, digest=digest)
    message = str(raised.value)
    assert f"train.csv, line 2: id 's 0': image {root}/pictures/s 0.png: no such file or folder" in message
    assert f"train.csv, line 6: id 's 4': image {root}/pictures/s 4.png: a folder, not a file" in message
    assert not (root / "inventory.csv").exists()


@pytest.mark.parametrize("edit", ["image", "label", "row", "nothing"])
def test_rows_and_images_that_were_not_planned_are_refused(root: Path, edit: str) -> None:
    digest = planned_digest(replace(CONFIG, root=str(root), table=str(root / "train.csv")), ONE)
    table = root / "train.csv"
    if edit == "image":
        (root / "pictures" / "s 1.png").write_bytes((root / "pictures" / "s 2.png").read_bytes())
    elif edit == "label":
        table.write_text(table.read_text().replace("s 1,1", "s 1,0"))
    elif edit == "row":
        table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    if edit == "nothing":
        assert len(scan(root, digest=digest)) == len(NAMES)
        return
    with pytest.raises(FoldlineError, match=r"train\.csv: rows of this shard, or their images, changed after the run"):
        scan(root, digest=digest)
    assert not (root / "inventory.csv").exists()


def test_a_metadata_column_with_the_name_of_another_is_refused(root: Path) -> None:
    with pytest.raises(FoldlineError, match="metadata column width: the inventory has a column of that name"):
        scan(root, metadata_columns=("site", "width"), digest="")


@pytest.fixture
def records(tmp_path: Path) -> dict[str, Any]:
    """Six records in two files; the fields of a `ScanConfig` that scans them."""
    names = RecordNames("image_name", "target", "patient_id", tuple(METADATA), image="picture")
    root = tmp_path / "records"
    root.mkdir()
    files = {}
    for name, first in (("b.tfrec", 0), ("a.tfrec", 3)):
        made = [{**features, "picture": features["image"]} for features in examples(3, first=first)]
        files[name] = index_file(write_tfrecord(root / name, [{**one, "image": b""} for one in made]), names)
    write_split_table(tmp_path / "raw.csv", files, names)
    columns = {"id_column": names.id, "target_column": names.target, "group_column": names.group}
    columns |= {"metadata_columns": tuple(METADATA), "image_feature": names.image}
    table = str(tmp_path / "raw.csv")
    return {"root": str(root), "table": table, "images": None, "locations": table, **columns}


def test_records_are_scanned_like_files(tmp_path: Path, records: dict[str, Any]) -> None:
    """Row 3: image, name, target and metadata of a ready-made record."""
    table = scan(tmp_path, **records)
    assert list(table.columns) == [*INVENTORY, *METADATA]
    for row, features in zip(table.to_dict("records"), examples(6), strict=True):
        number = int(row["id"].removeprefix("ISIC_"))
        assert (row["target"], row["group"]) == (str(number % 2), str(number // 2))
        assert row["path"].startswith("b.tfrec#" if number < 3 else "a.tfrec#")
        assert (row["bytes"], row["width"], row["height"]) == (len(features["image"]), 24, 24)
        assert row["sha256"] == hashlib.sha256(features["image"]).hexdigest()
        assert row["perceptual_hash"] == perceptual_hash([decode(features["image"], read_header(features["image"]))])
        assert [row[name] for name in METADATA] == [str(features[name]) for name in METADATA]
    assert set(table["problem"]) == {""}
    scan(tmp_path, "two.parquet", threads=2, **records)
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "inventory.parquet").read_bytes()


def test_records_that_were_not_planned_are_refused(tmp_path: Path, records: dict[str, Any]) -> None:
    digest = planned_digest(replace(CONFIG, **records), ONE)
    path = Path(records["root"]) / "a.tfrec"
    intact = path.read_bytes()
    data = bytearray(intact)
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(FoldlineError, match=r"raw\.csv: rows of this shard, or their images, changed after the run"):
        scan(tmp_path, **records, digest=digest)
    path.write_bytes(intact)
    assert len(scan(tmp_path, **records, digest=digest)) == 6
    (Path(records["root"]) / "b.tfrec").unlink()
    with pytest.raises(FoldlineError, match=r"raw\.csv, line 2: id 'ISIC_\d+': image .*b\.tfrec.*: no such file"):
        scan(tmp_path, **records, digest=digest)


def test_a_table_may_name_the_paths_of_its_images(root: Path) -> None:
    lines = [f"{name},{number % 2},p,arm,pictures/{name}.png" for number, name in enumerate(NAMES)]
    (root / "paths.csv").write_text("\n".join(["name,sick,patient,site,path", *lines]))
    by_path = scan(root, table=str(root / "paths.csv"), images=None, locations=str(root / "paths.csv"))
    by_pattern = scan(root, table=str(root / "paths.csv"))
    pd.testing.assert_frame_equal(by_path, by_pattern)
    write_locations(root / "some.csv", NAMES[1:], [[f"pictures/{name}.png"] for name in NAMES[1:]])
    with pytest.raises(
        FoldlineError, match=rf"some\.csv: no images of id {NAMES[0]}; the rows changed after the run was"
    ):
        scan(root, images=None, locations=str(root / "some.csv"), digest="")
