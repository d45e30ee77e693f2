"""The table of duplicates, and what the audit refuses."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audit_leaks import Inputs, audit_leaks
from fixtures.pictures import photograph, png_16_bit, saved
from foldline.errors import FoldlineError
from foldline.images.options import ImageOptions
from foldline.images.picture import Picture
from foldline.io.embeddings import write_embeddings
from foldline.io.tables import INVENTORY, LEAKS, read_table, write_table
from foldline.io.thumbnails import write_thumbnails
from foldline.splits.duplicates import LeakConfig
from foldline.tfrecords.image_sources import scan_sample, thumbnail_jpeg, thumbnail_of

KEY = ("id", "other_split", "other_id")
# Columns of the inventory that the audit reads of an image.
SCANNED = ["sha256", "pixels_sha256", "perceptual_hash", "contrast"]
# Images with these last digits of the perceptual hash show the same.
SAME_PICTURE = {"f": "0", "ffff0001": "ffff0000"}


def thumbnails_of(inventory: Path) -> Path:
    """Where the thumbnails of an inventory are."""
    return inventory.with_name(f"thumbnails-{inventory.name}")


def write_inventory(
    path: Path, rows: list[tuple[str, str, str, str]], *, folder: str = "", **columns: list[str] | list[float]
) -> Path:
    """Write rows of id, target, sha256 and last digits of the perceptual hash."""
    table = pd.DataFrame(rows, columns=["id", "target", "sha256", "perceptual_hash"])
    digits = table["perceptual_hash"]
    table["perceptual_hash"] = "5a0f3c69" * 6 + digits.str.zfill(16)
    table = table.assign(group=table["id"], path=folder + table["id"] + ".png", bytes=1, width=1, height=1, problem="")
    table = table.assign(pixels_sha256=table["sha256"], contrast=50.0, peak_sample=0.0, white_sample=0.0)
    write_table(table.assign(**columns), path, INVENTORY)
    pictures = [
        Picture.whole(photograph(96, 128, seed=int(SAME_PICTURE.get(digit, digit), 16) % 2**32)) for digit in digits
    ]
    write_thumbnails(
        {name: [thumbnail_jpeg(thumbnail_of(picture))] for name, picture in zip(table["id"], pictures, strict=True)},
        thumbnails_of(path),
    )
    return path


@pytest.fixture
def train(tmp_path: Path) -> list[Path]:
    one = write_inventory(tmp_path / "1.parquet", [("d", "0", "sha d", "0"), ("b", "1", "sha b", "ffff0000")])
    other = write_inventory(tmp_path / "2.parquet", [("c", "1", "sha b", "ffff0000"), ("a", "1", "sha a", "f")])
    return [one, other]


@pytest.fixture
def unlabeled(tmp_path: Path) -> Path:
    return write_inventory(tmp_path / "3.parquet", [("z", "", "sha z", "ffff0001"), ("y", "", "sha d", "0")])


def audit(
    inventory: list[Path],
    leaks: Path,
    *,
    others: Mapping[str, list[Path]] | None = None,
    split: str = "train",
    near_duplicate_bits: int | None = 4,
    full_search_up_to: int = 1000,
    embeddings: Mapping[str, Path] | None = None,
    contradictory_labels: str = "report",
    refused: tuple[str, ...] = (),
) -> list[tuple[object, ...]]:
    """Write the table of duplicates and read its rows."""
    config = LeakConfig(near_duplicate_bits, full_search_up_to, contradictory_labels, refused)
    leaks_csv = leaks.with_suffix(".csv")
    compared = others or {}
    inputs = Inputs(
        inventory=inventory,
        others=compared,
        thumbnails={
            name: [thumbnails_of(path) for path in paths] for name, paths in {**compared, split: inventory}.items()
        },
        embeddings=embeddings or {},
    )
    audit_leaks(inputs, leaks, leaks_csv, split=split, config=config)
    pd.testing.assert_frame_equal(read_table(leaks_csv, LEAKS, key=KEY), read_table(leaks, LEAKS, key=KEY))
    return list(read_table(leaks, LEAKS, key=KEY).itertuples(index=False, name=None))


def test_train_images_are_compared_with_each_other(train: list[Path], tmp_path: Path) -> None:
    pairs = audit(train, tmp_path / "leaks.parquet")
    assert pairs == [("a", "d", "train", "near", 4, "no"), ("b", "c", "train", "exact", 0, "yes")]
    read_table(tmp_path / "leaks.parquet", LEAKS, key=("id", "other_id"))


def test_a_test_image_may_have_the_id_of_another_training_image(train: list[Path], tmp_path: Path) -> None:
    rows = [("a", "", "sha b", "1"), ("d", "", "sha z", "f0f0f0f0")]
    test = write_inventory(tmp_path / "3.parquet", rows, folder="test/")
    pairs = audit([test], tmp_path / "leaks.parquet", others={"train": train}, split="test")
    assert [pair[:4] for pair in pairs] == [("a", "b", "train", "exact")]


def test_test_images_are_compared_with_train_images(train: list[Path], unlabeled: Path, tmp_path: Path) -> None:
    pairs = audit([unlabeled], tmp_path / "leaks.parquet", others={"train": train}, split="test")
    assert pairs == [
        ("y", "d", "train", "exact", 0, ""),
        ("z", "b", "train", "near", 1, ""),
    ]


def test_external_images_are_compared_with_train_images(train: list[Path], tmp_path: Path) -> None:
    rows = [("x", "0", "sha x", "ffff0000"), ("w", "1", "sha w", "1234"), ("v", "1", "sha w", "1234")]
    external = write_inventory(tmp_path / "4.parquet", rows)
    pairs = audit([external], tmp_path / "leaks.parquet", others={"train": train}, split="external")
    assert pairs == [("v", "w", "external", "exact", 0, "yes"), ("x", "b", "train", "near", 0, "no")]
    reason = r"1 pair of equal images with different labels: x and b \(near, 0 bits\); correct the labels"
    with pytest.raises(FoldlineError, match=reason):
        audit(
            [external],
            tmp_path / "refused.parquet",
            others={"train": train},
            split="external",
            contradictory_labels="error",
        )
    assert not (tmp_path / "refused.parquet").exists()


def test_test_images_are_compared_with_external_images(train: list[Path], unlabeled: Path, tmp_path: Path) -> None:
    external = write_inventory(tmp_path / "4.parquet", [("x", "0", "sha z", "ffff0001"), ("w", "0", "sha w", "1234")])
    others = {"train": train, "external": [external]}
    pairs = audit([unlabeled], tmp_path / "leaks.parquet", others=others, split="test", near_duplicate_bits=None)
    assert pairs == [("y", "d", "train", "exact", 0, ""), ("z", "x", "external", "exact", 0, "")]


def test_near_duplicates_can_be_ignored(train: list[Path], tmp_path: Path) -> None:
    pairs = audit(train, tmp_path / "leaks.parquet", near_duplicate_bits=None)
    assert [row[:2] for row in pairs] == [("b", "c")]


def test_without_duplicates_there_is_a_header_only(train: list[Path], tmp_path: Path) -> None:
    assert audit(train[:1], tmp_path / "leaks.parquet") == []
    assert (tmp_path / "leaks.csv").read_text() == ",".join(LEAKS) + "\n"


def test_contradictory_labels_are_refused(train: list[Path], tmp_path: Path) -> None:
    reason = r"1 pair of equal images with different labels: a and d \(near, 4 bits\); correct the labels"
    with pytest.raises(FoldlineError, match=reason):
        audit(train, tmp_path / "leaks.parquet", contradictory_labels="error")
    assert not (tmp_path / "leaks.parquet").exists()
    audit(train, tmp_path / "leaks.parquet", contradictory_labels="error", near_duplicate_bits=None)


def test_kinds_that_are_an_error_are_refused_in_one_message(train: list[Path], unlabeled: Path, tmp_path: Path) -> None:
    exact = r"train: 1 exact pair, which leaks.policy.exact.train makes an error: b and c \(exact, 0 bits\)"
    near = r"train: 1 near pair, .* a and d \(near, 4 bits\); remove rows, or set leaks.policy.near.train to"
    audit(train, tmp_path / "leaks.parquet", refused=("near",), near_duplicate_bits=None)
    with pytest.raises(FoldlineError, match=rf"(?s){exact}.*{near} group"):
        audit(train, tmp_path / "leaks.parquet", refused=("exact", "near"))
    for split, word, other in (("test", "test", "report"), ("set2", "external", "group")):
        with pytest.raises(
            FoldlineError, match=rf"{split}: 1 exact pair, .* y and d .* set leaks.policy.exact.{word} to {other}"
        ):
            audit([unlabeled], tmp_path / "leaks.parquet", others={"train": train}, split=split, refused=("exact",))


def test_test_images_that_are_copies_are_counted(
    train: list[Path], unlabeled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    audit([unlabeled], tmp_path / "leaks.parquet", others={"train": train}, split="test")
    assert (
        "2 test images are copies of training or external images (1 of them exact): y, z; results/leaks" in caplog.text
    )


def test_contradictory_labels_are_reported(train: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    audit(train, tmp_path / "leaks.parquet")
    assert "1 pair of equal images with different labels" in caplog.text


def deep_pictures() -> dict[str, np.ndarray]:
    """Pictures of 12 bits, uint16 (H, W, 1): of each fourth one there is a copy, and changed ones."""
    random = np.random.default_rng(8)
    pictures = {}
    for number in range(16):
        coarse = photograph(120, 160, 1, seed=number).astype(np.uint16) * 16
        picture = coarse + random.integers(0, 16, coarse.shape, dtype=np.uint16)
        pictures[f"p{number:02d}"] = picture
        if number % 4 == 0:
            pictures[f"p{number:02d} copy"] = picture
            pictures[f"p{number:02d} darker"] = picture // 10 * 9
            pictures[f"p{number:02d} mirrored"] = picture[:, ::-1]
            noise = random.integers(-60, 61, picture.shape)
            pictures[f"p{number:02d} noisy"] = np.clip(picture + noise, 0, 4095).astype(np.uint16)
            pictures[f"p{number:02d} smaller"] = picture[::1, ::2]
    return pictures


def scanned(folder: Path, files: Mapping[str, bytes], reading: ImageOptions) -> Path:
    """Scan files into an inventory."""
    folder.mkdir()
    rows, cells, thumbnails = [], [], {}
    for name, data in files.items():
        (folder / f"{name}.png").write_bytes(data)
        sample = scan_sample([str(folder / f"{name}.png")], image_feature="image", gray=False, reading=reading)
        assert sample.cells["problem"] == ""
        rows.append((name, "0", str(sample.cells["sha256"]), "0"))
        cells.append(sample.cells)
        thumbnails[name] = sample.thumbnails
    path = write_inventory(folder / "inventory.parquet", rows, **pd.DataFrame(cells)[SCANNED].to_dict("list"))
    write_thumbnails(thumbnails, thumbnails_of(path))
    return path


def test_pictures_of_12_bits_have_the_duplicates_that_they_have_in_8_bits(tmp_path: Path) -> None:
    """In files of 16 bits, with `dataset.intensity: {bits: 12}`."""
    deep = {name: png_16_bit(samples) for name, samples in deep_pictures().items()}
    usual = {name: saved((samples >> 4).astype(np.uint8), "PNG") for name, samples in deep_pictures().items()}
    groups = []
    for folder, files, reading in (("deep", deep, ImageOptions(white=4095)), ("usual", usual, ImageOptions())):
        inventory = scanned(tmp_path / folder, files, reading)
        pairs = audit([inventory], tmp_path / "leaks.parquet", near_duplicate_bits=12)
        assert ("p00", "p00 copy", "exact") in {(name, other, kind) for name, other, _, kind, _, _ in pairs}
        of_picture = {name: {name} for name in files}
        for name, other, *_ in pairs:
            joined = of_picture[str(name)] | of_picture[str(other)]
            of_picture.update(dict.fromkeys(joined, joined))
        groups.append(of_picture)
    assert groups[0] == groups[1]
    # Each picture with its copies, and no others.
    assert groups[0] == {name: {other for other in deep if other[:3] == name[:3]} for name in deep}


def test_one_warning_tells_that_images_of_a_split_come_out_dark(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(f"{number}", "0", f"sha {number}", f"{4**number:x}") for number in range(4)]
    dark = write_inventory(
        tmp_path / "1.parquet", rows, peak_sample=[4080.0, 3000.0, 9.0, 65535.0], white_sample=65535.0
    )
    audit([dark], tmp_path / "leaks.parquet")
    assert "train: 3 of 4 images with more than 8 bits (75%) come out dark" in caplog.text
    assert caplog.text.count("WARNING") == 1


def test_one_warning_counts_images_of_one_color(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [(name, "0", "same file" if name in "ac" else f"sha {name}", "0") for name in "abcde"]
    contrasts = [1.4 if name in "acde" else 1.5 for name in "abcde"]
    train = write_inventory(tmp_path / "1.parquet", rows, contrast=contrasts)
    assert audit([train], tmp_path / "leaks.parquet") == []
    assert "train: 4 images of 5 show nothing, such as black ones" in caplog.text
    assert "a.png, c.png, d.png and 1 more; the leak audit leaves images without contrast out" in caplog.text
    assert caplog.text.count("show nothing") == 1


def test_blank_images_are_no_duplicates_of_each_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not even if their files are equal, or if they differ by noise alone."""
    flat = np.full((48, 64, 3), 90, np.uint8)
    noise = np.random.default_rng(0).integers(0, 2, (2, *flat.shape), dtype=np.uint8)
    pictures = [flat, flat, flat + noise[0], flat + noise[1], photograph(48, 64), photograph(48, 64)]
    files = {f"p{number}": saved(pixels, "PNG") for number, pixels in enumerate(pictures)}
    train = scanned(tmp_path / "train", files, ImageOptions())
    assert [row[:2] for row in audit([train], tmp_path / "leaks.parquet")] == [("p4", "p5")]
    assert "train: 4 images of 6 show nothing" in caplog.text


def test_crops_are_searched_up_to_the_number_of_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = [*(photograph(120, 160, seed=seed) for seed in range(3)), photograph(120, 160)[10:, 15:]]
    files = {f"p{number}": saved(np.ascontiguousarray(pixels), "PNG") for number, pixels in enumerate(pictures)}
    train = scanned(tmp_path / "train", files, ImageOptions())
    assert [row[:4] for row in audit([train], tmp_path / "leaks.parquet")] == [("p0", "p3", "train", "near")]
    assert "full_search_up_to" not in caplog.text
    assert audit([train], tmp_path / "leaks.parquet", full_search_up_to=3) == []
    assert "train: 4 images, more than leaks.full_search_up_to (3)" in caplog.text
    assert "are searched nowhere; raise it" in caplog.text


def test_crops_with_near_embeddings_are_always_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = [photograph(120, 160, seed=seed) for seed in range(12)]
    files = {f"p{number:02}": saved(pixels, "PNG") for number, pixels in enumerate(pictures)}
    train = scanned(tmp_path / "train", files, ImageOptions())
    test = scanned(tmp_path / "test", {"q": saved(np.ascontiguousarray(pictures[5][10:, 15:]), "PNG")}, ImageOptions())
    vectors = np.random.default_rng(3).normal(size=(13, 6))
    # One of the two nearest, besides an image that looks otherwise.
    vectors[12] = vectors[5] + 0.1
    embeddings = {"train": tmp_path / "train.vectors.parquet", "test": tmp_path / "test.vectors.parquet"}
    write_embeddings(embeddings["train"], list(files), vectors[:12])
    write_embeddings(embeddings["test"], ["q"], vectors[12:])
    found = {"others": {"train": [train]}, "split": "test", "full_search_up_to": 3}
    assert audit([test], tmp_path / "leaks.parquet", **found) == []
    pairs = audit([test], tmp_path / "leaks.parquet", **found, embeddings=embeddings)
    assert [row[:4] for row in pairs] == [("q", "p05", "train", "near")]
    assert "are searched among the two nearest by embedding alone" in caplog.text
