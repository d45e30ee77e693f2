"""Values of a configuration that do not fit together are refused in one line with a remedy."""

import re
from typing import Any

import pytest
from fixtures.example_config import SCHEMA, example_config
from foldline.errors import FoldlineError
from foldline.io.tables import FOLDS, INVENTORY
from foldline.planning.config_checks import check_combinations
from foldline.planning.configuration import complete
from foldline.planning.dataset_checks import RESERVED
from foldline.tfrecords.records import feature_kinds

ATLAS = {"kind": "multilabel", "classes": ["a", "b", "c", "Negative"], "exclusive": "Negative"}
RECORDS: dict[str, Any] = {
    "dataset__record_ids": "position",
    "dataset__train_images": None,
    "dataset__train_records": ["train*.tfrec"],
}
# Columns of the fold table beside the declared ones.
FOR_PEOPLE = ("label", "fold_name", "withheld", "no_oof")
ONE_HOT: dict[str, Any] = {
    "dataset__target_column": None,
    "dataset__target_columns": ["a", "b"],
    "dataset__labels": {"kind": "multiclass"},
}

FOLDERS: dict[str, Any] = {
    **{f"dataset__{key}": None for key in ("train_images", "target_column", "group_column", "example")},
    "dataset__metadata_columns": [],
    "dataset__class_folders": "train",
    "dataset__labels": {"kind": "multiclass"},
    "folds__stratify_by": [],
}


def check(**changes: Any) -> None:
    check_combinations(complete(example_config(**changes), SCHEMA))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"models__lite0__loss": {"hard_labels": True, "label_smoothing": 0.1}},
            "models.lite0.loss.hard_labels is true, so labels between 0 and 1 train nothing, but "
            "models.lite0.loss.label_smoothing is 0.1; set hard_labels to false, or the others to 0",
        ),
        (
            {
                "models__lite0__loss": {"hard_labels": True},
                "models__lite0__augment": {"cutmix": {"probability": 0.3}, "mixup": {"probability": 0.2}},
            },
            "models.lite0.loss.hard_labels is true, so labels between 0 and 1 train nothing, but "
            "models.lite0.augment.cutmix.probability is 0.3, models.lite0.augment.mixup.probability is 0.2; set",
        ),
        (
            {"dataset__metadata_columns": ["width", "cell_type"]},
            "dataset.metadata_columns has 'width', the name of a column that Foldline writes; rename the column",
        ),
        ({"dataset__group_column": "image_name"}, "dataset names column 'image_name' twice;"),
        (
            {"dataset__record_features": {"age": "Age"}},
            "dataset.record_features has 'age', which is not a column of this config (image_name, target, cell, cell_t",
        ),
        (
            {"dataset__train_images": None},
            "neither of dataset.train_images and dataset.train_records is set; set dataset.train_images to a path "
            "such as images/{id}.jpg, dataset.image_column to a column of paths, dataset.class_folders to a folder "
            "with a folder for each class, or dataset.train_records to a list such as [train*.tfrec]",
        ),
        (
            {"dataset__test_records": ["a*.tfrec"]},
            "dataset.test_images, dataset.test_records are both set, but each says where images of the test split",
        ),
        (
            {"dataset__metadata": {"age": {"kind": "numeric"}}},
            "dataset.metadata has 'age', which is not one of dataset.metadata_columns [cell_type]; add it there",
        ),
        (
            {"dataset__metadata": {"cell_type": {"kind": "numeric", "vocabulary": ["mono"]}}},
            "dataset.metadata.cell_type.vocabulary is [mono], but kind is numeric; remove it, or set kind to",
        ),
        (
            {"dataset__root": "gs://bucket/data"},
            "dataset.root is 'gs://bucket/data', but dataset.example is written to a local folder; set dataset.root",
        ),
        (
            {"dataset__external": {"old": {"table": "old.csv", "images": "old/{id}.png"}}},
            "dataset.example writes its own tables; remove dataset.external, and set dataset.test_table and",
        ),
        ({"dataset__sample_submission": None}, "dataset.example writes its own tables;"),
        ({"dataset__labels": ATLAS}, "dataset.example has labels of 0 and 1 and its own sample submission; remove"),
        ({"dataset__submission": {"column": "p"}}, "dataset.example has labels of 0 and 1 and its own sample"),
        (
            {
                "dataset__channels": ["red"],
                "dataset__train_images": "{id}_{channel}",
                "dataset__test_images": "{id}_{channel}",
            },
            "dataset.example has RGB images; remove dataset.channels, or set dataset.example to null",
        ),
        (
            {"folds__stratify_by": ["age"]},
            "folds.stratify_by[0] is 'age', which is not one of dataset.metadata_columns [cell_type]; add it there",
        ),
        (
            {"folds__method": "column", "folds__stratify_by": []},
            "folds.method is 'column', but folds.column is null; set it to the column of the training table",
        ),
        (
            {"folds__method": "grouped", "folds__column": "fold", "dataset__example": None},
            "folds.column is 'fold', but folds.method is 'grouped'; remove one of them",
        ),
        (
            {"folds__column": "fold", "folds__stratify_by": []},
            "folds.column has 'fold', which dataset.example does not have; remove it, or set dataset.example to null",
        ),
        (
            {**FOLDERS, "folds__column": "fold"},
            "folds.column has 'fold', but there is no training table to read it from; add it to dataset.metadata_col",
        ),
        (
            {"dataset__group_column": ["cell_type", "batch"], "folds__stratify_by": []},
            "dataset.group_column has 'batch', which dataset.example does not have; remove it, or set",
        ),
        (
            {"folds__method": "leave_one_group_out", "dataset__group_column": None, "folds__stratify_by": []},
            "folds.method is 'leave_one_group_out', but dataset.group_column is null; set it to the column of the gr",
        ),
        (
            {"dataset__example": None, "folds__column": "fold", "folds__stratify_by": ["cell_type"]},
            "folds.stratify_by is [cell_type], but folds.method 'column' spreads nothing; set folds.stratify_by to []",
        ),
        (
            {"folds__method": "table"},
            "folds.method is 'table', but folds.table is null; set it to a table with the columns id and fold",
        ),
        ({"folds__table": "results/../results/folds.csv"}, "folds.table is 'results/../results/folds.csv', which this"),
        (
            {"folds__table": "absent.csv"},
            "folds.table is 'absent.csv', but the file cannot be read (no such file or fo",
        ),
        (
            {"folds__table": "s3://b/f.csv", "folds__method": "grouped"},
            "folds.table is 's3://b/f.csv', but folds.method is 'grouped'; remove one of them",
        ),
        (
            {"folds__method": "time", "folds__stratify_by": []},
            "folds.method is 'time', but folds.column is null; set it to the column of the training table with the",
        ),
        ({"folds__gap": 2}, "folds.gap is 2, but folds.method is 'grouped'; set gap to 0, or method to time"),
        (
            {
                "folds__holdout": {"share": 0.1},
                "folds__method": "files",
                "folds__stratify_by": [],
                "dataset__train_records": ["t*.tfrec"],
                "dataset__train_images": None,
                "dataset__example": None,
            },
            "folds.holdout.share is 0.1, but folds.method is 'files'; name a column with the rows of the",
        ),
        (
            {"folds__holdout": {"values": ["test", 1]}},
            "folds.holdout.values is [test, 1], but folds.holdout.column is null, so no rows have these values; set",
        ),
        (
            {"folds__holdout": {"share": 0.2, "values": [True]}},
            "folds.holdout.values is [1], but folds.holdout.column is null, so no rows have these values; set",
        ),
        (
            {"leaks": {"near_duplicate_bits": None, "policy": {"near": {"train": "drop"}}}},
            "leaks.policy.near.train is 'drop', but leaks.near_duplicate_bits is null, so near duplicates are not",
        ),
        (
            {
                "dataset__train_records": ["t*.tfrec"],
                "dataset__train_images": None,
                "dataset__example": None,
                "folds": {"method": "files", "stratify_by": ["cell_type"]},
            },
            "folds.stratify_by is [cell_type], but folds.method 'files' spreads nothing; set folds.stratify_by to []",
        ),
        (
            {"folds__method": "files", "folds__stratify_by": []},
            "folds.method is 'files', which needs dataset.train_records and no dataset.channels; set folds.method to",
        ),
        (
            {"class_weights": {"method": "capped", "rank": 3}},
            "class_weights.rank is 3, but there are 2 classes; set it to 2 or less",
        ),
        (
            {"blend__models": ["lite0", "b9"]},
            "blend.models has b9, not in models [lite0]; name models that are trained, or set it to null for all",
        ),
        (
            {"blend__method": "rank_mean", "calibration__method": "platt"},
            "calibration.method is platt, but blend.method is rank_mean, and ranks are no probabilities",
        ),
        (
            {"blend__method": "rank_mean", "evaluation": {"threshold": "prevalence"}},
            "evaluation.threshold is prevalence, but blend.method is rank_mean, and ranks are no probabilities",
        ),
        (
            {"blend__method": "rank_mean", "dataset__submission": {"hard_labels": True}},
            "dataset.submission.hard_labels is true, but blend.method is rank_mean, and ranks compare images",
        ),
        (
            {"models": {"blend": {"backbone": "efficientnet-b0", "image_size": 64}}},
            "models.blend: 'blend' is the name of another column of the OOF table; rename the model",
        ),
        (
            {"models__lite0__inputs": ["image", "metadata"]},
            "models.lite0.inputs has metadata, but dataset.metadata is empty; set how models read the columns",
        ),
        (
            {"models__lite0__augment": {"cutmix": {"probability": 0.7}, "mixup": {"probability": 0.6}}},
            "models.lite0.augment: cutmix.probability and mixup.probability add up to 1.3; lower them to a sum of at",
        ),
        (
            {"models__lite0__backbone": None},
            "models.lite0.backbone is null, but models.lite0.inputs has image; set a backbone such as efficientnet-b0",
        ),
        (
            {
                "dataset__metadata": {"cell_type": {"kind": "numeric"}},
                "models__lite0__inputs": ["metadata"],
            },
            "models.lite0.backbone is 'efficientnet-lite0', but models.lite0.inputs has no image; set backbone to null",
        ),
        ({"models__lite0__backbone": "resnet50"}, "models.lite0: no backbone 'resnet50'"),
        (
            {"models__lite0__backbone": "efficientnet-b8"},
            "models.lite0: no backbone 'efficientnet-b8' (did you mean 'efficientnet-b7'?); set",
        ),
        (
            {"dataset__train_images": "images/*.png"},
            "dataset.train_images is 'images/*.png', which has no value of a row; write {id} where the path has the id",
        ),
        (
            {"dataset__test_table": None, "dataset__test_images": "*.png", "dataset__example": None},
            "dataset.test_images is '*.png', and dataset.test_table is null, so the test rows are the files that "
            "match; write {id} where the path has the id of the sample, such as test/{id}.*, or, if ids are paths in",
        ),
        (
            {"dataset__test_table": None, "dataset__test_images": "t/{class}/*", "dataset__example": None},
            "dataset.test_images is 't/{class}/*' with {class}, but dataset.test_labels is not own; set it to own to",
        ),
        (
            {
                "dataset__test_table": None,
                "dataset__test_images": "t/**/*",
                "dataset__test_labels": "own",
                "dataset__example": None,
            },
            "dataset.test_labels is 'own', but dataset.test_table is null; write {class} in dataset.test_images where",
        ),
        (
            {"dataset__test_table": None, "dataset__test_images": "{site}/{id}.png", "dataset__example": None},
            "dataset.test_images is '{site}/{id}.png' with {site}, but dataset.test_table is null, so the test rows",
        ),
        (
            {"dataset__ignore": ["*.*"]},
            "dataset.ignore has '*.*', which is every file; write a part of the names, such as '*_mask.png'",
        ),
        (
            FOLDERS | {"dataset__train_images": "{id}.png"},
            "dataset.train_images, dataset.class_folders are both set, but each says where images of the train split",
        ),
        (
            FOLDERS | {"dataset__group_column": "patient"},
            "dataset.group_column has 'patient', but there is no training table, and dataset.class_folders is 'train' "
            "without {patient}; write it where the path has the value, such as train/{class}/{patient}_*.jpg, or",
        ),
        (
            FOLDERS | {"dataset__class_folders": "train/{class}/{site}_*.png"},
            "dataset.class_folders is 'train/{class}/{site}_*.png' with {site}, which no key names; name it in",
        ),
        (
            FOLDERS | {"dataset__target_column": "x"},
            "dataset.target_column is set, but dataset.class_folders is 'train', whose folders are the labels; remove",
        ),
        (
            {"checkpoints": {"folder": "/scratch/{model}"}},
            "checkpoints.folder is '/scratch/{model}', but nothing in braces is replaced in it; each fold has",
        ),
        (
            {"models__lite0__weights": "noisy-student"},
            "models.lite0: efficientnet-lite0 has no weights 'noisy-student'",
        ),
        (
            {"models__lite0__weights": "absent.h5"},
            "models.lite0.weights is 'absent.h5', but the file cannot be read (no such file or folder); correct",
        ),
        (
            {"models__lite0__schedule": {"warmup_epochs": 2, "hold_epochs": 1.5}, "models__lite0__epochs": 3},
            "models.lite0.epochs is 3, but schedule.warmup_epochs and hold_epochs of the model add up to 3.5; lower",
        ),
        (
            {"models__lite0__schedule": {"warmup_epochs": 2}, "models__lite0__fold_overrides": {1: {"epochs": 1}}},
            "models.lite0.fold_overrides.1.epochs is 1, but schedule.warmup_epochs and hold_epochs of the model add up",
        ),
        (
            {"models__lite0__head_epochs": 2, "models__lite0__epochs": 2},
            "models.lite0.head_epochs is 2, which leaves too few of 2 epochs for all layers",
        ),
        (
            {"models__lite0__ema_warmup": True},
            "models.lite0.ema_warmup is true, but ema_decay is null; set ema_decay, such as 0.999, or ema_warmup",
        ),
        (
            {"models__lite0__normalization": "frozen", "models__lite0__weights": "none"},
            "models.lite0.normalization is frozen, but weights is none, so the means and variances are of no data; set",
        ),
        (
            {
                "dataset__metadata": {"cell_type": {"kind": "numeric"}},
                "models__lite0__inputs": ["metadata"],
                "models__lite0__backbone": None,
                "models__lite0__optimizer": {"layer_decay": 0.8},
            },
            "models.lite0.optimizer.layer_decay is 0.8, but the model has no backbone; set it to 1",
        ),
        (
            {"models__lite0__sampling": {"hardest": 0.5}},
            "models.lite0.sampling.hardest is 0.5, but sampling.share is 1, so every epoch has all rows; set share",
        ),
        (
            {"models__lite0__size_schedule": [{"epochs": 1, "image_size": 512}]},
            "models.lite0.size_schedule has images of 512 pixels, but those of the shards have",
        ),
        (
            {"models__lite0__prediction_size": 512},
            "models.lite0.prediction_size has images of 512 pixels, but those of the shards have",
        ),
        (
            {"models__lite0__size_schedule": [{"epochs": 3, "image_size": 32}], "models__lite0__epochs": 2},
            "models.lite0.size_schedule has 3 epochs, but epochs is 2; lower those of size_schedule, or raise epochs",
        ),
        (
            {"models__lite0__size_schedule": [{"epochs": 3, "image_size": 32}], "models__lite0__epochs": 3}
            | {"models__lite0__fold_overrides": {1: {"epochs": 2}}},
            "models.lite0.size_schedule has 3 epochs, but epochs is 2; lower those of size_schedule, or raise epochs",
        ),
        (
            {"models__lite0__fold_overrides": {1: {"accumulate": 5}}, "models__lite0__batch_size": 32},
            "models.lite0.fold_overrides.1.accumulate is 5, but batch_size is 32, which has no such number of",
        ),
        (
            {"models__lite0__swa_epochs": 2, "models__lite0__ema_decay": 0.9},
            "models.lite0.swa_epochs is 2, so the weights are the average of the last epochs, but ema_decay is 0.9",
        ),
        (
            {"models__lite0__swa_epochs": 2, "models__lite0__select_epoch": "best"},
            "models.lite0.swa_epochs is 2, so the weights are the average of the last epochs, but select_epoch is best",
        ),
        (
            {"models__lite0__swa_epochs": 9, "models__lite0__epochs": 3},
            "models.lite0.swa_epochs is 9, but epochs is 3; set it to that number or less",
        ),
        (
            {"models__lite0__normalization": "none", "models__lite0__weights": "none"},
            "models.lite0.normalization is none, but weights is none, so the means and variances are of no data; set",
        ),
        (
            {"models__lite0__augment": {"operations": 2, "hue": 0.1}},
            "models.lite0.augment.operations is 2, but only 1 of rotation, shear, zoom, shift, hue",
        ),
        (
            {"models__lite0__fold_overrides": {5: {"seed": 1}}},
            "models.lite0.fold_overrides has fold 5, but folds are 0 to 4; remove it, or set folds.count to 6 or more",
        ),
        (
            {"prediction": {"test_models": "final"}},
            "prediction.test_models is final, but models.lite0.final is false; set it to true, or prediction.test_mo",
        ),
        (
            {"models__lite0__final": True, "models__lite0__schedule": {"name": "plateau"}},
            "models.lite0.final is true, but its learning rate follows the AUC of held-out rows, which there are n",
        ),
        (
            {"models__lite0__fold_overrides": {"3-repeat4": {"seed": 1}}, "folds__repeats": 2},
            "models.lite0.fold_overrides has fold 3-repeat4, but folds are 0 to 4, and folds.repeats is 2; remove it, "
            "or set folds.repeats to 4 or more",
        ),
        (
            {"folds": {"method": "leave_one_group_out", "repeats": 3}, "dataset__group_column": "type"},
            "folds.repeats is 3, but folds.method is 'leave_one_group_out', and only grouped folds can be repeated;",
        ),
    ],
)
def test_an_error_names_key_value_and_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FoldlineError, match=f"^config: {re.escape(message)}") as caught:
        check(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"repeats": 2}, {"holdout": {"share": 0.1}}])
@pytest.mark.parametrize(("method", "advised"), [("time", False), ("leave_one_group_out", True)])
def test_grouped_folds_are_no_remedy_for_folds_by_time(changes: dict[str, Any], method: str, advised: bool) -> None:
    folds = {"method": method, "column": "type" if method == "time" else None, **changes}
    with pytest.raises(FoldlineError) as caught:
        check(folds=folds, dataset__group_column="cell_type")
    assert ("folds.method to grouped" in str(caught.value)) == advised


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset__labels": {"kind": "multilabel", "classes": ["a"]}}, "at least two classes"),
        ({"dataset__record_ids": "position"}, "dataset.record_ids is position, so files and numbers of records are"),
        (
            {
                "dataset__channels": ["red", "green"],
                "dataset__train_images": ["a/{id}_{channel}.png", "b/{id}.tif"],
            },
            "dataset.train_images has 'a/{id}_{channel}.png', with {channel}, and 'b/{id}.tif', without it; write",
        ),
        (
            RECORDS | {"dataset__channels": ["red", "green"], "dataset__test_images": "{id}_{channel}.png"},
            "but dataset.channels joins records by the ids in dataset.record_name; set record_ids to feature",
        ),
        (
            RECORDS | {"dataset__record_features": {"image_name": "name"}},
            "but dataset.record_features names a feature for 'image_name'; remove it there, or set record_ids to",
        ),
        (
            {"dataset__labels": {"kind": "soft"}, "models__lite0__loss": {"name": "focal"}},
            "models.lite0.loss.name is focal, but dataset.labels.kind is soft, and the focal loss is not smallest at",
        ),
        (
            {"dataset__labels": {"kind": "soft"}, "models__lite0__loss": {"hard_labels": True}},
            "models.lite0.loss.hard_labels is true, so labels between 0 and 1 train nothing, but "
            "dataset.labels.kind is soft; set hard_labels to false",
        ),
        (
            {"dataset__row_per_class": "{id}_{class}", "dataset__labels": {"kind": "soft", "classes": ["a", "b"]}},
            "dataset.row_per_class is '{id}_{class}', so a sample has a row for each class; set dataset.labels.kind to",
        ),
        (
            {"dataset__row_per_class": "{id}_{class}", "dataset__labels": {"kind": "multilabel"}},
            "dataset.row_per_class is '{id}_{class}', so a sample has a row for each class; name the classes in datas",
        ),
        (
            {"dataset__labels": {"values": {"blank": 0}}},
            "dataset.labels.values is set, but only the cells of dataset.ta",
        ),
        ({"dataset__target_column": None}, "neither of dataset.target_column and dataset.target_columns is set; set"),
        (ONE_HOT | {"dataset__target_column": "x"}, "both of dataset.target_column and dataset.target_columns are set"),
        (ONE_HOT | {"dataset__labels": {}}, "a column for each class, but dataset.labels.kind is binary; set it to"),
        (
            ONE_HOT | {"dataset__labels": {"kind": "multiclass", "cells": "names"}},
            "dataset.labels.cells is names and first_number is auto, but dataset.target_columns have a 0 or 1",
        ),
        (
            ONE_HOT | {"dataset__labels": {"kind": "multiclass", "classes": ["b", "a"]}},
            "dataset.labels.classes is [b, a], but dataset.target_columns is [a, b]; remove classes, or name",
        ),
        (ONE_HOT | {"dataset__submission": {"form": "labels"}}, "gives it no name; set dataset.submission.column"),
        (
            {"dataset__test_images": None},
            "neither of dataset.test_images and dataset.test_records is set; set dataset.test_images to a path such "
            "as images/{id}.jpg, dataset.image_column to a column of paths, or dataset.test_records to a list such as "
            "[test*.tfrec]; if there is no test split, set dataset.test_table to null",
        ),
        (
            {"dataset__test_table": None, "dataset__test_labels": "own"},
            "test_labels is 'own', but dataset.test_table",
        ),
        (
            {
                "dataset__test_table": None,
                "dataset__metadata_columns": ["cell_type"],
                "dataset__metadata": {"cell_type": {"kind": "numeric"}},
            },
            "dataset.test_table is null, so the test rows are the files that match dataset.test_images, but models",
        ),
        (
            {"dataset__row_per_class": "{id}_{class}"},
            "so a sample has a row for each class; set dataset.labels.kind",
        ),
        (
            {"dataset__row_per_class": "{id}_{class}", "dataset__labels": {**ATLAS, "cells": "names"}},
            "with a label of 0 or 1; remove dataset.labels.cells and first_number",
        ),
        ({"dataset__test_columns": {"name": "x"}}, "dataset.test_columns has 'name', which is not a column of this"),
        ({"dataset__submission": {"columns": {"x": "y"}}}, "dataset.submission.columns has 'x', which is not a column"),
        (
            {"dataset__submission": {"columns": {"image_name": "target"}}},
            "dataset.submission.columns gives two columns the name 'target'; name a column once",
        ),
        (
            {"dataset__submission": {"class": ["a", "d"]}, "dataset__labels": ATLAS},
            "dataset.submission.class is [a, d], but 'd' is not a class; set it to classes out of a, b, c, Negative",
        ),
        ({"dataset__labels": {"classes": ["a", "b"]}}, "dataset.labels.kind is binary"),
        ({"dataset__labels": {"cells": "numbers"}}, "dataset.labels.kind is binary"),
        (
            {"dataset__labels": {"kind": "multilabel", "classes": ["a", "None"]}},
            "dataset.labels.classes has 'None', but such cells",
        ),
        ({"dataset__labels": {**ATLAS, "exclusive": "None"}}, "dataset.labels.exclusive is 'None'"),
        (
            {"dataset__labels": {**ATLAS, "classes": ["image_name", "Negative"]}},
            "dataset.labels.classes has 'image_name', the name of dataset.id_column; rename the class",
        ),
        (
            {"dataset__submission": {"class": "d"}, "dataset__labels": ATLAS},
            "dataset.submission.class is 'd', but 'd' is not a class; set it to classes out of a, b, c, Negative",
        ),
        (
            {"dataset__submission": {"form": "labels"}},
            "dataset.submission.form is 'labels', which submits the predicted classes of a sample, but there is only "
            "one class; set dataset.submission.form to 'columns'",
        ),
        (
            {"dataset__submission": {"form": "labels", "class": "a"}, "dataset__labels": ATLAS},
            "dataset.submission.form is 'labels', which submits the predicted classes of a sample, but "
            "dataset.submission.class is set; set dataset.submission.form to 'columns'",
        ),
        (
            {"dataset__submission": {"form": "labels", "hard_labels": True}, "dataset__labels": ATLAS},
            "dataset.submission.hard_labels is true, but form is 'labels'",
        ),
        (
            {"dataset__submission": {"form": "labels", "first_number": 1}, "dataset__labels": ATLAS},
            "dataset.submission.first_number is 1, but words is 'auto'; set words to numbers",
        ),
        (
            {
                "dataset__submission": {"form": "labels", "words": "numbers"},
                "dataset__labels": {"kind": "multiclass", "classes": ["1", "2"]},
            },
            "dataset.submission.words is 'numbers', but classes are called by numbers (1, 2); set words to names",
        ),
        (
            {"dataset__submission": {"column": "x"}, "dataset__labels": ATLAS},
            "dataset.submission.column is 'x', but this submission has a column for each class; set it to null",
        ),
    ],
)
def test_labels_and_submission_must_fit_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FoldlineError, match=f"^config: .*{re.escape(message)}"):
        check(dataset__example=None, **changes)


def test_reserved_names_are_the_columns_and_features_that_foldline_writes() -> None:
    assert set(RESERVED) == {*INVENTORY, *FOLDS, *FOR_PEOPLE, *feature_kinds([], labeled=True)}
