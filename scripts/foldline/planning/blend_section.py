"""The sections of a configuration that say how models are blended and calibrated: their checks, and what steps get."""

from collections.abc import Iterator, Mapping
from typing import Any

from foldline.dataset.labels import SOFTMAX
from foldline.errors import listing
from foldline.evaluation.rules import PREVALENCE, uses_thresholds
from foldline.planning.dataset_checks import yaml_list
from foldline.planning.dataset_section import labels_of

# Decides no class of samples that have exactly one.
ANY_THRESHOLD = 0.5


def blend_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each problem."""
    chosen, models = config["blend"]["models"], config["models"]
    unknown = [name for name in chosen or () if name not in models]
    if unknown:
        yield (
            f"config: blend.models has {listing(unknown)}, not in models {yaml_list(list(models))}; name models that "
            "are trained, or set it to null for all"
        )
    if config["blend"]["method"] != "rank_mean":
        return
    method, submission = config["calibration"]["method"], config["dataset"]["submission"]
    if method != "none":
        yield (
            f"config: calibration.method is {method}, but blend.method is rank_mean, and ranks are no probabilities; "
            "set calibration.method to none, or blend.method to geometric"
        )
    if config["evaluation"]["threshold"] == PREVALENCE:
        yield (
            f"config: evaluation.threshold is {PREVALENCE}, but blend.method is rank_mean, and ranks are no "
            "probabilities; set blend.method to auto, mean or geometric"
        )
    if submission["form"] == "labels" or submission["hard_labels"]:
        key = "hard_labels is true" if submission["hard_labels"] else "form is labels"
        yield (
            f"config: dataset.submission.{key}, but blend.method is rank_mean, and ranks compare images, not the "
            "classes of an image; set blend.method to auto, mean or geometric"
        )


def blend_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `BlendConfig` that these sections decide."""
    calibration, weighted = config["calibration"]["method"], config["evaluation"]["weighted"]
    test_models = config["prediction"]["test_models"]
    threshold, activation = config["evaluation"]["threshold"], labels_of(config["dataset"]).activation
    decides = activation == SOFTMAX and uses_thresholds(threshold, activation)
    return {
        **config["blend"],
        "calibration": calibration,
        "weighted": weighted,
        "test_models": test_models,
        # Other thresholds leave the blend as it is.
        "threshold": threshold if decides else ANY_THRESHOLD,
    }
