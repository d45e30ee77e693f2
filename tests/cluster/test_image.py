"""The Dockerfile of the image of the jobs. Tests run without Docker, so they check what each line does."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.buckets import lacking


def instructions(dockerfile: Path) -> list[str]:
    lines = [line for line in dockerfile.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert {line.split()[0] for line in lines} == {"FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR"}
    return lines


@pytest.fixture
def commands(repository: Path, tmp_path: Path) -> list[str]:
    """The RUN commands, with /opt/foldline replaced by a folder that holds the copied files."""
    lines = instructions(repository / "envs" / "Dockerfile")
    for line in lines:
        if line.startswith("COPY"):
            _, source, target = line.split()
            path = tmp_path / Path(target).relative_to("/opt/foldline")
            path.write_bytes((repository / "envs" / source).read_bytes())
    return [
        line.removeprefix("RUN ").replace("/opt/foldline", str(tmp_path)) for line in lines if line.startswith("RUN")
    ]


def test_the_image_has_the_python_of_the_lock(repository: Path) -> None:
    version = re.search(r"--python-version (\S+)", (repository / "envs" / "requirements.lock").read_text())[1]
    assert instructions(repository / "envs" / "Dockerfile")[0] == f"FROM python:{version}-slim"


def test_jobs_run_as_a_normal_user(repository: Path, commands: list[str], tmp_path: Path) -> None:
    """The last command makes the user, in files of its own instead of those of this machine."""
    lines = instructions(repository / "envs" / "Dockerfile")
    assert lines[-2:] == ["USER foldline", "WORKDIR /home/foldline"]
    add = commands[-1]
    assert add.startswith("useradd ")
    if shutil.which("useradd") is None or os.geteuid() != 0:
        pytest.skip("only root can try the command")
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (tmp_path / "etc" / name).touch()
    subprocess.run(["bash", "-c", add.replace("useradd", f"useradd --prefix {tmp_path}")], check=True)
    name, _, user, group, _, home, _ = (tmp_path / "etc" / "passwd").read_text().strip().split(":")
    assert (name, user, group, home) == ("foldline", "1000", "1000", "/home/foldline")
    assert (tmp_path / "home" / "foldline").stat().st_uid == 1000


def test_the_image_holds_what_jobs_need(commands: list[str], tmp_path: Path) -> None:
    install, constrain, _ = commands
    assert install.startswith("python -m pip install ")
    # The same command in the environment of the tests, which was made from the lock: nothing is left to install.
    dry = install.replace("python -m pip install", f"{sys.executable} -m pip install --dry-run --no-index --no-deps")
    if lacking("snakemake_executor_plugin_googlebatch"):
        pytest.skip("the environment of the tests is older than the lock")
    done = subprocess.run(["bash", "-c", dry], check=True, capture_output=True, text=True)
    assert "Would install" not in done.stdout
    subprocess.run(["bash", "-c", constrain], check=True)
    pins = (tmp_path / "constraints.txt").read_text().splitlines()
    assert "snakemake-storage-plugin-gcs==1.1.4" in pins
    assert all(re.fullmatch(r"[\w.-]+==\S+", pin) for pin in pins)
    lock = (tmp_path / "requirements.lock").read_text()
    assert len(pins) == len(re.findall(r"^[\w.-]+==", lock, re.MULTILINE))
