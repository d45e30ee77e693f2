"""Find the weights of the labeled rows, if the configuration names them, before any job starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import compress
from typing import Any

from foldline.dataset.row_weights import RowWeights, WeightTable, unweighted_labels
from foldline.errors import FoldlineError
from foldline.planning.dataset_section import class_names_of, columns_of, is_made_table, reads_labels, source_of
from foldline.planning.dataset_splits import TEST, TRAIN, external_sets, labeled_splits
from foldline.planning.samples import Samples


def row_weights_of(dataset: Mapping[str, Any], tables: Mapping[str, str], *, digest: str = "") -> RowWeights | None:
    """Where the weights are; None if every row has the weight 1.

    Args:
        dataset: the section of the completed configuration.
        tables: table of each split that can be read.
        digest: digest of the weights; "" if it is not known yet.
    """
    column = dataset["weight_column"]
    factors = {name: dataset["external"][name]["weight"] for name in external_sets(dataset)}
    factors = {name: factor for name, factor in factors.items() if factor != 1}
    if column is None and not factors:
        return None
    found = {}
    for split in labeled_splits(dataset) if column else []:
        columns = columns_of(dataset, split)
        if split in tables and column not in columns.absent:
            columns = columns.of_made_table(source_of(dataset, split)) if is_made_table(dataset, split) else columns
            columns = replace(columns, group=None, metadata=(column,), optional=(), absent=())
            found[split] = WeightTable(tables[split], columns)
    return RowWeights(found, factors, digest)


def digest_of_weights(
    dataset: Mapping[str, Any], tables: Mapping[str, str], splits: Mapping[str, Samples] | None = None
) -> str:
    """Read and check the weights; their digest, or "" if every row has the weight 1.

    Args:
        dataset: the section of the completed configuration.
        tables: table of each split that can be read.
        splits: the samples of the splits without a problem.

    Raises:
        FoldlineError: weights are wrong, or too few training rows have a weight above 0; names all problems.
    """
    found = row_weights_of(dataset, tables)
    if found is None:
        return ""
    weights = found.read()
    if TRAIN in weights and not any(weights[TRAIN].values()):
        raise FoldlineError(
            f"{tables[TRAIN]}: all rows have the weight 0 (column {dataset['weight_column']}), so there is nothing to "
            "train on; correct the table, or set dataset.weight_column to null"
        )
    if splits and TRAIN in splits and TRAIN in weights:
        _check_groups(tables[TRAIN], splits, weights, dataset["weight_column"])
        if reads_labels(dataset):
            _check_classes(tables[TRAIN], splits, weights, dataset)
    return found.digest_of(weights)


def _counting_rows(split: str, ids: Sequence[str], weights: Mapping[str, Mapping[str, float]]) -> list[bool]:
    """Whether each row of a split has a weight above 0, (n_rows,); the factor of an external set is above 0."""
    return [weights[split][name] > 0 for name in ids] if split in weights else [True] * len(ids)


def _check_groups(
    table: str,
    splits: Mapping[str, Samples],
    weights: Mapping[str, Mapping[str, float]],
    column: str,
) -> None:
    """Refuse rows of which nothing is left to train on while one group is held out, of a single class also by label."""
    groups, elsewhere = dict[str, set[str]](), set[str]()
    for split, samples in splits.items():
        if split == TEST:
            continue
        rows = samples.rows
        counting = _counting_rows(split, rows.id, weights)
        for counts, code, group in zip(counting, rows.target, rows.group, strict=True):
            # Longer codes have several classes or shares, some of which may be absent from a fold.
            labels = ("", f" and the label {code}") if code in ("0", "1") else ("",)
            for label in labels:
                of_label = groups.setdefault(label, set())
                if counts and split == TRAIN:
                    of_label.add(group)
                elif counts:
                    elsewhere.add(label)
    for label, names in sorted(groups.items()):
        # What has no weight anywhere is told with its class.
        if len(names) == 1 and label not in elsewhere:
            raise FoldlineError(
                f"{table}: the training rows with a weight above 0 (column {column}){label} are in one group, so "
                "nothing is left to train on while it is held out; correct the table, or set dataset.weight_column to "
                "null"
            )


def _check_classes(
    table: str, splits: Mapping[str, Samples], weights: Mapping[str, Mapping[str, float]], dataset: Mapping[str, Any]
) -> None:
    """Refuse a class of which all rows have the weight 0."""
    labeled = {split: samples.rows for split, samples in splits.items() if split != TEST}
    every = {code for rows in labeled.values() for code in rows.target}
    weighted = {
        code
        for split, rows in labeled.items()
        for name, code in zip(rows.id, rows.target, strict=True)
        if split not in weights or weights[split][name] > 0
    }
    if lost := unweighted_labels(every, weighted, class_names_of(dataset)):
        raise FoldlineError(
            f"{table}: all rows with {lost} have the weight 0 (column {dataset['weight_column']}), so no model learns "
            "it; give some of them a weight, or set dataset.weight_column to null"
        )


def lost_label_finder(
    dataset: Mapping[str, Any], tables: Mapping[str, str], splits: Mapping[str, Samples]
) -> Callable[[Sequence[bool]], str] | None:
    """What finds the labels that a fold loses because all rows that it is trained on and that have them weigh nothing.

    Args:
        dataset: the section of the completed configuration, with the classes that were found.
        tables: table of each split that can be read.
        splits: the samples of the splits, TRAIN among them.

    Returns:
        A function of whether a fold is trained on each row of TRAIN, (n_rows,), that says in words with what it is
        trained on no row, "" for nothing; None if no row has the weight 0, or the weights are wrong, which
        `digest_of_weights` reports.
    """
    found = row_weights_of(dataset, tables)
    if found is None or not reads_labels(dataset):
        return None
    try:
        weights = found.read()
    except FoldlineError:
        return None
    names = class_names_of(dataset)

    counting = {
        split: _counting_rows(split, samples.rows.id, weights) for split, samples in splits.items() if split != TEST
    }
    if all(map(all, counting.values())):
        return None
    external = [(splits[split].rows.target, rows) for split, rows in counting.items() if split != TRAIN]
    every = {code for codes, _ in external for code in codes}
    weighted = {code for codes, rows in external for code in compress(codes, rows)}
    train, rows = splits[TRAIN].rows.target, counting[TRAIN]

    def lost(trained_on: Sequence[bool]) -> str:
        both = [counts and used for counts, used in zip(rows, trained_on, strict=True)]
        if not weighted and not any(both):
            return "a weight above 0"
        return unweighted_labels(every | {*compress(train, trained_on)}, weighted | {*compress(train, both)}, names)

    return lost


def weight_arguments(dataset: Mapping[str, Any], tables: Mapping[str, str], digest: str) -> dict[str, Any]:
    """Arguments of the step that makes the fold table: `weights`, or none if every row has the weight 1.

    Args:
        dataset: the section of the completed configuration.
        tables: table of each split.
        digest: see `digest_of_weights`.
    """
    weights = row_weights_of(dataset, tables, digest=digest)
    return {"weights": asdict(weights)} if weights else {}
