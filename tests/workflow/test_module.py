"""The workflow as a module of another one, below a prefix with other rule names, and deployed as three lines."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from fixtures.clouds import write_small_config
from fixtures.images import write_dataset
from fixtures.project import Project, copy_workflow

pytestmark = pytest.mark.slow

OTHER = """
configfile: "config.yaml"

rule all:
    input:
        "rows.txt",

onstart:
    print("the other workflow begins")

module foldline:
    snakefile:
        "{clone}/workflow/Snakefile"
    config:
        config["skin"]
    prefix:
        "skin"

use rule * from foldline as skin_*

use rule train_fold from foldline as skin_train_fold with:
    threads: 2

rule count_rows:
    input:
        rules.skin_blend_folds.output.submission,
    output:
        "rows.txt",
    shell:
        "wc -l < {{input}} > {{output}}"
"""
DEPLOYED = """
configfile: "config/config.yaml"

module foldline:
    snakefile: "{source}"
    config: config

use rule * from foldline
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the workflow, with data beside it."""
    folder = tmp_path_factory.mktemp("clone")
    copy_workflow(folder / "foldline")
    write_dataset(folder / "data", train=24, test=6, external=0)
    return folder / "foldline"


def settings(clone: Path) -> dict:
    path = clone.parent / "small.yaml"
    write_small_config(path, str(clone.parent / "data"))
    return yaml.safe_load(path.read_text())


@pytest.fixture(scope="module")
def other(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """Another workflow that has this one as a module, after a run, and what that run printed."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "Snakefile").write_text(OTHER.format(clone=clone))
    (folder / "config.yaml").write_text(yaml.safe_dump({"skin": settings(clone), "theirs": 1}))
    project = Project(folder)
    return project, project.snakemake("--config", "skin={folds: {count: 2}}").stdout


@pytest.fixture
def deployed(clone: Path, tmp_path: Path) -> Project:
    """A folder with a configuration and the few lines that name the workflow."""
    (tmp_path / "config").mkdir()
    (tmp_path / "workflow").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(settings(clone)))
    source = f"file:{clone}/workflow/Snakefile"
    (tmp_path / "workflow" / "Snakefile").write_text(DEPLOYED.format(source=source))
    return Project(tmp_path)


def test_a_module_runs_within_its_prefix(other: tuple[Project, str]) -> None:
    project, told = other
    assert (project.folder / "rows.txt").read_text().strip() == "7"
    assert (project.folder / "skin" / "results" / "submission.csv").is_file()
    assert not (project.folder / "skin" / "results" / "report.html").exists()
    assert {path.name for path in project.folder.iterdir() if not path.name.startswith(".")} == {
        *("Snakefile", "config.yaml", "rows.txt", "skin")
    }
    assert not (project.folder / ".foldline").exists()
    assert list((project.folder / "skin" / ".foldline" / "checkpoints").iterdir()) == []
    # Both began: the main workflow, and the module, which keeps other runs out.
    assert "the other workflow begins" in told
    assert (project.folder / "skin" / ".foldline" / "run.lock").is_file()
    assert "Nothing to be done" in project.snakemake().stderr


def test_results_of_a_module_are_done_in_a_deployed_folder(
    other: tuple[Project, str], deployed: Project, clone: Path
) -> None:
    """They were trained elsewhere, below a prefix: the same definitions, the same keys."""
    assert {"train_fold/m/fold0", "render_report"} <= deployed.stale()
    for name in ("results", "benchmarks"):
        shutil.copytree(other[0].folder / "skin" / name, deployed.folder / name, dirs_exist_ok=True)
    # Not needed for the submission, at which the other run ended.
    assert deployed.stale() == {"audit_leaks/test", "evaluate", "render_report"}
    profile = ["--workflow-profile", str(clone / "workflow" / "profiles" / "default")]
    deployed.snakemake(*profile)
    assert (deployed.folder / "results" / "report.html").is_file()
    assert "Nothing to be done" in deployed.snakemake(*profile).stderr
    changed = ["--config", "models={m: {fold_overrides: {1: {seed: 5}}}}"]
    after = {"blend_folds", "evaluate", "render_report"}
    assert (
        deployed.stale(*changed)
        == {f"{rule}/m/fold1" for rule in ("train_fold", "predict_oof", "predict_test")} | after
    )


def test_a_source_that_is_not_on_the_disk_is_refused(deployed: Project, clone: Path) -> None:
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
        who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
        subprocess.run(["git", *who, *command], cwd=clone, check=True)
    source = f"git+file://{clone}/workflow/Snakefile@HEAD"
    (deployed.folder / "workflow" / "Snakefile").write_text(DEPLOYED.format(source=source))
    done = deployed.snakemake("-n", check=False)
    assert done.returncode == 1
    assert "clone the repository and give the path of its workflow/Snakefile" in done.stdout + done.stderr
