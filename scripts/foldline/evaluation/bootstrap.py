"""Bootstrap values of all score columns, from the same draws."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foldline.evaluation.metrics import METRICS, SortedRows, sort_rows, weighted_roc_auc, weighted_scores
from foldline.evaluation.multiclass import PredictedRows, mean_of_defined, weighted_multiclass
from foldline.evaluation.score_columns import ScoreColumn
from foldline.evaluation.subgroups import MetadataColumn

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ColumnDraws:
    """Bootstrap values of one column; NaN where a value is not defined.

    Attributes:
        metrics: metric -> (n_classes, n_draws).
        subgroups: metadata column -> mean ROC AUC of each subgroup, (n_subgroups, n_draws).
        multiclass: see `weighted_multiclass`, draws on the last axis; None unless each sample has exactly one class.
        cross_entropy: (n_draws,); None without soft labels.
    """

    metrics: dict[str, FloatArray]
    subgroups: dict[str, FloatArray]
    multiclass: dict[str, FloatArray] | None
    cross_entropy: FloatArray | None

    @classmethod
    def concatenate(cls, blocks: Sequence["ColumnDraws"]) -> "ColumnDraws":
        """Join blocks of draws."""
        multiclass = [block.multiclass for block in blocks if block.multiclass is not None]
        cross_entropy = [block.cross_entropy for block in blocks if block.cross_entropy is not None]
        return cls(
            metrics={name: np.hstack([block.metrics[name] for block in blocks]) for name in blocks[0].metrics},
            subgroups={name: np.hstack([block.subgroups[name] for block in blocks]) for name in blocks[0].subgroups},
            multiclass={name: np.concatenate([block[name] for block in multiclass], axis=-1) for name in multiclass[0]}
            if multiclass
            else None,
            cross_entropy=np.concatenate(cross_entropy) if cross_entropy else None,
        )


def draw_scores(
    columns: Mapping[str, ScoreColumn], metadata: Mapping[str, MetadataColumn], weights: Iterable[FloatArray]
) -> dict[str, ColumnDraws]:
    """Compute the bootstrap values of every column.

    Args:
        columns: the columns, by name.
        metadata: subgroups, by metadata column.
        weights: blocks of draws, (n_block_draws, n_samples) each; see `bootstrap_weights`.
    """
    prepared = {name: _SortedColumn.of(column, metadata) for name, column in columns.items()}
    blocks: dict[str, list[ColumnDraws]] = {name: [] for name in columns}
    for block in weights:
        for name, column in prepared.items():
            blocks[name].append(column.draw(block))
    return {name: ColumnDraws.concatenate(column_blocks) for name, column_blocks in blocks.items()}


@dataclass(frozen=True)
class _SortedColumn:
    """A column whose rows are sorted once for all draws.

    Attributes:
        classes: rows of each class, (n_classes,).
        subgroups: metadata column -> rows of each subgroup and of each of its classes.
        predicted: see `ScoreColumn.predicted_rows`.
        cross_entropy: see `ScoreColumn`.
    """

    classes: list[SortedRows]
    subgroups: dict[str, list[list[SortedRows]]]
    predicted: PredictedRows | None
    cross_entropy: FloatArray | None

    @classmethod
    def of(cls, column: ScoreColumn, metadata: Mapping[str, MetadataColumn]) -> "_SortedColumn":
        labels, scores = column.labels.T, column.scores.T
        return cls(
            classes=[
                sort_rows(*rows, predicted=predicted)
                for *rows, predicted in zip(labels, scores, column.predicted.T, strict=True)
            ],
            subgroups={
                name: [
                    [sort_rows(labels[number], scores[number], mask=subgroup.mask) for number in subgroup.classes]
                    for subgroup in metadata_column.subgroups
                ]
                for name, metadata_column in metadata.items()
            },
            predicted=column.predicted_rows,
            cross_entropy=column.cross_entropy,
        )

    def draw(self, weights: FloatArray) -> ColumnDraws:
        """Compute the values of a block of draws, (n_draws, n_samples)."""
        by_class = [weighted_scores(rows, weights) for rows in self.classes]
        return ColumnDraws(
            metrics={name: np.stack([values[name] for values in by_class]) for name in METRICS},
            subgroups={
                name: np.array([_mean_auc(classes, weights) for classes in subgroups]).reshape(-1, len(weights))
                for name, subgroups in self.subgroups.items()
            },
            multiclass=None if self.predicted is None else weighted_multiclass(self.predicted, weights),
            cross_entropy=None if self.cross_entropy is None else _weighted_mean(self.cross_entropy, weights),
        )


def _weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("dn,n->d", weights, values) / weights.sum(axis=1))


def _mean_auc(classes: Sequence[SortedRows], weights: FloatArray) -> FloatArray:
    """Mean ROC AUC over the classes of a subgroup, (n_draws,)."""
    return mean_of_defined(np.stack([weighted_roc_auc(rows, weights) for rows in classes]))
