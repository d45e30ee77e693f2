"""The folds as the data give them: names and numbers, found and checked before any job starts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Any

from foldline.dataset.fold_cells import ReadCells
from foldline.dataset.sample_table import GROUP_REMEDY
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, Problems, counted, listing
from foldline.planning.dataset_section import class_names_of, group_columns, scored_classes_of
from foldline.planning.dataset_splits import TRAIN
from foldline.planning.fold_plan import FOLD, fold_cells, fold_method, holdout_values
from foldline.planning.group_links import links_in_words
from foldline.planning.holdout_checks import check_classes, check_share, check_values
from foldline.planning.raw_data import RawData
from foldline.planning.row_weights import lost_label_finder
from foldline.planning.samples import Samples
from foldline.splits.connected_groups import connected_groups
from foldline.splits.folds_config import COLUMN, GROUPED, LEAVE_ONE_GROUP_OUT, TABLE, TIME
from foldline.splits.given_folds import number_folds, one_label_problems, split_groups
from foldline.splits.time_folds import TimeFolds, folds_by_time, period_starts, read_times

MOST_FOLDS = 100
# With more connected groups, no message says what connects them.
FEW_GROUPS = 100
# Problems of one kind that a message spells out.
MOST_TOLD = 5


def read_cells(folds: Mapping[str, Any], dataset: Mapping[str, Any], tables: Mapping[str, str]) -> ReadCells:
    """The cells that decide folds; see `fold_cells`.

    Raises:
        FoldlineError: a table cannot be read, or a training row has no value of a further group column.
    """
    cells = fold_cells(folds, dataset, tables)
    if cells is None:
        return ReadCells({}, {})
    found, problems = cells.read(), Problems()
    for column in group_columns(dataset)[1:]:
        table = found.tables[TRAIN]
        wrong = [
            (line, f"the group (column {column}) of id {name!r} is missing")
            for line, name, cell in zip(table.raw.lines, table.ids, found.column(TRAIN, column), strict=True)
            if not cell
        ]
        with problems.collected():
            if wrong:
                raise table.raw.error(wrong, GROUP_REMEDY)
    problems.check()
    return found


def with_connected_groups(data: RawData, dataset: Mapping[str, Any], cells: ReadCells) -> RawData:
    """The data with one group for the training rows that any of the group columns connects.

    Args:
        data: the data.
        dataset: the section `dataset`.
        cells: see `read_cells`.
    """
    names = group_columns(dataset)[1:]
    if not names or TRAIN not in cells.tables or TRAIN not in data.splits:
        return data
    train = data.splits[TRAIN]
    columns = [cells.of_ids(TRAIN, column, train.rows.id) for column in names]
    groups = connected_groups(train.rows.group, columns)
    own = dict(zip(group_columns(dataset), [train.rows.group, *columns], strict=True))
    links = links_in_words(own) if len(set(groups)) <= FEW_GROUPS else ""
    rows = replace(train.rows, group=groups)
    return replace(data, splits={**data.splits, TRAIN: replace(train, rows=rows)}, links=links)


def without_holdout(data: RawData, folds: Mapping[str, Any], cells: ReadCells, dataset: Mapping[str, Any]) -> RawData:
    """The data without the training rows that `folds.holdout.column` holds out.

    Args:
        data: the data, with connected groups.
        folds: the section.
        cells: see `read_cells`.
        dataset: the section `dataset`, with the classes that were found.

    Raises:
        FoldlineError: a value is in no row, all rows are held out, a group is divided, or a class is left in no row.
    """
    column, values = folds["holdout"]["column"], holdout_values(folds)
    if column is None or TRAIN not in data.splits or TRAIN not in cells.tables:
        return data
    train = data.splits[TRAIN]
    of_rows = cells.of_ids(TRAIN, column, train.rows.id)
    chosen = [cell in values for cell in of_rows]
    where = f"{cells.tables[TRAIN].raw.path}: column {column} (folds.holdout.column)"
    check_values(where, of_rows, values)
    names = ["the holdout" if is_chosen else "the others" for is_chosen in chosen]
    if broken := split_groups(train.rows.id, train.rows.group, names, word=""):
        raise FoldlineError(
            f"{where} divides {counted(len(broken), 'group')} of dataset.group_column: "
            f"{listing(broken, limit=MOST_TOLD)}; {data.links or 'hold out whole groups'}"
        )
    kept = [not is_chosen for is_chosen in chosen]
    check_classes(where, dataset, train.rows.target, kept)
    return replace(data, splits={**data.splits, TRAIN: train.of_rows(kept)}, held_out=train.of_rows(chosen))


def find_folds(folds: Mapping[str, Any], dataset: Mapping[str, Any], data: RawData, cells: ReadCells) -> dict[str, Any]:
    """What the data say of folds, in values that JSON can hold; empty if they say nothing.

    Args:
        folds: the section.
        dataset: the section `dataset`, with the classes that were found.
        data: the data, with connected groups and without the holdout; its training rows could be read.
        cells: see `read_cells`.

    Returns:
        `digest` of the cells that decide folds; where the data decide how many folds there are, also `names` and
        `numbers` of the folds, in this order.

    Raises:
        FoldlineError: folds that the data give cannot be used.
    """
    found = dict[str, Any]()
    if cells.tables or cells.old:
        found["digest"] = cells.digest
    train, method = data.splits[TRAIN], fold_method(folds)
    if folds["holdout"]["share"] and method == GROUPED:
        check_share(folds, dataset, train)
    if method == COLUMN:
        where = f"{cells.tables[TRAIN].raw.path}: column {folds['column']} (folds.column)"
        names = _names_of_column(folds["column"], cells, train)
    elif method == LEAVE_ONE_GROUP_OUT:
        where = f"config: folds.method is {method!r}, and column {' and '.join(group_columns(dataset))}"
        names = list(train.rows.group)
    elif method == TABLE:
        where = f"{folds['table']}: column {folds['column'] or FOLD}"
        names = [cells.old.get(name, "") for name in train.rows.id]
        if not any(names):
            shown = listing(list(cells.old), limit=3) or "none"
            raise FoldlineError(
                f"{where}: no training row has a fold in it; its ids with a fold are {shown}, and those of the "
                f"training rows {listing(train.rows.id, limit=3)}; correct folds.table"
            )
    elif method == TIME:
        by_time = _check_times(folds, cells, train, data.links)
        where = f"{cells.tables[TRAIN].raw.path}: column {folds['column']}"
        numbers = {str(number): number for number in range(folds["count"])}
        _check_weights(where, numbers, lambda fold: _rows_before(by_time, numbers[fold]), dataset, data)
        return found
    else:
        return found
    found |= _checked(names, where, dataset, train, data.links)
    if all(names):
        _check_weights(where, found["names"], lambda fold: [name != fold for name in names], dataset, data)
    return found


def _check_weights(
    where: str,
    names: Iterable[str],
    trained_on: Callable[[str], Sequence[bool]],
    dataset: Mapping[str, Any],
    data: RawData,
) -> None:
    """Refuse folds of which all training rows with some label have the weight 0.

    Args:
        where: the start of messages.
        names: name of each fold.
        trained_on: says of a fold whether it is trained on each training row, (n_rows,).
        dataset: the section `dataset`, with the classes that were found.
        data: the data, without the holdout.
    """
    lost = lost_label_finder(dataset, data.tables, data.splits)
    if lost is None:
        return
    labels = {fold: lost(trained_on(fold)) for fold in names}
    if problems := [f"fold {fold} is trained on no row with {words}" for fold, words in labels.items() if words]:
        raise FoldlineError(
            f"{where}: {listing(problems, limit=MOST_TOLD)}: all such rows have the weight 0 (dataset.weight_column); "
            "give some of them a weight, or choose other folds"
        )


def _names_of_column(column: str, read: ReadCells, train: Samples) -> list[str]:
    """Name of the fold of each training row, (n_rows,).

    Raises:
        FoldlineError: a row has none.
    """
    table = read.tables[TRAIN]
    wrong = [
        (line, f"the fold (column {column}) of id {name!r} is {repr(cell) if cell else 'missing'}")
        for line, name, cell in zip(table.raw.lines, table.ids, read.column(TRAIN, column), strict=True)
        if not cell or cell.startswith("-")
    ]
    if wrong:
        negative = any(cell.startswith("-") for cell in read.column(TRAIN, column))
        meaning = "a number below 0 means no fold in most tables; " if negative else ""
        remedy = "give every row a fold, such as 0 or the name of a site, or remove folds.column to have folds made"
        raise table.raw.error(wrong, meaning + remedy)
    return read.of_ids(TRAIN, column, train.rows.id)


def _checked(
    names: Sequence[str], where: str, dataset: Mapping[str, Any], train: Samples, links: str
) -> dict[str, Any]:
    """Names and numbers of the folds, as `find_folds` gives them.

    Args:
        names: name of the fold of each training row, "" if it has none yet, (n_rows,).
        where: the start of messages.
        dataset: the section `dataset`.
        train: the training rows, with connected groups.
        links: what connects groups, see `RawData`.

    Raises:
        FoldlineError: there are too few folds or too many, a group is in two, or the rows without a fold all have one
            label.
    """
    number_of = number_folds(filter(None, names))
    if not 2 <= len(number_of) <= MOST_FOLDS:
        raise FoldlineError(
            f"{where} has {counted(len(number_of), 'value')} ({listing(list(number_of), limit=5)}), but there may be "
            f"2 to {MOST_FOLDS}: every model is trained once for each; "
            + (links or "name another column, or set folds.method to grouped")
        )
    if broken := split_groups(train.rows.id, train.rows.group, names):
        raise FoldlineError(
            f"{where} has {counted(len(broken), 'group')} of dataset.group_column in more than one fold: "
            f"{listing(broken, limit=MOST_TOLD)}; "
            + (links or "give all rows of a group one fold, or set folds.method to grouped")
        )
    scored = scored_classes_of(dataset)
    if len(scored) == 1 and all(names):
        index = class_names_of(dataset).index(scored[0])
        labels = [hard_code(code)[index] for code in train.rows.target]
        if problems := one_label_problems(labels, names):
            raise FoldlineError(
                f"{where}: {listing(problems, limit=MOST_TOLD)}, so there is nothing to learn; correct the folds, or "
                "set folds.method to grouped"
            )
    return {"names": list(number_of), "numbers": list(number_of.values())}


def _check_times(folds: Mapping[str, Any], read: ReadCells, train: Samples, links: str) -> TimeFolds:
    """Refuse times that cannot be read or give no folds.

    Args:
        folds: the section.
        read: the cells.
        train: the training rows, with connected groups.
        links: what connects groups, see `RawData`.

    Returns:
        The folds of the training rows.

    Raises:
        FoldlineError: names lines, or the fold.
    """
    column, table = folds["column"], read.tables[TRAIN]
    cells = read.of_ids(TRAIN, column, train.rows.id)
    times = read_times(cells)
    wrong = [
        (line, f"the time (column {column}) of id {name!r} is {repr(cell) if cell else 'missing'}")
        for line, name, cell, time in zip(train.rows.line, train.rows.id, cells, times, strict=True)
        if time is None
    ]
    if wrong:
        raise table.raw.error(
            wrong, "write a number such as 2019 in all rows, or a date such as 2019-05-31 in all rows"
        )
    known = [time for time in times if time is not None]
    where = f"{table.raw.path}: column {column} (folds.column)"
    try:
        starts = period_starts(known, folds["count"])
    except FoldlineError as error:
        raise FoldlineError(f"{where}: {error}") from None
    first = dict(zip(times, cells, strict=True))
    alone = folds_by_time(known, train.rows.id, starts, folds["gap"])
    found = folds_by_time(known, train.rows.group, starts, folds["gap"])
    codes = [hard_code(code) for code in train.rows.target]
    for fold, start in enumerate(starts):
        used = set(compress(codes, _rows_before(found, fold)))
        if len(used) >= 2:
            continue
        what = f"only rows with the label {next(iter(used))}" if used else "no row"
        remedy = f"lower folds.gap, which is {folds['gap']:g}, or folds.count"
        if len(set(compress(codes, _rows_before(alone, fold)))) >= 2:
            what = f"beside groups with rows in the period, {what}"
            remedy = links or "name another column in dataset.group_column, whose groups are not in several periods"
        elif not folds["gap"]:
            remedy = "lower folds.count, so that periods are longer"
        raise FoldlineError(f"{where}: {what} before fold {fold} (from {first[start]}) to train on; {remedy}")
    return found


def _rows_before(found: TimeFolds, fold: int) -> list[bool]:
    """Whether a fold by time is trained on each row, (n_rows,)."""
    rows = zip(found.folds, found.withheld, strict=True)
    return [own != fold and fold not in withheld for own, withheld in rows]
