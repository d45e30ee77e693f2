"""The `conda` command as far as Snakemake calls it: solves and installs for real with py-rattler, from one channel.

Usage: FAKE_CONDA=FOLDER python fake_conda.py env create --file FILE --prefix FOLDER

FOLDER/channel takes the place of the channels in the file, FOLDER/packages is the cache. The section `pip:` is given to
the pip of the new environment.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
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
            subprocess.run([prefix / "bin" / "python", "-m", "pip", "install", "--quiet", *section["pip"]], check=True)


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
    asked = " ".join(sys.argv[1:])
    if asked in ANSWERS:
        print(ANSWERS[asked])
        sys.exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs=2, choices=["env", "create"])
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--no-default-packages", action="store_true")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--prefix", type=Path, required=True)
    known = parser.parse_args()
    create(known.file, known.prefix)
