"""Label codes of the cells of a table or of the texts of records, and what to do about those that are not allowed.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Iterable, Sequence

from foldline.dataset.cell_values import canonical, is_missing
from foldline.dataset.columns import Columns
from foldline.dataset.label_reading import remedy
from foldline.dataset.labels import BINARY, Labels
from foldline.dataset.own_labels import NoClassError, class_problem, own_label_code
from foldline.errors import FoldlineError, listing


def cell_codes(texts: Iterable[str], columns: Columns, labels: Labels) -> tuple[dict[str, str], dict[str, str]]:
    """Label code of each different text that has one, and what is wrong with the others.

    Args:
        texts: the texts.
        columns: the meaning of the columns.
        labels: our labels, with the reading of the texts.

    Raises:
        FoldlineError: nothing is wrong but a word of `Columns.own_labels` that stands for none of our classes. This is
            the message of the check of the configuration, so that it is reported once.
    """
    codes: dict[str, str] = {}
    problems: dict[str, str] = {}
    has_wrong_class = False
    for text in dict.fromkeys(texts):
        try:
            codes[text] = label_code(text, columns, labels)
        except NoClassError:
            has_wrong_class = True
        except FoldlineError as error:
            problems[text] = str(error)
    if has_wrong_class and not problems:
        raise FoldlineError(class_problem(columns.own_labels or {}, labels, _own_key(columns)))
    return codes, problems


def label_code(text: str, columns: Columns, labels: Labels) -> str:
    """Label code of a cell, which may be missing.

    Raises:
        FoldlineError: as `Labels.code` or `own_label_code`.
    """
    if columns.own_labels is not None:
        known = canonical(text) in columns.own_labels or not is_missing(text, columns.missing)
        return own_label_code(text if known else "", columns.own_labels, labels)
    if not is_missing(text, columns.missing):
        return labels.code(text)
    try:
        return labels.code("")
    except FoldlineError as error:
        raise FoldlineError(f"counts as missing (dataset.missing) and {error}" if text else str(error)) from None


def label_remedy(columns: Columns, labels: Labels, wrong: Sequence[str], *, source: str = "the table") -> str:
    """What to do about label cells that are not allowed, see `label_reading.remedy`."""
    if columns.own_labels is None:
        missing = [text for text in wrong if is_missing(text, columns.missing)]
        others = [text for text in wrong if text not in missing]
        remedies = [_missing_remedy(labels, missing, source)] if missing else []
        return "; ".join([*remedies, *([remedy(labels, others, source=source)] if others else [])])
    return (
        f"correct {source}, or add the word to {_own_key(columns)}, with its class or with null to leave its rows out"
    )


def _missing_remedy(labels: Labels, cells: Sequence[str], source: str) -> str:
    """What to do about cells that count as missing."""
    words = listing([repr(text) for text in cells if text.strip()])
    kind = ", and dataset.labels.kind to multiclass" if labels.kind == BINARY else ""
    is_class = f"; if {words} is a class, set dataset.missing to a list without it, such as ['', NaN]{kind}"
    return f"give every sample a label, or remove it from {source}{is_class if words and not labels.is_soft else ''}"


def _own_key(columns: Columns) -> str:
    """The key of the words of an external set."""
    return f"dataset.external.{columns.external}.labels"
