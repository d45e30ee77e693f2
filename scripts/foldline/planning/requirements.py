"""What has to be there before the first job: the version of Python, the packages of the steps, pretrained weights.

Nothing is imported here, because TensorFlow takes seconds, and a job may run in another environment.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.models.backbone_registry import BACKBONES, PACKAGE
from foldline.planning.dataset_section import image_patterns
from foldline.planning.dataset_splits import splits_of

SCRIPTS = Path(__file__).resolve().parents[2]
# The versions for which the locked packages resolve; 3.11 is tested.
OLDEST, NEWEST = (3, 11), (3, 13)
# Imported only by steps that need them.
OPTIONAL = {"elpv_dataset", "fsspec", "h5py", "snakemake", "snakemake_interface_storage_plugins"}
# Names on the package index that differ from the module.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "google_crc32c": "google-crc32c",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    """Refuse a Python for which there are no locked packages.

    Raises:
        FoldlineError: it is older or newer.
    """
    if not OLDEST <= version <= NEWEST:
        raise FoldlineError(
            f"{sys.executable} is Python {_text(version)}, but Foldline needs Python {_text(OLDEST)} to "
            f"{_text(NEWEST)}; make an environment with one of them (make environment PYTHON=python{_text(OLDEST)})"
        )


def missing_package(error: ModuleNotFoundError) -> FoldlineError:
    """The error for a module that Snakemake's own process cannot import."""
    return _missing_packages([error.name or str(error)])


def check_packages(config: Mapping[str, Any]) -> None:
    """Refuse to start jobs with a Python that lacks a package.

    Args:
        config: the completed configuration.

    Raises:
        FoldlineError: names all packages that are missing.
    """
    modules = imported_modules(SCRIPTS) | _modules_of_data(config["dataset"])
    if config["dataset"]["example"]:
        modules.add("elpv_dataset")
    networks = [model for model in config["models"].values() if model["backbone"]]
    networks += [config["embeddings"]] if config["embeddings"]["enabled"] is not False else []
    families = {BACKBONES[network["backbone"]].family for network in networks}
    if PACKAGE in families:
        modules.add("efficientnet")
    if missing := _missing(modules):
        raise _missing_packages(missing)


def reader_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """A line if Snakemake's own process lacks packages that read images, HDF5 files, ready-made records or URLs.

    Args:
        dataset: the `dataset` section of the completed configuration.
    """
    # The data index is a Parquet file that holds the headers of images.
    modules = {"pyarrow", "PIL"} | _modules_of_data(dataset)
    if any(dataset[f"{split}_records"] for split in ("train", "test")):
        modules.add("google_crc32c")
    if any(pattern.is_in_hdf5 for split in splits_of(dataset) for pattern in image_patterns(dataset, split)):
        modules.add("h5py")
    if missing := _missing(modules):
        yield str(_missing_packages(missing))


def imported_modules(folder: Path) -> set[str]:
    """Modules from packages that the code in a folder imports, without those of `OPTIONAL`."""
    names = {name.partition(".")[0] for path in sorted(folder.rglob("*.py")) for name in _imports(path)}
    own = {path.stem for path in folder.iterdir()}
    return names - own - OPTIONAL - set(sys.stdlib_module_names)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _modules_of_data(dataset: Mapping[str, Any]) -> set[str]:
    """Modules that read data from where they are."""
    paths = [dataset["root"], *(dataset["train_records"] or []), *(dataset["test_records"] or [])]
    urls = [path for path in paths if storage.is_url(path)]
    modules = {"fsspec"} if urls else set()
    return modules | ({"gcsfs"} if any(url.startswith(("gs://", "gcs://")) for url in urls) else set())


def _missing(modules: Iterable[str]) -> list[str]:
    return sorted(name for name in modules if find_spec(name) is None)


def _missing_packages(modules: list[str]) -> FoldlineError:
    names = sorted(DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in modules)
    return FoldlineError(
        f"{sys.executable}: this Python lacks the package{'s' if len(names) > 1 else ''} {listing(names, limit=20)}; "
        f"run `make environment` in {SCRIPTS.parent}, activate the environment (source .venv/bin/activate), and run "
        "the same command again"
    )


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
