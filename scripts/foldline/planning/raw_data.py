"""The raw tables and images as the process that builds the DAG reads them: rows, content digests, sizes.

Ready-made TFRecord files are read once, recognized by their version afterwards, and listed in a table like that of
image files. Jobs do not use this module.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from foldline.dataset.class_words import ClassWords
from foldline.dataset.label_reading import resolve_together
from foldline.dataset.labels import AUTO, BINARY_LABELS, Labels
from foldline.dataset.sample_table import RowColumns
from foldline.errors import Problems
from foldline.io import storage
from foldline.io.garbage import garbage_search_paused
from foldline.planning.data_root import check_root
from foldline.planning.dataset_checks import dataset_checks
from foldline.planning.dataset_section import image_table, is_made_table, labels_of, reads_labels, without_labels
from foldline.planning.dataset_splits import TEST, TRAIN, external_sets, has_test, labeled_splits, splits_of
from foldline.planning.found_words import (
    CLASSES,
    VOCABULARIES,
    found_classes,
    found_vocabularies,
    needs_classes,
    with_found_words,
)
from foldline.planning.image_files import BucketListings
from foldline.planning.image_source import ImageSource
from foldline.planning.pinned_table import example_is_written, pinned_splits
from foldline.planning.raw_files import RawFiles
from foldline.planning.record_source import RecordSource
from foldline.planning.row_weights import digest_of_weights
from foldline.planning.sample_submission import class_words_of, read_sample_submission, write_sample_submission
from foldline.planning.samples import Samples
from foldline.planning.split_overlap import SplitIds, check_ids_of_splits, check_record_files

RECORD_TABLES = "results/raw"


@dataclass(frozen=True)
class RawData:
    """The data set.

    Attributes:
        splits: samples of "train", "test" and each external set, in the order of the tables.
        submission: everything that the submission takes from the sample submission, in one list of texts; empty, as
            `sample_submission` is, if there is no test split.
        written: False while the example still has to be written.
        tables: the table of each split that the steps read: the user's own, or the one made from TFRecord files.
        sample_submission: the sample submission: the user's own, or the one made from the test rows.
        labels: `dataset.labels` with the reading that fits the label cells of all labeled rows.
        class_words: how the submission writes predicted classes; None if it has probabilities.
        found: words that the configuration does not name, see `found_words.with_found_words`, and what `check` found.
        left_out: of each external set, the number of rows that are left out by each word.
        locations: table of the location of the images of each split where it does not follow from their ids.
        weights: digest of the weights of rows; "" if every row has the weight 1.
        n_rows: number of rows of each split that could be read, at most: records of channels are counted one by one.
        most_groups: number of groups of the training rows, at most; None if some could not be read.
        unranged: problems of images of which no sample is known to be white, see `Source`.
        unlabeled: rows of the tables of the user that have no samples because of some problem, without their labels.
        links: what connects groups of training rows by several columns, in words; "" if there are enough groups.
        held_out: training rows of the holdout, if `splits` has the others alone; None if it has all.
    """

    splits: dict[str, Samples]
    submission: list[str]
    written: bool
    tables: dict[str, str] = field(default_factory=dict)
    sample_submission: str = ""
    labels: Labels = BINARY_LABELS
    class_words: ClassWords | None = None
    found: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    locations: dict[str, str] = field(default_factory=dict)
    weights: str = ""
    n_rows: dict[str, int] = field(default_factory=dict)
    most_groups: int | None = None
    unlabeled: dict[str, RowColumns] = field(default_factory=dict)
    unranged: list[str] = field(default_factory=list)
    links: str = ""
    held_out: Samples | None = None

    @property
    def labels_are_read(self) -> bool:
        """Whether it is known what the label cells hold."""
        if not self.labels.kind:
            return False
        return not self.labels.lists_classes or AUTO not in (self.labels.cells, self.labels.first_number)

    @property
    def label_cells(self) -> dict[str, Any]:
        """`cells` and `first_number` of `labels`; empty for binary and soft labels."""
        labels = self.labels
        return {"cells": labels.cells, "first_number": labels.first_number} if labels.lists_classes else {}


class Source(Protocol):
    """The tables of a split, read and checked; the labels are still the texts of their cells.

    Attributes:
        table: the table that the steps read.
        left_out, spellings: see `sample_table.SampleTable`.
        locations: see `RawData`.
        n_rows: number of rows.
        most_groups: number of groups, at most; some may still be missing. None if rows may still be missing.
        unranged: problems of images of which no sample is known to be white, for which the configuration lacks
            `dataset.intensity`; found with the samples. They are no error yet, as a measurement finds what to set.
    """

    table: str
    left_out: Mapping[str, int]
    spellings: Mapping[str, str]
    locations: str | None
    n_rows: int
    most_groups: int | None
    unranged: Sequence[str]

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the samples, (n_rows,)."""
        ...

    def place(self, name: str) -> str:
        """Where the user finds an id, as the start of a message."""
        ...

    def check(self) -> None:
        """Raise an error for all problems but those of labels, which cannot be read yet."""
        ...

    def unlabeled(self) -> RowColumns | None:
        """The rows without labels, whatever other problems they have; None if they come from TFRecords."""
        ...

    def label_cells(self) -> dict[str, str]:
        """Every label that is not missing, with the place where it occurs first."""
        ...

    def label_counts(self) -> Mapping[str, int]:
        """Number of rows of each text of `label_cells`."""
        ...

    def samples(self, labels: Labels) -> Samples:
        """The samples, in the order of the table, with label codes."""
        ...


def read_raw_data(
    dataset: Mapping[str, Any],
    *,
    files: RawFiles | None = None,
    pinned: Path | None = None,
    record_tables: str = RECORD_TABLES,
    check: Callable[[RawData], Mapping[str, Any]] = lambda data: {},
) -> RawData:
    """Read and check the tables, and what is not known yet of image files and TFRecord files.

    Args:
        dataset: the `dataset` section of the configuration.
        files: the files that are known; those that are read are added.
        pinned: table of the rows and digests of the example, used while the example is not completely on disk; None
            for the user's own data.
        record_tables: folder or URL of the tables that are made from TFRecord files.
        check: raises an error for rows that cannot be used; it gets the splits that could be read, and returns what
            it found besides, for `RawData.found`.

    Raises:
        FoldlineError: names all problems: a table is missing or wrong, an image is missing, a TFRecord file cannot be
            used, an id is in two splits, the sample submission does not match the test table, or `check` found some.
    """
    if pinned is not None and not example_is_written(dataset, pinned):
        data = _pinned_data(dataset, pinned)
        data = replace(data, found=_vocabularies(dataset, data.splits))
        return replace(data, found={**data.found, **check(data)})
    with garbage_search_paused():
        return _read_tables(dataset, files or RawFiles(), record_tables, check)


def _read_tables(
    dataset: Mapping[str, Any], files: RawFiles, record_tables: str, check: Callable[[RawData], Mapping[str, Any]]
) -> RawData:
    # All that could be reported besides would follow from it.
    check_root(dataset)
    check_record_files(dataset)
    problems = Problems()
    sources = _sources(dataset, files, record_tables, problems)
    labels, found = None, dict[str, Any]()
    with problems.collected():
        found = _classes(dataset, sources, problems)
        dataset = with_found_words(dataset, found)
        labels = _with_reading(dataset, sources)
    splits = _samples(dataset, sources, labels, problems)
    with problems.collected():
        check_ids_of_splits(_ids_of(sources, splits))
    if needs_classes(dataset):
        dataset = without_labels(dataset)
    tables = {split: source.table for split, source in sources.items()}
    data = RawData(
        splits,
        [],
        True,
        tables,
        labels=labels or labels_of(dataset),
        left_out={split: dict(source.left_out) for split, source in sources.items() if source.left_out},
        locations={split: source.locations for split, source in sources.items() if source.locations},
        n_rows={
            split: len(splits[split]) if split in splits else source.n_rows
            for split, source in sources.items()
            if source.most_groups is not None
        },
        most_groups=sources[TRAIN].most_groups if TRAIN in sources else None,
        unlabeled={
            split: rows
            for split, source in sources.items()
            if split not in splits and (rows := source.unlabeled()) is not None
        },
    )
    with problems.collected():
        data = replace(data, found={**found, **_vocabularies(dataset, splits)})
        data = replace(data, found={**data.found, **check(data)})
    with problems.collected():
        # A made table is written with the samples.
        written = {
            split: path for split, path in tables.items() if split in splits or not is_made_table(dataset, split)
        }
        data = replace(data, weights=digest_of_weights(dataset, written, splits))
    if has_test(dataset) and reads_labels(dataset):
        with problems.collected():
            data = _with_submission(data, dataset, record_tables, sources.get(TEST), is_read=bool(labels))
    unranged = [problem for source in sources.values() for problem in source.unranged]
    if problems:
        problems.add(unranged)
    problems.check()
    return replace(data, unranged=unranged)


def _samples(
    dataset: Mapping[str, Any], sources: Mapping[str, Source], labels: Labels | None, problems: Problems
) -> dict[str, Samples]:
    """The samples of the splits without a problem; of the others all problems that can be found."""
    splits: dict[str, Samples] = {}
    for split, source in sources.items():
        with problems.collected():
            # Rows of the test split have no labels to read.
            if labels is not None or split == TEST:
                splits[split] = source.samples(labels or labels_of(dataset))
            else:
                source.check()
    return splits


def _ids_of(sources: Mapping[str, Source], splits: Mapping[str, Samples]) -> dict[str, SplitIds]:
    return {
        split: SplitIds(source.ids, splits[split].contents if split in splits else None, source.place)
        for split, source in sources.items()
    }


def _classes(dataset: Mapping[str, Any], sources: Mapping[str, Source], problems: Problems) -> dict[str, Any]:
    """The classes of the training rows, if the configuration names none, as `RawData.found`; external rows add none.

    Raises:
        FoldlineError: the labels are no classes, or the configuration does not fit to them.
    """
    if not needs_classes(dataset) or TRAIN not in sources:
        return {}
    train = sources[TRAIN]
    if not train.label_cells():
        # Other problems may be the reason.
        train.check()
    found = {CLASSES: found_classes(dataset, train.label_cells(), rows=train.label_counts(), n_rows=train.n_rows)}
    problems.add(problem for check in dataset_checks(with_found_words(dataset, found)) for problem in check)
    return found


def _vocabularies(dataset: Mapping[str, Any], splits: Mapping[str, Samples]) -> dict[str, Any]:
    """The vocabularies that the configuration does not name, as `RawData.found`."""
    labeled = [samples for split, samples in splits.items() if split != TEST]
    vocabularies = found_vocabularies(dataset, labeled) if labeled else {}
    return {VOCABULARIES: vocabularies} if vocabularies else {}


def _sources(dataset: Mapping[str, Any], files: RawFiles, record_tables: str, problems: Problems) -> dict[str, Source]:
    """The splits whose tables or records can be read."""
    listings = BucketListings()
    sources: dict[str, Source] = {}
    for split in splits_of(dataset):
        with problems.collected():
            split_files = image_table(dataset, split)
            if split_files is None:
                sources[split] = RecordSource(dataset, split, record_tables, files)
                continue
            images = listings if split_files.is_remote else files.images
            sources[split] = ImageSource(dataset, split, split_files, images, made=record_tables)
    return sources


def _with_reading(dataset: Mapping[str, Any], sources: Mapping[str, Source]) -> Labels | None:
    """One reading for all rows: a table with some of the classes can leave open what its numbers mean.

    None if it cannot be found without the training rows, or without the classes.
    """
    labels = labels_of(dataset)
    if not reads_labels(dataset) or needs_classes(dataset) or (TRAIN not in sources and labels.lists_classes):
        return None
    tables = {split: sources[split].label_cells() for split in labeled_splits(dataset) if split in sources}
    tables = {split: cells for split, cells in tables.items() if cells}
    sets = [split if split in external_sets(dataset) else "" for split in tables]
    return resolve_together(labels, list(tables.values()), sets)


def _with_submission(
    data: RawData, dataset: Mapping[str, Any], record_tables: str, test: Source | None, *, is_read: bool
) -> RawData:
    """The data with what the sample submission says, which is written if the user has none.

    Args:
        data: the data.
        dataset: the section of the configuration.
        record_tables: folder or URL of the tables that Foldline makes.
        test: the test rows, also if they have other problems; None if they are unknown.
        is_read: whether the reading of the labels is known.
    """
    if dataset["sample_submission"] is None:
        if TEST not in data.splits:
            return data
        path = storage.join(record_tables, "sample_submission.csv")
        spellings = test.spellings if test else {}
        write_sample_submission(path, dataset, [spellings.get(name, name) for name in data.splits[TEST].rows.id])
    else:
        path = storage.join(dataset["root"], dataset["sample_submission"])
    sample = read_sample_submission(path, dataset, test.ids if test else [])
    words = class_words_of(sample, dataset, data.labels) if is_read else None
    return replace(data, submission=sample.facts(), sample_submission=path, class_words=words)


def _pinned_data(dataset: Mapping[str, Any], pinned: Path) -> RawData:
    """The example before it is written, from the table of its rows and digests."""
    columns = pinned_splits(dataset, pinned)
    tables = {split: storage.join(dataset["root"], dataset[f"{split}_table"]) for split in columns}
    submission = [dataset["id_column"], dataset["target_column"], *columns[TEST].rows.id]
    sample = storage.join(dataset["root"], dataset["sample_submission"])
    return RawData(columns, submission, False, tables, sample_submission=sample)
