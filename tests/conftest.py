"""What tests share: a project in which nothing has run, and one in which everything has.

Rows that tests name are the numbered capabilities of the two public notebooks whose definitions carry over: 1 to 14 of
the melanoma notebook, 15 to 26 of the protein-atlas one.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.forked import SCRIPT_SERVER, SERVER
from fixtures.images import add_diagnoses, write_config, write_dataset
from fixtures.project import REPOSITORY, Project, copy_workflow
from xdist.scheduler import LoadScopeScheduling

# As many processes as cores run tests; none of them needs threads of its own, nor do the programs that they start.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(name, "1")


class FileScheduling(LoadScopeScheduling):
    """Runs the tests of a file, and all files with tests of the finished project, in one of pytest-xdist's processes.

    So each of them is made once: the finished project, and what the tests of a file share.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        shared = "finished_project" in (REPOSITORY / file).read_text(encoding="utf-8")
        return "finished_project" if shared else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling:
    """Distribute the tests by file, if pytest-xdist runs them in several processes."""
    return FileScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def fork_servers() -> Iterator[None]:
    """Stop the processes that run Snakemake and scripts, if a test has started them."""
    yield
    SERVER.close()
    SCRIPT_SERVER.close()


@pytest.fixture(scope="module")
def short_lite0() -> Iterator[None]:
    """Make EfficientNet-Lite0 a short network, see `fixtures.short_lite0`."""
    from fixtures.short_lite0 import SHORT
    from foldline.models import lite

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lite, "BLOCK_GROUPS", SHORT)
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """Folder of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with data in which nothing has run; for dry runs only."""
    return _project(tmp_path_factory.mktemp("new"))


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with diagnoses in which the whole workflow has run; tests undo what they edit."""
    project = _project(tmp_path_factory.mktemp("finished"))
    add_diagnoses(project.folder)
    project.snakemake()
    return project


def _project(folder: Path) -> Project:
    copy_workflow(folder)
    write_dataset(folder / "data")
    write_config(folder / "config" / "config.yaml")
    return Project(folder)
