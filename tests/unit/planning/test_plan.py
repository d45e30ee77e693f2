"""The plan has a job for each file that a run makes; its key changes with what defines the file, and with nothing else.

`tests/workflow/test_stale.py` checks which keys each kind of edit changes. Here are the jobs, their needs, arguments
and shards.
"""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.project import REPOSITORY
from foldline.dataset.sample_table import Row
from foldline.planning.configuration import complete, read_schema
from foldline.planning.data_index import DataIndex
from foldline.planning.plan import MOST_SHARDS, make_plan
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Sample, Samples
from foldline.planning.workflow_plan import Job, WorkflowPlan
from foldline.splits.leak_policy import GROUP_ALL

SCHEMA = read_schema(REPOSITORY / "config" / "config.schema.yaml")
MODEL = {"backbone": "efficientnet-b0", "weights": "none"}
CONFIG: dict[str, Any] = {
    "dataset": {
        "root": "data",
        "id_column": "id",
        "target_column": "sick",
        "group_column": "patient",
        "metadata_columns": ["age"],
        "metadata": {"age": {"kind": "numeric"}},
        "train_images": "images/{id}.png",
        "test_images": "images/{id}.png",
        "external": {"external": {"table": "old.csv", "images": "old/{id}.png"}},
    },
    "folds": {"count": 2},
    "models": {
        "a": {**MODEL, "image_size": 64, "fold_overrides": {1: {"seed": 7}}},
        "b": {**MODEL, "image_size": 32, "inputs": ["image", "metadata"]},
    },
}
EXAMPLE = REPOSITORY / "workflow" / "examples" / "elpv.csv"


def config_with(**sections: Any) -> dict[str, Any]:
    """The configuration with other values in its sections; `models` are replaced."""
    models = sections.pop("models", CONFIG["models"])
    changed = {name: {**CONFIG.get(name, {}), **values} for name, values in sections.items()}
    return complete({**CONFIG, **changed, "models": models}, SCHEMA)


def data_index(*, rows: int = 12, image_bytes: int = 1_000, external: bool = True) -> DataIndex:
    """Index of training rows, half as many test rows, and three external ones."""

    def samples(prefix: str, count: int) -> Samples:
        names = [f"{prefix}{number}" for number in range(count)]
        return Samples.of(Sample(Row(2, name, "1", name, ("50",)), f"sha256 of {name}", image_bytes) for name in names)

    splits = {"train": samples("s", rows), "test": samples("t", rows // 2)}
    if external:
        splits["external"] = samples("e", 3)
    tables = {split: f"data/{split}.csv" for split in splits}
    return DataIndex.from_raw_data(RawData(splits, ["id", "sick"], True, tables, "data/sample_submission.csv"))


@pytest.fixture(scope="module")
def plan() -> WorkflowPlan:
    return make_plan(config_with(), data_index())


def job(plan: WorkflowPlan, name: str) -> Job:
    (found,) = (job for job in plan.jobs if job.name == name)
    return found


def names(jobs: Any) -> set[str]:
    return {job.name for job in jobs}


def keys(plan: WorkflowPlan) -> dict[str, str]:
    return {job.name: job.key for job in plan.jobs}


def test_there_is_a_job_for_each_file_of_a_run(plan: WorkflowPlan) -> None:
    assert Counter(job.rule for job in plan.jobs) == {
        "list_classes": 1,
        "scan_images": 3,
        "check_images": 1,
        "audit_leaks": 3,
        "show_pairs": 1,
        "look_alikes": 1,
        "make_folds": 1,
        "shard_records": 9,
        "embed_images": 3,
        "detect_drift": 1,
        "class_weights": 2,
        "train_fold": 4,
        "predict_oof": 4,
        "predict_test": 4,
        "export_model": 4,
        "blend_folds": 1,
        "export_ensemble": 1,
        "evaluate": 1,
        "render_report": 1,
    }
    assert len(keys(plan)) == len(plan.jobs) == len({job.key for job in plan.jobs})


def test_without_a_test_split_no_job_reads_or_makes_test_rows() -> None:
    config = config_with(dataset={"test_table": None, "test_images": None})
    index = data_index()
    del index.splits["test"]
    made = make_plan(config, index)
    assert not any(
        job.rule in ("predict_test", "detect_drift") or job.wildcards.get("split") == "test" for job in made.jobs
    )
    assert job(made, "blend_folds").settings["submission_form"] is None
    trained = {name: key for name, key in keys(make_plan(config_with(), data_index())).items() if "train_fold" in name}
    assert trained == {name: key for name, key in keys(made).items() if "train_fold" in name}


def test_every_job_comes_after_the_jobs_it_needs(plan: WorkflowPlan) -> None:
    planned: set[str] = set()
    for job in plan.jobs:
        assert names(job.needs) <= planned
        planned.add(job.name)


ONE = "00000-of-00001"
SHARDS_OF = {split: f"shard_records shard={ONE} size=64 split={split}" for split in ("train", "external", "test")}
FITTED = "train_fold fold=1 model=a"


def compared_jobs(*splits: str) -> set[str]:
    """The jobs that describe the images of some splits."""
    return {f"{rule} split={split}" for rule in (f"scan_images shard={ONE}", "embed_images") for split in splits}


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("check_images", {f"scan_images shard={ONE} split={split}" for split in SHARDS_OF}),
        ("embed_images split=test", {f"shard_records shard={ONE} size=160 split=test"}),
        ("audit_leaks split=train", compared_jobs("train")),
        ("audit_leaks split=external", compared_jobs("train", "external")),
        ("audit_leaks split=test", compared_jobs(*SHARDS_OF)),
        (
            "make_folds",
            {
                f"{kind}split={split}"
                for kind in (f"scan_images shard={ONE} ", "audit_leaks ")
                for split in ("train", "external")
            },
        ),
        (
            "detect_drift",
            {
                f"{kind}split={split}"
                for kind in (f"scan_images shard={ONE} ", "audit_leaks ", "embed_images ")
                for split in ("train", "test")
            },
        ),
        (SHARDS_OF["test"], {f"scan_images shard={ONE} split=test"}),
        ("class_weights member=fold1", {"make_folds"}),
        (FITTED, {"make_folds", "class_weights member=fold1", SHARDS_OF["train"], SHARDS_OF["external"]}),
        ("predict_oof fold=1 model=a", {FITTED, "make_folds", SHARDS_OF["train"]}),
        ("predict_test member=fold1 model=a", {FITTED, SHARDS_OF["test"]}),
        ("export_model member=fold1 model=a", {FITTED}),
        ("evaluate", {"blend_folds", "make_folds"}),
    ],
)
def test_needs(plan: WorkflowPlan, name: str, needs: set[str]) -> None:
    assert names(job(plan, name).needs) == needs


def test_needs_of_jobs_that_join_all_models(plan: WorkflowPlan) -> None:
    trained = {job.name for job in plan.jobs if job.rule == "train_fold"}
    predicted = {job.name for job in plan.jobs if job.rule in ("predict_oof", "predict_test")}
    assert names(job(plan, "blend_folds").needs) == predicted | {"make_folds"}
    assert names(job(plan, "export_ensemble").needs) == trained | {"blend_folds"}
    report = names(job(plan, "render_report").needs)
    tables = {"blend_folds", "evaluate", "make_folds", "class_weights member=fold0", SHARDS_OF["train"]}
    assert trained | tables <= report
    assert "shard_records shard=00000-of-00001 size=32 split=train" not in report


def test_a_script_gets_the_settings_and_the_runtime_arguments_of_its_job(plan: WorkflowPlan) -> None:
    scan = plan.arguments[f"scan_images shard={ONE} split=external"]
    assert {name: scan[name] for name in ("root", "table", "images", "id_column", "target_column", "group_column")} == {
        "root": "data",
        "table": "data/external.csv",
        "images": "old/{id}.png",
        "id_column": "id",
        "target_column": "sick",
        "group_column": "patient",
    }
    test = plan.arguments[f"scan_images shard={ONE} split=test"]
    assert (test["target_column"], test["group_column"], test["labels"]) == (None, None, None)
    holdout = {"share": 0.0, "column": None, "values": ["1"]}
    folds = {**config_with()["folds"], "method": "grouped", "holdout": holdout}
    del folds["repeats"]
    names = {"class_names": ["sick"], "group_columns": [], "leak_policy": GROUP_ALL}
    assert plan.arguments["make_folds"] == {**folds, **names}
    blend = plan.arguments["blend_folds"]
    assert blend["sample_submission"] == "data/sample_submission.csv"
    assert (blend["activation"], blend["scored_classes"], blend["submission_form"]["columns"]) == (
        "sigmoid",
        ["sick"],
        ["sick"],
    )
    assert plan.arguments["evaluate"]["metadata_columns"] == ["age"]


def test_a_script_reads_labels_as_the_plan_did_and_the_reading_is_in_no_key() -> None:
    """A key has the labels of the rows; whether they were found out or set makes nothing stale."""
    index, labels = data_index(), {"kind": "multiclass", "classes": ["a", "b"]}
    plans = []
    for reading in ({"cells": "numbers", "first_number": 1}, {"cells": "names", "first_number": 0}):
        found = replace(index, label_cells=reading)
        plans += [make_plan(config_with(dataset={"labels": {**labels, **changes}}), found) for changes in ({}, reading)]
        for plan in plans[-2:]:
            scan = plan.arguments[f"scan_images shard={ONE} split=train"]
            assert {name: scan["labels"][name] for name in reading} == reading
    assert len({tuple(job.key for job in plan.jobs) for plan in plans}) == 1


def test_only_models_with_metadata_get_metadata_columns(plan: WorkflowPlan) -> None:
    columns = {model: plan.arguments[f"train_fold fold=0 model={model}"]["metadata_columns"] for model in "ab"}
    assert columns == {"a": {}, "b": config_with()["dataset"]["metadata"]}


def test_a_fold_is_trained_with_its_overrides(plan: WorkflowPlan) -> None:
    seeds = [plan.arguments[f"train_fold fold={fold} model=a"]["training_config"]["seed"] for fold in range(2)]
    assert seeds == [333, 7]


def test_a_model_reads_all_channels_unless_it_names_some() -> None:
    images = {f"{split}_images": "{id}_{channel}.png" for split in ("train", "test")}
    dataset = {"channels": ["red", "green"], **images, "external": None}
    models = {"a": CONFIG["models"]["a"], "b": {**CONFIG["models"]["b"], "channels": ["green"]}}
    plan = make_plan(config_with(dataset=dataset, models=models), data_index(external=False))
    for rule in ("train_fold fold=0", "predict_test member=fold0"):
        channels = [plan.arguments[f"{rule} model={model}"]["model_config"]["channels"] for model in "ab"]
        assert channels == [["red", "green"], ["green"]]


def test_scan_and_shards_read_all_channels_of_one_file() -> None:
    images = {"train_images": "{id}.tif", "test_images": "{id}_{channel}.png", "external": None}
    plan = make_plan(config_with(dataset={"channels": ["red", "green"], **images}), data_index(external=False))
    for rule in ("scan_images", "shard_records"):
        planes = {
            split: arguments["reading"]["planes"]
            for name, arguments in plan.arguments.items()
            for split in ("train", "test")
            if name.startswith(rule) and f"split={split}" in name
        }
        assert planes == {"train": 2, "test": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": {"root": "moved"}},
        {"dataset": {"train_table": "other.csv"}},
        {"dataset": {"train_images": "other/{id}.png"}},
        {"checkpoints": {"folder": "gs://bucket/checkpoints"}},
    ],
)
def test_where_files_are_stored_changes_arguments_and_no_key(plan: WorkflowPlan, change: dict[str, Any]) -> None:
    moved = make_plan(config_with(**change), data_index())
    assert keys(moved) == keys(plan)


def test_runtime_arguments_reach_the_script(plan: WorkflowPlan) -> None:
    moved = make_plan(config_with(dataset={"root": "moved"}, checkpoints={"folder": "there"}), data_index())
    assert moved.arguments[SHARDS_OF["train"]]["root"] == "moved"
    assert moved.arguments[FITTED]["checkpoints"]["folder"] == "there"


def test_equal_jobs_of_two_plans_have_equal_keys(plan: WorkflowPlan) -> None:
    assert keys(make_plan(config_with(), data_index())) == keys(plan)
    without = keys(make_plan(config_with(dataset={"external": None}), data_index(external=False)))
    assert f"scan_images shard={ONE} split=external" not in without
    same = {name for name, key in without.items() if keys(plan)[name] == key}
    unchanged = {f"{kind} split={split}" for kind in (f"scan_images shard={ONE}",) for split in ("train", "test")}
    unchanged |= {
        f"shard_records shard={ONE} size={size} split={split}" for size in (32, 64, 160) for split in ("train", "test")
    }
    unchanged |= {"embed_images split=train", "embed_images split=test"}
    assert same == unchanged | {"audit_leaks split=train", "list_classes"}


def test_the_code_of_a_script_counts(plan: WorkflowPlan, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "scripts" / "evaluate.py").open("a") as handle:
        handle.write("\nEDITED = 1\n")
    edited = keys(make_plan(config_with(), data_index(), scripts=tmp_path / "scripts"))
    assert {name for name, key in keys(plan).items() if edited[name] != key} == {"evaluate", "render_report"}


def test_the_example_is_written_before_anything_is_scanned(plan: WorkflowPlan) -> None:
    with_example = make_plan(config_with(), data_index(), pinned=EXAMPLE)
    assert with_example.jobs[0].rule == "example_data"
    assert job(with_example, f"scan_images shard={ONE} split=train").needs == (with_example.jobs[0],)
    assert job(plan, f"scan_images shard={ONE} split=train").needs == ()


@pytest.mark.parametrize(
    ("rows", "image_bytes", "scans", "shards"),
    [
        (100, 1_000, 1, 1),
        # 12 images of 104,858 bytes at 512 pixels are 1.26 MB; their files have 2.4 MB.
        (12, 200_000, 4, 1),
        (24, 100_000, 4, 2),
        (400, 100_000, 2 * MOST_SHARDS, MOST_SHARDS),
        (2_000, 100_000, 2 * MOST_SHARDS, MOST_SHARDS),
        # A scan has 5,000 rows at most.
        (11_000, 1, 4, 1),
    ],
)
def test_shards_have_the_least_size_and_are_not_too_many(rows: int, image_bytes: int, scans: int, shards: int) -> None:
    models = {"a": {**MODEL, "image_size": 512}}
    config = config_with(shards={"megabytes": 1}, dataset={"external": None}, models=models)
    plan = make_plan(config, data_index(rows=rows, image_bytes=image_bytes, external=False))
    assert [len(plan.shards[name]) for name in ("scan/train", "shards/512/train")] == [scans, shards]
    assert plan.megabytes["512/train"] == pytest.approx(rows * min(image_bytes, 0.4 * 512 * 512) / 1e6)


def test_a_shard_needs_the_scans_that_hold_its_rows() -> None:
    plan = make_plan(config_with(shards={"megabytes": 1}), data_index(rows=1_280, image_bytes=10_000))
    needs = [
        [need.wildcards["shard"] for need in job.needs]
        for job in plan.jobs
        if job.name.startswith("shard_records") and job.name.endswith("size=64 split=train")
    ]
    assert needs == [[f"{number:05d}-of-00016" for number in range(first, first + 8)] for first in (0, 8)]


def test_a_stored_plan_has_everything_that_single_jobs_need(plan: WorkflowPlan, tmp_path: Path) -> None:
    plan.keys = {"results/keys/evaluate.key": job(plan, "evaluate").key}
    path = str(tmp_path / "keys" / "plan.json")
    plan.save(path)
    loaded = WorkflowPlan.load(path)
    for name in ("rows", "shards", "megabytes", "tables", "arguments", "keys"):
        assert getattr(loaded, name) == getattr(plan, name)
    assert loaded.jobs == []


def test_a_holdout_is_predicted_by_every_fold_and_scored_once() -> None:
    plan = make_plan(config_with(folds={"holdout": {"share": 0.2}}), data_index())
    predicted = {job.name for job in plan.jobs if job.rule == "predict_holdout"}
    assert len(predicted) == 4
    assert names(job(plan, "score_holdout").needs) == predicted | {"blend_folds", "evaluate", "make_folds"}
    assert not names(job(plan, "blend_folds").needs) & predicted
    plain = make_plan(config_with(), data_index())
    assert not {job.rule for job in plain.jobs} & {"predict_holdout", "score_holdout"}


def test_each_repeat_needs_its_own_folds() -> None:
    repeated = make_plan(config_with(folds={"repeats": 3}), data_index())
    assert names(job(repeated, "repeat_folds repeat=2").needs) == {"make_folds"}
    tables = {"make_folds", "repeat_folds repeat=2", "repeat_folds repeat=3"}
    needs = names(job(repeated, "train_fold fold=1-repeat2 model=a").needs)
    assert {"repeat_folds repeat=2", "class_weights member=fold1-repeat2"} <= needs
    assert needs & tables == {"repeat_folds repeat=2"}
    assert tables <= names(job(repeated, "blend_folds").needs)


def test_an_override_is_for_the_fold_of_one_repeat() -> None:
    models = {"a": {**CONFIG["models"]["a"], "fold_overrides": {1: {"seed": 7}, "0-repeat2": {"seed": 8}}}}
    plan = make_plan(config_with(folds={"repeats": 2}, models=models), data_index())
    arguments = {values["fold"]: of_job["training_config"] for values, of_job in plan.arguments_of("train_fold")}
    assert {fold: config["seed"] for fold, config in arguments.items()} == {
        "0": 333,
        "1": 7,
        "0-repeat2": 8,
        "1-repeat2": 333,
    }


def test_the_folds_of_each_repeat_share_the_views_of_new_images() -> None:
    split = {"prediction": {"test_views": "split", "views": 4}, "folds": {"holdout": {"share": 0.2}, "count": 3}}
    plan = make_plan(config_with(**split), data_index())
    whole = make_plan(config_with(**{**split, "prediction": {"views": 4}}), data_index())
    for rule in ("predict_test", "predict_holdout"):
        shares = {of["member"]: made["prediction_config"]["split"] for of, made in plan.arguments_of(rule)}
        assert shares == {f"fold{fold}": [fold, 3] for fold in range(3)}
        assert all("split" not in made["prediction_config"] for _, made in whole.arguments_of(rule))
    assert plan.arguments["export_ensemble"]["splits"] == {f"fold{fold}": [fold, 3] for fold in range(3)}
    twice = make_plan(config_with(**{**split, "folds": {**split["folds"], "repeats": 2}}), data_index())
    assert twice.arguments["export_ensemble"]["splits"]["fold1-repeat2"] == [1, 3]
    unchanged = {name for name, key in keys(plan).items() if name.startswith("predict_") and keys(twice)[name] == key}
    assert unchanged == {name for name in keys(plan) if name.startswith("predict_")}


def test_one_view_or_one_network_cannot_be_shared(plan: WorkflowPlan) -> None:
    one = make_plan(config_with(prediction={"test_views": "split", "views": 1}), data_index())
    assert keys(one) == keys(make_plan(config_with(prediction={"views": 1}), data_index()))
    models = {name: {**model, "final": True} for name, model in CONFIG["models"].items()}
    final = make_plan(
        config_with(models=models, prediction={"test_views": "split", "test_models": "final"}), data_index()
    )
    assert final.arguments["export_ensemble"]["splits"] == {"final": None}
    assert keys(plan).keys() >= {"predict_test member=fold0 model=a"}


def test_own_vectors_count_by_their_content(tmp_path: Path) -> None:
    """Their path counts for nothing, and no shards are made for them."""
    made = []
    for name, content in (("one", b"a"), ("moved", b"a"), ("other", b"b")):
        (tmp_path / name).write_bytes(content)
        made.append(make_plan(config_with(dataset={"features": str(tmp_path / name)}), data_index()))
    first, moved, other = made
    assert names(job(first, "import_features split=test").needs) == {f"scan_images shard={ONE} split=test"}
    assert {of["size"] for of, _ in first.arguments_of("shard_records")} == {"32", "64"}
    assert keys(moved) == keys(first)
    assert keys(other)["audit_leaks split=train"] != keys(first)["audit_leaks split=train"]
    assert (
        keys(other)["shard_records shard=00000-of-00001 size=32 split=train"]
        == keys(first)["shard_records shard=00000-of-00001 size=32 split=train"]
    )


def test_without_embeddings_nothing_is_embedded() -> None:
    plan = make_plan(config_with(embeddings={"enabled": False}), data_index())
    assert not {"embed_images", "import_features", "look_alikes"} & {job.rule for job in plan.jobs}
    assert plan.embedding_rule() == ""
    assert names(job(plan, "audit_leaks split=train").needs) == {f"scan_images shard={ONE} split=train"}


def test_a_final_model_needs_all_folds_of_its_model_and_predicts_by_key_only(plan: WorkflowPlan) -> None:
    models = {**CONFIG["models"], "a": {**CONFIG["models"]["a"], "final": True}}
    beside = make_plan(config_with(models=models), data_index())
    new = {name for name, key in keys(beside).items() if keys(plan).get(name) != key}
    assert new == {"class_weights member=final", "train_final model=a", "export_model member=final model=a"}
    needs = names(job(beside, "train_final model=a").needs)
    folds = {f"train_fold fold={fold} model=a" for fold in (0, 1)}
    assert needs == folds | {"make_folds", "class_weights member=final", SHARDS_OF["train"], SHARDS_OF["external"]}
    # The overrides of a fold are not those of the final model.
    assert beside.arguments["train_final model=a"]["training_config"]["seed"] == 333

    models["b"] = {**models["b"], "final": True}
    instead = make_plan(config_with(models=models, prediction={"test_models": "final"}), data_index())
    predicted = {job.name for job in instead.jobs if job.rule == "predict_test"}
    assert predicted == {f"predict_test member=final model={model}" for model in "ab"}
    final = {f"train_final model={model}" for model in "ab"}
    assert names(job(instead, "export_ensemble").needs) == final | {"blend_folds"}
    oof = {job.name for job in instead.jobs if job.rule == "predict_oof"}
    assert names(job(instead, "blend_folds").needs) == oof | predicted | {"make_folds"}
    assert keys(instead)["train_fold fold=0 model=b"] == keys(plan)["train_fold fold=0 model=b"]
