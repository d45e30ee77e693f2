"""The step that compares training and test images, on inventories and thumbnails as the scan writes them."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from detect_drift import DriftConfig, Inputs, detect_drift
from foldline.io.embeddings import write_embeddings
from foldline.io.tables import INVENTORY, LEAKS, write_table
from foldline.io.thumbnails import write_thumbnails
from PIL import Image

CONFIG = DriftConfig(metadata_columns=("site", "patient"), group_columns=("patient",), channels=(), confidence=0.95)


def thumbnail(brightness: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), brightness, np.uint8)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def write_split(folder: Path, split: str, rows: int, *, brighter: int, patients: bool) -> None:
    random = np.random.default_rng(rows)
    ids = [f"{split}{number:03d}" for number in range(rows)]
    table = pd.DataFrame({name: "" if kind == "str" else 1 for name, kind in INVENTORY.items()}, index=range(rows))
    table = table.assign(
        id=ids,
        path=[f"{name}.png" for name in ids],
        group=[f"g{number // 2}" for number in range(rows)] if split == "train" else ids,
        width=100,
        height=80,
        sha256=ids,
        perceptual_hash="0",
        site=random.choice(["arm", "leg"], rows),
        patient=[f"p{number // 4}" if patients else "" for number in range(rows)],
    )
    types = {name: kind for name, kind in INVENTORY.items() if kind != "str"}
    write_table(table.astype(types), folder / f"{split}.parquet", INVENTORY)
    levels = random.integers(60, 160, rows) + brighter
    write_thumbnails(
        {name: [thumbnail(level)] for name, level in zip(ids, levels, strict=True)}, folder / f"{split}.thumbs"
    )


def detect(
    folder: Path,
    *,
    brighter: int = 0,
    patients: bool = True,
    pairs: tuple[tuple[str, ...], ...] = (),
    vectors: bool = False,
) -> Any:
    for split, rows in (("train", 120), ("test", 80)):
        if vectors:
            random = np.random.default_rng(rows).normal(size=(rows, 4)) + np.array([2.0 * (split == "test"), 5, 5, 5])
            ids = [f"{split}{number:03d}" for number in range(rows)]
            write_embeddings(folder / "embeddings" / f"{split}.parquet", ids, random)
        write_split(folder, split, rows, brighter=brighter * (split == "test"), patients=patients)
        own = [pair for pair in pairs if pair[0].startswith(split)]
        columns = ["id", "other_id", "other_split"]
        leaks = pd.DataFrame(own, columns=columns).assign(kind="near", distance=1, same_label="")[list(LEAKS)]
        write_table(
            leaks.astype({"distance": "int64"}), folder / f"{split}_leaks.parquet", LEAKS, key=("id", "other_id")
        )
    names = [[folder / f"{split}.{kind}"] for kind in ("parquet", "thumbs") for split in ("train", "test")]
    embeddings = [folder / "embeddings" / f"{split}.parquet" for split in ("train", "test") if vectors]
    inputs = Inputs(*names, folder / "train_leaks.parquet", folder / "test_leaks.parquet", embeddings)
    detect_drift(inputs, folder / "drift.json", CONFIG)
    return json.loads((folder / "drift.json").read_text())


def test_brighter_test_images_are_found(tmp_path: Path) -> None:
    found = detect(tmp_path, brighter=60)
    assert found["images"] == {"train": 120, "test": 80}
    assert [one["name"] for one in found["sets"]] == ["image facts", "metadata"]
    assert found["sets"][0]["auc"]["low"] > 0.6
    brightness = found["columns"][0]
    assert brightness["name"] == "brightness"
    assert brightness["test"]["0.5"] - brightness["train"]["0.5"] == pytest.approx(60, abs=20)
    assert found["sets"][1]["columns"] == ["site"]
    assert found["left_out"]["width"] == "one value in all images"


def test_patients_and_duplicates_of_both_splits_are_one_group(tmp_path: Path) -> None:
    """Patients join groups of both splits where the test table has them; without them a test image is a group."""
    assert detect(tmp_path)["groups"] == {"train": 30, "test": 20}
    assert detect(tmp_path, patients=False)["groups"] == {"train": 60, "test": 80}
    pairs = (("train000", "train002", "train"), ("test000", "train004", "train"), ("test001", "e0", "external"))
    assert detect(tmp_path, patients=False, pairs=pairs)["groups"] == {"train": 59, "test": 80}


def test_embeddings_are_compared_where_there_are_some(tmp_path: Path) -> None:
    found = detect(tmp_path, vectors=True)
    assert found["sets"][0]["name"] == found["by"] == "embeddings"
    assert found["sets"][0]["auc"]["low"] > 0.7


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    detect(tmp_path)
    first = (tmp_path / "drift.json").read_bytes()
    detect(tmp_path)
    assert (tmp_path / "drift.json").read_bytes() == first
