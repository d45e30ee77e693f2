"""Labels of external sets in their own words: what they mean in ours, and which rows they leave out."""

import pytest
from foldline.dataset.labels import BINARY_LABELS, MULTICLASS, MULTILABEL, SOFT, Labels
from foldline.dataset.own_labels import NoClassError, class_problem, left_out_by, own_label_code
from foldline.errors import FoldlineError

SKIN = Labels(kind=MULTICLASS, classes=("MEL", "NV", "3"))
CELLS = Labels(kind=MULTILABEL, classes=("a|b", "c", "none"), exclusive="none", cells="numbers", first_number=1)
WORDS = {"melanoma": "MEL", "nevus": "NV", "3": "NV", "scar": None, "4": "3"}


@pytest.mark.parametrize(
    ("labels", "text", "code"),
    [
        (SKIN, "melanoma", "100"),
        (SKIN, "nevus", "010"),
        (SKIN, "NV", "010"),
        # The map wins over the classes, and 3.0 is 3.
        (SKIN, "3.0", "010"),
        (SKIN, "4", "001"),
        (BINARY_LABELS, "1.0", "1"),
        (BINARY_LABELS, "ill", "1"),
        (BINARY_LABELS, "well", "0"),
        (Labels(kind=SOFT), "ill", "1.0"),
        (Labels(kind=SOFT, classes=("0", "1")), "ill", "0.0 1.0"),
    ],
)
def test_words_and_class_names_give_codes(labels: Labels, text: str, code: str) -> None:
    words = WORDS if labels is SKIN else {"ill": "1", "well": "0"}
    assert own_label_code(text, words, labels) == code


def test_a_cell_may_hold_several_words_of_a_class() -> None:
    words = {"x": "a|b", "y": "a|b", "z": "c", "0": "none"}
    assert [own_label_code(text, words, CELLS) for text in ("x|y", "z | x", "0", "c")] == ["100", "110", "001", "010"]
    with pytest.raises(FoldlineError, match="contains 'none' together with another class"):
        own_label_code("0|z", words, CELLS)


@pytest.mark.parametrize(
    ("labels", "text", "words"),
    [
        (
            SKIN,
            "melanom",
            "has 'melanom', which is neither in `labels` nor one of the classes MEL, NV, 3; did you mean 'm",
        ),
        (SKIN, "mel", "has 'mel', which is neither"),
        (SKIN, "", "is empty; each sample has one class"),
        (CELLS, "", "is empty; set dataset.labels.empty to true"),
        (BINARY_LABELS, "2", "has '2', which is neither in `labels` nor one of the classes 0, 1"),
        (BINARY_LABELS, "", "is empty"),
        (BINARY_LABELS, "004", "YAML reads the key 004 without quotes as 4, so write it in quotes, as '004'"),
    ],
)
def test_other_words_are_refused(labels: Labels, text: str, words: str) -> None:
    with pytest.raises(FoldlineError, match=words):
        own_label_code(text, WORDS, labels)


def test_a_word_without_a_class_leaves_the_row_out() -> None:
    cells = {"scar": "scar", "nevus": None, "NV": None, "": None, "scar|nevus": None}
    assert {text: left_out_by(text, WORDS, SKIN) for text in cells} == cells
    assert left_out_by("c| 7.0", {"7": None}, CELLS) == "7"
    assert left_out_by("", {"": None}, SKIN) == ""


def test_a_word_that_stands_for_no_class_is_not_called_unknown() -> None:
    with pytest.raises(NoClassError, match="has 'melanoma', which `labels` gives none of the classes MEL, NV"):
        own_label_code("melanoma", {"melanoma": "mel"}, SKIN)
    assert class_problem({"melanoma": "MEL", "scar": None}, SKIN, "labels") == ""
    problem = class_problem({"melanoma": "mel", "scar": "basal"}, SKIN, "labels")
    assert problem.startswith("config: labels has melanoma: mel (did you mean 'MEL'?), scar: basal, but the classes")


@pytest.mark.parametrize(("word", "read"), [("yes", "true"), ("No", "false"), ("on", "true")])
def test_keys_that_yaml_reads_as_booleans_are_explained(word: str, read: str) -> None:
    words = {"1": "MEL", "0": "NV"}
    message = f"YAML reads the key {word} without quotes as {read}, so write it in quotes, as '{word}'"
    with pytest.raises(FoldlineError, match=message):
        own_label_code(word, words, SKIN)
