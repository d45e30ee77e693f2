"""What tests share: the repository, and one finished run of the workflow on tiny data."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from fixtures.images import write_config, write_dataset

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Project:
    """A copy of the repository with data of its own, where the workflow can run and files can be edited."""

    folder: Path

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the snakemake command in the project's folder."""
        # Scripts run with the interpreter that PATH finds, as for a user with an active environment.
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def stale(self, *arguments: str) -> set[str]:
        """Names of the jobs that a run would do: train_fold/a/fold0, make_folds, ..."""
        table = self.snakemake("--summary", *arguments).stdout.splitlines()
        header = next(line for line in table if line.startswith("output_file\t")).split("\t")
        rows = [dict(zip(header, line.split("\t"), strict=True)) for line in table if line.startswith("results/keys/")]
        return {
            row["output_file"].removeprefix("results/keys/").removesuffix(".built")
            for row in rows
            if row["plan"] == "update pending"
        }


def copy_workflow(folder: Path) -> None:
    """Copy what a clone holds of the workflow."""
    for name in ("workflow", "scripts", "config", "envs"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """Folder of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with data in which nothing has run; for dry runs only."""
    folder = tmp_path_factory.mktemp("new")
    copy_workflow(folder)
    write_dataset(folder / "data")
    write_config(folder / "config" / "config.yaml")
    return Project(folder)


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the whole workflow has run; tests undo what they edit."""
    folder = tmp_path_factory.mktemp("finished")
    copy_workflow(folder)
    write_dataset(folder / "data")
    write_config(folder / "config" / "config.yaml")
    project = Project(folder)
    project.snakemake()
    return project

