"""Rules of thresholds have one spelling, whatever plain number they are written with."""

import pytest
from foldline.evaluation.rules import canonical_rule, rule_parts


@pytest.mark.parametrize(
    "text", ["sensitivity 0.9", "sensitivity 0.90", "sensitivity .9", "sensitivity 90%", "sensitivity  90.0 %"]
)
def test_a_number_has_one_spelling(text: str) -> None:
    assert canonical_rule(text) == "sensitivity 0.9"
    assert rule_parts(canonical_rule(text)) == ("sensitivity", 0.9)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("specificity 99.9%", "specificity 0.999"),
        ("specificity 100%", "specificity 1"),
        ("sensitivity 1.0", "sensitivity 1"),
        ("cost 10.0", "cost 10"),
        ("cost 100", "cost 100"),
        ("cost 010", "cost 10"),
        ("cost 0.50", "cost 0.5"),
        ("best_f1", "best_f1"),
    ],
)
def test_other_rules(text: str, rule: str) -> None:
    assert canonical_rule(text) == rule


@pytest.mark.parametrize(
    "text", ["best", "cost 10%", "cost 0.0", "cost 1e3", "sensitivity", "sensitivity nan", "sensitivity 150%"]
)
def test_what_is_no_rule_stays(text: str) -> None:
    assert canonical_rule(text) == text


def test_the_number_of_a_rule_without_one_is_0() -> None:
    assert rule_parts("best_f1") == ("best_f1", 0)
