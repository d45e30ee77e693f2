"""`--sdm conda`: environments as `envs/` describes them, with all that scripts import, and the workflow in them."""

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import yaml
from fixtures.buckets import lacking
from fixtures.conda import Conda
from fixtures.images import write_config, write_dataset
from fixtures.project import REPOSITORY, Project, copy_workflow
from foldline.planning.code_digest import reachable

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

ENVIRONMENTS = {"data.yaml", "report.yaml", "train-cpu.yaml"}
TRAINING = "TRAINING_ENVIRONMENT"
RULE = re.compile(r'rule \w+:\n.*?conda:\n\s+(\S+)\n.*?script:\n\s+"../../(scripts/\w+\.py)"', re.DOTALL)
EXPORT = "results/export/ensemble/saved_model.pb"
# The interpreter of an environment runs this; it prints the modules that it cannot import.
IMPORT_ALL = """
import importlib, sys
sys.path.append(sys.argv[1])
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: {error}")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project in which a job of each environment has run in it, from a training to the report."""
    if absent := lacking("rattler", "pip"):
        pytest.skip(f"not installed: {absent}")
    folder = tmp_path_factory.mktemp("conda")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in Conda.make(folder / "conda").environment().items():
            patch.setenv(name, value)
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        made = small_project(folder / "project")
        # Jobs before and beside this training run without conda, which takes a third of the time.
        made.snakemake()
        (made.folder / "results/models/a/fold0/weights.weights.h5").unlink()
        made.snakemake("--sdm", "conda")
        yield made


def small_project(folder: Path) -> Project:
    """A project of one model for metadata and two folds."""
    copy_workflow(folder)
    write_dataset(folder / "data", train=24, test=6, external=0)
    path = folder / "config" / "config.yaml"
    write_config(path)
    config = yaml.safe_load(path.read_text())
    model = config["models"]["a"] | {"backbone": None, "inputs": ["metadata"], "batch_size": 4}
    config |= {"models": {"a": model}, "shards": {"megabytes": 1}}
    del config["dataset"]["external"]
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return Project(folder)


def environments(project: Project) -> dict[str, Path]:
    """Folder of the environment that each file describes."""
    table = project.snakemake("--sdm", "conda", "--list-conda-envs", "all", EXPORT).stdout.splitlines()
    rows = [line.split("\t") for line in table[table.index("environment\tcontainer\tlocation") + 1 :]]
    return {Path(file).name: project.folder / location for file, _, location in rows}


def scripts() -> dict[str, list[Path]]:
    """The scripts of each environment."""
    scripts_by_name = defaultdict(list)
    for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"):
        for environment, script in RULE.findall(path.read_text(encoding="utf-8")):
            name = "train-cpu.yaml" if environment == TRAINING else Path(environment.strip('"')).name
            scripts_by_name[name].append(REPOSITORY / script)
    return scripts_by_name


def imports(script: Path) -> set[str]:
    """Names of all modules that a script may import, within functions too."""
    names = {script.stem}
    for path in reachable(script):
        for node in ast.walk(ast.parse(path.read_bytes())) if path.suffix == ".py" else ():
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                names.add(ast.literal_eval(node.args[0]))
    return names


def test_the_workflow_runs_in_its_environments(project: Project) -> None:
    results = project.folder / "results"
    assert len((results / "submission.csv").read_text().splitlines()) == 1 + 6
    assert (results / "report.html").stat().st_size > 10_000
    made = environments(project)
    assert set(made) == ENVIRONMENTS
    for folder in made.values():
        # The environments are made without bytecode of pandas: what is there comes from the jobs.
        assert list(folder.glob("lib/python*/site-packages/pandas/__pycache__/*.pyc"))


def test_every_script_has_an_environment() -> None:
    by_environment = scripts()
    assert set(by_environment) == ENVIRONMENTS
    assert sorted(chain(*by_environment.values())) == sorted((REPOSITORY / "scripts").glob("*.py"))


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_an_environment_holds_what_its_scripts_import(name: str, project: Project) -> None:
    """In a run a missing package can go unnoticed: Snakemake appends the packages of its own environment."""
    # A message names the optional package where it is absent.
    names = sorted(set().union(*map(imports, scripts()[name])) - {"pillow_heif"})
    python = environments(project)[name] / "bin" / "python"
    done = subprocess.run(
        [python, "-I", "-B", "-c", IMPORT_ALL, REPOSITORY / "scripts", *names],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""


def test_the_accelerator_chooses_the_environment_and_makes_nothing_stale(project: Project) -> None:
    assert project.stale() == set()
    path = project.folder / "config" / "config.yaml"
    before = path.read_text()
    for accelerator in ("gpu", "tpu"):
        path.write_text(f"{before}accelerator: {accelerator}\n")
        assert set(environments(project)) == {"data.yaml", "report.yaml", f"train-{accelerator}.yaml"}
    assert project.stale("--sdm", "conda") == set()
    path.write_text(before)
