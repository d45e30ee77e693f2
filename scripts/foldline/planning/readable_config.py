"""A configuration with wrong values, made fit to read the data: their problems belong in the same report."""

from collections.abc import Iterable, Mapping
from typing import Any

from foldline.planning.config_checks import has_data_problems
from foldline.planning.configuration import completed_with_errors
from foldline.planning.fold_checks import fold_problems

# Keys of `dataset` that change neither which rows and files are read nor whether they can be used.
OF_PIXELS = ("color_profile", "contradictory_labels", "dicom_window", "intensity", "near_duplicate_bits")
# Keys of `dataset` with a section for each set or column, which can be left out by itself.
OF_SECTIONS = ("external", "metadata")


def readable_config(
    config: Mapping[str, Any], wrong: Iterable[tuple[str, ...]], schema: Mapping[str, Any]
) -> dict[str, Any] | None:
    """A configuration that reads as many of the data as the right values tell; None if they do not tell enough.

    Args:
        config: the completed configuration.
        wrong: paths of keys to the values that the schema does not allow, see `schema_errors.wrong_key`.
        schema: the schema.
    """
    if not isinstance(config.get("dataset"), dict):
        return None
    dataset, sections = dict(config["dataset"]), {path[0] for path in wrong if path}
    for _, *keys in (path for path in wrong if path[:1] == ("dataset",)):
        if len(keys) > 1 and keys[0] in OF_SECTIONS:
            dataset[keys[0]] = {name: values for name, values in dataset[keys[0]].items() if name != keys[1]}
        elif keys and keys[0] in OF_PIXELS:
            dataset[keys[0]] = schema["properties"]["dataset"]["properties"][keys[0]].get("default")
        else:
            return None
    readable = {**config, "dataset": dataset}
    if has_data_problems(dataset):
        return None
    if "folds" not in config or "folds" in sections or any(fold_problems(readable)):
        readable["folds"] = _plain_folds(config.get("folds"), wrong, schema)
    return readable


def _plain_folds(folds: Any, wrong: Iterable[tuple[str, ...]], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The section `folds` with the number of folds alone: 2, which every data set has, if that is wrong too."""
    is_right = isinstance(folds, dict) and not {("folds",), ("folds", "count")} & set(wrong)
    count = folds["count"] if is_right and "count" in folds else 2
    completed, _ = completed_with_errors({"folds": {"count": count}}, schema)
    section: dict[str, Any] = completed["folds"]
    return section
