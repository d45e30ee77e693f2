"""Look-ups of rules in the plan, and the file that carries it to every job."""

import json
from pathlib import Path

import pytest
from foldline.planning.workflow_plan import WorkflowPlan


@pytest.fixture
def plan() -> WorkflowPlan:
    return WorkflowPlan(
        shards={
            "scan/train": ["00000-of-00004", "00002-of-00004", "00003-of-00004"],
            "shards/32/train": ["00000-of-00002", "00001-of-00002"],
            "shards/32/test": ["00000-of-00001"],
        },
        megabytes={"32/train": 200.0, "32/test": 50.5},
    )


def test_the_inventory_of_a_shard_holds_its_rows(plan: WorkflowPlan) -> None:
    assert plan.inventory_shards("train") == ["00000-of-00004", "00002-of-00004", "00003-of-00004"]
    assert plan.inventory_shards("train", shard="00000-of-00002") == ["00000-of-00004"]
    assert plan.inventory_shards("train", shard="00001-of-00002") == ["00002-of-00004", "00003-of-00004"]


def test_a_split_that_the_data_do_not_have_has_no_inventory(plan: WorkflowPlan) -> None:
    assert plan.inventory_shards("external") == []


def test_a_job_gets_half_as_much_disk_again_as_its_shards_and_a_gigabyte(plan: WorkflowPlan) -> None:
    assert plan.disk_mb(32, ["train"]) == 1000 + 300
    assert plan.disk_mb(32, ["train", "test"]) == 1000 + 376
    assert plan.disk_mb_of_shard(32, "train") == 1000 + 150


def test_a_loaded_plan_has_the_arguments_of_every_job(plan: WorkflowPlan, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "train_fold.py"
    script.write_text("")
    plan.add(script, settings={"epochs": 3}, runtime_arguments={"accelerator": "cpu"}, model="m", fold=1)
    plan.save(str(tmp_path / "plan.json"))
    loaded = WorkflowPlan.load(str(tmp_path / "plan.json"))
    expected = {"epochs": 3, "accelerator": "cpu"}
    assert loaded.job_arguments("train_fold", {"fold": "1", "model": "m"}) == expected
    assert loaded.image_shards(32, "test") == ["00000-of-00001"]
    assert json.loads((tmp_path / "plan.json").read_text())["megabytes"] == plan.megabytes


def test_arguments_that_do_not_define_the_result_change_no_key(tmp_path: Path) -> None:
    script = tmp_path / "train_fold.py"
    script.write_text("")
    keys = {
        WorkflowPlan().add(script, settings={"epochs": epochs}, runtime_arguments={"accelerator": device}).key
        for epochs, device in ((3, "cpu"), (3, "gpu"))
    }
    assert len(keys) == 1
    assert WorkflowPlan().add(script, settings={"epochs": 4}).key not in keys
