"""What the report says of copies: which of them are divided, and what was searched."""

from dataclasses import replace

import pandas as pd
import pytest
from fixtures.report_run import column_scores, report_run
from foldline.report.leak_findings import audit_limits, divided_pairs, pair_sentences
from foldline.report.run import AuditFacts, Run
from foldline.report.tables import merged_groups


def run_of(*rows: tuple[str, int, str, str], pairs: list[tuple[str, str]], tested: tuple[str, ...] = ()) -> Run:
    """A run with rows of the fold table (id, fold, split, withheld), pairs among them, and copies of test images."""
    run = report_run(
        column_scores(0.9),
        train_pairs=[(first, other, "train", "near", 4, "yes") for first, other in pairs],
        test_pairs=[("t", name, "train", "near", 4, "") for name in tested],
    )
    folds = pd.DataFrame(rows, columns=["id", "fold", "split", "withheld"]).assign(group="g")
    return replace(run, folds=folds)


@pytest.mark.parametrize(
    ("first", "other", "divided"),
    [
        ((0, "train", ""), (0, "train", ""), 0),
        ((0, "train", ""), (1, "train", ""), 1),
        ((0, "train", ""), (1, "external", ""), 1),
        ((0, "train", ""), (-1, "external", ""), 1),
        ((0, "train", ""), (-1, "external", "0 2"), 0),
        ((0, "train", ""), (0, "external", ""), 0),
        ((0, "train", ""), (-3, "train", ""), 0),
        ((-2, "train", ""), (0, "train", ""), 1),
        ((-2, "train", ""), (-2, "external", ""), 0),
        ((-1, "train", ""), (0, "train", "1"), 1),
        ((-1, "external", ""), (1, "external", ""), 0),
    ],
)
def test_a_pair_is_divided_if_one_image_is_scored_by_models_that_saw_the_other(
    first: tuple[int, str, str], other: tuple[int, str, str], divided: int
) -> None:
    assert divided_pairs(run_of(("a", *first), ("b", *other), pairs=[("b", "a")])) == divided


def test_divided_pairs_are_a_warning() -> None:
    run = run_of(("a", 0, "train", ""), ("b", 1, "train", ""), pairs=[("a", "b")])
    ((is_good, text),) = pair_sentences(run)
    assert not is_good
    assert "Of 1 of them, one image is scored by models that were trained on the other one" in text


def test_copies_of_test_images_that_are_dropped_leak_nothing() -> None:
    rows = [("a", -3, "train", ""), ("b", 0, "train", "")]
    ((_, text),) = pair_sentences(run_of(*rows, pairs=[], tested=("a",)))
    assert text.endswith("The rows that they copy are left out (leaks.policy).")
    ((_, text),) = pair_sentences(run_of(*rows, pairs=[], tested=("a", "b")))
    assert "On a leaderboard, its score may be better" in text


@pytest.mark.parametrize(
    ("facts", "words", "absent"),
    [
        (AuditFacts(12, 20_000), ["nearest by perceptual hash or by local features: train (2"], ["alone", "embedding"]),
        (AuditFacts(12, 4), ["local features: train (2", "hash alone: test (5 compared). That"], []),
        (AuditFacts(12, 4, embedded=True), ["features or by embedding: train", "hash and embedding alone: test"], []),
        (AuditFacts(None, 11), ["Near copies were not searched (leaks.near_duplicate_bits is null)."], ["A near copy"]),
    ],
)
def test_the_limits_say_what_was_searched(facts: AuditFacts, words: list[str], absent: list[str]) -> None:
    text = " ".join(audit_limits(replace(report_run(column_scores(0.9)), audit=facts)))
    assert all(word in text for word in words)
    assert not any(word in text for word in absent)
    assert "Images without contrast are not compared." in text
    assert ("take different images for copies" in text) == (facts.near_duplicate_bits is not None)


def test_dropped_rows_merge_no_groups() -> None:
    run = run_of(("a", 0, "train", ""), ("b", 1, "train", ""), ("c", -3, "train", ""), pairs=[])
    folds = run.folds.assign(group=["g", "g", "h"])
    inventory = pd.DataFrame({"id": ["a", "b", "c"], "group": ["g", "f", "h"]})
    assert merged_groups(replace(run, folds=folds, inventory=inventory)) == 1
