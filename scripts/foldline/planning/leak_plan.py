"""The section `leaks` as planning knows it: what the audit of a split needs, and what the folds need."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foldline.dataset.confirmed_pairs import confirmed_pairs, read_confirmed
from foldline.io.storage import is_url
from foldline.io.system_errors import file_problem
from foldline.planning.dataset_section import class_names_of
from foldline.planning.dataset_splits import TEST, TRAIN, has_test, labeled_splits
from foldline.planning.raw_data import RawData
from foldline.splits.leak_policy import DROP, ERROR, EXTERNAL, GROUP_ALL, NEAR, REPORT

# Key of the pairs that the user confirmed, see `data_index.DataIndex.found`.
CONFIRMED = "confirmed_pairs"
# Folder that the run writes.
RESULTS = "results"


def leak_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each problem of the section in a completed configuration, before any data are read."""
    yield from _confirmed_problems(config["leaks"]["confirmed"])
    if config["leaks"]["near_duplicate_bits"] is None:
        for split, action in config["leaks"]["policy"]["near"].items():
            if action != GROUP_ALL[NEAR][split]:
                yield (
                    f"config: leaks.policy.near.{split} is {action!r}, but leaks.near_duplicate_bits is null, so near "
                    "duplicates are not searched for; set it to 12, or remove the action"
                )


def _confirmed_problems(path: str | None) -> Iterator[str]:
    if path is None or is_url(path):
        return
    if Path(RESULTS).resolve() in Path(path).resolve().parents:
        yield (
            f"config: leaks.confirmed is {path!r}, but this run writes {RESULTS}/; copy the file, for example to "
            "config/pairs.csv, and set leaks.confirmed to the copy"
        )
    elif problem := file_problem(path):
        yield (
            f"config: leaks.confirmed is {path!r}, but the file cannot be read ({problem}); correct the path, relative "
            "to the working directory"
        )


def find_confirmed(leaks: Mapping[str, Any], data: RawData, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The pairs that the user confirmed, under `CONFIRMED`; nothing without any, or if a split could not be read.

    Args:
        leaks: the section.
        data: the rows of all splits.
        dataset: the section `dataset`.

    Raises:
        FoldlineError: the table of pairs cannot be used.
    """
    if leaks["confirmed"] is None:
        return {}
    table = read_confirmed(leaks["confirmed"])
    rows = {**data.unlabeled, **{split: samples.rows for split, samples in data.splits.items()}}
    splits = [*labeled_splits(dataset), *([TEST] if has_test(dataset) else [])]
    if not rows.keys() >= set(splits):
        return {}
    ids = {split: frozenset(rows[split].id) for split in splits}
    if data.held_out is not None:
        ids[TRAIN] |= frozenset(data.held_out.rows.id)
    pairs = confirmed_pairs(table, ids)
    return {CONFIRMED: [list(pair) for pair in pairs]}


def audit_settings(leaks: Mapping[str, Any], split: str, confirmed: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """Fields of `LeakConfig` for the audit of a split.

    Args:
        leaks: the section.
        split: "train", "test" or the name of an external set.
        confirmed: what was found under `CONFIRMED`.
    """
    of_policy = split if split in (TRAIN, TEST) else EXTERNAL
    refused = [kind for kind, actions in leaks["policy"].items() if actions[of_policy] == ERROR]
    own = [pair for pair in confirmed if pair[2] == split]
    return {**{key: value for key, value in leaks.items() if key != "policy"}, "refused": refused, "confirmed": own}


def pair_settings(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the page that shows the pairs."""
    return {"class_names": class_names_of(dataset), "channels": dataset["channels"]}


def report_facts(leaks: Mapping[str, Any], *, embedded: bool) -> dict[str, Any]:
    """What the report says of the search: fields of `AuditFacts`."""
    return {**{key: leaks[key] for key in ("near_duplicate_bits", "full_search_up_to")}, "embedded": embedded}


def fold_policy(leaks: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What happens to the rows of duplicates, see `leak_policy.Policy`; test images count only for rows to drop."""
    return {
        kind: {**actions, TEST: DROP if actions[TEST] == DROP else REPORT} for kind, actions in leaks["policy"].items()
    }


def refuses_test_copies(leaks: Mapping[str, Any], dataset: Mapping[str, Any]) -> bool:
    """Whether copies in the test split are an error, so that no fold may be trained before its audit."""
    return has_test(dataset) and any(actions[TEST] == ERROR for actions in leaks["policy"].values())


def fold_audits(leaks: Mapping[str, Any], dataset: Mapping[str, Any]) -> list[str]:
    """Splits whose audits decide folds: the labeled ones, and the test split if copies of its images are dropped."""
    drops = any(actions[TEST] == DROP for actions in fold_policy(leaks).values())
    return [*labeled_splits(dataset), *([TEST] if drops and has_test(dataset) else [])]
