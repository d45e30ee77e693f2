"""Label cells from a column of 0 and 1 for each class, as one-hot tables have them.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Sequence

from foldline.dataset.cell_values import canonical, number
from foldline.errors import FoldlineError, listing


def flags_cell(names: Sequence[str], texts: Sequence[str], separator: str) -> str:
    """Label cell with a 0 or 1 for each class, joined by `separator`.

    Args:
        names: the columns of the classes, (n_classes,), for the error message.
        texts: the cells of a row, (n_classes,).
        separator: see `labels.Labels`.

    Raises:
        FoldlineError: a cell is not 0 or 1; the message goes on from "... of id 'a'".
    """
    flags = [canonical(text) for text in texts]
    wrong = [(name, text) for name, text, flag in zip(names, texts, flags, strict=True) if flag not in ("0", "1")]
    if not wrong:
        return separator.join(flags)
    values = [number(text) for _, text in wrong]
    told = listing([f"{text!r} in column {name}" for name, text in wrong])
    if all(value is not None and 0 < value < 1 for value in values):
        raise FoldlineError(
            f"has {told}: probabilities are soft labels, which Foldline does not learn yet; write 1 for the class of "
            "the sample and 0 for the others"
        )
    raise FoldlineError(f"has {told}, not 0 or 1")
