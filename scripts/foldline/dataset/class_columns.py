"""Label cells from a column for each class: of 0 and 1, as one-hot tables have them, or of shares (soft labels).

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Sequence

from foldline.dataset.cell_values import canonical, decimal_hint, number
from foldline.dataset.labels import NUMBERS, Labels
from foldline.errors import FoldlineError, listing


def flags_cell(names: Sequence[str], texts: Sequence[str], separator: str, *, soft: bool = False) -> str:
    """Label cell with a value for each class, joined by `separator`.

    Args:
        names: the columns of the classes, (n_classes,), for the error message.
        texts: the cells of a row, (n_classes,).
        separator: see `labels.Labels`.
        soft: whether values are shares, numbers of at least 0, and not 0 or 1.

    Raises:
        FoldlineError: a value is not allowed; the message continues after "... of id 'a'".
    """
    if soft:
        return _shares_cell(names, texts, separator)
    flags = [canonical(text) for text in texts]
    wrong = [(name, text) for name, text, flag in zip(names, texts, flags, strict=True) if flag not in ("0", "1")]
    if not wrong:
        return separator.join(flags)
    values = [number(text) for _, text in wrong]
    told = listing([f"{text!r} in column {name}" for name, text in wrong])
    votes = all(value is not None and value > 0 for value in values)
    hint = " (for votes or probabilities, set dataset.labels.kind to soft)" if votes else ""
    raise FoldlineError(f"has {told}, not 0 or 1{hint}")


def _shares_cell(names: Sequence[str], texts: Sequence[str], separator: str) -> str:
    """Label cell with the share of each class; see `flags_cell`."""
    values = [number(text) for text in texts]
    wrong = [
        f"{text!r} in column {name}"
        for name, text, value in zip(names, texts, values, strict=True)
        if value is None or value < 0
    ]
    if wrong:
        hint = decimal_hint(texts)
        raise FoldlineError(f"has {listing(wrong)}, which is not a number of at least 0{hint}")
    if not any(values):
        raise FoldlineError(f"has 0 in all columns ({listing(names)}), so no class has a share")
    return separator.join(text.strip() for text in texts)


def check_target(path: str, header: Sequence[str], target: str, labels: Labels) -> None:
    """Refuse a target column that says of one class whether a sample has it, where a column of classes is needed.

    Raises:
        FoldlineError: the column has the name of a class, and the table has columns of other classes or its cells are
            numbers.
    """
    if not labels.lists_classes or target not in labels.classes:
        return
    others = [name for name in labels.classes if name != target and name in header]
    if others or labels.cells == NUMBERS:
        why = f"beside columns of {listing(others)}" if others else "and its cells are numbers"
        raise FoldlineError(
            f"{path}: column {target} (dataset.target_column) has the name of a class, {why}, so it says whether a "
            "sample has this class and not which class it has; list the columns of all classes in "
            "dataset.target_columns, set dataset.target_column to a column with the class of each sample, or set "
            f"dataset.labels.kind to binary to learn {target} alone"
        )
