"""A finished run as the report sees it, and the checks that its files belong together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from foldline.errors import FoldlineError, counted, listing
from foldline.evaluation.drift_results import Drift
from foldline.evaluation.oof import Oof
from foldline.io.result_paths import Member, members_of
from foldline.models.stage import Stage
from foldline.report.json_inputs import (
    BlendRecipe,
    FoldWeights,
    Metrics,
    Provenance,
    SplitMetrics,
    TrainedModelSettings,
)
from foldline.splits.fold_membership import holdout_rows, scored_rows


@dataclass(frozen=True)
class AuditFacts:
    """How the leak audit searched.

    Attributes:
        near_duplicate_bits: see `leaks` in `config/config.schema.yaml`.
        full_search_up_to: see there.
        embedded: whether images have vectors, by which the nearest are compared as well.
    """

    near_duplicate_bits: int | None = 12
    full_search_up_to: int = 20_000
    embedded: bool = False


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        metrics: scores.
        test_metrics: scores of the test rows; None where their labels are not known.
        holdout_metrics: scores of the holdout; None without one.
        drift: comparison of the training and the test images; None without a test split.
        recipe: how the models were blended.
        folds: fold table, external rows included.
        inventory: inventory of the train split.
        leaks: duplicate pairs, by split: "train", each external set, and, where there is one, "test".
        weights: class weights, by member.
        histories: training history, by model and member: epoch, learning_rate; loss, auc and accuracy of the training
            rows; val_loss, val_auc and val_accuracy of the held-out fold.
        provenances: what each training run was made from, by model and member.
        left_out: of each external set, the number of rows that are left out by each word of their labels.
        audit: how the leak audit searched.
    """

    metrics: Metrics
    test_metrics: SplitMetrics | None
    holdout_metrics: SplitMetrics | None
    drift: Drift | None
    recipe: BlendRecipe
    folds: pd.DataFrame
    inventory: pd.DataFrame
    leaks: Mapping[str, pd.DataFrame]
    weights: Mapping[Member, FoldWeights]
    histories: Mapping[tuple[str, Member], pd.DataFrame]
    provenances: Mapping[tuple[str, Member], Provenance]
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    audit: AuditFacts = AuditFacts()

    @property
    def scored(self) -> pd.DataFrame:
        """The rows of the fold table that are scored."""
        return scored_rows(self.folds)

    @property
    def class_names(self) -> list[str]:
        """Names of all classes."""
        return [row.name for row in self.metrics.classes]

    @property
    def scored_positives(self) -> int:
        """Positive labels of the classes that are scored."""
        return sum(row.positives for row in self.metrics.classes if row.name in self.metrics.scored_classes)

    def settings(self, model: str) -> list[TrainedModelSettings]:
        """Settings of a model in each of its folds, in order."""
        return [content.settings for (owner, _), content in sorted(self.provenances.items()) if owner == model]

    def stages(self, model: str) -> tuple[Stage, ...]:
        """Stages of the network of a model, the same in all folds, which may have any numbers."""
        return next(content.stages for (owner, _), content in self.provenances.items() if owner == model)

    def devices(self, models: Sequence[str]) -> str:
        """Devices that some models were trained on, such as "CPU", "GPU" or "8 x TPU"."""
        kinds = {
            (content.device.upper(), content.replicas)
            for (model, _), content in self.provenances.items()
            if model in models
        }
        return ", ".join(kind if count == 1 else f"{count} x {kind}" for kind, count in sorted(kinds))


def check_run(run: Run, *, oof: Oof, class_names: Sequence[str], sample_grids: Iterable[tuple[str, Member]]) -> None:
    """Check that the inputs of the report belong to one run.

    Args:
        run: the run.
        oof: its out-of-fold table.
        class_names: names of the classes in the configuration.
        sample_grids: models and members that have a grid of augmented samples.

    Raises:
        FoldlineError: they have other classes, models, folds or rows.
    """
    if run.class_names != list(class_names):
        raise FoldlineError(
            f"the metrics have the classes {listing(run.class_names)}, the configuration has "
            f"{listing(list(class_names))}; run the workflow again"
        )
    members = members_of(run.scored["fold"].unique().tolist(), run.metrics.repeats)
    expected = {(model, member) for model in run.recipe.models for member in members}
    for name, keys in (("histories", set(run.histories)), ("provenances", set(run.provenances))):
        if keys != expected:
            raise FoldlineError(
                f"{name} and metrics have different models and folds: {_names(keys ^ expected)}; run the workflow again"
            )
    unexpected = set(sample_grids) - expected
    if unexpected:
        raise FoldlineError(
            f"augmented samples of models and folds that the metrics do not have: {_names(unexpected)}; run the "
            "workflow again"
        )
    if run.test_metrics is not None and (
        run.test_metrics.rows != run.recipe.test_rows or set(run.test_metrics.models) != set(run.metrics.models)
    ):
        scored, predicted = counted(run.test_metrics.rows, "row"), counted(run.recipe.test_rows, "row")
        raise FoldlineError(
            f"the test scores are of {scored} and of {listing(list(run.test_metrics.models))}, the predictions of "
            f"{predicted} and of {listing(list(run.metrics.models))}; run the workflow again"
        )
    held_out = len(holdout_rows(run.folds))
    if run.holdout_metrics is not None and run.holdout_metrics.rows != held_out:
        raise FoldlineError(
            f"the scores of the holdout are of {counted(run.holdout_metrics.rows, 'row')}, and the fold table has "
            f"{held_out} in it; run the workflow again"
        )
    rows = len(oof.ids)
    if run.metrics.rows != rows or len(run.scored) != rows:
        raise FoldlineError(
            f"the out-of-fold table has {counted(rows, 'row')}, the metrics count {run.metrics.rows}, and the fold "
            f"table has {counted(len(run.scored), 'training row')}; run the workflow again"
        )


def _names(keys: Iterable[tuple[str, Member]]) -> str:
    return listing(sorted(f"{model}/{member.name}" for model, member in keys))
