"""The page of the duplicates: what it shows first, that it is bounded, and that texts of tables stay texts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures.result_files import inventory_table
from foldline.io.tables import INVENTORY, LEAKS, write_table
from foldline.io.thumbnails import write_thumbnails
from foldline.report.pairs_page import MOST_CHANNELS, MOST_PAIRS, pairs_to_show
from show_pairs import Inputs, show_pairs

Rows = list[tuple[str, str, str, str, int, str]]


def table_of(rows: Rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(LEAKS))


def page_of(
    folder: Path, train: Rows, test: Rows = (), *, names: dict[str, str] | None = None, channels: int = 0
) -> str:
    """Write the page of a train and a test split with the ids 0 to 129, some of which have other names."""
    inputs = Inputs([], {"train": [], "test": []}, {"train": [], "test": []})
    for split, rows in (("train", train), ("test", test)):
        ids = [(names or {}).get(str(number), str(number)) for number in range(130)]
        codes = ["01"[number % 2] if split == "train" else "" for number in range(130)]
        paths = {kind: folder / kind / split / "one.parquet" for kind in ("inventory", "thumbnails")}
        for path in paths.values():
            path.parent.mkdir(parents=True)
        groups = [f"group <{name}>" for name in ids]
        write_table(inventory_table(ids, codes, groups, np.random.default_rng(0)), paths["inventory"], INVENTORY)
        write_thumbnails({name: [name.encode()] * max(1, channels) for name in ids}, paths["thumbnails"])
        leaks = folder / f"{split}.parquet"
        write_table(table_of(rows), leaks, LEAKS, key=("id", "other_split", "other_id"))
        inputs.leaks.append(leaks)
        inputs.inventories[split].append(paths["inventory"])
        inputs.thumbnails[split].append(paths["thumbnails"])
    page = folder / "pairs.html"
    show_pairs(inputs, page, class_names=["sick"], channels=[f"c{number}" for number in range(channels)])
    return page.read_text(encoding="utf-8")


def test_doubtful_pairs_are_first() -> None:
    train = [
        ("a", "b", "train", "exact", 0, "yes"),
        ("a", "c", "train", "confirmed", 90, "yes"),
        ("a", "d", "train", "near", 3, "yes"),
        ("a", "e", "train", "near", 9, "yes"),
        ("f", "g", "train", "exact", 0, "no"),
    ]
    test = [("t", "a", "train", "exact", 0, ""), ("t", "u", "test", "near", 20, "")]
    pairs = pd.concat([table_of(train).assign(split="train"), table_of(test).assign(split="test")], ignore_index=True)
    shown = pairs_to_show(pairs)
    assert list(shown["id"] + shown["other_id"]) == ["fg", "ta", "tu", "ae", "ad", "ac", "ab"]


def test_a_pair_has_ids_splits_groups_labels_and_kind(tmp_path: Path) -> None:
    html = page_of(tmp_path, [("1", "2", "train", "near", 7, "no")], [("3", "1", "train", "exact", 0, "")])
    for text in (
        "<b>near</b> · 7 of 256 bits · <em>different labels</em>",
        "<b>1</b><small>training · group group &lt;1&gt; · label 1</small>",
        "<b>2</b><small>training · group group &lt;2&gt; · label 0</small>",
        "<b>3</b><small>test · group group &lt;3&gt;</small>",
        'src="data:image/jpeg;base64,MQ=="',
        "2 pairs among the images of training, test",
        "Test images that are copies</dt><dd>1</dd>",
    ):
        assert text in html
    assert "The page shows the first" not in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_ids_are_escaped(tmp_path: Path) -> None:
    names = {"1": '"><script>alert(1)</script>&'}
    html = page_of(tmp_path, [(names["1"], "2", "train", "exact", 0, "yes")], names=names)
    assert "<script" not in html
    assert html.count("&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;") >= 2


def test_the_page_is_bounded_and_says_so(tmp_path: Path) -> None:
    html = page_of(tmp_path, [(str(number), str(number + 1), "train", "exact", 0, "yes") for number in range(120)])
    assert html.count("<figure>") == 2 * MOST_PAIRS
    assert f"The page shows the first {MOST_PAIRS} of 120 pairs; results/leaks/SPLIT.csv lists all of them." in html


@pytest.mark.parametrize(("channels", "words"), [(3, "c0, c1, c2."), (6, "c0, c1, c2, c3; 2 more are not shown.")])
def test_channels_are_side_by_side(channels: int, words: str, tmp_path: Path) -> None:
    html = page_of(tmp_path, [("1", "2", "train", "exact", 0, "yes")], channels=channels)
    assert f"Channels from left to right: {words}" in html
    assert html.count("<img") == 2 * min(channels, MOST_CHANNELS)


def test_without_pairs_the_page_claims_nothing(tmp_path: Path) -> None:
    html = page_of(tmp_path, [])
    assert "The audit lists no pair." in html
    assert "What is no pair here is not known to be different" in html
