"""The check gets the settings of the jobs, each training once, also from a plan that was loaded from its file."""

from pathlib import Path

import pytest
import yaml
from fixtures.images import write_config, write_dataset
from fixtures.plans import plan_of
from foldline.check.plan import CheckPlan
from foldline.io.settings import build
from foldline.planning.check_settings import check_settings
from foldline.planning.workflow_plan import WorkflowPlan


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> WorkflowPlan:
    folder = tmp_path_factory.mktemp("plan")
    write_dataset(folder / "data")
    path = folder / "config" / "config.yaml"
    write_config(path)
    config = yaml.safe_load(path.read_text())
    config["folds"]["count"] = 3
    config["models"]["b"]["fold_overrides"] = {1: {"learning_rate": 0.01}}
    config["dataset"]["external"]["external"]["weight"] = 0.5
    path.write_text(yaml.safe_dump(config))
    return plan_of(folder)


def test_folds_with_the_same_settings_are_tried_once(plan: WorkflowPlan, tmp_path: Path) -> None:
    plan.save(str(tmp_path / "plan.json"))
    for known in (plan, WorkflowPlan.load(str(tmp_path / "plan.json"))):
        made = build(CheckPlan, check_settings(known, pinned=None))
        assert [(group.name, group.folds) for group in made.groups] == [
            ("a fold 0", (0, 1, 2)),
            ("b fold 0", (0, 2)),
            ("b fold 1", (1,)),
        ]
        assert [group.settings.training_config.learning_rate for group in made.groups] == [0.001, 0.001, 0.01]
        assert list(made.scans) == ["train", "external", "test"]
        assert set(made.shards) == {"32/train", "32/external", "32/test"}
        assert made.example is None
        # The check weighs rows as the run does.
        assert made.weights is not None
        assert made.weights.of_rows(["train", "external"], ["s000", "e000"]) == [1.0, 0.5]


def test_the_final_model_is_tried_with_the_folds_that_have_its_settings(plan: WorkflowPlan, tmp_path: Path) -> None:
    write_dataset(tmp_path / "data")
    path = tmp_path / "config" / "config.yaml"
    write_config(path)
    config = yaml.safe_load(path.read_text())
    config["models"]["b"] |= {"final": True, "fold_overrides": {0: {"learning_rate": 0.01}}}
    path.write_text(yaml.safe_dump(config))
    made = build(CheckPlan, check_settings(plan_of(tmp_path), pinned=None))
    assert [(group.name, group.final) for group in made.groups] == [
        ("a fold 0", False),
        ("b fold 0", False),
        ("b fold 1", True),
    ]
    assert (made.test_models, made.jobs["train_final"]) == ("folds", 1)
    assert set(made.splits.values()) == {None}


def test_jobs_on_request_do_not_count(plan: WorkflowPlan) -> None:
    jobs = check_settings(plan, pinned=None)["jobs"]
    assert jobs["train_fold"] == 6
    assert not {"export_model", "export_ensemble"} & jobs.keys()
    assert sum(jobs.values()) == sum(not job.rule.startswith("export_") for job in plan.jobs)
