"""The settings that fit a sample submission with other columns than those of the configuration."""

from typing import Any

import pytest
from fixtures.settings import dataset_settings
from foldline.planning.submission_fit import fitting_settings

GRADES = {"target_column": "diagnosis", "labels": {"kind": "multiclass", "classes": ["0", "1", "2", "3", "4"]}}
MOLES = {"target_column": "y", "labels": {"kind": "multiclass", "classes": ["benign", "malignant"]}}
VOTES = {"target_column": None, "target_columns": ["MEL", "NV", "BCC"], "labels": {"kind": "soft"}}
FOUR = {"target_column": "y", "labels": {"kind": "multilabel", "classes": ["a", "bird", "cow", "dog"]}}


@pytest.mark.parametrize(
    ("change", "header", "settings"),
    [
        (GRADES, ["id", "diagnosis"], "{form: labels}"),
        (GRADES, ["id", "label"], "{form: labels, column: label}"),
        (GRADES, ["id", "4", "3", "2", "1"], '{class: ["1", "2", "3", "4"]}'),
        (GRADES, ["id", *(f"class_{grade}" for grade in range(5))], '{columns: {"0": class_0, "1": class_1, '),
        (MOLES, ["id", "target"], "{class: malignant, column: target} for the probability of malignant, or to {form: "),
        (MOLES, ["id", "malignant"], "{class: malignant, column: malignant}"),
        (VOTES, ["id", "BCC", "MEL"], "{class: [MEL, BCC]}"),
        (VOTES, ["id", "Mel", "NV", "BCC"], "{columns: {MEL: Mel}}"),
        (VOTES, ["id", "Mel", "NV", "XX"], "{columns: {MEL: Mel, BCC: XX}} if XX is BCC"),
        (VOTES, ["id", "Mel", "NV", "XX", "YY"], "{class: [MEL, NV], columns: {MEL: Mel}}"),
        ({**VOTES, "submission": {"hard_labels": True}}, ["id", "NV", "MEL"], "{hard_labels: true, class: [MEL, NV]}"),
        (VOTES, ["image_id", "MEL", "NV", "BCC"], "{columns: {id: image_id}}"),
        (VOTES, ["image_id", "BCC", "NV"], "{class: [NV, BCC], columns: {id: image_id}}"),
        ({**FOUR, "submission": {"form": "labels"}}, ["id", "PredictionString"], "{form: labels, column: Prediction"),
        ({**FOUR, "submission": {"form": "labels"}}, ["id", "a", "bird", "cow", "dog"], "{form: columns}"),
        (FOUR, ["id", "a", "brid", "cow", "dog"], "{columns: {bird: brid}}"),
        ({"target_column": "has_cactus"}, ["image_id", "label"], "{column: label, columns: {id: image_id}}"),
        (
            {"submission": {"column": "pp"}},
            ["id", "w", "p"],
            "{column: w} if it has the predictions, or to {column: p}",
        ),
    ],
)
def test_the_settings_that_fit_are_written_as_yaml(change: dict[str, Any], header: list[str], settings: str) -> None:
    dataset = dataset_settings(**{"id_column": "id", **change})
    assert fitting_settings(dataset, header).startswith(f"set dataset.submission to {settings}")


def test_columns_that_are_like_no_class_are_named_by_the_key() -> None:
    text = fitting_settings(dataset_settings(**{"id_column": "id", **FOUR}), ["id", "one", "two"])
    assert text.startswith("name the columns of the predictions with dataset.submission.columns, such as {a: one}, or")
