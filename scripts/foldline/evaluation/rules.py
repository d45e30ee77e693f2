"""Rules that choose thresholds, such as "sensitivity 0.9": how they are written and read.

Standard library only, because the process that builds the DAG imports it.
"""

import re
from decimal import Decimal

from foldline.dataset.labels import SOFTMAX

BEST_F1, SENSITIVITY, SPECIFICITY, COST = "best_f1", "sensitivity", "specificity", "cost"
PREVALENCE = "prevalence"
_SPELLING = re.compile(rf"\s*({SENSITIVITY}|{SPECIFICITY}|{COST})\s+([0-9]+\.?[0-9]*|\.[0-9]+)\s*(%?)\s*", re.ASCII)


def canonical_rule(text: str) -> str:
    """The one spelling of a rule: "sensitivity .90" and "sensitivity 90%" are "sensitivity 0.9".

    A text that is no rule, or whose number is out of range, stays as it is.
    """
    match = _SPELLING.fullmatch(text)
    if match is None:
        return text
    name, digits, percent = match.groups()
    number = Decimal(digits) / (100 if percent else 1)
    if number == 0 or (percent if name == COST else number > 1):
        return text
    shown = f"{number:f}"
    return f"{name} {shown.rstrip('0').rstrip('.') if '.' in shown else shown}"


def rule_parts(rule: str) -> tuple[str, float]:
    """Name and number of a rule; the number of "best_f1" and "prevalence", which have none, is 0."""
    name, _, number = rule.partition(" ")
    return name, float(number or 0)


def uses_thresholds(threshold: float | str, activation: str) -> bool:
    """Whether predicted classes depend on thresholds: not if each sample has the one class with the highest score.

    Args:
        threshold: a number or a rule.
        activation: see `labels.Labels`; with "softmax" each sample has exactly one class.
    """
    return activation != SOFTMAX or threshold == PREVALENCE
