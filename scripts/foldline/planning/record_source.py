"""A split of ready-made TFRecord files, as planning reads it.

The files are read once, recognized by their version afterwards, and listed in a table like that of image files.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from foldline.dataset.labels import Labels
from foldline.dataset.sample_table import RowColumns, read_sample_table
from foldline.errors import FoldlineError, Problems, listing
from foldline.images.options import ImageOptions
from foldline.io import storage
from foldline.planning.dataset_section import (
    KNOWN_LABELS,
    POSITION,
    columns_of,
    group_columns,
    has_own_labels,
    record_patterns,
    source_of,
)
from foldline.planning.dataset_splits import TEST, TRAIN, key_of
from foldline.planning.index_table import joined
from foldline.planning.raw_files import RawFiles, record_columns
from foldline.planning.samples import Samples

if TYPE_CHECKING:
    from foldline.tfrecords.channel_join import JoinedRecord
    from foldline.tfrecords.record_index import IndexedRecord


class RecordSource:
    """A split of TFRecord files, by the ids of its samples; `samples` writes its table if it changed."""

    def __init__(self, dataset: Mapping[str, Any], split: str, record_tables: str, files: RawFiles):
        # Imported here: without TFRecord files Snakemake's Python needs none of these packages, and starts faster.
        try:
            from foldline.tfrecords.record_features import RecordNames
            from foldline.tfrecords.record_tables import check_split, without_left_out
        except ImportError as error:
            raise FoldlineError(
                f"{key_of(split, 'records')}: the Python that runs Snakemake needs google-crc32c and pillow to read "
                f"TFRecord files ({error}); install both in the environment of Snakemake"
            ) from error
        self._source = source_of(dataset, split)
        self.table = storage.join(record_tables, f"{split}.csv")
        self.locations: str | None = self.table
        self._dataset, self._columns = dataset, columns_of(dataset, split)
        # The known labels of the test rows are in the same records; see `known_labels`.
        with_labels = split == TEST and has_own_labels(dataset)
        self._known_labels = storage.join(record_tables, KNOWN_LABELS) if with_labels else None
        read = columns_of(dataset, TRAIN) if with_labels else self._columns
        read = replace(self._columns, target=read.target, labels=read.labels, target_columns=read.target_columns)
        if split != TEST:
            # The made table has weights and further groups beside the metadata.
            more = [*filter(None, [dataset["weight_column"]]), *group_columns(dataset)[1:]]
            read = replace(read, metadata=tuple(dict.fromkeys([*read.metadata, *more])))
        names = RecordNames(
            **vars(read),
            image=dataset["image_feature"],
            features=dataset["record_features"],
            ids_root=dataset["root"] if dataset["record_ids"] == POSITION else None,
            reading=ImageOptions(**ImageOptions.settings(dataset)),
        )
        self._names: RecordNames = names
        self._problems = Problems()
        paths = _record_files(dataset, split, self._problems)
        indexed = files.index_records(paths, names)
        self._problems.add(indexed.problems)
        self._indexed = indexed.files
        self._records: Mapping[str, Sequence[IndexedRecord]]
        self._records = {path: file.records for path, file in indexed.files.items()}
        self.left_out: Mapping[str, int] = {}
        self.spellings: Mapping[str, str] = {}
        with self._problems.collected():
            self._records, self.left_out = without_left_out(self._records, names)
        with self._problems.collected():
            check_split(self._records)
        self.n_rows = sum(map(len, self._records.values()))
        # Records with problems are not counted.
        self.most_groups = None if self._problems else self.n_rows
        self.unranged: Sequence[str] = ()
        # Ids of the records of channels are no ids of samples.
        self._files = {} if dataset["channels"] else _files_of(self._records)

    @property
    def ids(self) -> Sequence[str]:
        """See `raw_data.Source`."""
        return list(self._files)

    def place(self, name: str) -> str:
        """See `raw_data.Source`."""
        return f"{storage.join(self._dataset['root'], self._files[name])} ({self._source})"

    def check(self) -> None:
        """See `raw_data.Source`."""
        self._problems.check()

    def unlabeled(self) -> RowColumns | None:
        """See `raw_data.Source`."""
        return None

    def label_cells(self) -> dict[str, str]:
        """See `raw_data.Source`."""
        from foldline.tfrecords.record_tables import label_cells

        return label_cells(self._records, self._names)

    def label_counts(self) -> Mapping[str, int]:
        """See `raw_data.Source`; records of channels are counted one by one."""
        cells = self.label_cells()
        texts = (record.target for content in self._records.values() for record in content)
        return Counter(text for text in texts if text in cells)

    def samples(self, labels: Labels) -> Samples:
        """See `raw_data.Source`."""
        from foldline.tfrecords.record_tables import with_codes, write_split_table

        problems = Problems()
        with problems.collected():
            self.check()
        records: Mapping[str, Sequence[IndexedRecord | JoinedRecord]] = {}
        with problems.collected():
            coded = with_codes(self._records, self._names, labels)
            # Of a sample whose record has a problem, one would be missing.
            if not problems:
                records = self._joined(coded)
        problems.check()
        names = replace(self._names, labels=labels)
        if self._known_labels:
            write_split_table(self._known_labels, records, replace(names, group=None, metadata=()))
        write_split_table(self.table, records, replace(names, target=self._columns.target))
        record_of = {record.id: (record, file) for file, content in records.items() for record in content}
        # Rows come from the table, because the steps read it too.
        columns = replace(self._columns.of_made_table(self._source), labels=labels)
        table = read_sample_table(self.table, columns)
        rows = table.rows(labels)
        found = [record_of[name] for name in rows.id]
        self._files = {name: file for name, (_, file) in zip(rows.id, found, strict=True)}
        return Samples(
            rows,
            contents=[record.sha256 for record, _ in found],
            sizes=[record.bytes for record, _ in found],
            files=[file for _, file in found],
            images=self._images(records),
        )

    def _joined(
        self, coded: "Mapping[str, Sequence[IndexedRecord]]"
    ) -> "Mapping[str, Sequence[IndexedRecord | JoinedRecord]]":
        """Samples by the name of their file under the root of the data set, from their records with label codes."""
        from foldline.tfrecords.channel_join import join_channels

        dataset = self._dataset
        in_files = {storage.relative(dataset["root"], file): content for file, content in coded.items()}
        if not dataset["channels"]:
            return in_files
        return join_channels(
            in_files,
            channels=dataset["channels"],
            record_name=dataset["record_name"],
            grouped=self._columns.group is not None,
        )

    def _images(self, records: "Mapping[str, Sequence[IndexedRecord | JoinedRecord]]") -> Mapping[str, Sequence[Any]]:
        """See `samples.Samples`."""
        from foldline.tfrecords.record_index import IndexedRecord

        images = joined([record_columns(path, file) for path, file in self._indexed.items()])
        channels = self._dataset["channels"]
        if not channels:
            return images
        sample_of = {
            location: (sample.id, channel)
            for content in records.values()
            for sample in content
            if not isinstance(sample, IndexedRecord)
            for location, channel in zip(sample.locations, channels, strict=True)
        }
        root, no_sample = self._dataset["root"], ("", None)
        # A file is known by all of its records, with or without a row.
        found = [
            sample_of.get(record.location(storage.relative(root, path)), no_sample)
            for path, file in self._indexed.items()
            for record in file.records
        ]
        return {**images, "id": [name for name, _ in found], "channel": [channel for _, channel in found]}


def _files_of(records: "Mapping[str, Sequence[IndexedRecord]]") -> dict[str, str]:
    """File of each record by its id."""
    return {record.id: file for file, content in records.items() for record in content}


def _record_files(dataset: Mapping[str, Any], split: str, problems: Problems) -> list[str]:
    """Paths or URLs of the TFRecord files of a split, sorted; a pattern without files is a problem."""
    files: set[str] = set()
    unmatched = []
    for pattern in record_patterns(dataset, split) or []:
        matches = storage.find_files(dataset["root"], pattern)
        unmatched += [] if matches else [storage.join(dataset["root"], pattern)]
        files.update(matches)
    if unmatched:
        problems.add(
            [f"{key_of(split, 'records')}: no file matches {listing(unmatched)}; correct the pattern or dataset.root"]
        )
    return sorted(files)
