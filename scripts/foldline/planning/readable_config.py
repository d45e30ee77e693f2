"""A configuration with wrong values, made fit to read the data: their problems belong in the same report."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import ValidationError

from foldline.planning.config_checks import data_problems
from foldline.planning.configuration import completed_with_errors, plain
from foldline.planning.dataset_section import reads_labels, without_labels
from foldline.planning.fold_checks import fold_problems
from foldline.planning.schema_errors import key_path

# Keys of `dataset` without which no rows or images are found: their defaults would be other data.
OF_ROWS = (
    *("example", "root", "id_column", "separator", "missing", "channels", "train_table", "train_images"),
    *("image_column", "class_folders", "train_records", "image_feature", "record_ids", "record_name"),
    "record_features",
)
# Keys of `dataset` that say what labels are, without which they are not read.
OF_TARGETS = ("target_column", "target_columns")
OF_LABELS = ("labels", *OF_TARGETS, "row_per_class")
# Keys of `dataset` with a section for each set or column, which can be left out by itself.
OF_SECTIONS = ("external", "metadata")


def readable_config(
    config: Mapping[str, Any], errors: Iterable[ValidationError], schema: Mapping[str, Any]
) -> dict[str, Any] | None:
    """A configuration that reads as many of the data as the right values tell; None if they tell of no rows.

    It has the models whose batches can be compared with the rows of its folds.

    Args:
        config: the completed configuration.
        errors: what the schema does not allow in it.
        schema: the schema.
    """
    wrong = [key_path(error) for error in errors]
    if not isinstance(config.get("dataset"), dict):
        return None
    dataset: dict[str, Any] | None = config["dataset"]
    defaults = completed_with_errors({"dataset": {}}, schema)[0]["dataset"]
    in_dataset = [path[1:] for path in wrong if path[:1] == ("dataset",)]
    for keys in in_dataset:
        dataset = dataset and _without_value(dataset, keys, defaults)
    if dataset and any(keys[0] in OF_LABELS for keys in in_dataset):
        dataset = without_labels(dataset)
    dataset = dataset and _without_contradictions(dataset, defaults)
    # Without its classes, the rows of a table with one row per class are no samples.
    if dataset is None or (config["dataset"]["row_per_class"] and not reads_labels(dataset)):
        return None
    readable, sections = {**config, "dataset": dataset}, {path[0] for path in wrong if path}
    models = config.get("models")
    wrong_models = {path[1] for path in wrong if path[:1] == ("models",) and len(path) > 1}
    readable["models"] = {}
    if "folds" not in config or "folds" in sections or any(fold_problems(readable)):
        readable["folds"] = _plain_folds(config.get("folds"), wrong, schema)
    elif isinstance(models, dict):
        readable["models"] = {name: model for name, model in models.items() if name not in wrong_models}
    return readable


def _without_value(dataset: dict[str, Any], keys: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, Any] | None:
    """The section without a value that is wrong, and without what cannot be read without it; None if nothing can."""
    if not keys or keys[0] in OF_ROWS:
        return None
    key = keys[0]
    if key.removeprefix("test_") != key or key == "sample_submission":
        return _without_test(dataset)
    if key == "external" and keys[2:] == ("weight",) and keys[1] in dataset[key]:
        section = {**dataset[key][keys[1]], "weight": 1.0}
        return {**dataset, key: {**dataset[key], keys[1]: section}}
    if key in OF_SECTIONS and len(keys) > 1:
        return _without_entry(dataset, key, keys[1])
    changed = {**dataset, key: plain(defaults.get(key))}
    return changed if key != "metadata_columns" else {**changed, "metadata": {}}


def _without_contradictions(dataset: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any] | None:
    """The section without the values that do not fit together; None if it takes too many."""
    problems = data_problems(dataset)
    while problems:
        for smaller in _smaller(dataset, defaults):
            left = data_problems(smaller)
            if len(left) < len(problems):
                dataset, problems = smaller, left
                break
        else:
            return None
    return dataset


def _smaller(dataset: dict[str, Any], defaults: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The section without something that can be left out, what matters least first."""
    for key in ("test_columns", *OF_SECTIONS):
        for name in dataset[key] or {}:
            yield _without_entry(dataset, key, name)
    for key in ("test_labels", "weight_column", "group_column"):
        yield {**dataset, key: None}
    yield {**dataset, "submission": plain(defaults["submission"]), "sample_submission": None}
    yield without_labels(dataset) if reads_labels(dataset) else {**dataset, **dict.fromkeys(OF_TARGETS)}
    yield _without_test(dataset)


def _without_entry(dataset: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    return {**dataset, key: {each: values for each, values in dataset[key].items() if each != name}}


def _without_test(dataset: dict[str, Any]) -> dict[str, Any]:
    keys = ("test_table", "test_images", "test_records", "test_labels", "sample_submission")
    return {**dataset, **dict.fromkeys(keys), "test_columns": {}}


def _plain_folds(folds: Any, wrong: Iterable[tuple[str, ...]], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The section `folds` with the number of folds alone: 2, which every data set has, if that is wrong too."""
    is_right = isinstance(folds, dict) and not {("folds",), ("folds", "count")} & set(wrong)
    count = folds["count"] if is_right and "count" in folds else 2
    completed, _ = completed_with_errors({"folds": {"count": count}}, schema)
    section: dict[str, Any] = completed["folds"]
    return section
