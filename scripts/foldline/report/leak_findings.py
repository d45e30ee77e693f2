"""What the report says of the leak audit: the pairs that it lists, what became of them, and what it cannot see."""

from collections.abc import Mapping

import pandas as pd

from foldline.errors import counted, listing
from foldline.report.run import AuditFacts, Run
from foldline.splits.fold_membership import DROPPED, HOLDOUT, NO_FOLD, WITHHELD
from foldline.splits.leak_policy import CONFIRMED, EXACT, NEAR, TEST, TRAIN

# Ids that a sentence names.
SHOWN_IDS = 5


def copies_inside(leaks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The pairs among training and external images."""
    return pd.concat([pairs for split, pairs in leaks.items() if split != TEST], ignore_index=True)


def copies_of_labeled(leaks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The pairs of a test image and a training or external one."""
    pairs = leaks[TEST] if TEST in leaks else leaks[TRAIN].iloc[:0]
    return pairs[pairs["other_split"] != TEST]


def divided_pairs(run: Run) -> int:
    """Number of pairs one image of which is scored by a model that was trained on the other one."""
    table = run.folds.set_index("id")
    folds, splits = table["fold"].to_dict(), table["split"].to_dict()
    withheld = table[WITHHELD].to_dict() if WITHHELD in table else {}
    inside = copies_inside(run.leaks)

    def leaks_into(scored: str, other: str) -> bool:
        fold, own = folds[scored], folds[other]
        if splits[scored] != TRAIN or fold in (NO_FOLD, DROPPED) or own in (fold, HOLDOUT, DROPPED):
            return False
        return fold == HOLDOUT or str(fold) not in str(withheld.get(other, "")).split()

    pairs = [pair for pair in zip(inside["id"], inside["other_id"], strict=True) if set(pair) <= folds.keys()]
    return sum(leaks_into(first, second) or leaks_into(second, first) for first, second in pairs)


def kinds_in_words(pairs: pd.DataFrame) -> str:
    """Numbers of pairs of each kind that occurs, such as "3 exact, 1 near"."""
    counts = {kind: int((pairs["kind"] == kind).sum()) for kind in (EXACT, NEAR, CONFIRMED)}
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)


def labeled_images(leaks: Mapping[str, pd.DataFrame]) -> str:
    """What the images with labels are called."""
    return "training and external images" if set(leaks) - {TRAIN, TEST} else "training images"


def pair_sentences(run: Run) -> list[tuple[bool, str]]:
    """Statements on the pairs that the audit lists, and whether each is good news."""
    leaks, images = run.leaks, labeled_images(run.leaks)
    inside, across = copies_inside(leaks), copies_of_labeled(leaks)
    sentences: list[tuple[bool, str]] = []
    if len(inside):
        divided = divided_pairs(run)
        count, kinds = counted(len(inside), "pair"), kinds_in_words(inside)
        text = f"The leak audit lists {count} of copies among the {images} ({kinds}). "
        if divided:
            text += (
                f"Of {divided:,} of them, one image is scored by models that were trained on the other one, so scores "
                "may be better than on new images: leaks.policy only reports them, or the folds are given."
            )
        else:
            text += "No image of them is scored by a model that was trained on its copy."
        sentences.append((not divided, text))
    contradictory = int((inside["same_label"] == "no").sum())
    if contradictory:
        verb = "has" if contradictory == 1 else "have"
        sentences.append(
            (False, f"{contradictory:,} of these pairs {verb} contradictory labels; look at results/leaks/pairs.html.")
        )
    if len(across):
        sentences.append((False, _across_sentence(run, across, images)))
    return sentences


def _across_sentence(run: Run, across: pd.DataFrame, images: str) -> str:
    names = sorted(across["id"].unique())
    exact = across.loc[across["kind"] == EXACT, "id"].nunique()
    are, scores = ("is a copy", "its score") if len(names) == 1 else ("are copies", "their scores")
    text = (
        f"{counted(len(names), 'test image')} {are} of {images} as far as the audit can tell ({exact:,} with equal "
        f"pixels): {listing(names, limit=SHOWN_IDS)}. "
    )
    fold_of = dict(zip(run.folds["id"], run.folds["fold"], strict=True))
    if all(fold_of.get(name) == DROPPED for name in across["other_id"]):
        return text + "The rows that they copy are left out (leaks.policy)."
    return (
        text + f"On a leaderboard, {scores} may be better than on new images; results/leaks/test.csv lists the pairs."
    )


def audit_limits(run: Run) -> list[str]:
    """What the audit compared, and what it cannot see."""
    facts = run.audit
    texts = [
        "Exact copies are images with equal decoded pixels, whatever their file format; a large JPEG counts at the "
        "reduced scale at which it is scanned."
    ]
    if facts.near_duplicate_bits is None:
        texts.append("Near copies were not searched (leaks.near_duplicate_bits is null).")
    else:
        texts += _searches(run, facts)
        texts.append(
            "A near copy was made from the other image, or shows the same from the same side, and both agree when they "
            "are aligned. The audit cannot see two photographs that do not agree in detail, changes that leave less "
            "than two thirds of an image, and weaker copies where all images look alike to begin with. It may "
            "take different images for copies all the same: look at results/leaks/pairs.html."
        )
    texts.append(
        "Images without contrast are not compared. Images that are in no table of this run, such as those on which "
        "weights were trained before, are unknown to it."
    )
    return texts


def _searches(run: Run, facts: AuditFacts) -> list[str]:
    """How near copies were searched, split by split."""
    rows = run.folds["split"].value_counts()
    sizes = {split: int(rows.get(split, 0)) if split != TEST else run.recipe.test_rows for split in run.leaks}
    total, full, by_hash = 0, list[str](), list[str]()
    for split, size in sizes.items():
        total += size if split != TEST else 0
        compared = total if split != TEST else total + size
        (full if compared <= facts.full_search_up_to else by_hash).append(f"{split} ({compared:,} compared)")
    texts = []
    if full:
        texts.append(
            "Near copies were searched among the images that are nearest by perceptual hash or by local features"
            f"{' or by embedding' if facts.embedded else ''}: {listing(full)}."
        )
    if by_hash:
        texts.append(
            f"Near copies were searched by perceptual hash{' and embedding' if facts.embedded else ''} alone: "
            f"{listing(by_hash)}. That is more than leaks.full_search_up_to ({facts.full_search_up_to:,}), so copies "
            "that are cropped, overlaid or rotated by other angles than quarter turns were "
            f"{'found only if they are among the nearest by embedding' if facts.embedded else 'not searched'}."
        )
    return texts
