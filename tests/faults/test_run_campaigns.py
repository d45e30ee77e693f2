"""Small versions of the campaigns of whole runs, on what the end of a run does."""

import random
import shutil
from pathlib import Path

import pytest
from faults.campaign.beside_a_run import Triple, try_triple
from faults.campaign.kills import run_with_kills
from fixtures.project import Project
from fixtures.whole_runs import results_of

pytestmark = [pytest.mark.faults, pytest.mark.slow]

KILLS = 3


@pytest.fixture
def project(finished_project: Project, tmp_path: Path) -> Project:
    """A copy of the finished project."""
    ignored = shutil.ignore_patterns(".snakemake", ".foldline", "logs")
    return Project(shutil.copytree(finished_project.folder, tmp_path / "project", ignore=ignored))


def test_a_run_that_is_killed_at_random_moments(project: Project) -> None:
    expected = results_of(project.folder)
    (project.folder / "results/predictions/b/fold1/oof.parquet").unlink()
    run = run_with_kills(project, random.Random(3), most=KILLS, seconds=5, expected=expected)
    assert run.problems == []
    assert len(run.kills) == KILLS


@pytest.mark.parametrize(
    "triple",
    [
        Triple("submission", "report code", ("-n",), moment=2),
        Triple("report code", "submission", (), moment=2.5),
    ],
    ids=["dry run", "second run"],
)
def test_an_edit_and_a_command_beside_a_run(triple: Triple, project: Project) -> None:
    outcome = try_triple(project, triple, results_of(project.folder))
    assert outcome.problems == []
    assert outcome.live
