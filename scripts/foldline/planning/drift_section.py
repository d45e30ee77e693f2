"""The job that compares training and test images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foldline.planning.dataset_section import group_columns
from foldline.planning.dataset_splits import TEST, TRAIN
from foldline.planning.workflow_plan import Job, WorkflowPlan


def add_drift(
    plan: WorkflowPlan,
    config: Mapping[str, Any],
    scans: Mapping[str, list[Job]],
    audits: Mapping[str, Job],
    embeddings: Mapping[str, Job],
    *,
    scripts: Path,
) -> list[Job]:
    """Add the job; none without a test split.

    Args:
        plan: the plan.
        config: the completed configuration.
        scans: scan jobs by split.
        audits: audit jobs by split.
        embeddings: jobs that embed images, by split; none if images are not embedded.
        scripts: folder of the scripts.
    """
    if TEST not in scans:
        return []
    dataset = config["dataset"]
    settings = {
        "metadata_columns": dataset["metadata_columns"],
        "group_columns": list(group_columns(dataset)),
        "channels": dataset["channels"],
        "confidence": config["evaluation"]["confidence"],
    }
    both = (TRAIN, TEST)
    needs = [job for split in both for job in scans[split]]
    needs += [jobs[split] for jobs in (audits, embeddings) for split in both if split in jobs]
    return [plan.add(scripts / "detect_drift.py", settings=settings, needs=needs)]
