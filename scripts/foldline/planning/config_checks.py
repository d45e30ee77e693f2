"""Checks of values of a completed configuration that must fit together, before any data are read."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from foldline.dataset.augment_operations import OPERATIONS
from foldline.dataset.labels import SOFT
from foldline.errors import listing, problems_error
from foldline.io.result_paths import Member
from foldline.io.system_errors import file_problem
from foldline.models.backbone_registry import backbone_problems, is_weights_file
from foldline.planning.blend_section import blend_problems
from foldline.planning.dataset_checks import dataset_checks, yaml_list
from foldline.planning.dataset_section import class_names_of
from foldline.planning.embedding_section import embedding_problems
from foldline.planning.fold_checks import fold_problems
from foldline.planning.fold_plan import fold_numbers, follows_data, members
from foldline.planning.image_patterns import WORD
from foldline.planning.leak_plan import leak_problems
from foldline.planning.requirements import reader_problems
from foldline.planning.training_checks import training_problems
from foldline.planning.usable_values import UnusableValueError


def check_combinations(config: Mapping[str, Any]) -> None:
    """Raise an error if values of a completed configuration do not fit together.

    Raises:
        FoldlineError: names all problems.
    """
    problems = combination_problems(config)
    if problems:
        raise problems_error(problems)


def combination_problems(config: Mapping[str, Any]) -> list[str]:
    """A line for each problem of values that do not fit together.

    Args:
        config: the completed configuration. In `usable_values.UsableValues`, a check ends at the first wrong value that
            it reads.
    """
    return _problems_of(_checks(config))


def data_problems(dataset: Mapping[str, Any]) -> list[str]:
    """The lines of `combination_problems` about the section `dataset`, with which data cannot be read."""
    return _problems_of([*dataset_checks(dataset), reader_problems(dataset)])


def _problems_of(checks: Iterable[Iterator[str]]) -> list[str]:
    problems = []
    for check in checks:
        # One by one, because a check may end early.
        with contextlib.suppress(UnusableValueError):
            for problem in check:
                problems.append(problem)
    return problems


def _checks(config: Mapping[str, Any]) -> Iterator[Iterator[str]]:
    with contextlib.suppress(UnusableValueError):
        yield from dataset_checks(config["dataset"])
        yield reader_problems(config["dataset"])
    yield fold_problems(config)
    yield leak_problems(config)
    yield _class_weight_problems(config)
    yield _weight_problems(config)
    yield _checkpoint_problems(config)
    yield blend_problems(config)
    yield embedding_problems(config)
    with contextlib.suppress(UnusableValueError):
        for name in config["models"]:
            yield _model_problems(name, config)
            yield _loss_problems(name, config)
            yield _backbone_problems(name, config)
            yield _schedule_problems(name, config)
            yield training_problems(name, config)
            yield _override_problems(name, config)
            yield _final_problems(name, config)


def _weight_problems(config: Mapping[str, Any]) -> Iterator[str]:
    dataset = config["dataset"]
    if dataset["weight_column"] is not None and dataset["class_folders"] is not None:
        yield (
            f"config: dataset.weight_column is {dataset['weight_column']!r}, but dataset.class_folders makes the rows "
            "of files, which have no columns; set one of them to null"
        )
    if config["evaluation"]["weighted"] and config["dataset"]["weight_column"] is None:
        yield (
            "config: evaluation.weighted is true, but dataset.weight_column is null, so rows have no weights; set "
            "dataset.weight_column to a column of the training table, or evaluation.weighted to false"
        )


def _class_weight_problems(config: Mapping[str, Any]) -> Iterator[str]:
    weights, classes = config["class_weights"], max(2, len(class_names_of(config["dataset"])))
    if weights["method"] == "capped" and weights["rank"] > classes:
        yield (
            f"config: class_weights.rank is {weights['rank']}, but there are {classes} classes; set it to {classes} or "
            "less"
        )


def _checkpoint_problems(config: Mapping[str, Any]) -> Iterator[str]:
    folder = config["checkpoints"]["folder"]
    if WORD.search(folder):
        yield (
            f"config: checkpoints.folder is {folder!r}, but nothing in braces is replaced in it; each fold has a "
            "folder of its own in it anyway; remove the braces"
        )


def _model_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    model, dataset = config["models"][name], config["dataset"]
    where = f"config: models.{name}"
    if name in ("id", "fold", "label", "predicted", "target", "blend", *dataset["metadata_columns"]):
        yield (f"{where}: {name!r} is the name of another column of the OOF table; rename the model")
    if "metadata" in model["inputs"] and not dataset["metadata"]:
        yield (
            f"{where}.inputs has metadata, but dataset.metadata is empty; set how models read the columns, such as "
            "dataset.metadata: {age: {kind: numeric}}"
        )
    unknown = [channel for channel in model["channels"] if channel not in dataset["channels"]]
    if unknown:
        yield (
            f"{where}.channels has {listing(unknown)}, not in dataset.channels {yaml_list(dataset['channels'])}; "
            "add it there, or remove it"
        )
    for key in ("hue", "saturation"):
        if dataset["channels"] and model["augment"][key]:
            yield (
                f"{where}.augment.{key} is {model['augment'][key]:g}, but dataset.channels are not the colors of RGB "
                f"images; set {key} to 0, and use contrast and brightness, which change each channel separately"
            )
    count, used = model["augment"]["operations"], sum(bool(model["augment"][name]) for name in OPERATIONS)
    if count is not None and count > used:
        yield (
            f"{where}.augment.operations is {count}, but only {used} of {listing(OPERATIONS, limit=8)} "
            f"{'has' if used == 1 else 'have'} a value; give more of them one, or set operations to null"
        )
    mixed = sum(model["augment"][key]["probability"] for key in ("cutmix", "mixup"))
    if mixed > 1:
        yield (
            f"{where}.augment: cutmix.probability and mixup.probability add up to {mixed:g}; lower them to a sum of "
            "at most 1"
        )


def _loss_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    """A loss that does not learn labels between 0 and 1, with such labels or settings that make them."""
    loss, augment = config["models"][name]["loss"], config["models"][name]["augment"]
    is_soft = config["dataset"]["labels"]["kind"] == SOFT
    if is_soft and loss["name"] == "focal":
        yield (
            f"config: models.{name}.loss.name is focal, but dataset.labels.kind is soft, and the focal loss is not "
            "smallest at the shares of soft labels; set it to cross_entropy"
        )
    if not loss["hard_labels"]:
        return
    if is_soft:
        yield (
            f"config: models.{name}.loss.hard_labels is true, so labels between 0 and 1 train nothing, but "
            "dataset.labels.kind is soft; set hard_labels to false"
        )
    soft = {"loss.label_smoothing": loss["label_smoothing"]}
    soft |= {f"augment.{key}.probability": augment[key]["probability"] for key in ("cutmix", "mixup")}
    given = [f"models.{name}.{key} is {value:g}" for key, value in soft.items() if value]
    if given:
        yield (
            f"config: models.{name}.loss.hard_labels is true, so labels between 0 and 1 train nothing, but "
            f"{listing(given)}; set hard_labels to false, or the others to 0"
        )


def _backbone_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    model = config["models"][name]
    where = f"config: models.{name}"
    if model["backbone"] is None:
        if "image" in model["inputs"]:
            yield (
                f"{where}.backbone is null, but models.{name}.inputs has image; set a backbone such as "
                "efficientnet-b0, or set inputs to [metadata]"
            )
        return
    if "image" not in model["inputs"]:
        yield (
            f"{where}.backbone is {model['backbone']!r}, but models.{name}.inputs has no image; set backbone to null, "
            "or add image to inputs"
        )
    known: dict[str, Any] = {}
    for key in ("weights", "image_size"):
        # One may be wrong, and the other one not.
        with contextlib.suppress(UnusableValueError):
            known[key] = model[key]
    for problem in backbone_problems(model["backbone"], **known):
        yield f"{where}: {problem}"
    if is_weights_file(model["weights"]) and (problem := file_problem(model["weights"])):
        yield (
            f"{where}.weights is {model['weights']!r}, but the file cannot be read ({problem}); correct the path, "
            "relative to the working directory, or set weights to none"
        )


def _schedule_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    model = config["models"][name]
    schedule, overrides = model["schedule"], model["fold_overrides"]
    needed = schedule["warmup_epochs"] + schedule["hold_epochs"]
    epochs_of = {"epochs": model["epochs"]}
    epochs_of |= {f"fold_overrides.{fold}.epochs": overrides[fold].get("epochs", model["epochs"]) for fold in overrides}
    for key, epochs in epochs_of.items():
        if needed > epochs:
            yield (
                f"config: models.{name}.{key} is {epochs}, but schedule.warmup_epochs and hold_epochs of the model add "
                f"up to {needed:g}; lower them, or raise the epochs"
            )


def _final_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    model = config["models"][name]
    if config["prediction"]["test_models"] == "final" and not model["final"]:
        yield (
            f"config: prediction.test_models is final, but models.{name}.final is false; set it to true, or "
            "prediction.test_models to folds"
        )
    schedule = model["schedule"]
    follows_scores = schedule["name"] == "plateau" or schedule["reduce_on_plateau"]
    if model["final"] and follows_scores and schedule["monitor"] == "auc":
        yield (
            f"config: models.{name}.final is true, but its learning rate follows the AUC of held-out rows, which there "
            f"are none of; set models.{name}.schedule.monitor to loss, or models.{name}.final to false"
        )


def _override_problems(name: str, config: Mapping[str, Any]) -> Iterator[str]:
    model, folds = config["models"][name], config["folds"]
    if follows_data(folds) and "numbers" not in folds:
        # They are not read yet.
        return
    known, numbers = members(folds), fold_numbers(folds)
    for label in model["fold_overrides"]:
        with contextlib.suppress(ValueError):
            member = Member.parse(label)
            if member in known:
                continue
            shown = (
                f"0 to {folds['count'] - 1}"
                if numbers == list(range(len(numbers)))
                else listing([str(number) for number in numbers])
            )
            key, least = ("repeats", member.repeat) if member.fold in numbers else ("count", member.fold + 1)
            repeats = f", and folds.repeats is {folds['repeats']}" if member.repeat > 1 else ""
            remedy = "" if follows_data(folds) else f", or set folds.{key} to {least} or more"
            yield (
                f"config: models.{name}.fold_overrides has fold {label}, but folds are {shown}{repeats}; remove it"
                f"{remedy}"
            )
