"""The workflow as a module of another one, with a prefix and renamed rules, and deployed in a few lines."""

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
    print("the other workflow starts")

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
HOST_MODULES = ("keys", "plan", "configuration", "evaluate", "run")
HOST = """
configfile: "config.yaml"

{before}

module foldline:
    snakefile:
        "{clone}/workflow/Snakefile"
    config:
        config["skin"]
    prefix:
        "skin"

use rule * from foldline as skin_*

{after}

rule host:
    input:
        rules.skin_blend_folds.output.submission,
    output:
        [name_of_host_module() for name_of_host_module in functions],
    default_target: True
    shell:
        "touch {{output}}"
"""
IMPORTS = """
import keys
import plan
from configuration import name_of_module as name_in_configuration
from evaluate import name_of_module as name_in_evaluate
import run

functions = [
    keys.name_of_module, plan.name_of_module, name_in_configuration, name_in_evaluate, run.name_of_module
]
"""
TWO_MODULES = """
configfile: "config.yaml"

module one:
    snakefile:
        "{first}/workflow/Snakefile"
    config:
        config["skin"]
    prefix:
        "one"

use rule * from one as one_*

module other:
    snakefile:
        "{second}/workflow/Snakefile"
    config:
        config["skin"]
    prefix:
        "other"

use rule * from other as other_*
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
    """A workflow that has this one as a module, after a run, and the output of that run."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "Snakefile").write_text(OTHER.format(clone=clone))
    (folder / "config.yaml").write_text(yaml.safe_dump({"skin": settings(clone), "theirs": 1}))
    project = Project(folder)
    return project, project.snakemake("--config", "skin={folds: {count: 2}}").stdout


@pytest.fixture
def deployed(clone: Path, tmp_path: Path) -> Project:
    """A folder with a configuration and a Snakefile of a few lines."""
    (tmp_path / "config").mkdir()
    (tmp_path / "workflow").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(settings(clone)))
    source = f"file:{clone}/workflow/Snakefile"
    (tmp_path / "workflow" / "Snakefile").write_text(DEPLOYED.format(source=source))
    return Project(tmp_path)


def test_a_module_runs_within_its_prefix(other: tuple[Project, str]) -> None:
    project, printed = other
    assert (project.folder / "rows.txt").read_text().strip() == "7"
    assert (project.folder / "skin" / "results" / "submission.csv").is_file()
    assert not (project.folder / "skin" / "results" / "report.html").exists()
    assert {path.name for path in project.folder.iterdir() if not path.name.startswith(".")} == {
        *("Snakefile", "config.yaml", "rows.txt", "skin")
    }
    assert not (project.folder / ".foldline").exists()
    assert list((project.folder / "skin" / ".foldline" / "checkpoints").iterdir()) == []
    # Both started: the main workflow, and the module, which keeps other runs out.
    assert "the other workflow starts" in printed
    assert (project.folder / "skin" / ".foldline" / "run.lock").is_file()
    assert "Nothing to be done" in project.snakemake().stderr


def test_a_module_can_be_checked(host: Project, clone: Path) -> None:
    (host.folder / "Snakefile").write_text(HOST.format(clone=clone, before="functions = []", after=""))
    printed = host.snakemake("skin_check").stderr
    assert "the page is skin/check.html" in printed
    assert "no problem was found" in printed
    assert {path.name for path in (host.folder / "skin").iterdir()} == {".foldline", "check.html", "logs", "results"}
    assert [path.name for path in (host.folder / "skin" / "results").iterdir()] == ["keys"]


def test_results_of_a_module_are_fresh_in_a_deployed_folder(
    other: tuple[Project, str], deployed: Project, clone: Path
) -> None:
    """They were made in another folder, with a prefix; the keys are equal because the definitions are."""
    assert {"train_fold/m/fold0", "render_report"} <= deployed.stale()
    for name in ("results", "benchmarks"):
        shutil.copytree(other[0].folder / "skin" / name, deployed.folder / name, dirs_exist_ok=True)
    # The other run made the submission only, which does not need these.
    report = {"list_classes", "evaluate", "audit_leaks/test", "show_pairs", "detect_drift", "render_report"}
    assert deployed.stale() == report
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


def test_a_workflow_that_is_not_on_the_disk_is_refused(deployed: Project, clone: Path) -> None:
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
        who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
        subprocess.run(["git", *who, *command], cwd=clone, check=True)
    source = f"git+file://{clone}/workflow/Snakefile@HEAD"
    (deployed.folder / "workflow" / "Snakefile").write_text(DEPLOYED.format(source=source))
    done = deployed.snakemake("-n", check=False)
    assert done.returncode == 1
    assert "clone the repository and give the path of its workflow/Snakefile" in done.stdout + done.stderr


@pytest.fixture
def host(clone: Path, tmp_path: Path) -> Project:
    """A folder of another workflow, with the configuration for this one; its Snakefile is up to the test."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"skin": settings(clone)}))
    return Project(tmp_path)


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_host_may_have_modules_with_the_names_of_ours(order: str, host: Project, clone: Path) -> None:
    for name in HOST_MODULES:
        (host.folder / f"{name}.py").write_text(f"def name_of_module():\n    return 'from-host-{name}'\n")
    places = {"before": "", "after": ""} | {order: IMPORTS}
    (host.folder / "Snakefile").write_text(HOST.format(clone=clone, **places))
    jobs = host.snakemake("-n").stdout
    for name in HOST_MODULES:
        assert f"from-host-{name}" in jobs
    assert "skin_train_fold" in jobs


def test_two_modules_of_one_clone_run_side_by_side(host: Project, clone: Path) -> None:
    (host.folder / "Snakefile").write_text(TWO_MODULES.format(first=clone, second=clone))
    jobs = host.snakemake("-n", "one/results/submission.csv", "other/results/submission.csv").stdout
    for name in ("one", "other"):
        assert f"{name}_train_fold" in jobs
        assert f"Blend the models into {name}/results/oof.csv and {name}/results/submission.csv." in jobs


def test_modules_of_two_clones_are_refused(host: Project, clone: Path, tmp_path: Path) -> None:
    copy_workflow(tmp_path / "second")
    (host.folder / "Snakefile").write_text(TWO_MODULES.format(first=clone, second=tmp_path / "second"))
    done = host.snakemake("-n", check=False)
    assert done.returncode == 1
    message = next(line for line in (done.stdout + done.stderr).splitlines() if "another clone" in line)
    assert f"the library of another clone of Foldline ({clone}/scripts/foldline) is already loaded" in message
    assert "load all modules from one clone" in message
    assert "Traceback" not in done.stdout + done.stderr
