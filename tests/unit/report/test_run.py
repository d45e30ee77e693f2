"""The files of a run: which model and fold they belong to, and whether they belong together."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.report_run import column_scores, report_run
from fixtures.results import Results, write_results, write_scores
from foldline.errors import FoldlineError
from foldline.evaluation.oof import Oof, read_oof
from foldline.evaluation.results import Score
from foldline.io.result_paths import Member
from foldline.models.stage import Stage
from foldline.report.json_inputs import BlendRecipe, Metrics, read_content
from foldline.report.run import check_run
from render_report import read_run


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_scores(write_results(tmp_path_factory.mktemp("results")))


def test_folds_may_have_any_numbers() -> None:
    """Those of a column of the user, such as 3 and 1."""
    run, stage = report_run(column_scores(0.9)), Stage((3,), 1, 2, metadata=False)
    (model,) = run.recipe.models
    content = replace(run.provenances[model, Member(1, 0)], stages=(stage,))
    moved = replace(run, provenances={(model, Member(1, 3)): content, (model, Member(1, 1)): content})
    assert moved.stages(model) == (stage,)
    assert len(moved.settings(model)) == 2


def test_json_files_are_read_with_types(results: Results) -> None:
    content = json.loads((results.folder / "metrics.json").read_text(encoding="utf-8"))
    metrics = read_content(Metrics, results.folder / "metrics.json")
    assert metrics.models["blend"].auc.value == content["models"]["blend"]["auc"]["value"]
    folds = content["models"]["a"]["folds"]
    assert [row.auc for row in metrics.models["a"].folds] == [Score(**row["auc"]) for row in folds]
    assert metrics.models["blend"].confusion is None
    assert metrics.threshold == 0.5


def test_a_json_file_without_a_key_is_an_error_that_names_it(results: Results) -> None:
    path = results.folder / "metrics.json"
    with pytest.raises(FoldlineError, match=r"metrics\.json: required field missing @ metrics\.method"):
        read_content(BlendRecipe, path)


def test_devices_and_settings_of_a_model(results: Results) -> None:
    run = read_run(results.report_arguments()["inputs"])
    assert run.devices(["a", "b"]) == "CPU"
    assert [settings.backbone for settings in run.settings("a")] == ["efficientnet-lite0"] * 3
    assert not any(settings.epochs_depend_on_held_out_fold for settings in run.settings("a"))


def test_a_run_that_belongs_together_passes(results: Results) -> None:
    inputs = results.report_arguments()["inputs"]
    run = read_run(inputs)
    check_run(run, oof=read_oof(inputs.oof, ["target"]), class_names=["target"], sample_grids=[("a", Member(1, 0))])
    assert len(run.scored) == 120


@pytest.mark.parametrize(
    ("changes", "class_names", "grids", "message"),
    [
        ({}, ["mark"], [], "the metrics have the classes target, the configuration has mark"),
        ({"histories": []}, ["target"], [], "histories and metrics have different models and folds: a/fold0, a/fold1"),
        ({"provenances": []}, ["target"], [], "provenances and metrics have different models and folds: a/fold0"),
        (
            {},
            ["target"],
            [("c", Member(1, 0))],
            "augmented samples of models and folds that the metrics do not have: c/fold0",
        ),
    ],
)
def test_files_of_different_runs_are_an_error(
    changes: dict, class_names: list[str], grids: list[tuple[str, Member]], message: str, results: Results
) -> None:
    inputs = results.report_arguments(**changes)["inputs"]
    with pytest.raises(FoldlineError, match=message):
        check_run(read_run(inputs), oof=read_oof(inputs.oof, ["target"]), class_names=class_names, sample_grids=grids)


def test_rows_that_differ_are_an_error(results: Results, tmp_path: Path) -> None:
    inputs = results.report_arguments()["inputs"]
    oof = read_oof(inputs.oof, ["target"])
    scores = {name: values[:-1] for name, values in oof.scores.items()}
    oof = Oof(oof.class_names, oof.ids[:-1], oof.folds[:-1], oof.labels[:-1], scores)
    with pytest.raises(FoldlineError, match="the out-of-fold table has 119 rows, the metrics count 120"):
        check_run(read_run(inputs), oof=oof, class_names=["target"], sample_grids=[])
