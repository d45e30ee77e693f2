"""Merge the predictions of folds and models strictly: every row exactly once, by the model that must predict it.

Files are read one by one into one array. Ids are an Arrow array; no sample, model or class has a Python object.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from foldline.errors import FoldlineError, counted, listing
from foldline.evaluation.prediction_files import RUN_AGAIN, PredictionFile, open_prediction_file
from foldline.io.result_paths import Member

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MergedPredictions:
    """Predictions of all models for the same samples.

    Attributes:
        models: names of the models, sorted, (n_models,).
        probabilities: float32, (n_models, n_samples, n_classes), in [0, 1].
        views: model -> number of views that its predictions average.
        shared_views: whether the folds of each model average these views together, each its share of them.
    """

    models: list[str]
    probabilities: npt.NDArray[np.float32]
    views: dict[str, int]
    shared_views: bool = False

    def by_model(self) -> dict[str, npt.NDArray[np.float32]]:
        """Probabilities of each model, (n_samples, n_classes)."""
        return dict(zip(self.models, self.probabilities, strict=True))


def merge_oof(
    paths: Sequence[str | Path], *, ids: Sequence[str], folds: Sequence[IntArray], class_names: Sequence[str]
) -> list[MergedPredictions]:
    """Merge the predictions of the held-out rows of all folds of each repeat, file by file.

    Args:
        paths: prediction files of every model, repeat and fold.
        ids: ids of the samples that are scored, (n_samples,).
        folds: fold of each of them in each repeat, (n_repeats, n_samples).
        class_names: (n_classes,).

    Returns:
        Predictions of each repeat in the order of `ids`, (n_repeats,).

    Raises:
        FoldlineError: an id is missing, foreign, predicted twice or predicted by the model of another fold; a class is
            missing or foreign; a probability is not in [0, 1]; the view counts of a model differ.
    """
    files = _open_files(paths, class_names)
    title = "out-of-fold predictions"
    expected = [_Rows(ids, "the train rows of the fold table", of_repeat) for of_repeat in folds]
    members = {Member(repeat, fold) for repeat, rows in enumerate(folds, start=1) for fold in rows.tolist()}
    views = _check_files(files, members=members, title=title)
    merged = np.empty((len(folds), len(files), len(ids), len(class_names)), np.float32)
    problems: list[str] = []
    for number, (model, of_model) in enumerate(files.items()):
        for file in of_model:
            index, where = file.member.repeat - 1, f"{title} of model {model}, {file.member.title}"
            rows, values = _read_rows(file, expected[index], class_names, where, problems)
            merged[index, number, rows] = values
    _raise_problems(problems)
    return [MergedPredictions(list(files), of_repeat, views) for of_repeat in merged]


def mean_of_repeats(repeats: Sequence[MergedPredictions]) -> MergedPredictions:
    """The mean of each prediction over the repeats, computed in float64."""
    if len(repeats) == 1:
        return repeats[0]
    total = np.zeros(repeats[0].probabilities.shape)
    for repeat in repeats:
        total += repeat.probabilities
    return replace(repeats[0], probabilities=(total / len(repeats)).astype(np.float32))


def merge_test(
    paths: Sequence[str | Path],
    *,
    ids: Sequence[str],
    members: Sequence[Member],
    class_names: Sequence[str],
    split: str = "test",
) -> MergedPredictions:
    """Merge the predictions of the test rows, file by file: the mean over the members of each model.

    Args:
        paths: prediction files of every model and member.
        ids: ids of the test samples, (n_samples,).
        members: those that every model must have.
        class_names: (n_classes,).
        split: what the rows are, in messages: "test" or "holdout".

    Returns:
        Predictions in the order of `ids`.

    Raises:
        FoldlineError: as for `merge_oof`; also if a model lacks a member or has an additional one.
    """
    files = _open_files(paths, class_names)
    title = f"{split} predictions"
    views = _check_files(files, members=set(members), title=title)
    expected = _Rows(ids, "the sample submission" if split == "test" else "the fold table")
    merged = np.empty((len(files), len(ids), len(class_names)), np.float32)
    problems: list[str] = []
    for number, (model, of_model) in enumerate(files.items()):
        total = np.zeros(merged.shape[1:])
        for file in of_model:
            where = f"{title} of model {model}, {file.member.title}"
            rows, values = _read_rows(file, expected, class_names, where, problems)
            total[rows] += values
        merged[number] = total / len(of_model)
    _raise_problems(problems)
    shared = any(file.shared_views for of_model in files.values() for file in of_model)
    return MergedPredictions(list(files), merged, views, shared)


class _Rows:
    """The samples that files of predictions must have."""

    def __init__(self, ids: Sequence[str], source: str, folds: IntArray | None = None) -> None:
        """Index the samples.

        Args:
            ids: their ids, (n_samples,).
            source: where the ids are from, for messages.
            folds: fold of each sample, (n_samples,); None if every file must have all samples.
        """
        self.source = source
        self._ids = pa.array(ids, pa.string())
        self._folds = folds
        self._ascending: IntArray = pc.sort_indices(self._ids).to_numpy().astype(np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def of_member(self, member: Member) -> IntArray:
        """Indices of the samples that the file of a member must have, ascending by id."""
        if self._folds is None:
            return self._ascending
        return np.asarray(self._ascending[self._folds[self._ascending] == member.fold])

    def find(self, ids: pa.Array, expected: IntArray) -> IntArray:
        """Index of each id, (n_ids,), -1 where it is unknown; fast if these are the expected samples in order."""
        if self._ids.take(pa.array(expected)).equals(ids):
            return expected
        positions = pc.fill_null(pc.index_in(ids, value_set=self._ids), -1)
        return np.asarray(positions.to_numpy(), np.int64)

    def listing(self, indices: IntArray) -> str:
        """List the ids of some samples."""
        return listing(sorted(self._ids.take(pa.array(indices)).to_pylist()))


def _open_files(paths: Sequence[str | Path], class_names: Sequence[str]) -> dict[str, list[PredictionFile]]:
    """Read what the files say of themselves; gives the files of each model, both sorted, by member."""
    if not paths:
        raise FoldlineError("no predictions to blend; add a model to models in the config")
    files = [open_prediction_file(path, class_names) for path in paths]
    files.sort(key=lambda file: (file.model, file.member, str(file.path)))
    return {model: list(group) for model, group in itertools.groupby(files, lambda file: file.model)}


def _check_files(files: Mapping[str, Sequence[PredictionFile]], *, members: set[Member], title: str) -> dict[str, int]:
    """Refuse models that lack a fold, have one twice or mix views; gives the view count of each."""
    problems = []
    for model, of_model in files.items():
        where = f"{title} of model {model}"
        found = Counter(file.member for file in of_model)
        for what, numbers in (
            ("is missing", members - found.keys()),
            ("is not in the fold table", found.keys() - members),
            ("occurs more than once", {member for member, count in found.items() if count > 1}),
        ):
            if numbers:
                problems.append(f"{where}: {listing([member.title for member in sorted(numbers)])} {what}")
        views = sorted({file.views for file in of_model})
        if len(views) > 1:
            problems.append(f"{where} mix view counts {listing([str(count) for count in views])}")
        if len({file.shared_views for file in of_model}) > 1:
            problems.append(f"{where} mix predictions by all views and by a share of them")
    _raise_problems(problems)
    return {model: of_model[0].views for model, of_model in files.items()}


def _read_rows(
    file: PredictionFile, samples: _Rows, class_names: Sequence[str], where: str, problems: list[str]
) -> tuple[IntArray, npt.NDArray[np.float32]]:
    """Read one file.

    Args:
        file: the file.
        samples: the samples it may have.
        class_names: (n_classes,).
        where: how messages name the file.
        problems: what is wrong with the file is appended here.

    Returns:
        Index of each of its samples, (n_rows,), and their probabilities, (n_rows, n_classes); rows of unknown samples
        are left out.
    """
    ids, values = file.read(class_names)
    expected = samples.of_member(file.member)
    rows = samples.find(ids, expected)
    known = rows >= 0
    if rows is not expected:
        if not known.all():
            problems.append(f"{where}: id {_listed(ids, ~known)} is not in {samples.source}")
        is_expected, is_found = np.zeros((2, len(samples)), bool)
        is_expected[expected], is_found[rows[known]] = True, True
        if (other_fold := is_found & ~is_expected).any():
            problems.append(
                f"{where}: id {samples.listing(np.flatnonzero(other_fold))} predicted by the model of another fold "
                "than in the fold table"
            )
        if (missing := is_expected & ~is_found).any():
            problems.append(
                f"{where}: {counted(missing.sum(), 'missing id')} of {samples.source}: "
                f"{samples.listing(np.flatnonzero(missing))}"
            )
    # NaN is not in the range either.
    invalid = ~((values >= 0) & (values <= 1))
    if invalid.any():
        first, names = str(values[invalid][0]), _listed(ids, np.asarray(invalid.any(axis=1)))
        problems.append(f"{where}: probability {first} of id {names} is not in [0, 1]")
    return rows[known], values[known]


def _listed(ids: pa.Array, mask: npt.NDArray[np.bool_]) -> str:
    return listing(ids.filter(pa.array(mask)).to_pylist())


def _raise_problems(problems: Sequence[str]) -> None:
    if problems:
        raise FoldlineError(f"{listing(problems)}; {RUN_AGAIN}")
