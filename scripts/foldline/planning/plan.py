"""Plan all jobs of a run from its configuration and its data, stage by stage.

Each job gets the settings that define its result, the digest of the raw files it reads, and the jobs it needs; the key
that `workflow_plan.WorkflowPlan.add` makes of these decides whether the job is stale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foldline.dataset.id_hash import shards_within
from foldline.dataset.known_labels import KnownLabels
from foldline.io.files import digest_of, sha256_of_file
from foldline.planning.blend_section import blend_settings
from foldline.planning.data_index import DataIndex
from foldline.planning.dataset_section import (
    class_names_of,
    group_columns,
    labels_of,
    location_arguments,
    scan_settings,
    scored_classes_of,
    shard_settings,
    table_arguments,
)
from foldline.planning.dataset_splits import compared_splits, labeled_splits
from foldline.planning.drift_section import add_drift
from foldline.planning.embedding_section import add_embeddings, add_look_alikes, embedded_sizes, embedding_rule
from foldline.planning.fold_plan import FOLDS, fold_arguments, fold_method, fold_settings, members
from foldline.planning.found_words import words_of
from foldline.planning.leak_plan import CONFIRMED, audit_settings, fold_audits, fold_policy, pair_settings, report_facts
from foldline.planning.model_stages import ModelStages
from foldline.planning.row_weights import weight_arguments
from foldline.planning.shard_counts import JPEG_BYTES_PER_PIXEL, coarser_shards, power_of_two
from foldline.planning.split_index import SplitIndex
from foldline.planning.submission_section import form_settings, sample_separator, submission_form
from foldline.planning.workflow_plan import SCRIPTS, Job, WorkflowPlan
from foldline.splits.folds_config import FILES

ROWS_PER_SCAN = 5_000
# Of one image size and split. Each shard is an input of every fold of every model: about 100 us of Snakemake's time.
MOST_SHARDS = 32


def make_plan(
    config: Mapping[str, Any],
    data_index: DataIndex,
    *,
    pinned: Path | None = None,
    known_labels: KnownLabels | None = None,
    scripts: Path = SCRIPTS,
) -> WorkflowPlan:
    """Plan all jobs of a run.

    Args:
        config: the completed and checked configuration.
        data_index: index of the data.
        pinned: table of the example's images and their checksums (`workflow/examples`); None for the user's own data.
        known_labels: labels of the test rows; None where they are not known.
        scripts: folder of the scripts of the rules.
    """
    stages = _Stages(config, data_index, scripts)
    scans = stages.scan_images(stages.example_data(pinned))
    stages.plan.add(scripts / "list_classes.py", settings=words_of(config["dataset"]))
    scanned = [job for jobs in scans.values() for job in jobs]
    stages.plan.add(scripts / "check_images.py", settings={}, needs=scanned)
    shards = stages.shard_records(scans)
    embeddings = add_embeddings(stages.plan, config, scans, shards, rule=stages.embedding_rule, scripts=scripts)
    audits = stages.audit_leaks(scans, embeddings)
    shown = [*audits.values(), *scanned]
    stages.plan.add(scripts / "show_pairs.py", settings=pair_settings(config["dataset"]), needs=shown)
    folds = stages.make_folds(scans, audits)
    drift = add_drift(stages.plan, config, scans, audits, embeddings, scripts=scripts)
    compared = [*scanned, *embeddings.values(), *audits.values(), folds]
    look_alikes = add_look_alikes(stages.plan, compared if embeddings else [], scripts)
    models = ModelStages(config, stages._add)
    fold_tables = models.repeat_folds(folds)
    class_weights = models.class_weights(fold_tables)
    trained = models.train_fold(shards, fold_tables, class_weights)
    networks = trained | models.train_final(shards, folds, class_weights, trained)
    predictions = models.predict(networks, shards, fold_tables)
    blend = stages.blend_folds(predictions, list(fold_tables.values()))
    models.export(networks, blend)
    evaluation = stages.evaluate(blend, folds)
    test_scores = [stages.score_test(known_labels, predictions, [blend, evaluation])] if known_labels else []
    test_scores += stages.score_holdout(predictions, [blend, evaluation, folds])
    tables = [blend, evaluation, *test_scores, folds, *scans["train"], *audits.values()]
    tables += [class_weights[member] for member in members(config["folds"])]
    # The report shows training images of the largest size.
    stages.render_report([*tables, *look_alikes, *drift, *trained.values(), *shards[stages.image_sizes[-1], "train"]])
    return stages.plan


class _Stages:
    """Adds the jobs of one rule after the other to a plan.

    Attributes:
        plan: the plan.
        image_sizes: image sizes of the models in pixels, ascending.
        embedding_rule: see `embedding_section.embedding_rule`.
    """

    def __init__(self, config: Mapping[str, Any], data_index: DataIndex, scripts: Path):
        self.plan = WorkflowPlan(rows=data_index.n_rows, tables=data_index.tables, image_mb=data_index.image_mb)
        self.image_sizes = sorted({model["image_size"] for model in config["models"].values()})
        self._config, self._dataset, self._data_index, self._scripts = config, config["dataset"], data_index, scripts
        self.embedding_rule = embedding_rule(config, sum(len(of.image_bytes) for of in data_index.splits.values()))
        self._shard_sizes = sorted({*self.image_sizes, *embedded_sizes(config, self.embedding_rule)})
        self._labeled_splits = labeled_splits(self._dataset)
        self._shard_bytes = float(config["shards"]["megabytes"]) * 1e6
        self._class_names = class_names_of(self._dataset)
        self._classes = {"class_names": self._class_names, "activation": labels_of(self._dataset).activation}
        self._scored_classes = scored_classes_of(self._dataset)

    def example_data(self, pinned: Path | None) -> list[Job]:
        """The job that writes the example; none for the user's own data."""
        if pinned is None:
            return []
        settings = {"example": self._dataset["example"]}
        return [self._add("example_data", settings=settings, raw_files={str(pinned): sha256_of_file(pinned)})]

    def scan_images(self, example: Sequence[Job]) -> dict[str, list[Job]]:
        """Scan jobs by split, one for each shard of the inventory."""
        return {split: self._scan_split(split, index, example) for split, index in self._data_index.splits.items()}

    def _scan_split(self, split: str, index: SplitIndex, example: Sequence[Job]) -> list[Job]:
        dataset = self._dataset
        # The inventory has more shards than the images of any size have. Both counts are powers of two: an image shard
        # covers whole inventory shards, and a new model changes neither.
        rows, source_bytes = len(index.image_bytes), sum(index.image_bytes)
        count = power_of_two(max(rows / ROWS_PER_SCAN, min(MOST_SHARDS, source_bytes / self._shard_bytes)), above=True)
        runtime_arguments = {
            "root": dataset["root"],
            "table": self.plan.tables[split],
            **location_arguments(dataset, split, self._data_index.locations),
            **table_arguments(dataset, split, self._data_index.label_cells),
        }
        # The step compares what it reads with the digest of rows and images. The files of records only change the key.
        planned = index.shard_digests(count)
        by_files = fold_method(self._config["folds"]) == FILES
        digests = index.shard_digests(count, with_files=True) if by_files else planned
        self.plan.shards[f"scan/{split}"] = list(digests)
        return [
            self._add(
                "scan_images",
                split=split,
                shard=shard,
                settings=scan_settings(dataset, split),
                needs=example,
                raw_digest=digest,
                runtime_arguments={**runtime_arguments, "digest": planned[shard]},
            )
            for shard, digest in digests.items()
        ]

    def audit_leaks(self, scans: Mapping[str, list[Job]], embeddings: Mapping[str, Job]) -> dict[str, Job]:
        """Audit jobs by split."""
        audits = {}
        for split in scans:
            compared = compared_splits(self._dataset, split)
            needs = [job for other in compared for job in scans[other]]
            needs += [embeddings[other] for other in compared if embeddings]
            settings = audit_settings(self._config["leaks"], split, self._data_index.found.get(CONFIRMED, ()))
            audits[split] = self._add("audit_leaks", split=split, settings=settings, needs=needs)
        return audits

    def make_folds(self, scans: Mapping[str, Sequence[Job]], audits: Mapping[str, Job]) -> Job:
        """The job that writes the fold table."""
        inventory = [job for split in self._labeled_splits for job in scans[split]]
        folds, tables, weights = self._config["folds"], self.plan.tables, self._data_index.weights
        cells = self._data_index.found.get(FOLDS, {}).get("digest", "")
        return self._add(
            "make_folds",
            settings=fold_settings(folds, self._dataset, fold_policy(self._config["leaks"])),
            needs=[*inventory, *(audits[split] for split in fold_audits(self._config["leaks"], self._dataset))],
            raw_digest=digest_of([weights, cells]) if cells else weights or None,
            runtime_arguments={
                **weight_arguments(self._dataset, tables, weights),
                **fold_arguments(folds, self._dataset, tables, cells),
            },
        )

    def shard_records(self, scans: Mapping[str, Sequence[Job]]) -> dict[tuple[int, str], list[Job]]:
        """Shard jobs by image size and split."""
        return {
            (size, split): self._shard_split(size, split, index, scans[split])
            for size in self._shard_sizes
            for split, index in self._data_index.splits.items()
        }

    def _shard_split(self, size: int, split: str, index: SplitIndex, scans: Sequence[Job]) -> list[Job]:
        dataset = self._dataset
        jpeg_bytes = JPEG_BYTES_PER_PIXEL * size * size * max(1, len(dataset["channels"]))
        expected_bytes = index.capped_bytes(jpeg_bytes)
        scan_of = {job.wildcards["shard"]: job for job in scans}
        inventory_shards = list(scan_of)
        names = coarser_shards(inventory_shards, min(MOST_SHARDS, power_of_two(expected_bytes / self._shard_bytes)))
        self.plan.shards[f"shards/{size}/{split}"] = names
        self.plan.megabytes[f"{size}/{split}"] = expected_bytes / 1e6
        # Where the images are now. Not in the key: images that moved are the same images.
        runtime_arguments = {"root": dataset["root"], **location_arguments(dataset, split, self._data_index.locations)}
        settings = shard_settings(self._config, split)
        return [
            self._add(
                "shard_records",
                size=size,
                split=split,
                shard=shard,
                settings=settings,
                needs=[scan_of[name] for name in shards_within(shard, inventory_shards)],
                runtime_arguments=runtime_arguments,
            )
            for shard in names
        ]

    def blend_folds(self, predictions: Sequence[Job], folds: Sequence[Job]) -> Job:
        """The job that blends the predictions into the OOF table and the submission."""
        index, threshold = self._data_index, self._config["evaluation"]["threshold"]
        form = submission_form(self._dataset, threshold=threshold, class_words=index.class_words)
        separator = sample_separator(self._dataset)
        return self._add(
            "blend_folds",
            settings={
                **blend_settings(self._config),
                **self._classes,
                "scored_classes": self._scored_classes,
                "submission_form": form_settings(form),
            },
            needs=[*(job for job in predictions if job.rule != "predict_holdout"), *folds],
            raw_digest=index.submission,
            runtime_arguments={"sample_submission": index.sample_submission, "sample_separator": separator},
        )

    def evaluate(self, blend: Job, folds: Job) -> Job:
        """The job that scores the OOF table."""
        settings = self._evaluation_settings(self._dataset["metadata_columns"])
        return self._add("evaluate", settings=settings, needs=[blend, folds])

    def score_test(self, known_labels: KnownLabels, predictions: Sequence[Job], others: Sequence[Job]) -> Job:
        """The job that scores the test predictions; it also needs the blend and the out-of-fold scores."""
        return self._add(
            "score_test",
            settings=self._evaluation_settings([]),
            needs=[*(job for job in predictions if job.rule == "predict_test"), *others],
            raw_digest=known_labels.digest,
            runtime_arguments={"known_labels": asdict(known_labels)},
        )

    def score_holdout(self, predictions: Sequence[Job], others: Sequence[Job]) -> list[Job]:
        """The job that scores the holdout; none without a holdout."""
        needs = [job for job in predictions if job.rule == "predict_holdout"]
        settings = self._evaluation_settings([])
        return [self._add("score_holdout", settings=settings, needs=[*needs, *others])] if needs else []

    def _evaluation_settings(self, metadata_columns: Sequence[str]) -> dict[str, Any]:
        """Fields of `EvaluationConfig`."""
        return {
            **self._config["evaluation"],
            **self._classes,
            "scored_classes": self._scored_classes,
            "metadata_columns": list(metadata_columns),
        }

    def render_report(self, needs: Sequence[Job]) -> None:
        """The job that renders the report."""
        names = {"class_names": self._class_names, "group_column": " and ".join(group_columns(self._dataset)) or None}
        audit = report_facts(self._config["leaks"], embedded=bool(self.embedding_rule))
        facts = {"left_out": self._data_index.left_out, "audit": audit}
        self._add("render_report", settings={**self._config["report"], **names, **facts}, needs=needs)

    def _add(self, rule: str, **job: Any) -> Job:
        """Add a job of a rule, see `WorkflowPlan.add`."""
        return self.plan.add(self._scripts / f"{rule}.py", **job)
