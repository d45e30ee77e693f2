"""The section `leaks` as planning knows it: what the audit of a split needs, and what the folds need."""

from collections.abc import Mapping
from typing import Any

from foldline.planning.dataset_splits import TEST, TRAIN, has_test, labeled_splits
from foldline.splits.leak_policy import DROP, ERROR, EXTERNAL, REPORT


def audit_settings(leaks: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Fields of `LeakConfig` for the audit of a split.

    Args:
        leaks: the section.
        split: "train", "test" or the name of an external set.
    """
    of_policy = split if split in (TRAIN, TEST) else EXTERNAL
    refused = [kind for kind, actions in leaks["policy"].items() if actions[of_policy] == ERROR]
    return {**{key: value for key, value in leaks.items() if key != "policy"}, "refused": refused}


def fold_policy(leaks: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What happens to the rows of duplicates, see `leak_policy.Policy`; test images count only for rows to drop."""
    return {
        kind: {**actions, TEST: DROP if actions[TEST] == DROP else REPORT} for kind, actions in leaks["policy"].items()
    }


def fold_audits(leaks: Mapping[str, Any], dataset: Mapping[str, Any]) -> list[str]:
    """Splits whose audits decide folds: the labeled ones, and the test split if copies of its images are dropped."""
    drops = any(actions[TEST] == DROP for actions in fold_policy(leaks).values())
    return [*labeled_splits(dataset), *([TEST] if drops and has_test(dataset) else [])]
