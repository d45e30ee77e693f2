"""Look-ups in the `dataset` section: splits, tables, images and columns."""

from dataclasses import replace
from typing import Any

import pytest
from fixtures.settings import dataset_settings
from foldline.dataset.class_words import NUMBERS, SAMPLE, ClassWords
from foldline.dataset.labels import BINARY_LABELS, FLAGS, MULTICLASS
from foldline.dataset.scan_config import ScanConfig
from foldline.dataset.submission import SubmissionForm
from foldline.io import storage
from foldline.io.settings import build
from foldline.planning.dataset_section import (
    ImageTable,
    class_names_of,
    columns_of,
    image_patterns,
    image_table,
    reading_of,
    record_patterns,
    scan_settings,
    scored_classes_of,
    table_arguments,
)
from foldline.planning.dataset_splits import splits_of
from foldline.planning.image_patterns import parsed
from foldline.planning.submission_section import submission_columns, submission_form, submission_separator

ATLAS = {"kind": "multilabel", "classes": ["a", "b", "c", "Negative"]}
MOLES = {"kind": "multiclass", "classes": ["mole", "melanoma"]}


@pytest.mark.parametrize(
    ("labels", "submission", "columns", "scored"),
    [
        ({}, {}, ["target"], ["target"]),
        ({}, {"column": "p"}, ["p"], ["target"]),
        (ATLAS, {}, ATLAS["classes"], ATLAS["classes"]),
        (ATLAS, {"form": "labels"}, ["target"], ATLAS["classes"]),
        (ATLAS, {"form": "labels", "column": "Predicted"}, ["Predicted"], ATLAS["classes"]),
        (MOLES, {}, ["mole", "melanoma"], ["mole", "melanoma"]),
        (MOLES, {"class": "melanoma"}, ["target"], ["melanoma"]),
        (ATLAS, {"class": ["c", "a"]}, ["a", "c"], ["a", "c"]),
        (ATLAS, {"class": ["c", "a"], "columns": {"a": "first"}}, ["first", "c"], ["a", "c"]),
        ({}, {"columns": {"target": "p"}}, ["p"], ["target"]),
    ],
)
def test_columns_of_the_submission_and_scored_classes(
    labels: dict[str, Any], submission: dict[str, Any], columns: list[str], scored: list[str]
) -> None:
    dataset = dataset_settings(labels=labels, submission=submission)
    assert submission_columns(dataset) == columns
    assert scored_classes_of(dataset) == scored


def test_columns_of_classes_name_the_classes() -> None:
    dataset = dataset_settings(target_column=None, target_columns=["MEL", "NV"], labels={"kind": MULTICLASS})
    assert submission_columns(dataset) == scored_classes_of(dataset) == class_names_of(dataset) == ["MEL", "NV"]
    columns = columns_of(dataset, "train")
    assert (columns.target, columns.target_columns, columns.labels.cells) == ("MEL, NV", ("MEL", "NV"), FLAGS)
    assert (columns_of(dataset, "test").target, columns_of(dataset, "test").target_columns) == (None, ())
    dataset["labels"]["classes"] = ["melanoma", "nevus"]
    assert class_names_of(dataset) == ["melanoma", "nevus"]


def test_only_columns_that_models_read_must_be_in_test_and_external_tables() -> None:
    dataset = dataset_settings(
        metadata_columns=["age", "site", "sex"],
        metadata={"age": {"kind": "numeric"}},
        external={"old": {"table": "old.csv", "images": "{id}.jpg", "columns": {"site": "place"}}},
        test_columns={"id": "name"},
    )
    test, external = columns_of(dataset, "test"), columns_of(dataset, "old")
    assert (test.required(), test.optional) == (["name", "age"], ("site", "sex"))
    assert (external.required(), external.optional) == (["id", "target", "age", "place"], ("sex",))


def test_the_threshold_counts_only_in_a_submission_of_predicted_classes() -> None:
    dataset = dataset_settings(labels={**ATLAS, "empty": True, "exclusive": "Negative"})
    assert submission_form(dataset, threshold=0.3) == submission_form(dataset, threshold="best_f1")
    dataset["submission"] |= {"hard_labels": True}
    hard = submission_form(dataset, threshold=0.3)
    assert (hard.threshold, hard.empty, hard.exclusive) == (0.3, True, "Negative")
    dataset["submission"] |= {"form": "labels", "hard_labels": False, "separator": " "}
    words = ClassWords(NUMBERS, 1, SAMPLE)
    assert submission_form(dataset, threshold="best_f1", class_words=words) == SubmissionForm(
        id_column="id",
        columns=("target",),
        form="labels",
        separator=" ",
        class_words=words,
        threshold="best_f1",
        empty=True,
        exclusive="Negative",
    )


def test_a_split_has_a_table_and_images_or_record_patterns() -> None:
    dataset = dataset_settings(
        root="gs://bucket/skin",
        train_records=["train*.tfrec"],
        test_images="test/{id}.jpg",
        external={"old": {"table": "/old.csv", "images": "old/{id}.jpg"}},
    )
    assert splits_of(dataset) == ["train", "test", "old"]
    assert splits_of(dataset_settings()) == ["train", "test"]
    assert [record_patterns(dataset, split) for split in splits_of(dataset)] == [["train*.tfrec"], None, None]
    assert [image_table(dataset, split) for split in splits_of(dataset)] == [
        None,
        ImageTable("gs://bucket/skin/test.csv", "gs://bucket/skin", parsed(["test/{id}.jpg"])),
        ImageTable("/old.csv", "gs://bucket/skin", parsed(["old/{id}.jpg"])),
    ]


def test_patterns_come_from_a_path_a_list_a_column_or_class_folders() -> None:
    lists = dataset_settings(train_images=["a/{id}.*", "b/{id}.*"], test_images="{id}.png", image_column="path")
    assert image_patterns(lists, "train") == parsed(["a/{id}.*", "b/{id}.*"])
    assert image_patterns(lists, "test") == parsed(["{id}.png"])
    column = dataset_settings(image_column="path", test_records=["*.tfrec"])
    assert (image_patterns(column, "train"), image_patterns(column, "test")) == (parsed(["{path}"]), ())
    assert columns_of(column, "train").of_paths == ("path",)
    for folder in ("train", "train/", "train/{class}/**/*"):
        folders = dataset_settings(class_folders=folder, target_column=None)
        assert image_patterns(folders, "train") == parsed(["train/{class}/**/*"])
        assert (columns_of(folders, "train").target, columns_of(folders, "train").of_paths) == ("class", ())
        assert image_table(folders, "train") == ImageTable("", "data", parsed(["train/{class}/**/*"]))


def test_braces_are_filled_in_once() -> None:
    files = ImageTable("t.csv", "/data/{id}/{channel}", parsed(["{id}/{id}_{channel}.png"]))
    assert files.paths(["a{id}"], ["red", "blue"]) == [
        "/data/{id}/{channel}/a{id}/a{id}_red.png",
        "/data/{id}/{channel}/a{id}/a{id}_blue.png",
    ]
    assert ImageTable("t.csv", "gs://b/{id}", parsed(["{id}.png"])).paths(["{channel}"], []) == [
        "gs://b/{id}/{channel}.png"
    ]


@pytest.mark.parametrize("root", ["data", "data/", "./data//x", ".", "", "/abs/{id}", "gs://b/x", "gs://b/x/", "{id}"])
@pytest.mark.parametrize(
    "pattern", ["a/{id}.png", "./a//{id}", "{id}", "../{id}.png", "/abs/{id}.png", "gs://c/{id}.png"]
)
def test_paths_are_those_that_joining_each_gives(root: str, pattern: str) -> None:
    (path,) = ImageTable("t.csv", root, parsed([pattern])).paths(["x y"], [])
    assert path == storage.join(root, pattern.replace("{id}", "x y"))


def test_the_scan_reads_a_table_as_the_plan_does() -> None:
    """The settings of the step give the columns of the plan, and the labels the reading that the plan found."""
    dataset = dataset_settings(
        group_column="patient",
        metadata_columns=["age"],
        labels={**MOLES, "absent": ["mole"]},
        missing=["default", "unknown", -1],
        separator=";",
        train_images="{id}.jpg",
        test_records=["a*.tfrec"],
    )
    reading = {"cells": "numbers", "first_number": 1}
    for split in ("train", "test"):
        settings = (
            scan_settings(dataset, split)
            | table_arguments(dataset, split, reading)
            | {
                "root": "",
                "table": "",
                "images": "{id}.jpg",
                "digest": "",
            }
        )
        columns, planned = build(ScanConfig, settings).columns(), columns_of(dataset, split)
        planned = planned if split == "train" else planned.of_made_table()
        assert columns == replace(
            planned, labels=replace(planned.labels, **reading) if split == "train" else planned.labels
        )
    assert (planned.separator, planned.missing[-2:]) == (",", ("unknown", "-1"))


def test_only_labeled_splits_have_target_and_group() -> None:
    old = {"old": {"table": "old.csv", "images": "{id}.jpg"}}
    dataset = dataset_settings(group_column="patient", metadata_columns=["age"], labels=MOLES, external=old)
    train, test = columns_of(dataset, "train"), columns_of(dataset, "test")
    assert (train.target, train.group, train.labels.kind) == ("target", "patient", MULTICLASS)
    assert columns_of(dataset, "old") == replace(train, optional=("age",), external="old")
    assert (test.id, test.target, test.group, test.labels) == ("id", None, None, BINARY_LABELS)
    assert test.metadata == train.metadata == ("age",)


def test_classes_of_a_submission_are_joined_like_those_of_the_labels() -> None:
    labels = {"kind": "multilabel", "classes": ["p", "q"], "separator": " "}
    assert submission_separator(dataset_settings(labels=labels)) == " "
    assert submission_separator(dataset_settings(labels=labels, submission={"separator": ";"})) == ";"
    assert submission_separator(dataset_settings()) == "|"


@pytest.mark.parametrize(
    ("channels", "pattern", "planes"),
    [([], "{id}.png", 0), (["red", "dapi"], "{id}_{channel}.png", 0), (["red", "dapi"], "{id}.tif", 2)],
)
def test_a_path_without_a_channel_has_all_of_them(channels: list[str], pattern: str, planes: int) -> None:
    dataset = dataset_settings(channels=channels, train_images=pattern, test_images="{id}_{channel}.png")
    assert reading_of(dataset, "train")["planes"] == planes
    assert reading_of(dataset, "test")["planes"] == 0


def test_records_have_an_image_for_each_channel() -> None:
    dataset = dataset_settings(channels=["red", "dapi"], train_images=None, train_records=["a.tfrec"])
    assert reading_of(dataset, "train")["planes"] == 0
