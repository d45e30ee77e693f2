"""Checks of values of a completed configuration that must fit together, before any data are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foldline.dataset.channels import CHANNEL
from foldline.dataset.labels import BINARY, Labels, check_labels
from foldline.dataset.metadata import CATEGORICAL
from foldline.dataset.submission import LABELS
from foldline.errors import FoldlineError, listing
from foldline.io.storage import is_url
from foldline.models.backbone_registry import check_backbone, is_weights_file
from foldline.planning.dataset_section import class_names_of, image_pattern, splits_of, submission_columns

# Columns of the inventory and the fold table, and features of the records: names that metadata columns cannot have.
RESERVED = (
    *("id", "target", "group", "path", "bytes", "sha256", "width", "height", "perceptual_hash", "problem"),
    *("fold", "split"),
    *("image", "image_name", "patient_id"),
)


def check_combinations(config: Mapping[str, Any]) -> None:
    """Raise an error if values of a completed configuration do not fit together.

    Raises:
        FoldlineError: names the first problem.
    """
    dataset = config["dataset"]
    _check_columns(dataset)
    _check_labels(dataset)
    _check_submission(dataset)
    _check_sources(dataset)
    _check_channels(dataset)
    _check_metadata(dataset)
    _check_example(dataset)
    _check_folds(config["folds"], dataset)
    _check_class_weights(config["class_weights"], class_names_of(dataset))
    for name, model in config["models"].items():
        _check_model(name, model, dataset)
        _check_backbone(name, model)
        _check_overrides(name, model, config["folds"]["count"])


def _check_columns(dataset: Mapping[str, Any]) -> None:
    metadata = dataset["metadata_columns"]
    for column in metadata:
        if column in RESERVED:
            raise FoldlineError(
                f"config: dataset.metadata_columns has {column!r}, the name of a column that Foldline writes; rename "
                "the column in your tables, or remove it from dataset.metadata_columns"
            )
    named = _named_columns(dataset)
    for column in named:
        if named.count(column) > 1:
            raise FoldlineError(
                f"config: dataset names column {column!r} twice; id_column, target_column, group_column and each of "
                "metadata_columns must be different columns: copy the column under another name, or remove one entry"
            )
    for column in dataset["record_features"]:
        if column not in named:
            raise FoldlineError(
                f"config: dataset.record_features has {column!r}, which is not a column of this config "
                f"({listing(named, limit=20)}); use the name of one of these columns as the key"
            )


def _named_columns(dataset: Mapping[str, Any]) -> list[str]:
    columns = [dataset[key] for key in ("id_column", "target_column", "group_column")]
    return [column for column in columns if column is not None] + list(dataset["metadata_columns"])


def _check_labels(dataset: Mapping[str, Any]) -> None:
    labels = Labels.from_config(dataset["labels"])
    check_labels(labels)
    if dataset["id_column"] in labels.classes:
        raise FoldlineError(
            f"config: dataset.labels.classes has {dataset['id_column']!r}, the name of dataset.id_column; rename the "
            "class"
        )


def _check_submission(dataset: Mapping[str, Any]) -> None:
    submission, class_names = dataset["submission"], class_names_of(dataset)
    if submission["class"] is not None and submission["class"] not in class_names:
        raise FoldlineError(
            f"config: dataset.submission.class is {submission['class']!r}, which is not a class; set it to one of "
            f"{listing(class_names, limit=30)}, or to null to submit all classes"
        )
    if submission["form"] == LABELS and (submission["class"] is not None or dataset["labels"]["kind"] == BINARY):
        why = "there is only one class" if submission["class"] is None else "dataset.submission.class is set"
        raise FoldlineError(
            f"config: dataset.submission.form is 'labels', which submits the predicted classes of a sample, but {why}; "
            "set dataset.submission.form to 'columns' to submit the probability of one class"
        )
    if submission["column"] is not None and submission_columns(dataset) != [submission["column"]]:
        raise FoldlineError(
            f"config: dataset.submission.column is {submission['column']!r}, but this submission has a column for each "
            "class; set it to null"
        )


def _check_sources(dataset: Mapping[str, Any]) -> None:
    for split in ("train", "test"):
        images, records = f"dataset.{split}_images", f"dataset.{split}_records"
        given = [dataset[f"{split}_images"] is not None, dataset[f"{split}_records"] is not None]
        if sum(given) != 1:
            raise FoldlineError(
                f"config: {'both' if all(given) else 'neither'} of {images} and {records} are set; set one of them, "
                f"{images} to a path such as images/{{id}}.jpg, or {records} to a list such as [{split}*.tfrec]"
            )


def _check_channels(dataset: Mapping[str, Any]) -> None:
    channels = dataset["channels"]
    for name in channels:
        if name in (*RESERVED, *dataset["metadata_columns"]):
            raise FoldlineError(
                f"config: dataset.channels has {name!r}, the name of a column or of another feature of the records; "
                "rename the channel"
            )
    for split in splits_of(dataset):
        key = "external.images" if split == "external" else f"{split}_images"
        pattern = image_pattern(dataset, split)
        if pattern is None or (CHANNEL in pattern) == bool(channels):
            continue
        if channels:
            raise FoldlineError(
                f"config: dataset.{key} is {pattern!r}, without {CHANNEL}, but dataset.channels is "
                f"{_yaml_list(channels)}; write {CHANNEL} where a path has the name of the channel, such as "
                f"images/{{id}}_{CHANNEL}.png"
            )
        raise FoldlineError(
            f"config: dataset.{key} is {pattern!r}, with {CHANNEL}, but dataset.channels is empty; list the names of "
            "the channels in dataset.channels, such as [red, green]"
        )


def _check_metadata(dataset: Mapping[str, Any]) -> None:
    for column, section in dataset["metadata"].items():
        if column not in dataset["metadata_columns"]:
            raise FoldlineError(
                f"config: dataset.metadata has {column!r}, which is not one of dataset.metadata_columns "
                f"{_yaml_list(dataset['metadata_columns'])}; add it there, or remove it from dataset.metadata"
            )
        if (section["kind"] == CATEGORICAL) != bool(section["vocabulary"]):
            remedy = (
                "list all values of the column, such as [arm, leg]"
                if section["kind"] == CATEGORICAL
                else "remove it, or set kind to categorical"
            )
            raise FoldlineError(
                f"config: dataset.metadata.{column}.vocabulary is {_yaml_list(section['vocabulary'])}, but kind is "
                f"{section['kind']}; {remedy}"
            )


def _check_example(dataset: Mapping[str, Any]) -> None:
    if not dataset["example"]:
        return
    if dataset["labels"]["kind"] != BINARY or submission_columns(dataset) != class_names_of(dataset):
        raise FoldlineError(
            "config: dataset.example has labels of 0 and 1 and its own sample submission; remove dataset.labels and "
            "dataset.submission, or set dataset.example to null for your own data"
        )
    if dataset["channels"]:
        raise FoldlineError(
            "config: dataset.example has RGB images; remove dataset.channels, or set dataset.example to null for your "
            "own data"
        )
    if is_url(dataset["root"]):
        raise FoldlineError(
            f"config: dataset.root is {dataset['root']!r}, but dataset.example is written to a local folder; set "
            "dataset.root to a folder such as data/example"
        )
    if dataset["external"] or dataset["sample_submission"] is None:
        raise FoldlineError(
            "config: dataset.example writes its own tables; remove dataset.external, and set dataset.sample_submission "
            "to a file name such as sample_submission.csv"
        )


def _check_folds(folds: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    for index, column in enumerate(folds["stratify_by"]):
        if column not in dataset["metadata_columns"]:
            raise FoldlineError(
                f"config: folds.stratify_by[{index}] is {column!r}, which is not one of dataset.metadata_columns "
                f"{_yaml_list(dataset['metadata_columns'])}; add it there, or remove it from folds.stratify_by"
            )
    if folds["method"] == "files" and (dataset["train_records"] is None or dataset["channels"]):
        raise FoldlineError(
            "config: folds.method is 'files', which needs dataset.train_records and no dataset.channels; set "
            "folds.method to 'grouped'"
        )


def _check_class_weights(weights: Mapping[str, Any], class_names: Sequence[str]) -> None:
    classes = max(2, len(class_names))
    if weights["method"] == "capped" and weights["rank"] > classes:
        raise FoldlineError(
            f"config: class_weights.rank is {weights['rank']}, but there are {classes} classes; set it to {classes} or "
            "less"
        )


def _check_model(name: str, model: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    where = f"config: models.{name}"
    if name in ("id", "fold", "target", "blend", *dataset["metadata_columns"]):
        raise FoldlineError(f"{where}: {name!r} is the name of another column of the OOF table; rename the model")
    if "metadata" in model["inputs"] and not dataset["metadata"]:
        raise FoldlineError(
            f"{where}.inputs has metadata, but dataset.metadata is empty; set how models read the columns, such as "
            "dataset.metadata: {age: {kind: numeric}}"
        )
    unknown = [channel for channel in model["channels"] if channel not in dataset["channels"]]
    if unknown:
        raise FoldlineError(
            f"{where}.channels has {listing(unknown)}, not in dataset.channels {_yaml_list(dataset['channels'])}; "
            "add it there, or remove it"
        )
    for key in ("hue", "saturation"):
        if dataset["channels"] and model["augment"][key]:
            raise FoldlineError(
                f"{where}.augment.{key} is {model['augment'][key]:g}, but dataset.channels are not the colors of RGB "
                f"images; set {key} to 0, and use contrast and brightness, which change each channel separately"
            )
    mixed = sum(model["augment"][key]["probability"] for key in ("cutmix", "mixup"))
    if mixed > 1:
        raise FoldlineError(
            f"{where}.augment: cutmix.probability and mixup.probability add up to {mixed:g}; lower them to a sum of "
            "at most 1"
        )


def _check_backbone(name: str, model: Mapping[str, Any]) -> None:
    where = f"config: models.{name}"
    if model["backbone"] is None:
        if "image" in model["inputs"]:
            raise FoldlineError(
                f"{where}.backbone is null, but models.{name}.inputs has image; set a backbone such as "
                "efficientnet-b0, or set inputs to [metadata]"
            )
        return
    if "image" not in model["inputs"]:
        raise FoldlineError(
            f"{where}.backbone is {model['backbone']!r}, but models.{name}.inputs has no image; set backbone to null, "
            "or add image to inputs"
        )
    try:
        check_backbone(model["backbone"], weights=model["weights"], image_size=model["image_size"])
    except FoldlineError as error:
        raise FoldlineError(f"{where}: {error}") from None
    if is_weights_file(model["weights"]) and not Path(model["weights"]).is_file():
        raise FoldlineError(
            f"{where}.weights is {model['weights']!r}, and there is no such file; correct the path, relative to the "
            "working directory, or set weights to none"
        )


def _check_overrides(name: str, model: Mapping[str, Any], fold_count: int) -> None:
    for fold in model["fold_overrides"]:
        if int(fold) >= fold_count:
            raise FoldlineError(
                f"config: models.{name}.fold_overrides has fold {fold}, but folds are 0 to {fold_count - 1}; remove "
                f"it, or set folds.count to {int(fold) + 1} or more"
            )


def _yaml_list(names: Sequence[str]) -> str:
    return f"[{listing(names, limit=20)}]"
