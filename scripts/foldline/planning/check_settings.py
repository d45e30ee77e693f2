"""Settings of what runs before a run, on request: those of the jobs whose rows or images it reads, from the plan."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foldline.io.files import digest_of
from foldline.io.result_paths import Member
from foldline.planning.workflow_plan import WorkflowPlan

# Rules whose jobs run on request only.
ON_REQUEST = ("export_model", "export_ensemble")
# External sets come between these splits.
ORDER = {"train": 0, "test": 2}


def check_settings(plan: WorkflowPlan, *, pinned: Path | None) -> dict[str, Any]:
    """Fields of `CheckPlan`.

    Args:
        plan: the plan of the run; a loaded one is enough.
        pinned: table of the example if that is not on the disk yet; None if the data are there.
    """
    folds = dict(plan.arguments_of("make_folds")[0][1])
    weights, cells = folds.pop("weights", None), folds.pop("cells", None)
    scans: dict[str, dict[str, Any]] = {}
    for of, arguments in plan.arguments_of("scan_images"):
        scans.setdefault(of["split"], arguments)
    shards = {f"{of['size']}/{of['split']}": arguments for of, arguments in plan.arguments_of("shard_records")}
    groups: dict[str, dict[str, Any]] = {}
    for of, arguments in plan.arguments_of("train_fold"):
        member = asdict(Member.parse(of["fold"]))
        settings = {**arguments, "model": of["model"], "member": member}
        group = groups.setdefault(digest_of([of["model"], arguments]), {"members": [], "settings": settings})
        group["members"].append(member)
    for of, arguments in plan.arguments_of("train_final"):
        of_model = [group for group in groups.values() if group["settings"]["model"] == of["model"]]
        groups.get(digest_of([of["model"], arguments]), of_model[0])["final"] = True
    return {
        "scans": dict(sorted(scans.items(), key=lambda item: ORDER.get(item[0], 1))),
        "folds": folds,
        "weights": weights,
        "cells": cells,
        "class_weights": plan.arguments_of("class_weights")[0][1],
        "shards": shards,
        "groups": list(groups.values()),
        "prediction": plan.arguments_of("predict_oof")[0][1]["prediction_config"],
        "test_models": plan.arguments_of("blend_folds")[0][1]["test_models"],
        "splits": plan.arguments_of("export_ensemble")[0][1]["splits"],
        "jobs": dict(Counter(rule for rule, _ in plan.job_names() if rule not in ON_REQUEST)),
        **({"example": plan.arguments_of("example_data")[0][1]["example"], "pinned": str(pinned)} if pinned else {}),
    }


def measure_settings(plan: WorkflowPlan, *, pinned: Path | None) -> dict[str, Any]:
    """Fields of `check.intensity.MeasurePlan`; the arguments are those of `check_settings`."""
    settings = check_settings(plan, pinned=pinned)
    return {"scan": settings["scans"]["train"], **{key: settings[key] for key in ("example", "pinned") if pinned}}
