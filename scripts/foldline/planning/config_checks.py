"""What does not go together, in a configuration or between it and its data, is refused before the DAG is built."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foldline.dataset.channels import CHANNEL
from foldline.dataset.labels import BINARY, Labels, check_labels
from foldline.dataset.metadata import CATEGORICAL, problem_of
from foldline.dataset.submission import LABELS
from foldline.errors import FoldlineError, listing
from foldline.io.storage import is_url
from foldline.models.backbone_registry import check_backbone, is_weights_file
from foldline.planning.raw_data import RawData, class_names_of, submission_columns

# Columns of the inventory and the fold table, and features of the records, whose names metadata cannot have.
RESERVED = (
    *(
        "id",
        "target",
        "group",
        "path",
        "bytes",
        "sha256",
        "width",
        "height",
        "perceptual_hash",
        "problem",
        "fold",
        "split",
    ),
    *("image", "image_name", "patient_id"),
)


def check_combinations(config: Mapping[str, Any]) -> None:
    """Refuse values of a completed configuration that do not go together.

    Raises:
        FoldlineError: as in the one line per check below.
    """
    count = config["folds"]["count"]
    metadata = config["dataset"]["metadata_columns"]
    for index, column in enumerate(config["folds"]["stratify_by"]):
        if column not in metadata:
            raise FoldlineError(
                f"config: folds.stratify_by[{index}] is {column!r}, which is not one of dataset.metadata_columns: "
                f"{listing(metadata) or 'none'}"
            )
    _check_dataset(config["dataset"])
    if config["folds"]["method"] == "files" and (
        config["dataset"]["train_records"] is None or config["dataset"]["channels"]
    ):
        raise FoldlineError(
            "config: folds.method is 'files', which needs dataset.train_records with whole samples (no "
            "dataset.channels); take 'grouped'"
        )
    _check_class_weights(config["class_weights"], class_names_of(config["dataset"]))
    for name, model in config["models"].items():
        if name in ("id", "fold", "target", "blend", *metadata):
            raise FoldlineError(f"config: models.{name} has the name of a column of the OOF table; rename the model")
        _check_model(name, model, config["dataset"])
        for fold in model["fold_overrides"]:
            if int(fold) >= count:
                raise FoldlineError(
                    f"config: models.{name}.fold_overrides.{fold} names a fold that is not there; "
                    f"folds.count is {count}, folds are 0 to {count - 1}"
                )


def _check_dataset(dataset: Mapping[str, Any]) -> None:
    metadata = dataset["metadata_columns"]
    for column in metadata:
        if column in RESERVED:
            raise FoldlineError(
                f"config: dataset.metadata_columns has {column!r}, a column that Foldline writes itself; rename it in "
                "the table or leave it out"
            )
    _check_labels(dataset)
    named = [dataset[name] for name in ("id_column", "target_column", "group_column")] + metadata
    for column in named:
        if column is not None and named.count(column) > 1:
            raise FoldlineError(f"config: dataset uses column {column!r} for two purposes; each column has one")
    if dataset["example"] and is_url(dataset["root"]):
        raise FoldlineError(
            f"config: dataset.example is written to a local folder; dataset.root is {dataset['root']!r}"
        )
    if dataset["example"] and (dataset["external"] or dataset["sample_submission"] is None):
        raise FoldlineError(
            "config: dataset.example writes its own tables; it goes with a sample_submission and without external"
        )
    for split in ("train", "test"):
        images, records = dataset[f"{split}_images"], dataset[f"{split}_records"]
        if (images is None) == (records is None):
            which = "neither is" if images is None else "both are"
            raise FoldlineError(
                f"config: one of dataset.{split}_images and dataset.{split}_records says where the images are; {which} "
                "given"
            )
    for column in dataset["record_features"]:
        if column not in named:
            raise FoldlineError(
                f"config: dataset.record_features names column {column!r}; the columns in use are "
                f"{listing([name for name in named if name], limit=20)}"
            )
    _check_channels(dataset)
    for column, read in dataset["metadata"].items():
        if column not in metadata:
            raise FoldlineError(
                f"config: dataset.metadata.{column} is not one of dataset.metadata_columns: "
                f"{listing(metadata) or 'none'}"
            )
        if (read["kind"] == CATEGORICAL) != bool(read["vocabulary"]):
            raise FoldlineError(
                f"config: dataset.metadata.{column}: a categorical column has a vocabulary, a numeric one has none"
            )


def _check_channels(dataset: Mapping[str, Any]) -> None:
    channels = dataset["channels"]
    for name in channels:
        if name in (*RESERVED, *dataset["metadata_columns"]):
            raise FoldlineError(
                f"config: dataset.channels has {name!r}, which is the name of a column or of another feature of the "
                "records; give the channel another name"
            )
    if channels and dataset["example"]:
        raise FoldlineError("config: dataset.example has RGB images; it goes without dataset.channels")
    patterns = {f"{split}_images": dataset[f"{split}_images"] for split in ("train", "test")}
    patterns["external.images"] = dataset["external"] and dataset["external"]["images"]
    for key, pattern in patterns.items():
        if pattern is not None and (CHANNEL in pattern) != bool(channels):
            told = f"has no {CHANNEL}" if channels else f"has {CHANNEL}"
            raise FoldlineError(
                f"config: dataset.{key} is {pattern!r}, which {told}, and dataset.channels is "
                f"{listing(channels, limit=20) or 'empty'}; name the channels, and where they stand in the path"
            )


def _check_labels(dataset: Mapping[str, Any]) -> None:
    labels, form, names = Labels.from_config(dataset["labels"]), dataset["submission"], class_names_of(dataset)
    check_labels(labels)
    if dataset["example"] and (labels.kind != BINARY or submission_columns(dataset) != names):
        raise FoldlineError(
            "config: dataset.example has labels of 0 and 1 and its own sample submission; it goes without labels and "
            "submission"
        )
    if dataset["id_column"] in labels.classes:
        raise FoldlineError(
            f"config: dataset.labels.classes has {dataset['id_column']!r}, the name of the id column; rename the class"
        )
    if form["class"] is not None and form["class"] not in names:
        raise FoldlineError(
            f"config: dataset.submission.class is {form['class']!r}, not one of the classes {listing(names, limit=30)}"
        )
    if form["form"] == LABELS and (form["class"] is not None or labels.kind == BINARY):
        raise FoldlineError(
            "config: dataset.submission.form is 'labels', which writes the classes of a sample; a single class is "
            "submitted with the form 'columns'"
        )
    if form["column"] is not None and submission_columns(dataset) != [form["column"]]:
        raise FoldlineError(
            f"config: dataset.submission.column is {form['column']!r}, but this submission has a column for each class"
        )


def _check_class_weights(weights: Mapping[str, Any], class_names: Sequence[str]) -> None:
    classes = max(2, len(class_names))
    if weights["method"] == "capped" and weights["rank"] > classes:
        raise FoldlineError(
            f"config: class_weights.rank is {weights['rank']}, but there are {classes} classes; take at most {classes}"
        )


def _check_model(name: str, model: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    if "metadata" in model["inputs"] and not dataset["metadata"]:
        raise FoldlineError(f"config: models.{name}.inputs has metadata; say in dataset.metadata how columns are read")
    if ("image" in model["inputs"]) != (model["backbone"] is not None):
        raise FoldlineError(
            f"config: models.{name}: a model that sees images has a backbone, one without images has none (null)"
        )
    unknown = [channel for channel in model["channels"] if channel not in dataset["channels"]]
    if unknown:
        raise FoldlineError(
            f"config: models.{name}.channels has {listing(unknown)}; dataset.channels is "
            f"{listing(dataset['channels'], limit=20) or 'empty'}"
        )
    for key in ("hue", "saturation"):
        if dataset["channels"] and model["augment"][key]:
            raise FoldlineError(
                f"config: models.{name}.augment.{key} is {model['augment'][key]:g}; it mixes the colors of RGB "
                "images, and dataset.channels are not colors; take contrast and brightness, which change each channel "
                "apart"
            )
    mixed = sum(model["augment"][key]["probability"] for key in ("cutmix", "mixup"))
    if mixed > 1:
        raise FoldlineError(
            f"config: models.{name}.augment: the probabilities of cutmix and mixup add up to {mixed:g}; at most 1 "
            "together"
        )
    if model["backbone"] is None:
        return
    try:
        check_backbone(model["backbone"], weights=model["weights"], image_size=model["image_size"])
    except FoldlineError as error:
        raise FoldlineError(f"config: models.{name}: {error}") from None
    if is_weights_file(model["weights"]) and not Path(model["weights"]).is_file():
        raise FoldlineError(f"config: models.{name}.weights: no file {model['weights']!r}")


def check_data(config: Mapping[str, Any], raw_data: RawData) -> None:
    """Refuse a configuration that its data cannot fulfil.

    Raises:
        FoldlineError: there are fewer groups than folds, or fewer groups with one of the labels of the only class, or
            of the only one that is submitted; or a metadata column has a value that models cannot read.
    """
    _check_metadata(config["dataset"], raw_data)
    count = config["folds"]["count"]
    column = config["dataset"]["group_column"]
    groups = {"of any label": {sample.row.group for sample in raw_data.splits["train"]}}
    classes = class_names_of(config["dataset"])
    scored = config["dataset"]["submission"]["class"] or (classes[0] if len(classes) == 1 else None)
    for label in ("0", "1") if scored else ():
        place, which = classes.index(scored), f"with label {label}" + (f" of {scored}" if len(classes) > 1 else "")
        groups[which] = {s.row.group for s in raw_data.splits["train"] if s.row.target[place] == label}
    for which, names in groups.items():
        if len(names) < count:
            raise FoldlineError(
                f"config: folds.count is {count}, but the training table has {len(names)} "
                f"{f'groups (column {column})' if column else 'rows'} {which}; take fewer folds"
            )


def _check_metadata(dataset: Mapping[str, Any], raw_data: RawData) -> None:
    places = {name: place for place, name in enumerate(dataset["metadata_columns"])}
    for split, samples in raw_data.splits.items():
        for column, read in dataset["metadata"].items():
            for sample in samples:
                problem = problem_of(sample.row.metadata[places[column]], read)
                if problem:
                    raise FoldlineError(
                        f"{split} table, line {sample.row.line}: {column} of id {sample.row.id!r} {problem}; mend the "
                        f"row, or dataset.metadata.{column} in the config"
                    )
