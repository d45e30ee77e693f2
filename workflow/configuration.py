"""The configuration, checked and completed before the DAG is built.

`with_preset` lays a preset over it; `complete` fills in the defaults of the schema and refuses what it does not allow;
`check_combinations` and `check_data` refuse values that do not go together. Every error is one line that names the key,
the value and what is allowed.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from foldline.backbone_names import check_backbone, is_weights_file
from foldline.channels import CHANNEL
from foldline.errors import FoldlineError, listing
from foldline.labels import BINARY, Labels, check_labels
from foldline.metadata import CATEGORICAL, problem_of
from foldline.places import is_url
from foldline.submission import LABELS
from jsonschema import Draft202012Validator, ValidationError
from raw_data import RawData, class_names_of, submission_columns

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
        "part",
    ),
    *("image", "image_name", "patient_id"),
)


def read_schema(path: str | Path) -> dict[str, Any]:
    """Read a JSON schema in YAML."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def with_preset(config: Mapping[str, Any], typed: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a configuration with the presets laid over it that it asks for, one after the other.

    Args:
        config: the configuration, with the values typed on the command line in it.
        typed: those values alone; they stay above the presets. Snakemake hands over what stands in braces as text,
            which becomes the number or null that the schema wants.
        schema: the schema.

    Raises:
        FoldlineError: there is no such preset.
    """
    config = _plain(config)
    presets = config.get("presets", {})
    chosen = config.get("preset") or []
    for name in [chosen] if isinstance(chosen, str) else chosen:
        if name not in presets:
            raise FoldlineError(f"config: preset is {name!r}; presets has {listing(sorted(presets)) or 'none'}")
        config = _overlaid(config, presets[name])
    return _overlaid(config, _as_wanted(_plain(typed), schema, schema))


def typed_part(config: Mapping[str, Any], *, whole: Mapping[str, Any], typed: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values typed on the command line that belong to a configuration.

    Args:
        config: the configuration: that of the workflow itself, or of a module that another workflow handed one of its
            sections, or a mapping made for it.
        whole: the configuration of the main workflow.
        typed: the values typed for that.
    """
    if config is whole:
        return typed
    return next((values for name, values in typed.items() if whole.get(name) is config), {})


def _as_wanted(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Copy of typed values with texts read as YAML where the schema does not allow a text, or null as null."""
    schema = resolve(schema, root)
    if isinstance(value, list):
        return [_as_wanted(item, schema.get("items", {}), root) for item in value]
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        return {key: _as_wanted(item, known.get(key, others), root) for key, item in value.items()}
    if not isinstance(value, str) or not schema or value in schema.get("enum", []):
        return value
    kinds = schema.get("type", [])
    keeps = "string" in kinds and not (value == "null" and "null" in kinds)
    try:
        return value if keeps else yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _overlaid(below: Any, above: Any) -> Any:
    """Mapping with the keys of both, at every level; a value of `above` that is no mapping wins."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: _overlaid(below[key], value) if key in below else value for key, value in above.items()}}


def complete(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a configuration with the schema's defaults filled in.

    Raises:
        FoldlineError: unknown key, wrong type, value out of range; the most telling of the errors only.
    """
    completed = _with_defaults(_plain(config), schema, schema)
    errors = sorted(Draft202012Validator(schema).iter_errors(completed), key=lambda error: len(error.absolute_path))
    if errors:
        raise FoldlineError(_message(errors[0]))
    return completed


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
    for part in ("train", "test"):
        images, records = dataset[f"{part}_images"], dataset[f"{part}_records"]
        if (images is None) == (records is None):
            which = "neither is" if images is None else "both are"
            raise FoldlineError(
                f"config: one of dataset.{part}_images and dataset.{part}_records says where the images are; {which} "
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
    patterns = {f"{part}_images": dataset[f"{part}_images"] for part in ("train", "test")}
    patterns["external.images"] = dataset["external"] and dataset["external"]["images"]
    for key, pattern in patterns.items():
        if pattern is not None and (CHANNEL in pattern) != bool(channels):
            told = f"has no {CHANNEL}" if channels else f"has {CHANNEL}"
            raise FoldlineError(
                f"config: dataset.{key} is {pattern!r}, which {told}, and dataset.channels is "
                f"{listing(channels, limit=20) or 'empty'}; name the channels, and where they stand in the path"
            )


def _check_labels(dataset: Mapping[str, Any]) -> None:
    labels, form, names = Labels.of(dataset["labels"]), dataset["submission"], class_names_of(dataset)
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
                f"config: models.{name}.augment.{key} is {model['augment'][key]:g}; it mixes the colours of RGB "
                "images, and dataset.channels are not colours; take contrast and brightness, which change each channel "
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
    groups = {"of any label": {sample.row.group for sample in raw_data.parts["train"]}}
    classes = class_names_of(config["dataset"])
    scored = config["dataset"]["submission"]["class"] or (classes[0] if len(classes) == 1 else None)
    for label in ("0", "1") if scored else ():
        place, which = classes.index(scored), f"with label {label}" + (f" of {scored}" if len(classes) > 1 else "")
        groups[which] = {s.row.group for s in raw_data.parts["train"] if s.row.target[place] == label}
    for which, names in groups.items():
        if len(names) < count:
            raise FoldlineError(
                f"config: folds.count is {count}, but the training table has {len(names)} "
                f"{f'groups (column {column})' if column else 'rows'} {which}; take fewer folds"
            )


def _check_metadata(dataset: Mapping[str, Any], raw_data: RawData) -> None:
    places = {name: place for place, name in enumerate(dataset["metadata_columns"])}
    for part, samples in raw_data.parts.items():
        for column, read in dataset["metadata"].items():
            for sample in samples:
                problem = problem_of(sample.row.metadata[places[column]], read)
                if problem:
                    raise FoldlineError(
                        f"{part} table, line {sample.row.line}: {column} of id {sample.row.id!r} {problem}; mend the "
                        f"row, or dataset.metadata.{column} in the config"
                    )


def _plain(value: Any) -> Any:
    """Copy with text keys: YAML reads `3:` as an integer key, and fold numbers are keys."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with its `$ref` into `root` replaced; keys beside the reference win."""
    if "$ref" not in schema:
        return dict(schema)
    target: Any = root
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolve(target, root), **{key: value for key, value in schema.items() if key != "$ref"}}


def _with_defaults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    schema = resolve(schema, root)
    if isinstance(value, list) and "items" in schema:
        return [_with_defaults(item, schema["items"], root) for item in value]
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    known = schema.get("properties", {})
    for key, below in known.items():
        below = resolve(below, root)
        if key not in filled and "default" in below:
            filled[key] = _plain(below["default"])
    for key, item in filled.items():
        below = known.get(key, schema.get("additionalProperties"))
        if isinstance(below, dict):
            filled[key] = _with_defaults(item, below, root)
    return filled


BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}


def _message(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    prefix = f"{place}." if place else ""
    value, limit = _shown(error.instance), error.validator_value
    match error.validator:
        case "additionalProperties":
            known = sorted(error.schema["properties"])
            unknown = next(key for key in error.instance if key not in known)
            close = difflib.get_close_matches(unknown, known, n=1)
            hint = f" Did you mean {prefix}{close[0]}?" if close else ""
            return f"config: {prefix}{unknown} is not a known key.{hint} Known keys: {listing(known, limit=40)}"
        case "required":
            absent = next(key for key in limit if key not in error.instance)
            meaning = " ".join(error.schema["properties"][absent].get("description", "").split())
            return f"config: {prefix}{absent} is missing. {meaning}".rstrip()
        case "enum":
            return f"config: {place} is {value}; allowed: {', '.join(_shown(item) for item in limit)}"
        case "type":
            kinds = limit if isinstance(limit, list) else [limit]
            hint = "; YAML reads 1e-3 as text, write 1.0e-3" if _is_number(error.instance) else ""
            return f"config: {place} is {value}; it must be of type {' or '.join(kinds)}{hint}"
        case "pattern" if "propertyNames" in error.absolute_schema_path:
            return f"config: {prefix}{error.instance} is no allowed name; it must match {limit}"
        case "pattern":
            return f"config: {place} is {value}; it must match {limit}"
        case bound if bound in BOUNDS:
            return f"config: {place} is {value}; it must be {BOUNDS[bound]} {limit}"
        case _:
            return f"config: {place or 'the configuration'}: {error.message}"


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)
