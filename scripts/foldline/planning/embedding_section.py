"""Whether and how images are embedded: the section `embeddings`, and `dataset.features`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foldline.errors import problems_error
from foldline.io import storage
from foldline.io.files import sha256_of_file
from foldline.models.backbone_registry import NO_WEIGHTS, backbone_problems, is_weights_file
from foldline.planning.raw_data import RawData
from foldline.planning.workflow_plan import Job, WorkflowPlan

AUTO = "auto"
# The rules that make embeddings: of images, or of a table of the user.
EMBED, IMPORT = "embed_images", "import_features"
# With `auto`, more images are not embedded, unless they have vectors of the user: the search for neighbors takes time
# with the square of their number.
MOST_IMAGES = 20_000


def embedding_rule(config: Mapping[str, Any], images: int) -> str:
    """The rule that makes embeddings; "" if there are none.

    Args:
        config: the completed configuration.
        images: number of samples of all splits together.
    """
    enabled, features = config["embeddings"]["enabled"], config["dataset"]["features"]
    if enabled is False or (enabled == AUTO and features is None and images > MOST_IMAGES):
        return ""
    return EMBED if features is None else IMPORT


def embedded_sizes(config: Mapping[str, Any], rule: str) -> set[int]:
    """Sizes in pixels of the images that are embedded: one, or none for the rules `IMPORT` and ""."""
    return {config["embeddings"]["image_size"]} if rule == EMBED else set()


def features_path(dataset: Mapping[str, Any]) -> str:
    """Path or URL of the user's own vectors."""
    return storage.join(dataset["root"], dataset["features"])


def features_in_use(config: Mapping[str, Any]) -> str | None:
    """Path of the user's own vectors; None if there are none, or if they are not used or cannot be."""
    dataset = config["dataset"]
    if dataset["features"] is None or config["embeddings"]["enabled"] is False:
        return None
    path = features_path(dataset)
    return path if not storage.is_url(path) and Path(path).is_file() else None


def check_features(path: str | None, data: RawData) -> None:
    """Refuse vectors of the user that cannot be used.

    Args:
        path: see `features_in_use`.
        data: the rows; splits that could not be read are left out.

    Raises:
        FoldlineError: names all problems.
    """
    if path is None:
        return
    # Not at the top: most runs have no such table.
    from foldline.io.embeddings import feature_problems

    rows = {**data.unlabeled, **{split: samples.rows for split, samples in data.splits.items()}}
    if problems := feature_problems(path, {split: of_split.id for split, of_split in rows.items()}):
        raise problems_error([f"dataset.features: {path}: {problem}" for problem in problems])


def add_embeddings(
    plan: WorkflowPlan,
    config: Mapping[str, Any],
    scans: Mapping[str, list[Job]],
    shards: Mapping[tuple[int, str], list[Job]],
    *,
    rule: str,
    scripts: Path,
) -> dict[str, Job]:
    """Add the jobs that make the embeddings of each split.

    Args:
        plan: the plan.
        config: the completed configuration.
        scans: scan jobs by split.
        shards: shard jobs by image size and split.
        rule: see `embedding_rule`.
        scripts: folder of the scripts.
    """
    if not rule:
        return {}
    settings: dict[str, Any] = {}
    if rule == IMPORT:
        file, needs = features_path(config["dataset"]), dict(scans)
        arguments: dict[str, Any] = {"features": file}
    else:
        needs = {split: shards[config["embeddings"]["image_size"], split] for split in scans}
        section = {name: value for name, value in config["embeddings"].items() if name != "enabled"}
        network = {**section, "channels": config["dataset"]["channels"]}
        file = network["weights"] if Path(network["weights"]).is_file() else ""
        # In the key, a weights file counts by its content and its format (suffix), not by its path.
        settings = {"embedding_config": {**network, "weights": Path(file).suffix} if file else network}
        arguments = {"embedding_config": network, "accelerator": config["accelerator"]}
    raw_files = {file: sha256_of_file(file)} if file else {}
    return {
        split: plan.add(
            scripts / f"{rule}.py",
            split=split,
            settings=settings,
            needs=jobs,
            raw_files=raw_files,
            runtime_arguments=arguments,
        )
        for split, jobs in needs.items()
    }


def add_look_alikes(plan: WorkflowPlan, needs: Sequence[Job], scripts: Path) -> list[Job]:
    """Add the job that ranks images that look alike; none if it needs none."""
    return [plan.add(scripts / "look_alikes.py", settings={}, needs=needs)] if needs else []


def embedding_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each value that cannot be used."""
    section, dataset = config["embeddings"], config["dataset"]
    if section["enabled"] is False:
        if dataset["features"] is not None:
            yield (
                f"config: dataset.features is {dataset['features']!r}, but embeddings.enabled is false, so no vectors "
                "are used; set embeddings.enabled to true, or dataset.features to null"
            )
        return
    if dataset["features"] is not None:
        path = features_path(dataset)
        if storage.is_url(path):
            yield f"config: dataset.features is {path}, which is not on a disk; copy it there, and set its path"
        elif not Path(path).is_file():
            yield f"config: dataset.features is {path}, but there is no such file; correct the path, or set it to null"
        return
    if section["weights"] == NO_WEIGHTS:
        yield (
            "config: embeddings.weights is none, but random features show nothing; set it to imagenet, or "
            "embeddings.enabled to false"
        )
    weights, size = section["weights"], section["image_size"]
    for problem in backbone_problems(section["backbone"], weights=weights, image_size=size):
        yield f"config: embeddings: {problem}"
    if is_weights_file(weights) and not Path(weights).is_file():
        yield f"config: embeddings.weights is {weights}, but there is no such file; correct the path, or set imagenet"
