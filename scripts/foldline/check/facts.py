"""What the page and the log say of tables, folds and models, from the rows and settings of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from foldline.check.estimate import (
    Cost,
    FoldRows,
    Work,
    bytes_text,
    image_costs,
    model_costs,
    seconds_text,
)
from foldline.check.plan import CheckPlan, FoldGroup
from foldline.check.rows import Data, Sample, Tried
from foldline.dataset.cell_values import is_missing
from foldline.dataset.columns import Columns
from foldline.dataset.label_arrays import label_array
from foldline.dataset.raw_table import read_raw_table
from foldline.dataset.scan_config import ScanConfig
from foldline.errors import counted, listing
from foldline.inference.prediction_config import view_numbers
from foldline.report.check_page import CheckFacts, ColumnFacts, CostFacts, FoldFacts, ModelFacts, TableFacts
from foldline.report.html import KeyFigure
from foldline.splits.class_weights import ClassWeights
from foldline.splits.fold_membership import TEST, TRAIN, held_out_rows, scored_rows, training_rows
from foldline.training.sampling import make_sampler
from foldline.training.schedules import mean_area
from foldline.training.trial import Trial

FIRST_ROWS = 5
SHOWN_CLASSES = 50


def table_facts(split: str, config: ScanConfig, groups: Sequence[str]) -> TableFacts:
    """Facts of the table of a split.

    Args:
        split: the split.
        config: where the table is, and how it is read.
        groups: group of each row.
    """
    columns = config.columns()
    table = read_raw_table(config.table, columns.required(), separator=columns.separator, every=True)
    uses = _uses(columns)
    return TableFacts(
        split=split,
        path=config.table,
        rows=len(table.lines),
        columns=[_column_facts(name, uses.get(name, ""), table.columns[name], columns) for name in table.header],
        first_rows=[
            [table.columns[name][row] for name in table.header] for row in range(min(FIRST_ROWS, len(table.lines)))
        ],
        groups=len(set(groups)) if columns.group else 0,
    )


def _uses(columns: Columns) -> dict[str, str]:
    """What each column of the table is used for, by its name in the table."""
    uses: dict[str, list[str]] = {}
    targets = columns.target_columns or filter(None, [columns.target])
    for use, names in (
        ("id", [columns.id]),
        ("label", targets if columns.target else []),
        ("group", filter(None, [columns.group])),
        ("metadata", columns.metadata),
    ):
        for name in names:
            uses.setdefault(columns.in_table(name), []).append(use)
    return {name: ", ".join(of_column) for name, of_column in uses.items()}


def _column_facts(name: str, use: str, cells: Sequence[str], columns: Columns) -> ColumnFacts:
    present = [cell for cell in cells if not is_missing(cell, columns.missing)]
    return ColumnFacts(name, use, len(cells) - len(present), len(set(present)), present[0] if present else "")


def fold_facts(folds: pd.DataFrame, class_names: Sequence[str]) -> list[FoldFacts]:
    """Facts of the folds of a fold table."""
    facts = []
    for fold in sorted(scored_rows(folds)["fold"].unique()):
        rows = held_out_rows(folds, int(fold))
        positives = label_array(list(rows["target"]), class_names).sum(axis=0)
        facts.append(FoldFacts(int(fold), len(rows), rows["group"].nunique(), [int(count) for count in positives]))
    return facts


def work_of(group: FoldGroup, plan: CheckPlan, data: Data) -> Work:
    """What the folds of a group have to do."""
    config, folds = group.settings.training_config, data.folds
    rows = [FoldRows(rows_per_epoch(group, folds, fold), len(held_out_rows(folds, fold))) for fold in group.folds]
    rows += [FoldRows(rows_per_epoch(group, folds, None), 0)] if group.final else []
    predicting = len(group.folds) if plan.test_models == "folds" else int(group.final)
    # All views of a model without images are the same.
    views = plan.prediction.views if group.settings.model_config.backbone else 1
    area = mean_area(config.size_schedule, config.epochs, group.settings.model_config.image_size)
    by_folds = plan.test_models == "folds"
    splits = [plan.splits[member.name] for member in group.members] if by_folds else [None] * predicting
    passes = sum(len(view_numbers(views, split)) for split in splits)
    return Work(rows, config.epochs, config.batch_size, len(data.rows.get(TEST, ())), predicting, views, passes, area)


def rows_per_epoch(group: FoldGroup, folds: pd.DataFrame, fold: int | None) -> int:
    """Training rows of an epoch of a fold, or of the final network (None)."""
    settings, rows = group.settings, training_rows(folds, fold)
    targets, config = list(rows["target"]), settings.training_config
    sampler = make_sampler(targets, settings.class_names, config, settings.activation, settings.seed)
    return len(rows) if sampler is None else sampler.rows_per_epoch


def group_name(group: FoldGroup, groups: Sequence[FoldGroup]) -> str:
    """Name of the model, and its folds if others of them have other settings."""
    model = group.settings.model
    if sum(other.settings.model == model for other in groups) == 1:
        return model
    return f"{model} (fold {', '.join(map(str, group.members))})"


def model_facts(name: str, group: FoldGroup, work: Work, trial: Trial | None, problem: str) -> ModelFacts:
    """Facts of a model.

    Args:
        name: see `group_name`.
        group: its folds and settings.
        work: what they have to do.
        trial: what was tried; None if it failed.
        problem: why it failed; "" if it did not.
    """
    model, training = group.settings.model_config, group.settings.training_config
    steps = [work.steps(fold) for fold in work.folds]
    batch = min(training.batch_size, max(fold.training for fold in work.folds))
    facts = {
        "Inputs": ", ".join(model.inputs),
        "Training": f"{counted(training.epochs, 'epoch')} in batches of {batch}; "
        f"{counted(len(steps), 'training' if group.final else 'fold')} of {_span(steps, 'step')}",
        "Learning rate": f"{training.schedule.name}, at most {training.learning_rate:g}",
        "Loss": training.loss.name,
    }
    if model.backbone:
        channels = f", channels {', '.join(model.channels)}" if model.channels else ""
        facts |= {
            "Backbone": f"{model.backbone}, weights: {training.weights}, trained layers: {training.trainable}",
            "Images": f"{model.image_size} pixels{channels}",
        }
    if trial is None:
        return ModelFacts(name, facts, problem, training.epochs)
    speed = trial.speed
    facts |= {
        "Network": f"{trial.parameters:,} parameters, computes in {trial.precision}",
        "First losses": ", ".join(f"{loss:.4g}" for loss in trial.losses),
        "Measured": f"step {seconds_text(speed.step)}, batch {seconds_text(speed.batch)}, prediction of a row "
        f"{seconds_text(speed.predict)}, start {seconds_text(speed.start)}",
    }
    return ModelFacts(name, facts, problem, training.epochs, trial.curve, trial.samples if model.backbone else None)


def cost_facts(costs: Sequence[Cost]) -> list[CostFacts]:
    """The estimate in words, with its total at the end."""
    total = Cost("all together", "", sum(cost.seconds for cost in costs), sum(cost.bytes for cost in costs))
    return [
        CostFacts(
            cost.name,
            seconds_text(cost.seconds) if cost.seconds else "",
            bytes_text(cost.bytes) if cost.bytes else "",
            cost.how,
        )
        for cost in [*costs, total]
    ]


def jobs_text(jobs: Mapping[str, int]) -> str:
    """Number of jobs of a run without results, with those of each rule."""
    return f"{counted(sum(jobs.values()), 'job')} ({', '.join(f'{count} {rule}' for rule, count in jobs.items())})"


def _span(counts: Sequence[int], noun: str) -> str:
    low, high = min(counts), max(counts)
    return counted(low, noun) if low == high else f"{low:,} to {counted(high, noun)}"


def costs_of(plan: CheckPlan, data: Data, sample: Sample, tried: Tried) -> list[Cost]:
    """Time and disk of the run; none if a group could not be tried."""
    counts = {split: len(rows) for split, rows in data.rows.items()}
    costs = image_costs(counts, sample.scan_seconds, sample.shard_costs)
    for group, trial in zip(plan.groups, tried.trials, strict=True):
        if isinstance(trial, str):
            return []
        speed = trial.speed.with_imports(tried.imports)
        name, work = group_name(group, plan.groups), work_of(group, plan, data)
        costs += model_costs(name, speed, work, overlapping=tried.overlapping)
    return costs


def page_facts(
    plan: CheckPlan, data: Data, sample: Sample, tried: Tried, *, weights: Sequence[ClassWeights]
) -> CheckFacts:
    """Facts for the page and the log.

    Args:
        plan: settings of the steps.
        data: all rows.
        sample: the rows that were tried.
        tried: what was measured.
        weights: weights of the classes while fold 0 is held out.
    """
    models = [
        model_facts(
            group_name(group, plan.groups),
            group,
            work_of(group, plan, data),
            trial if isinstance(trial, Trial) else None,
            trial if isinstance(trial, str) else "",
        )
        for group, trial in zip(plan.groups, tried.trials, strict=True)
    ]
    costs = costs_of(plan, data, sample, tried)
    names = plan.folds.class_names
    counts = [counted(len(rows), f"{split} row") for split, rows in data.rows.items()]
    return CheckFacts(
        title=Path.cwd().name,
        subtitle=f"{listing(list(names), limit=6)}: {', '.join(counts)}",
        key_figures=_key_figures(plan, data, costs),
        problems=[trial for trial in tried.trials if isinstance(trial, str)],
        tables=[
            # The example is in the temporary folder now.
            replace(table_facts(split, config, [row.group for row in data.rows[split]]), path=plan.scans[split].table)
            for split, config in data.scans.items()
        ],
        classes=weights,
        weights=f"Training rows and their weights in the loss ({plan.class_weights.method}) while fold 0 is held out.",
        folds=fold_facts(data.folds, names),
        models=models,
        costs=cost_facts(costs) if costs else [],
        machine=tried.machine,
        warnings=sample.warnings,
    )


def _key_figures(plan: CheckPlan, data: Data, costs: Sequence[Cost]) -> list[KeyFigure]:
    total = cost_facts(costs)[-1] if costs else None
    groups = data.folds.loc[data.folds["split"] == TRAIN, "group"].nunique()
    return [
        KeyFigure("Time", f"about {total.time}" if total else "unknown", "one job after the other"),
        KeyFigure("Disk", f"about {total.disk}" if total else "unknown"),
        KeyFigure("Training rows", f"{len(data.rows[TRAIN]):,}", f"in {counted(groups, 'group')}"),
        KeyFigure("Classes", str(len(plan.folds.class_names))),
        KeyFigure("Folds", str(plan.folds.count)),
        KeyFigure("Models", str(len({group.settings.model for group in plan.groups}))),
        KeyFigure("Jobs", str(sum(plan.jobs.values()))),
    ]


def summary_lines(facts: CheckFacts, jobs: Mapping[str, int]) -> list[str]:
    """What the log says: rows, classes, folds, models, jobs, time and disk.

    Args:
        facts: the facts of the page.
        jobs: number of jobs of each rule.
    """
    lines = []
    for table in facts.tables:
        groups = f" in {counted(table.groups, 'group')}" if table.groups else ""
        lines.append(f"{table.split}: {counted(table.rows, 'row')}{groups} ({table.path})")
    positives = [sum(counts) for counts in zip(*(fold.positives for fold in facts.folds), strict=True)]
    shown = [f"{row.name} {count:,}" for row, count in zip(facts.classes, positives, strict=True)]
    rows = [fold.rows for fold in facts.folds]
    lines.append(f"train rows of each class: {listing(shown, limit=SHOWN_CLASSES)}")
    lines.append(f"{counted(len(rows), 'fold')} of {_span(rows, 'row')}, before duplicates are found")
    for model in facts.models:
        values = [f"{term.lower()}: {value}" for term, value in model.facts.items()]
        lines.append(f"model {model.name}: {'; '.join(values)}")
    lines.append(jobs_text(jobs))
    if facts.costs:
        total = facts.costs[-1]
        parts = [", ".join(filter(None, [cost.name, cost.time, cost.disk])) for cost in facts.costs[:-1]]
        lines += [f"about: {part}" for part in parts]
        lines.append(
            f"all together about {total.time} if one job runs after the other, and {total.disk} of disk, without the "
            f"search for duplicates, scores and report; measured with a few rows on {facts.machine}"
        )
    return lines
