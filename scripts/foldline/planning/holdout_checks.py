"""Whether the training rows that a holdout leaves can be trained on, as far as the tables tell."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from foldline.dataset.cell_values import sorted_words
from foldline.dataset.labels import names_of
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, counted, listing
from foldline.planning.dataset_section import class_names_of, group_columns, scored_classes_of
from foldline.planning.samples import Samples


def check_values(where: str, cells: Sequence[str], values: Sequence[str]) -> None:
    """Refuse values that say nothing, or that leave no row.

    Args:
        where: the start of messages.
        cells: the column of the holdout, (n_rows,).
        values: see `fold_plan.holdout_values`.

    Raises:
        FoldlineError: names the values, and those of the column.
    """
    different = set(cells)
    absent = [value for value in values if value not in different]
    is_all = different <= set(values)
    if absent or is_all:
        which = "all rows" if is_all else "no row"
        raise FoldlineError(
            f"{where} has {_shown(values if is_all else absent)} (folds.holdout.values) in {which}; its values "
            f"are {_shown(sorted_words(different))}; correct folds.holdout.values"
        )


def _shown(values: Sequence[str]) -> str:
    return listing([value or "missing" for value in values], limit=5)


def check_classes(where: str, dataset: Mapping[str, Any], targets: Sequence[str], kept: Sequence[bool]) -> None:
    """Refuse a holdout that has all rows of a class.

    Args:
        where: the start of messages.
        dataset: the section `dataset`, with the classes that were found.
        targets: label code of each training row, (n_rows,).
        kept: whether it is not in the holdout, (n_rows,).

    Raises:
        FoldlineError: names the classes.
    """
    names = class_names_of(dataset)
    before, after = ({hard_code(code) for code in codes} for codes in (set(targets), set(compress(targets, kept))))
    if len(names) > 1:
        lost = [name for name in names if name in _named(before, names) and name not in _named(after, names)]
    else:
        lost = [f"label {code}" for code in sorted(before - after)]
    if lost:
        raise FoldlineError(
            f"{where} holds out all rows with {listing(lost)}, so no model learns them; hold out fewer values in "
            "folds.holdout.values"
        )


def _named(codes: set[str], names: Sequence[str]) -> set[str]:
    return {name for code in codes for name in names_of(code, names)}


def check_share(folds: Mapping[str, Any], dataset: Mapping[str, Any], train: Samples) -> None:
    """Refuse a share of a holdout that leaves fewer groups than there are folds.

    Args:
        folds: the section.
        dataset: the section `dataset`, with the classes that were found.
        train: the training rows, with connected groups.

    Raises:
        FoldlineError: names how many groups are left.
    """
    share, count = folds["holdout"]["share"], folds["count"]
    scored, names = scored_classes_of(dataset), class_names_of(dataset)
    groups = {"": set(train.rows.group)}
    if len(scored) == 1:
        index = names.index(scored[0])
        for label in ("0", "1"):
            which = f" with label {label}" + (f" of {scored[0]}" if len(names) > 1 else "")
            groups[which] = {
                group
                for group, code in zip(train.rows.group, train.rows.target, strict=True)
                if hard_code(code)[index] == label
            }
    kind = "group" if group_columns(dataset) else "row"
    for which, found in groups.items():
        # One more, because shares of few groups are rounded.
        left = int(len(found) * (1 - share)) + 1
        if left < count <= len(found):
            most = int(100 * (1 - count / len(found))) / 100
            raise FoldlineError(
                f"config: folds.holdout.share is {share:g}, which leaves at most {left} of "
                f"{counted(len(found), kind)}{which} for {counted(count, 'fold')}; "
                + (f"lower it to {most:g} or less" if most > 0 else "lower folds.count")
            )
