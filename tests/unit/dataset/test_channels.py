"""Samples of several gray channels, from their files to a batch: one record each, and errors name the odd file."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from fixtures.channel_steps import batch, configuration, read, records_in, scan, shard
from fixtures.channels import CHANNELS, cells, write_channels
from fixtures.pictures import photograph, saved
from foldline.dataset.channels import image_features, image_paths, joint_digest
from foldline.errors import FoldlineError
from foldline.images.decoding import decode
from foldline.images.headers import read_header
from foldline.tfrecords.manifests import read_manifest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """24 training and 6 test samples of four channels."""
    write_channels(tmp_path / "data", deep="blue")
    return tmp_path / "data"


def test_paths_and_features_of_the_images_of_a_sample() -> None:
    assert image_features([]) == ["image"]
    assert image_features(["red", "blue"]) == ["red", "blue"]
    assert image_paths("a/b_{channel}.png", []) == ["a/b_{channel}.png"]
    assert image_paths("a/b_{channel}.png", ["red", "blue"]) == ["a/b_red.png", "a/b_blue.png"]
    assert image_paths("a#1+2|b#3+4", ["red", "blue"]) == ["a#1+2", "b#3+4"]
    assert joint_digest(["x"]) == "x"
    assert joint_digest(["x", "y"]) != joint_digest(["y", "x"])


def test_a_changed_channel_changes_its_sample(root: Path) -> None:
    """Row 17: four gray files are one sample."""
    before = list(read(root).splits["train"])
    files = [root / "train" / f"s001_{channel}.png" for channel in CHANNELS]
    assert before[1].content == joint_digest([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert before[1].bytes == sum(path.stat().st_size for path in files)
    files[3].write_bytes(saved(photograph(32, 32, 1), "PNG"))
    after = read(root).splits["train"]
    changed = [one.row.id for one, other in zip(before, after, strict=True) if one != other]
    assert changed == ["s001"]


def test_a_missing_channel_is_reported(root: Path) -> None:
    (root / "train" / "s003_yellow.png").unlink()
    with pytest.raises(FoldlineError, match=r"train\.csv, line 5: id 's003': image .*s003_yellow\.png does not exist"):
        read(root)


@pytest.mark.parametrize("form", ["train/{id}_{channel}.png", "train/{channel}-{id}.png"])
def test_a_file_of_an_unknown_channel_is_reported(root: Path, form: str) -> None:
    for path in (root / "train").iterdir():
        name, channel = path.stem.split("_")
        path.rename(root / form.format(id=name, channel=channel))
    read(root, train_images=form)
    # Neither of these files belongs to a sample of the table.
    (root / form.format(id="s999", channel="pink")).write_bytes(b"")
    (root / "train" / "notes.txt").write_bytes(b"")
    read(root, train_images=form)
    (root / form.format(id="s004", channel="pink")).write_bytes(b"")
    with pytest.raises(FoldlineError, match=r"s004.*: not one of dataset\.channels \(red, green, blue, yellow\)"):
        read(root, train_images=form)


def test_channels_may_be_in_separate_folders(root: Path) -> None:
    for path in (root / "train").glob("*.png"):
        name, channel = path.stem.split("_")
        (root / "folders" / channel).mkdir(parents=True, exist_ok=True)
        path.rename(root / "folders" / channel / f"{name}.png")
    assert len(read(root, train_images="folders/{channel}/{id}.png").splits["train"]) == 24


def test_the_inventory_has_one_row_per_sample(root: Path) -> None:
    table = scan(root).set_index("id")
    assert len(table) == 24
    row = table.loc["s002"]
    sample = list(read(root).splits["train"])[2]
    assert (row["path"], row["sha256"], row["bytes"]) == ("train/s002_{channel}.png", sample.content, sample.bytes)
    assert (row["width"], row["height"], row["problem"]) == (32, 32, "")
    assert table["perceptual_hash"].str.len().eq(64).all()
    assert table["perceptual_hash"].is_unique


def test_a_channel_of_another_size_or_in_color_is_a_problem(root: Path) -> None:
    (root / "train" / "s001_green.png").write_bytes(saved(photograph(30, 32, 1), "PNG"))
    (root / "train" / "s002_yellow.png").write_bytes(saved(photograph(32, 32, 3), "PNG"))
    (root / "train" / "s003_blue.png").write_bytes(b"text")
    problems = scan(root).set_index("id")["problem"]
    assert problems["s001"] == "s001_green.png: 32 x 30 pixels, but s001_red.png has 32 x 32"
    assert problems["s002"].startswith("s002_yellow.png: a color image, but the image of a channel is gray")
    assert problems["s003"].startswith("s003_blue.png: it is a text file")
    assert (problems.drop(["s001", "s002", "s003"]) == "").all()
    with pytest.raises(FoldlineError, match=r"image of id s001 cannot be used: s001_green\.png: 32 x 30 pixels"):
        shard(root)


def test_a_record_holds_all_channels_of_its_id(root: Path) -> None:
    """Row 17: one record per sample; files that fit are not changed, 16 bits become 8."""
    scan(root)
    path = shard(root)
    assert read_manifest(path.with_suffix(".json")).channels == CHANNELS
    for record in records_in(path):
        assert list(record.images) == list(CHANNELS)
        wanted = cells(int(record.id[1:]), int(record.id[1:]) % 2)
        for number, channel in enumerate(CHANNELS):
            data = record.images[channel]
            found = decode(data, read_header(data)).pixels[:, :, 0]
            if channel == "blue":
                assert np.abs(found.astype(int) - wanted[:, :, number]).max() < 25
            else:
                assert data == (root / "train" / f"{record.id}_{channel}.png").read_bytes()
    assert path.read_bytes() == shard(root, "two", threads=2).read_bytes()


def test_a_model_reads_the_channels_that_it_names(root: Path) -> None:
    """Row 17: with yellow or without, in the model's order."""
    scan(root)
    path = shard(root)
    everything = batch(path, CHANNELS)
    for name, image in everything.items():
        wanted = cells(int(name[1:]), int(name[1:]) % 2)
        np.testing.assert_array_equal(image[..., [0, 1, 3]], wanted[..., [0, 1, 3]])
    for name, image in batch(path, ("yellow", "red")).items():
        np.testing.assert_array_equal(image, everything[name][..., [3, 0]])
    assert batch(path, ("green",))["s000"].shape == (32, 32, 1)
    with pytest.raises(FoldlineError, match=r"cannot be read: .*pink"):
        batch(path, ("pink",))


def test_all_channels_are_resized(root: Path) -> None:
    scan(root)
    for name, image in batch(shard(root, size=48), CHANNELS, 48).items():
        wanted = cells(int(name[1:]), int(name[1:]) % 2)
        assert np.abs(image[::3, ::3].astype(int) - wanted[::2, ::2]).mean() < 25


def test_a_channel_that_changed_after_the_scan_is_refused(root: Path) -> None:
    scan(root)
    (root / "train" / "s001_green.png").write_bytes(saved(photograph(32, 32, 1), "PNG"))
    with pytest.raises(FoldlineError, match=r"s001_green\.png, .*: image of id s001 has changed since it was scanned"):
        shard(root)


@pytest.mark.parametrize(
    ("changes", "model", "words"),
    [
        ({"channels": ["red", "target"]}, {}, "dataset.channels has 'target', the name of"),
        (
            {"train_images": ["train/{id}_{channel}.png", "train/{id}.tif"]},
            {},
            r"dataset.train_images has .*, with \{channel\}, and 'train/\{id\}.tif', without it; write",
        ),
        ({"channels": []}, {}, r"dataset.train_images is .*, with \{channel\}, but dataset.channels is empty"),
        (
            {},
            {"channels": ["red", "pink"]},
            r"models\.m\.channels has pink, not in dataset.channels \[red, green, blue, yellow\]",
        ),
        ({}, {"augment": {"hue": 0.1}}, r"models\.m\.augment\.hue is 0\.1, .* use contrast and brightness"),
        ({}, {"augment": {"saturation": 0.1}}, r"models\.m\.augment\.saturation is 0\.1"),
        ({"channels": ["red", "red"]}, {}, "dataset.channels"),
        ({"channels": ["a/b"]}, {}, "dataset.channels\\[0\\] is 'a/b'; use letters, digits, _ and -"),
    ],
)
def test_contradictory_configurations_are_refused(root: Path, changes: dict, model: dict, words: str) -> None:
    with pytest.raises(FoldlineError, match=words):
        configuration(root, model, **changes)
