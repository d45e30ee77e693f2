"""What is missing on the machine is said before the first job: versions, packages, weights, rows of a batch."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fixtures.faults import one_line
from fixtures.forked import SERVER
from fixtures.images import write_config, write_dataset
from fixtures.project import REPOSITORY, Project, copy_workflow, with_environment

pytestmark = [pytest.mark.faults, pytest.mark.slow]

# What happens before Snakemake starts: packages disappear, or it has another version.
HIDE = """
import sys
names = {names!r}
class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in names else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = map(Hiding, sys.meta_path)
for name in [name for name in sys.modules if name.partition(".")[0] in names]:
    del sys.modules[name]
"""
OLD = """
import snakemake, snakemake.common
snakemake.__version__ = snakemake.common.__version__ = "8.30.0"
"""
MAIN = """
import sys
from snakemake.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without results."""
    copy_workflow(tmp_path)
    write_dataset(tmp_path / "data", train=24, test=4, external=8)
    write_config(tmp_path / "config" / "config.yaml")
    return Project(tmp_path)


def snakemake(project: Project, before: str, *arguments: str) -> str:
    """Output of Snakemake, which has to fail, after some code."""
    program = project.folder / "program.py"
    program.write_text(before + MAIN)
    done = SERVER.run(
        program,
        ["--cores", "1", *arguments],
        folder=project.folder,
        environment=with_environment(),
        python=sys.executable,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "Traceback" not in output
    assert "Error in rule" not in output
    return output


def line_with(output: str, words: str) -> str:
    (line,) = {line for line in output.splitlines() if words in line}
    return line


def test_a_snakemake_that_is_too_old_says_which_version_it_needs(project: Project) -> None:
    output = snakemake(project, OLD, "-n")
    one_line(line_with(output, "Expecting Snakemake version"), "9.27 or higher", "currently using 8.30.0")


def test_a_python_without_the_packages_of_the_plan(project: Project) -> None:
    output = snakemake(project, HIDE.format(names={"jsonschema"}), "-n")
    one_line(
        line_with(output, "lacks the package"), "lacks the package jsonschema; run `make environment`", sys.executable
    )


def test_a_python_without_the_packages_of_the_steps(project: Project) -> None:
    output = snakemake(project, HIDE.format(names={"sklearn", "tensorflow", "simplejpeg"}))
    line = line_with(output, "lacks the packages")
    one_line(
        line,
        "lacks the packages scikit-learn, simplejpeg, tensorflow; run `make environment`",
        ".venv/bin/activate",
    )
    assert not (project.folder / "results" / "inventory").exists()


def test_a_python_without_the_packages_of_records(project: Project) -> None:
    change(project, "dataset", train_images=None, train_records=["*.tfrec"])
    output = snakemake(project, HIDE.format(names={"PIL"}), "-n")
    one_line(line_with(output, "lacks the package"), "lacks the package pillow; run `make environment`")


def change(project: Project, section: str, **values: object) -> None:
    path = project.folder / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    if section == "models":
        config["models"] = values
    else:
        config[section].update(values)
    path.write_text(yaml.safe_dump(config))


def test_weights_and_a_network_that_are_missing(project: Project) -> None:
    """A home without the file, and a proxy where nobody listens."""
    change(project, "models", b0={"backbone": "keras-efficientnet-b0", "image_size": 32, "batch_size": 4})
    start = f"import os\nos.environ |= {{'HOME': {str(project.folder)!r}, 'https_proxy': 'http://127.0.0.1:9'}}"
    output = snakemake(project, start)
    line = line_with(output, "cannot be downloaded")
    one_line(line, "models.b0.weights is 'imagenet'", "efficientnetb0_notop.h5", "set weights to none or to the path")
    assert not (project.folder / "results" / "inventory").exists()


def test_a_batch_that_no_fold_can_fill_is_said_and_plans(project: Project) -> None:
    change(project, "models", b={"backbone": None, "inputs": ["metadata"], "image_size": 32, "batch_size": 64})
    words = "models.b.batch_size is 64, but a fold has at most 20 training rows: a step trains on all rows of the fold"
    done = project.snakemake("-n")
    assert words in done.stdout + done.stderr


def test_make_refuses_a_python_without_locked_packages(tmp_path: Path) -> None:
    (tmp_path / "python").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 1); exec(sys.argv[1])" "$2"\n'
    )
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "requirements.lock").touch()
    (tmp_path / "Makefile").write_bytes((REPOSITORY / "Makefile").read_bytes())
    done = subprocess.run(
        ["make", "environment", f"PYTHON={tmp_path / 'python'}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Python 3.10: Foldline needs Python 3.11 to 3.13; run make PYTHON=python3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()
