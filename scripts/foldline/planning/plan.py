"""What defines every job: its settings, the digest of its code, of the raw data it sees and of the jobs before it.

The plan is made by the process that builds the DAG, before it builds it, and kept in a file for the processes that run
single jobs. A job's key is a digest of all that defines it, so two jobs of equal keys make equal outputs, whatever the
mtimes say. `keys.py` turns keys that changed into files that Snakemake sees as updated.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from foldline.dataset.id_hash import shard_name, shard_numbers, shards_within
from foldline.dataset.labels import Labels
from foldline.dataset.submission import LABELS
from foldline.io import storage
from foldline.io.files import digest_of, sha256_of_file
from foldline.planning.code_digest import code_digest
from foldline.planning.data_index import DataIndex, SplitIndex
from foldline.planning.raw_data import class_names_of, submission_columns

SCRIPTS = Path(__file__).resolve().parents[2]
ROWS_PER_SCAN = 5_000
# Shards of one image size and split, at most. Each is an input of every fold of every model, for which Snakemake takes
# some 100 us.
MOST_SHARDS = 32
# A JPEG of quality 95 takes about this many bytes a pixel (measured: .30 on dermoscopy, .45 on gray solar cells).
JPEG_BYTES_PER_PIXEL = 0.4
MODEL_KEYS_OF_PREDICTION = ("inputs", "backbone", "image_size", "channels", "metadata_units", "hidden", "dropout")


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes:
        rule: its rule.
        wildcards: values of the rule's wildcards, in the rule's order.
        settings: keyword arguments of its script that define what it makes.
        places: keyword arguments of its script that do not: folders, tables, device.
        needs: the jobs whose outputs it reads and whose change makes it stale.
        key: digest of all that defines the job.
    """

    rule: str
    wildcards: dict[str, str]
    settings: dict[str, Any]
    places: dict[str, Any]
    needs: tuple["Job", ...]
    key: str

    @property
    def name(self) -> str:
        """The job's name, unique in the plan: train_fold model=lite0 fold=3."""
        return job_name(self.rule, self.wildcards)


def job_name(rule: str, wildcards: Mapping[str, str]) -> str:
    """Name of a job by its rule and the values of its wildcards."""
    return " ".join([rule, *(f"{key}={value}" for key, value in sorted(wildcards.items()))])


@dataclass
class Plan:
    """All jobs, in an order in which none stands before one it needs, and into how many shards the data are cut.

    Attributes:
        jobs: the jobs; empty in a plan read from its file.
        shards: names of shards by what is cut: "scan/train", "shards/224/test".
        megabytes: expected size of all shards together, by what is cut: "224/test".
        tables: the table that lists the samples of each split.
        arguments: keyword arguments of each job's script, by the job's name.
        keys: key of each job, by the path of its key file.
    """

    jobs: list[Job] = field(default_factory=list)
    shards: dict[str, list[str]] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        rule: str,
        *,
        settings: Mapping[str, Any],
        needs: Sequence[Job] = (),
        raw: Any = None,
        places: Mapping[str, Any] | None = None,
        **wildcards: Any,
    ) -> Job:
        """Add a job.

        Args:
            rule: its rule; its script is `scripts/RULE.py`.
            settings: see `Job`.
            needs: jobs before it, added already.
            raw: what it depends on outside of the plan, in values that JSON can hold.
            places: see `Job`.
            **wildcards: values of its wildcards.
        """
        values = {name: str(value) for name, value in wildcards.items()}
        key = digest_of(
            {
                "rule": rule,
                "wildcards": values,
                "code": _code_of(rule),
                "settings": dict(settings),
                "raw": raw,
                "needs": [job.key for job in needs],
            }
        )
        job = Job(rule, values, dict(settings), dict(places or {}), tuple(needs), key)
        self.jobs.append(job)
        self.arguments[job.name] = {**job.settings, **job.places}
        return job

    def save(self, place: str) -> None:
        """Keep what the processes of single jobs need; a file or object of the same content is left alone."""
        names = ("shards", "megabytes", "tables", "arguments", "keys")
        content = {name: getattr(self, name) for name in names}
        storage.put(place, json.dumps(content, sort_keys=True, allow_nan=False).encode())

    @classmethod
    def load(cls, place: str) -> "Plan":
        """Read a plan that `save` kept."""
        return cls(**json.loads(storage.read(place)))


def make_plan(config: Mapping[str, Any], data_index: DataIndex, *, pinned: Path | None) -> Plan:
    """Plan of a completed configuration and its data.

    Args:
        config: the configuration, completed and checked.
        data_index: the data.
        pinned: the pinned table of the example; None for the user's own data.
    """
    plan = Plan()
    dataset, folds = config["dataset"], range(config["folds"]["count"])
    names = class_names_of(dataset)
    classes = {"class_names": names, "activation": Labels.of(dataset["labels"]).activation}
    scored = [dataset["submission"]["class"]] if dataset["submission"]["class"] else names
    metadata = dataset["metadata_columns"]
    made = []
    if pinned is not None:
        made.append(plan.add("example_data", settings={"example": dataset["example"]}, raw=sha256_of_file(pinned)))

    plan.tables = data_index.tables
    scans = {name: _plan_scans(plan, name, split, config, made) for name, split in data_index.splits.items()}
    # A split is compared with itself and with the labeled splits before it.
    compared = {"train": ["train"], "external": ["external", "train"], "test": ["test", "train", "external"]}
    audits = {
        split: plan.add(
            "audit_leaks",
            split=split,
            settings=config["leaks"],
            needs=[job for other in compared[split] for job in scans.get(other, [])],
        )
        for split in scans
    }
    labeled = [split for split in scans if split != "test"]
    table = plan.add(
        "make_folds",
        settings={**config["folds"], "class_names": names},
        needs=[*(job for split in labeled for job in scans[split]), *(audits[split] for split in labeled)],
    )
    sizes = sorted({model["image_size"] for model in config["models"].values()})
    shards = {
        (size, name): _plan_shards(plan, size, name, split, config, scans[name])
        for size in sizes
        for name, split in data_index.splits.items()
    }
    weights = {
        fold: plan.add("class_weights", fold=fold, settings={**config["class_weights"], **classes}, needs=[table])
        for fold in folds
    }

    trained, predictions, networks = [], [], {}
    device = {"accelerator": config["accelerator"]}
    for name, model in config["models"].items():
        for fold in folds:
            settings = {key: value for key, value in model.items() if key != "fold_overrides"}
            settings |= model["fold_overrides"].get(str(fold), {})
            settings["channels"] = model["channels"] or dataset["channels"]
            train_shards = shards[model["image_size"], "train"]
            seen_in_training = [job for split in labeled for job in shards[model["image_size"], split]]
            metadata_columns = dataset["metadata"] if "metadata" in settings["inputs"] else {}
            fitted = plan.add(
                "train_fold",
                model=name,
                fold=fold,
                settings={"settings": settings, "metadata_columns": metadata_columns, **classes},
                needs=[table, weights[fold], *seen_in_training],
                raw=_weights_file(settings["weights"]),
                places={**device, "checkpoints": config["checkpoints"]},
            )
            network = {key: settings[key] for key in MODEL_KEYS_OF_PREDICTION}
            prediction = {"settings": network, **classes, **config["prediction"]}
            trained.append(fitted)
            seen = {
                "predict_oof": [fitted, table, *train_shards],
                "predict_test": [fitted, *shards[model["image_size"], "test"]],
            }
            exported = {**classes, "views": config["prediction"]["views"]}
            networks[name] = network
            plan.add("export_model", model=name, fold=fold, settings={"settings": network, **exported}, needs=[fitted])
            predictions += [
                plan.add(rule, model=name, fold=fold, settings=prediction, needs=needs, places=device)
                for rule, needs in seen.items()
            ]

    blend = plan.add(
        "blend_folds",
        settings={**config["blend"], **classes, "scored_classes": scored, "submission_form": _submission_form(config)},
        needs=[*predictions, table],
        raw=data_index.submission,
        places={"sample_submission": data_index.sample_submission},
    )
    plan.add("export_ensemble", settings={"models": networks, **exported}, needs=[*trained, blend])
    evaluation = plan.add(
        "evaluate",
        settings={**config["evaluation"], **classes, "scored_classes": scored, "metadata_columns": metadata},
        needs=[blend, table],
    )
    plan.add(
        "render_report",
        settings={**config["report"], "class_names": names},
        needs=[
            *(blend, evaluation, table, *scans["train"], *audits.values(), *weights.values(), *trained),
            *shards[sizes[-1], "train"],
        ],
    )
    return plan


@cache
def _code_of(rule: str) -> str:
    return code_digest(SCRIPTS / f"{rule}.py")


def _submission_form(config: Mapping[str, Any]) -> dict[str, Any]:
    """Argument `submission_form` of the step `blend_folds`."""
    dataset = config["dataset"]
    form, labels = dataset["submission"], dataset["labels"]
    columns = {"id_column": dataset["id_column"], "columns": submission_columns(dataset), "form": form["form"]}
    if form["form"] != LABELS:
        return columns
    threshold = config["evaluation"]["threshold"]
    told = {"separator": form["separator"], "words": form["words"], "threshold": threshold}
    return columns | told | {name: labels[name] for name in ("empty", "exclusive")}


def _plan_scans(plan: Plan, split: str, found: SplitIndex, config: Mapping[str, Any], made: Sequence[Job]) -> list[Job]:
    dataset = config["dataset"]
    # More shards than any image size has shards, whatever the models, so that a shard depends on whole shards of the
    # inventory.
    rows, source_bytes = len(found.image_bytes), sum(found.image_bytes)
    count = _power_of_two(max(rows / ROWS_PER_SCAN, min(MOST_SHARDS, source_bytes / _shard_bytes(config))), above=True)
    labeled = split != "test"
    settings = {
        "id_column": dataset["id_column"],
        "target_column": dataset["target_column"] if labeled else None,
        "group_column": dataset["group_column"] if labeled else None,
        "metadata_columns": dataset["metadata_columns"],
        "channels": dataset["channels"],
        "labels": dataset["labels"] if labeled else None,
        "image_feature": dataset["image_feature"],
    }
    images = dataset["external"]["images"] if split == "external" else dataset[f"{split}_images"]
    places = {"root": dataset["root"], "table": plan.tables[split], "images": images}
    cut = found.cut(count, with_files=config["folds"]["method"] == "files")
    plan.shards[f"scan/{split}"] = list(cut)
    return [
        plan.add("scan_images", split=split, shard=shard, settings=settings, needs=made, raw=facts, places=places)
        for shard, facts in cut.items()
    ]


def _plan_shards(
    plan: Plan, size: int, split: str, found: SplitIndex, config: Mapping[str, Any], scans: Sequence[Job]
) -> list[Job]:
    channels = config["dataset"]["channels"]
    picture_bytes = JPEG_BYTES_PER_PIXEL * size * size * max(1, len(channels))
    expected_bytes = sum(min(source_bytes, picture_bytes) for source_bytes in found.image_bytes)
    settings = {
        "aspect": config["shards"]["aspect"],
        "jpeg_quality": config["shards"]["jpeg_quality"],
        "metadata_columns": config["dataset"]["metadata_columns"],
        "channels": channels,
        "image_feature": config["dataset"]["image_feature"],
    }
    places = {"root": config["dataset"]["root"]}
    if config["dataset"].get(f"{split}_records"):
        # Records may have moved to other files since they were scanned.
        places["table"] = plan.tables[split]
    scan_of = {job.wildcards["shard"]: job for job in scans}
    finer = list(scan_of)
    shards = _shards_above(finer, min(MOST_SHARDS, _power_of_two(expected_bytes / _shard_bytes(config))))
    plan.shards[f"shards/{size}/{split}"] = shards
    plan.megabytes[f"{size}/{split}"] = expected_bytes / 1e6
    return [
        plan.add(
            "shard_records",
            size=size,
            split=split,
            shard=shard,
            settings=settings,
            needs=[scan_of[name] for name in shards_within(shard, finer)],
            places=places,
        )
        for shard in shards
    ]


def _shard_bytes(config: Mapping[str, Any]) -> float:
    return config["shards"]["megabytes"] * 1e6


def _shards_above(finer: Sequence[str], count: int) -> list[str]:
    """Names of those of `count` shards that hold shards of a finer cut."""
    numbers = map(shard_numbers, finer)
    return [shard_name(index, count) for index in sorted({place * count // total for place, total in numbers})]


def _power_of_two(ratio: float, *, above: bool = False) -> int:
    """The greatest power of two that is at most `ratio`, or 1; the least that is above it with `above`.

    Powers of two, so that a few rows more or less seldom change into how many shards the data are cut.
    """
    count = 1
    while (count if above else 2 * count) <= ratio:
        count *= 2
    return count


def _weights_file(weights: str) -> str | None:
    return sha256_of_file(weights) if Path(weights).is_file() else None
