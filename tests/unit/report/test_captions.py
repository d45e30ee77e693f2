"""Captions speak the language of the labels: positives where there are two labels, classes where there are classes."""

import pytest
from foldline.report.captions import CAPTIONS, CONFUSION, caption_of


def texts(**labels: int | bool) -> dict[str, str]:
    return {name: f"{(found := caption_of(name, **labels)).title}. {found.text}" for name in CAPTIONS}  # type: ignore[arg-type]


@pytest.mark.parametrize("one_class_per_image", [False, True])
@pytest.mark.parametrize("scored", [1, 4])
def test_captions_of_classes_have_no_positives(one_class_per_image: bool, scored: int) -> None:
    found = texts(classes=4, scored=scored, one_class_per_image=one_class_per_image)
    for name, text in found.items():
        assert "positive" not in text.lower().replace("true positive rate", "").replace("false positive rate", ""), name
        assert "negative" not in text.lower(), name
    lines = "Thin lines are classes" if scored > 1 else "Thin lines are single folds"
    assert lines in found["roc"]
    assert lines in found["precision_recall"]


def test_captions_of_two_labels_have_no_classes() -> None:
    found = texts(classes=1, scored=1, one_class_per_image=False)
    for name in ("folds", "roc", "precision_recall", "score_histogram", "calibration", "most_wrong"):
        assert "class" not in found[name], name
    assert "three in ten images with a score of 0.3 are positive" in found["calibration"]


def test_the_largest_errors_are_explained_as_they_are_chosen() -> None:
    exclusive = texts(classes=4, scored=4, one_class_per_image=True)["most_wrong"]
    assert "true class has the lowest probability" in exclusive
    several = texts(classes=4, scored=4, one_class_per_image=False)["most_wrong"]
    assert "each of them once with its worst class" in several
    assert "predicted class" not in several
    assert CONFUSION in CAPTIONS
