"""The `conda` command as far as Snakemake calls it: solves and installs for real with py-rattler, from one channel.

Usage: FAKE_CONDA=FOLDER python fake_conda.py env create --file FILE --prefix FOLDER

FOLDER/channel replaces the channels of the file, FOLDER/packages is the cache. The pip of the new environment resolves
the section `pip:`. A package that the tests' own environment has in the same version is installed as hard links to its
files, as all of them together have 3 GB; pip installs the others.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

FOLDER = Path(os.environ["FAKE_CONDA"])
ANSWERS = {
    "clean -y --tarballs": "",
    "--version": "conda 25.9.0",
    "info --json": json.dumps({"conda_prefix": str(FOLDER), "platform": "linux-64"}),
    "config --get channel_priority --json": json.dumps({"get": {"channel_priority": "strict"}}),
}


def create(file: Path, prefix: Path) -> None:
    """Make the environment of a file."""
    import yaml

    dependencies = yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"]
    asyncio.run(_install([spec for spec in dependencies if isinstance(spec, str)], prefix))
    for section in dependencies:
        if isinstance(section, dict):
            _install_with_pip(section["pip"], prefix)


def _install_with_pip(specs: Sequence[str], prefix: Path) -> None:
    pip = [prefix / "bin" / "python", "-m", "pip", "install", "--quiet"]
    resolve = [*pip, "--dry-run", "--ignore-installed", "--report", "-", *specs]
    report = json.loads(subprocess.run(resolve, stdout=subprocess.PIPE, check=True).stdout)
    others = []
    for package in (chosen["metadata"] for chosen in report["install"]):
        if not _link(package["name"], package["version"], prefix):
            others.append(f"{package['name']}=={package['version']}")
    if others:
        subprocess.run([*pip, "--no-deps", *others], check=True)


def _link(name: str, version: str, prefix: Path) -> bool:
    """Link the files of an installed package into an environment; returns whether it is installed in this version."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return False
    if installed.version != version:
        return False
    libraries = prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for path in installed.files:
        # Programs are left out, and bytecode that tests expect from jobs.
        if ".." not in path.parts and not (path.parts[0] == "pandas" and path.suffix == ".pyc"):
            (libraries / path).parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(Path(path.locate()), libraries / path)
    return True


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)


async def _install(specs: Sequence[str], prefix: Path) -> None:
    import rattler

    records = await rattler.solve(
        [(FOLDER / "channel").as_uri()],
        specs,
        platforms=["linux-64", "noarch"],
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    await rattler.install(records, prefix, cache_dir=FOLDER / "packages", show_progress=False)


if __name__ == "__main__":
    question = " ".join(sys.argv[1:])
    if question in ANSWERS:
        print(ANSWERS[question])
        sys.exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs=2, choices=["env", "create"])
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--no-default-packages", action="store_true")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--prefix", type=Path, required=True)
    known = parser.parse_args()
    create(known.file, known.prefix)
