"""What the audits and the folds need of the section `leaks`."""

from pathlib import Path
from typing import Any

import pytest
from fixtures.settings import dataset_settings
from foldline.planning.leak_plan import audit_settings, fold_audits, fold_policy, leak_problems
from foldline.splits.leak_policy import GROUP_ALL


def leaks(**changes: str) -> dict[str, Any]:
    """The section with the actions of exact duplicates by split."""
    return {"near_duplicate_bits": 8, "policy": {**GROUP_ALL, "exact": {**GROUP_ALL["exact"], **changes}}}


@pytest.mark.parametrize(("split", "key"), [("train", "train"), ("test", "test"), ("set2", "external")])
def test_an_audit_knows_what_it_refuses_and_nothing_else_of_the_policy(split: str, key: str) -> None:
    others = {name: "drop" for name in ("train", "external", "test") if name != key}
    assert audit_settings(leaks(**others), split) == {"near_duplicate_bits": 8, "refused": [], "confirmed": []}
    assert audit_settings(leaks(**{key: "error"}), split)["refused"] == ["exact"]


def test_an_audit_gets_the_confirmed_pairs_of_its_split() -> None:
    pairs = [["train", "a", "test", "t"], ["train", "a", "train", "b"]]
    assert audit_settings(leaks(), "test", pairs)["confirmed"] == pairs[:1]
    assert audit_settings(leaks(), "set2", pairs)["confirmed"] == []


def test_the_table_of_confirmed_pairs_is_looked_for_before_data_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pairs.csv").write_text("id,other_id\n")
    paths = (None, "pairs.csv", "p.csv", "results/x.csv")
    texts = [list(leak_problems({"leaks": {**leaks(), "confirmed": path}})) for path in paths]
    assert texts[:2] == [[], []]
    assert "leaks.confirmed is 'p.csv', but the file cannot be read" in texts[2][0]
    assert "leaks.confirmed is 'results/x.csv', but this run writes results/; copy the file" in texts[3][0]


def test_test_images_decide_folds_only_if_their_copies_are_dropped() -> None:
    dataset = dataset_settings()
    assert fold_audits(leaks(test="error"), dataset) == ["train"]
    assert fold_audits(leaks(test="drop"), dataset) == ["train", "test"]
    assert fold_policy(leaks(test="error")) == fold_policy(leaks())
    assert fold_policy(leaks(test="drop"))["exact"]["test"] == "drop"
