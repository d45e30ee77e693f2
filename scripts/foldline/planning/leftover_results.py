"""Results that a configuration no longer makes, and that a person would take for results of the present one."""

import logging
from collections.abc import Callable

from foldline.io import storage
from foldline.planning.dataset_splits import TEST
from foldline.planning.workflow_plan import WorkflowPlan

logger = logging.getLogger(__name__)

SUBMISSION = "results/submission.csv"
TEST_SCORES = ("results/test_metrics.json", "results/keys/score_test.built")
DRIFT = ("results/drift.json", "results/keys/detect_drift.built")
HOLDOUT_SCORES = ("results/holdout_metrics.json", "results/keys/score_holdout.built")


def remove_leftovers(plan: WorkflowPlan, beside_results: Callable[[str], str]) -> list[str]:
    """Remove scores and submission of a test split that the plan does not have, when a run starts.

    Args:
        plan: the plan.
        beside_results: gives the path or URL of a result.

    Returns:
        What was removed.

    Raises:
        OSError: a file cannot be removed.
    """
    leftovers: dict[str, str] = {}
    if all(job.rule != "score_test" for job in plan.jobs):
        leftovers |= dict.fromkeys(TEST_SCORES, "dataset.test_labels is null now")
    if all(job.rule != "score_holdout" for job in plan.jobs):
        leftovers |= dict.fromkeys(HOLDOUT_SCORES, "folds.holdout is empty now")
    if TEST not in plan.tables:
        leftovers |= dict.fromkeys((SUBMISSION, *DRIFT), "there is no test split now")
    removed = []
    for name, reason in leftovers.items():
        path = beside_results(name)
        if storage.is_file(path):
            storage.remove(path)
            logger.warning("removed %s of an earlier run, because %s", path, reason)
            removed.append(path)
    return removed
