"""A stand-in for the `conda` commands of Snakemake: solves and installs for real with py-rattler, from one channel.

Usage: FAKE_CONDA=FOLDER python fake_conda.py env create --file FILE --prefix FOLDER

FOLDER/channel replaces the channels of the file, FOLDER/packages is the cache. The section `pip:` is resolved by the
metadata of the packages in the tests' own environment, which is that of the lock file, and these are installed as hard
links to their files, as all of them together have 3 GB. The pip of the new environment resolves and installs a section
whose packages or versions are not all there.
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
    try:
        names = _resolve(specs)
    except LookupError as missing:
        print(f"{missing}; pip resolves the section", file=sys.stderr)
        subprocess.run([prefix / "bin" / "python", "-m", "pip", "install", "--quiet", *specs], check=True)
        return
    for name in names:
        _link(name, prefix)


def _resolve(specs: Sequence[str]) -> set[str]:
    """Names of the installed packages that fulfil some requirements, and those that they require in turn.

    Raises:
        LookupError: a package is not installed, or in another version.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    names: set[str] = set()
    seen: set[str] = set()
    queue = list(specs)
    while queue:
        text = queue.pop()
        if text in seen:
            continue
        seen.add(text)
        requirement = Requirement(text)
        try:
            installed = distribution(requirement.name)
        except PackageNotFoundError:
            raise LookupError(f"{text} is not installed") from None
        if not requirement.specifier.contains(installed.version, prereleases=True):
            raise LookupError(f"{text} is wanted, {installed.version} is installed")
        names.add(canonicalize_name(requirement.name))
        for needed in map(Requirement, installed.requires or []):
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                needed.marker = None
                queue.append(str(needed))
    return names


def _link(name: str, prefix: Path) -> None:
    """Link the files of an installed package into an environment."""
    libraries = prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    for path in distribution(name).files:
        # Programs are left out, and bytecode that tests expect from jobs.
        if ".." not in path.parts and not (path.parts[0] == "pandas" and path.suffix == ".pyc"):
            (libraries / path).parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(Path(path.locate()), libraries / path)


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
