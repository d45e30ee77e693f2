"""Soft labels: the share of each class in the label of a sample, from probabilities or from the votes of annotators.

The label code of a soft label is the share of each class, joined by spaces, each with a point or an exponent: "0.25
0.75", or "0.3" for the positives of a single class. So no soft code is a code of 0 and 1 (see `labels`).

Standard library only, because the process that builds the DAG imports it.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from foldline.dataset.cell_values import decimal_hint, number
from foldline.errors import FoldlineError, counted, listing

logger = logging.getLogger(__name__)

BETWEEN = " "
# Shares are stored with as many digits as a float32 has.
DIGITS = 7
# Largest distance from 1 of the sum of shares that are taken as they are.
SUM_TOLERANCE = 1e-6
# Error of a probability with two decimals.
ROUNDING = 0.005 + 1e-9


def soft_code(texts: Sequence[str], class_names: Sequence[str]) -> str:
    """Label code of a soft label.

    Args:
        texts: number of each class, (n_classes,): a probability, or a count of votes, which is divided by the sum.
            A single class has the probability of a positive.
        class_names: (n_classes,), for the error message.

    Raises:
        FoldlineError: a text is no number of at least 0, all are 0, they are neither probabilities nor whole numbers,
            or the only one is above 1; the message continues after "label ... of id 'a'".
    """
    values = [number(text) for text in texts]
    if len(values) == 1 and not (values[0] is not None and 0 <= values[0] <= 1):
        raise FoldlineError(f"is not a probability from 0 to 1{decimal_hint(texts)}")
    wrong = [(name, text) for name, text, value in zip(class_names, texts, values, strict=True) if not _is_share(value)]
    if wrong:
        told = listing([f"{text.strip()!r} for {name}" for name, text in wrong])
        hint = decimal_hint(text for _, text in wrong)
        raise FoldlineError(f"has {told}, which is not a number of at least 0{hint}")
    shares = [value for value in values if value is not None]
    if len(shares) == 1:
        return stored_code(shares)
    total = math.fsum(shares)
    if total == 0 or not math.isfinite(total):
        raise FoldlineError(f"has a sum of {total:g}, so no class has a share")
    if is_normalized(shares):
        return stored_code(shares)
    # Probabilities are rounded. What is neither probabilities nor votes may be several classes, or measurements.
    if abs(total - 1) > ROUNDING * len(shares) and not all(value.is_integer() for value in shares):
        raise FoldlineError(
            f"has a sum of {total:g}, but probabilities have a sum of 1, and votes are whole numbers; divide the "
            "values of each sample by their sum if they are shares of one label; regression is not supported"
        )
    return stored_code([value / total for value in shares])


def is_normalized(shares: Iterable[float]) -> bool:
    """Whether shares have the sum 1, so that they are taken as they are."""
    return abs(math.fsum(shares) - 1) <= SUM_TOLERANCE


def is_soft(code: str) -> bool:
    """Whether a label code is a soft one."""
    return "." in code or "e" in code


def shares_of(code: str) -> list[float]:
    """Share of each class in a soft label code, (n_classes,), in [0, 1]."""
    return [float(text) for text in code.split(BETWEEN)]


def class_count(code: str) -> int:
    """Number of classes of a label code, soft or not; 0 without a label."""
    return len(shares_of(code)) if is_soft(code) else len(code)


def is_soft_code(text: str, n_classes: int) -> bool:
    """Whether a text is a soft label code of that many classes."""
    try:
        shares = shares_of(text)
    except ValueError:
        return False
    return is_soft(text) and len(shares) == n_classes and all(0 <= share <= 1 for share in shares)


def hard_code(code: str) -> str:
    """Label code of 0 and 1: of a soft label the class with the largest share, the first of equal ones.

    A single class is set if its share is above 0.5. Other codes stay as they are.
    """
    if not is_soft(code):
        return code
    shares = shares_of(code)
    if len(shares) == 1:
        return "1" if shares[0] > 1 / 2 else "0"
    largest = shares.index(max(shares))
    return "".join("1" if index == largest else "0" for index in range(len(shares)))


def is_tied(code: str) -> bool:
    """Whether several classes have the largest share of a soft label, or the only class the share 0.5."""
    shares = shares_of(code)
    return shares[0] == 1 / 2 if len(shares) == 1 else shares.count(max(shares)) > 1


def log_soft_labels(path: str, cells: Sequence[str], codes: Mapping[str, str], separator: str | None) -> None:
    """Log how many soft labels are divided by their sum, and how many have no single largest share.

    Args:
        path: the table or the file.
        cells: label cells, (n_rows,).
        codes: label code of each cell.
        separator: text between the shares of a cell; None if a cell is the probability of a single class.
    """
    rows = Counter(cells)
    if separator is not None:
        sums = {text: math.fsum(number(part) or 0 for part in text.split(separator)) for text in rows}
        scaled = {text: total for text, total in sums.items() if abs(total - 1) > SUM_TOLERANCE}
        if scaled:
            logger.warning(
                "%s: the soft labels of %s do not have the sum 1, but %s, so they are divided by their sum, as votes "
                "or rounded probabilities are",
                path,
                counted(sum(rows[text] for text in scaled), "row"),
                " to ".join(dict.fromkeys(f"{total:g}" for total in (min(scaled.values()), max(scaled.values())))),
            )
    tied = sum(count for text, count in rows.items() if is_tied(codes[text]))
    if tied:
        logger.info(
            "%s: %s without a single largest share, which %s in folds and metrics",
            path,
            counted(tied, "soft label"),
            "count as negative" if separator is None else "count as the first of the tied classes",
        )


def _is_share(value: float | None) -> bool:
    return value is not None and value >= 0


def stored_code(shares: Sequence[float]) -> str:
    """Label code of shares that are in [0, 1], (n_classes,); the inverse of `shares_of`, from float32 too."""
    texts = [f"{share:.{DIGITS}g}" for share in shares]
    return BETWEEN.join(text if "." in text or "e" in text else f"{text}.0" for text in texts)
