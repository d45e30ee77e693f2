"""Shards: their records and order, equal bytes every time, and refused images."""

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fixtures.hdf5 import write_hdf5
from fixtures.pictures import photograph, saved
from fixtures.scans import planned_digest
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.dataset.id_hash import id_hash, shard_index, shard_name
from foldline.dataset.locations import write_locations
from foldline.dataset.scan_config import ScanConfig
from foldline.errors import FoldlineError
from foldline.images.decoding import decode
from foldline.images.headers import read_header
from foldline.images.resizing import record_image
from foldline.io.files import digest_of, sha256_of_file
from foldline.io.tables import INVENTORY, read_table, write_table
from foldline.tfrecords import image_reading
from foldline.tfrecords.manifests import Manifest, read_manifest
from foldline.tfrecords.open_shards import check_shards
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_files import read_records
from foldline.tfrecords.record_index import index_file
from foldline.tfrecords.record_tables import write_split_table
from foldline.tfrecords.records import Record, decode_record, feature_kinds
from foldline.tfrecords.shard_config import ShardConfig
from scan_images import scan_images
from shard_records import Outputs, shard_records

NAMES = [f"s{number}" for number in range(20)]
CONFIG = ShardConfig(
    root="",
    channels=(),
    image_feature="image",
    aspect="crop",
    jpeg_quality=90,
    metadata_columns=("site",),
    images="{id}.jpg",
)
ONE = shard_name(0, 1)


def row_of(root: Path, name: str, number: int) -> dict[str, object]:
    path = root / f"{name}.jpg"
    row = (
        dict.fromkeys(INVENTORY, 0)
        | dict.fromkeys(("contrast", "peak_sample", "white_sample"), 0.0)
        | {"id": name, "path": path.name, "sha256": sha256_of_file(path)}
    )
    texts = {"target": str(number % 2), "group": f"p{number // 2}"}
    texts |= dict.fromkeys(("pixels_sha256", "perceptual_hash", "problem"), "")
    return row | texts | {"site": ("arm", "")[number % 2]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """20 images, most of them gray, and their inventory in two tables."""
    for number, name in enumerate(NAMES):
        pixels = photograph(40, 60, 3 if number == 5 else 1, seed=number)
        (tmp_path / f"{name}.jpg").write_bytes(saved(pixels, "JPEG"))
    rows = [row_of(tmp_path, name, number) for number, name in enumerate(NAMES)]
    for index, some in enumerate((rows[::2], rows[1::2])):
        write_table(pd.DataFrame(some), tmp_path / f"inventory{index}.parquet", INVENTORY)
    return tmp_path


def shard(
    root: Path,
    name: str = "shard",
    *,
    split: str = "train",
    shard: str = ONE,
    size: int = 24,
    threads: int = 1,
    **changes: Any,
) -> Path:
    shard_records(
        inventory=[root / "inventory0.parquet", root / "inventory1.parquet"],
        outputs=Outputs(root / f"{name}.tfrec", root / f"{name}.json"),
        split=split,
        shard=shard,
        size=size,
        config=replace(CONFIG, root=str(root), **changes),
        threads=threads,
    )
    return root / f"{name}.tfrec"


def records_in(path: Path) -> list[Record]:
    kinds = read_manifest(path.with_suffix(".json")).features
    return [decode_record(data, kinds) for data in read_records(path)]


def test_a_record_holds_its_row_and_image(root: Path) -> None:
    records = {record.id: record for record in records_in(shard(root))}
    assert set(records) == set(NAMES)
    image = record_image((root / "s7.jpg").read_bytes(), size=24, aspect="crop", jpeg_quality=90)
    assert records["s7"] == Record("s7", "p3", {"image": image}, "1", {"site": ""})
    assert records["s8"].metadata == {"site": "arm"}
    for name, record in records.items():
        pixels = decode(record.images["image"], read_header(record.images["image"])).pixels
        assert pixels.shape == (24, 24, 3 if name == "s5" else 1)


def test_records_are_in_the_order_of_the_id_hash(root: Path) -> None:
    names = [record.id for record in records_in(shard(root))]
    assert names == sorted(NAMES, key=id_hash)
    assert names != sorted(NAMES)


def test_a_test_shard_has_no_target(root: Path) -> None:
    path = shard(root, split="test")
    assert read_manifest(path.with_suffix(".json")).features == feature_kinds(["site"], False)
    assert {record.target for record in records_in(path)} == {""}


def test_shards_hold_every_row_once(root: Path) -> None:
    paths = [shard(root, f"shard{index}", shard=shard_name(index, 4)) for index in range(4)]
    names = [[record.id for record in records_in(path)] for path in paths]
    assert sorted(name for some in names for name in some) == sorted(NAMES)
    for index, some in enumerate(names):
        assert {shard_index(name, 4) for name in some} == {index}
    manifests = check_shards(paths, [path.with_suffix(".json") for path in paths])
    assert sum(manifest.records for manifest in manifests) == 20


def test_the_manifest_describes_the_shard(root: Path) -> None:
    path = shard(root)
    assert read_manifest(path.with_suffix(".json")) == Manifest(
        split="train",
        shard=ONE,
        records=20,
        ids_sha256=digest_of([record.id for record in records_in(path)]),
        sha256=sha256_of_file(path),
        bytes=path.stat().st_size,
        image_size=24,
        channels=(),
        classes=1,
        settings={"aspect": "crop", "jpeg_quality": 90, "metadata_columns": ["site"]},
        features=feature_kinds(["site"], True),
    )


def test_the_number_of_processes_does_not_change_the_bytes(root: Path) -> None:
    paths = [shard(root, "one"), shard(root, "again"), shard(root, "two", threads=2), shard(root, "five", threads=5)]
    for suffix in (".tfrec", ".json"):
        assert len({path.with_suffix(suffix).read_bytes() for path in paths}) == 1


def slow_read(path: str) -> bytes:
    """Read a file as a network disk does."""
    time.sleep(0.02 * (1 + len(path) % 2))
    return Path(path).read_bytes()


def test_images_that_are_read_in_parallel_give_the_same_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = shard(root).read_bytes()
    threads: set[str] = set()

    def read(path: str) -> bytes:
        threads.add(threading.current_thread().name)
        return slow_read(path)

    monkeypatch.setattr(image_reading, "read", read)
    assert shard(root, "slow").read_bytes() == wanted
    assert len(threads) > 3


def test_all_bad_images_are_in_one_message_if_they_are_read_in_parallel(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_reading, "read", slow_read)
    (root / "s7.jpg").unlink()
    (root / "s12.jpg").write_bytes((root / "s12.jpg").read_bytes()[:-20])
    with pytest.raises(FoldlineError) as caught:
        shard(root)
    assert "s7.jpg: image of id s7 cannot be read: " in str(caught.value)
    assert "s12.jpg: image of id s12 has changed since it was scanned" in str(caught.value)


def test_other_settings_give_other_bytes(root: Path) -> None:
    paths = [
        shard(root, "one"),
        shard(root, "aspect", aspect="pad"),
        shard(root, "quality", jpeg_quality=50),
        shard(root, "size", size=25),
        shard(root, "columns", metadata_columns=()),
    ]
    assert len({path.read_bytes() for path in paths}) == len(paths)


def test_a_shard_without_rows_is_an_empty_file(root: Path) -> None:
    taken = {shard_index(name, 256) for name in NAMES}
    path = shard(root, shard=shard_name(next(index for index in range(256) if index not in taken), 256))
    assert path.read_bytes() == b""
    assert check_shards([path], [path.with_suffix(".json")])[0].records == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_a_changed_image_is_refused(root: Path, threads: int) -> None:
    (root / "s3.jpg").write_bytes(saved(photograph(40, 60, 1, seed=99), "JPEG"))
    with pytest.raises(FoldlineError, match=r"s3\.jpg: image of id s3 has changed since it was scanned"):
        shard(root, threads=threads)
    assert not list(root.glob("*shard*"))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_damaged_image_is_refused(root: Path, threads: int) -> None:
    (root / "s3.jpg").write_bytes((root / "s3.jpg").read_bytes()[:-50])
    table = read_table(root / "inventory1.parquet", INVENTORY)
    table.loc[table["id"] == "s3", "sha256"] = sha256_of_file(root / "s3.jpg")
    write_table(table, root / "inventory1.parquet", INVENTORY)
    with pytest.raises(FoldlineError, match=r"s3\.jpg: image of id s3 cannot be used: damaged: .*; repair or replace"):
        shard(root, threads=threads)
    assert not list(root.glob("*shard*"))


def test_a_missing_image_is_refused(root: Path) -> None:
    (root / "s3.jpg").unlink()
    with pytest.raises(FoldlineError, match=r"s3\.jpg: image of id s3 cannot be read: no such file"):
        shard(root)


@pytest.mark.parametrize("threads", [1, 2])
def test_all_bad_images_are_in_one_message(root: Path, threads: int) -> None:
    (root / "s3.jpg").unlink()
    (root / "s14.jpg").write_bytes(b"another")
    (root / "s19.jpg").write_bytes(b"")
    with pytest.raises(FoldlineError) as raised:
        shard(root, threads=threads)
    first, *lines = str(raised.value).splitlines()
    assert first == "3 problems"
    assert sorted(line.partition(": image of id ")[2].split(" (")[0] for line in lines) == [
        "s14 has changed since it was scanned",
        "s19 has changed since it was scanned",
        "s3 cannot be read: no such file or folder; run the workflow again to scan it",
    ]
    assert not list(root.glob("*shard*"))


def test_an_image_with_a_problem_is_refused(root: Path) -> None:
    table = read_table(root / "inventory1.parquet", INVENTORY)
    table.loc[table["id"] == "s3", "problem"] = "animated: 2 frames"
    write_table(table, root / "inventory1.parquet", INVENTORY)
    with pytest.raises(FoldlineError, match=r"s3\.jpg: image of id s3 cannot be used: animated: 2 frames"):
        shard(root)


def test_the_manifest_appears_after_the_shard(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        assert (root / "shard.tfrec").is_file()
        raise FoldlineError("no space")

    monkeypatch.setattr("shard_records.write_manifest", fail)
    with pytest.raises(FoldlineError, match="no space"):
        shard(root)
    assert not (root / "shard.json").exists()


def test_images_of_the_right_size_are_unchanged(root: Path) -> None:
    for number, name in enumerate(NAMES):
        (root / f"{name}.jpg").write_bytes(saved(photograph(24, 24, 1, seed=number), "JPEG"))
    for index in range(2):
        rows = [row_of(root, name, number) for number, name in enumerate(NAMES) if number % 2 == index]
        write_table(pd.DataFrame(rows), root / f"inventory{index}.parquet", INVENTORY)
    for record in records_in(shard(root)):
        assert record.images["image"] == (root / f"{record.id}.jpg").read_bytes()


def test_external_rows_have_a_target(root: Path) -> None:
    path = shard(root, split="external")
    assert read_manifest(path.with_suffix(".json")).split == "external"
    assert {record.target for record in records_in(path)} == {"0", "1"}


class ReadyMade:
    """Twelve ready-made records in three files of a folder, and the steps that make shards of them."""

    def __init__(self, folder: Path, *, labeled: bool = True, **values: Any):
        self.folder, self.labeled = folder, labeled
        self.split = "train" if labeled else "test"
        labels = ("target", "patient_id") if labeled else (None, None)
        self.names = RecordNames("image_name", *labels, tuple(METADATA))
        self.made = [{**features, **values} for features in examples(12, labeled=labeled)]
        self.write({f"{number}-7.tfrec": self.made[number::3] for number in range(3)})

    def write(self, files: dict[str, list[dict[str, Any]]]) -> None:
        """Replace all TFRecord files, and write their table."""
        for path in self.folder.glob("*.tfrec"):
            path.unlink()
        paths = {name: write_tfrecord(self.folder / name, made) for name, made in files.items()}
        write_split_table(
            self.folder / "raw.csv", {name: index_file(paths[name], self.names) for name in paths}, self.names
        )

    def scan(self) -> None:
        """Write the inventory."""
        config = ScanConfig(
            root=str(self.folder),
            table=str(self.folder / "raw.csv"),
            images=None,
            locations=str(self.folder / "raw.csv"),
            channels=(),
            image_feature="image",
            id_column="image_name",
            target_column=self.names.target,
            group_column=self.names.group,
            metadata_columns=tuple(METADATA),
            labels=None,
            digest="",
        )
        config = replace(config, digest=planned_digest(config, ONE))
        outputs = {name: self.folder / f"{name}.parquet" for name in ("inventory", "thumbnails")}
        scan_images(**outputs, split=self.split, shard=ONE, config=config, threads=1)

    def shard(self, *, size: int = 24, locations: str = "raw.csv") -> list[Record]:
        """Write two shards and read them back, sorted by id."""
        found = []
        for index in range(2):
            path = self.folder / f"{index}.shard"
            shard_records(
                inventory=[self.folder / "inventory.parquet"],
                outputs=Outputs(path, path.with_suffix(".json")),
                split=self.split,
                shard=shard_name(index, 2),
                size=size,
                config=replace(
                    CONFIG,
                    root=str(self.folder),
                    metadata_columns=tuple(METADATA),
                    images=None,
                    locations=str(self.folder / locations),
                ),
                threads=1,
            )
            found += records_in(path)
        return sorted(found, key=lambda record: record.id)


@pytest.mark.parametrize("labeled", [True, False])
def test_ready_made_records_are_sharded_unchanged(labeled: bool, tmp_path: Path) -> None:
    """Rows 2 and 3: TensorFlow's records in, ours out: same rows, same targets and metadata, the same image bytes."""
    ready = ReadyMade(tmp_path, labeled=labeled)
    ready.scan()
    assert ready.shard() == [
        Record(
            id=features["image_name"].decode(),
            group=str(features["patient_id"]) if labeled else features["image_name"].decode(),
            images={"image": features["image"]},
            target=str(features["target"]) if labeled else "",
            metadata={name: str(features[name]) for name in METADATA},
        )
        for features in ready.made
    ]


def test_metadata_of_other_kinds_are_sharded_as_text(tmp_path: Path) -> None:
    ready = ReadyMade(tmp_path, age_approx=0.1, sex=b"female", anatom_site_general_challenge=None)
    ready.scan()
    wanted = {"age_approx": "0.1", "sex": "female", "anatom_site_general_challenge": ""}
    assert [record.metadata for record in ready.shard()] == [wanted] * 12


def test_ready_made_records_are_resized(tmp_path: Path) -> None:
    ready = ReadyMade(tmp_path)
    ready.scan()
    for record, features in zip(ready.shard(size=16), ready.made, strict=True):
        made = record_image(features["image"], size=16, aspect="crop", jpeg_quality=90)
        assert record.images == {"image": made}
        assert read_header(made).width == 16


def test_records_that_moved_to_other_files_are_read_by_their_table(tmp_path: Path) -> None:
    ready = ReadyMade(tmp_path)
    ready.scan()
    before = ready.shard()
    shutil.copy(tmp_path / "raw.csv", tmp_path / "before.csv")
    ready.write({"one.tfrec": ready.made[::-1]})
    with pytest.raises(FoldlineError, match=r"[012]-7\.tfrec#\d+\+\d+: image of id ISIC_\d+ cannot be read"):
        ready.shard(locations="before.csv")
    assert ready.shard() == before


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    ready = ReadyMade(tmp_path)
    ready.scan()
    data = bytearray((tmp_path / "1-7.tfrec").read_bytes())
    data[200] ^= 1
    (tmp_path / "1-7.tfrec").write_bytes(data)
    with pytest.raises(FoldlineError, match=r"1-7\.tfrec#12\+\d+: image of id ISIC_0001 cannot be used: damaged: "):
        ready.shard()


@pytest.mark.parametrize("threads", [1, 2])
def test_images_in_an_hdf5_file_give_the_shard_of_files(root: Path, threads: int) -> None:
    images = {name: (root / f"{name}.jpg").read_bytes() for name in NAMES}
    content = write_hdf5(root / "all.h5", images).read_bytes()
    paths = {
        "files": {name: f"{name}.jpg" for name in NAMES},
        "entries": {name: f"all.h5::{name}#{content.index(data)}+{len(data)}" for name, data in images.items()},
    }
    rows = [f"{name},{number % 2},p{number // 2},arm" for number, name in enumerate(NAMES)]
    (root / "train.csv").write_text("\n".join(["name,sick,patient,site", *rows]))
    columns = {"id_column": "name", "target_column": "sick", "group_column": "patient", "metadata_columns": ("site",)}
    config = ScanConfig(
        root=str(root),
        table=str(root / "train.csv"),
        images="{id}.jpg",
        channels=(),
        image_feature="image",
        labels=None,
        digest="",
        **columns,
    )
    config = replace(config, images=None, digest=planned_digest(config, ONE))
    tables, inventory = {}, root / "inventory0.parquet"
    for kind, path_of in paths.items():
        locations = str(root / f"{kind}.csv")
        write_locations(locations, [*path_of], [[path] for path in path_of.values()])
        scanned = replace(config, locations=locations)
        outputs = {"inventory": inventory, "thumbnails": root / "thumbnails.parquet"}
        scan_images(**outputs, split="train", shard=ONE, config=scanned, threads=threads)
        tables[kind] = read_table(inventory, INVENTORY)
        assert dict(zip(tables[kind]["id"], tables[kind]["path"], strict=True)) == path_of
        write_table(tables[kind].iloc[:0], root / "inventory1.parquet", INVENTORY)
        shard(root, kind, threads=threads, images=None, locations=locations)
    pd.testing.assert_frame_equal(*(table.drop(columns="path") for table in tables.values()))
    assert len(records_in(root / "entries.tfrec")) == len(NAMES)
    assert (root / "entries.tfrec").read_bytes() == (root / "files.tfrec").read_bytes()
    changed = bytearray(content)
    changed[content.index(images["s3"]) + 300] ^= 1
    (root / "all.h5").write_bytes(changed)
    with pytest.raises(FoldlineError, match=r"all\.h5::s3#\d+\+\d+: image of id s3 has changed since it was scanned"):
        shard(root, threads=threads, images=None, locations=locations)


def test_a_changed_record_is_refused(tmp_path: Path) -> None:
    ready = ReadyMade(tmp_path)
    ready.scan()
    ready.made[4]["image"] = ready.made[5]["image"]
    ready.write({"one.tfrec": ready.made})
    with pytest.raises(FoldlineError, match=r"one\.tfrec#.*: image of id ISIC_0004 has changed since it was scanned"):
        ready.shard()
