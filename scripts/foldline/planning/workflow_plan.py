"""The plan of a run: its jobs, the key and the arguments of each, and the file that carries them to every job.

The process that builds the DAG makes the plan first (`plan.make_plan`) and stores it in a file for the processes that
run single jobs. A key is a digest of everything that defines a job, so two jobs with equal keys make equal outputs,
whatever the mtimes say. `job_keys.py` turns changed keys into files that Snakemake sees as updated.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from foldline.dataset.id_hash import shards_within
from foldline.images.options import RESIZED_BYTES, SIDES
from foldline.io import storage
from foldline.io.files import digest_of
from foldline.planning.code_digest import code_digest

SCRIPTS = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes:
        rule: its rule.
        wildcards: values of the rule's wildcards, in the rule's order.
        settings: keyword arguments of its script that define the result.
        runtime_arguments: keyword arguments of its script that do not define the result: folders, tables, device.
        needs: jobs whose outputs it reads and whose changes make it stale.
        key: digest of everything that defines the result.
        code: digest of its script and of the code that the script imports.
        raw_files: SHA-256 of files that it reads and that are in its key, by their paths.
    """

    rule: str
    wildcards: dict[str, str]
    settings: dict[str, Any]
    runtime_arguments: dict[str, Any]
    needs: tuple["Job", ...]
    key: str
    code: str = ""
    raw_files: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the job, unique in the plan: "train_fold fold=3 model=lite0"."""
        return job_name(self.rule, self.wildcards)


def job_name(rule: str, wildcards: Mapping[str, str]) -> str:
    """Name of a job from its rule and the values of its wildcards."""
    return " ".join([rule, *(f"{key}={value}" for key, value in sorted(wildcards.items()))])


@dataclass
class WorkflowPlan:
    """All jobs of a run and the shards of its data.

    Attributes:
        jobs: the jobs, each after the jobs that it needs; empty in a plan that was loaded from its file.
        rows: number of rows of each split.
        shards: names of the shards, by what is sharded: "scan/train", "shards/224/test".
        megabytes: expected size of all shards together, by image size and split: "224/test".
        image_mb: see `samples.Samples`, by split.
        tables: the table that lists the samples of each split.
        arguments: keyword arguments of each job's script, by the name of the job.
        facts: `step.JobFacts` of each job, by the name of the job.
        keys: key of each job, by the path of its key file.
        config: the completed configuration from which the plan was made.
    """

    jobs: list[Job] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    shards: dict[str, list[str]] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)
    image_mb: dict[str, list[float] | None] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)

    def add(
        self,
        script: Path,
        *,
        settings: Mapping[str, Any],
        needs: Sequence[Job] = (),
        raw_digest: str | None = None,
        raw_files: Mapping[str, str] | None = None,
        runtime_arguments: Mapping[str, Any] | None = None,
        **wildcards: str | int,
    ) -> Job:
        """Add a job.

        Args:
            script: script of the job; its rule has the same name.
            settings: see `Job`.
            needs: jobs that it needs, already in the plan.
            raw_digest: digest of the rows and images that it reads and no job writes.
            raw_files: SHA-256 of other such files, by their paths; their contents are in the key, their paths are not.
            runtime_arguments: see `Job`.
            **wildcards: values of the rule's wildcards.
        """
        rule, values = script.stem, {name: str(value) for name, value in wildcards.items()}
        code = _cached_code_digest(script)
        key = digest_of(
            {
                "rule": rule,
                "wildcards": values,
                "code": code,
                "settings": dict(settings),
                "raw": [raw_digest, *sorted((raw_files or {}).values())],
                "needs": [job.key for job in needs],
            }
        )
        job = Job(
            rule, values, dict(settings), dict(runtime_arguments or {}), tuple(needs), key, code, dict(raw_files or {})
        )
        self.jobs.append(job)
        self.arguments[job.name] = {**job.settings, **job.runtime_arguments}
        return job

    def job_arguments(self, rule: str, wildcards: Mapping[str, str]) -> dict[str, Any]:
        """Keyword arguments of a job's script."""
        return self.arguments[job_name(rule, wildcards)]

    def job_names(self) -> list[tuple[str, dict[str, str]]]:
        """Rule and wildcards of every job; a loaded plan has them as well."""
        words = [name.split() for name in self.arguments]
        return [(rule, dict(word.split("=", 1) for word in values)) for rule, *values in words]

    def arguments_of(self, rule: str) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """Wildcards and keyword arguments of all jobs of a rule."""
        return [
            (wildcards, self.job_arguments(rule, wildcards)) for name, wildcards in self.job_names() if name == rule
        ]

    def job_facts(self, rule: str, wildcards: Mapping[str, str]) -> dict[str, Any]:
        """The `step.JobFacts` of a job."""
        return self.facts[job_name(rule, wildcards)]

    def inventory_shards(self, split: str, *, shard: str | None = None) -> list[str]:
        """Names of the shards of the inventory of a split; an empty list if the data do not have the split.

        Args:
            split: the split.
            shard: name of a shard of images; only the shards of the inventory that have its rows are returned.
        """
        names = self.shards.get(f"scan/{split}", [])
        return names if shard is None else shards_within(shard, names)

    def embedding_rule(self) -> str:
        """The rule that makes embeddings; "" if images are not embedded. See `embedding_section`."""
        rules = {name.split()[0] for name in self.arguments}
        return next((rule for rule in ("embed_images", "import_features") if rule in rules), "")

    def image_shards(self, size: int, split: str) -> list[str]:
        """Names of the shards of a split with images of `size` pixels."""
        return self.shards[f"shards/{size}/{split}"]

    def disk_mb(self, size: int, splits: Sequence[str]) -> int:
        """Disk in MB for a job that reads all shards of some splits with images of `size` pixels.

        Jobs in a cloud have copies of the shards.
        """
        return _disk_mb(sum(self.megabytes[f"{size}/{split}"] for split in splits))

    def disk_mb_of_shard(self, size: int, split: str) -> int:
        """Disk in MB for a job that writes one shard of a split with images of `size` pixels."""
        return _disk_mb(self.megabytes[f"{size}/{split}"] / len(self.image_shards(size, split)))

    def most_image_mb(self, splits: Sequence[str], limit: float, *, side: int | None = None) -> float:
        """Most memory in MB that an image of some splits needs while it is decoded and resized.

        Args:
            splits: the splits.
            limit: the memory if that is not known.
            side: side in pixels of the picture that is made; None to decode at full scale.
        """
        place = len(SIDES) if side is None else bisect_left(SIDES, side)
        needed = [self.image_mb.get(split) for split in splits]
        decoded = max((limit if value is None else value[place] for value in needed), default=limit)
        return decoded + RESIZED_BYTES * (side or 0) ** 2 / 1e6

    def save(self, path: str) -> None:
        """Store everything but `jobs` at a path or URL; a file with the same content is left alone."""
        names = ("rows", "shards", "megabytes", "image_mb", "tables", "arguments", "facts", "keys", "config")
        content = {name: getattr(self, name) for name in names}
        storage.write_if_changed(path, json.dumps(content, sort_keys=True, allow_nan=False).encode())

    @classmethod
    def load(cls, path: str) -> "WorkflowPlan":
        """Read a plan that `save` stored."""
        return cls(**json.loads(storage.read(path)))


@cache
def _files_named_by_modules(folder: Path) -> dict[Path, set[Path]]:
    """A dictionary for the scripts of a folder, see `code_digest.reachable`."""
    return {}


@cache
def _cached_code_digest(script: Path) -> str:
    return code_digest(script, _files_named_by_modules(script.parent))


def _disk_mb(megabytes: float) -> int:
    """Disk in MB for shards of this expected size, which may be half as large again, and 1 GB for everything else."""
    return ceil(1000 + 1.5 * megabytes)
