"""Join ready-made records of single channels to samples, by the id in their names and never by their order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foldline.dataset.channels import CHANNEL, PATH_SEPARATOR, joint_digest
from foldline.errors import FoldlineError, Problems, first_place, listing
from foldline.tfrecords.record_index import IndexedRecord


@dataclass(frozen=True)
class JoinedRecord:
    """A sample with one record for each channel.

    Attributes:
        id: the sample's name.
        target: label code of every record; "" in a test split.
        group: group of every record; the sample's id if there is none.
        metadata: metadata of every record.
        locations: location of the record of each channel, in the order of the channels.
        sha256: `channels.joint_digest` of the images.
        bytes: total size of the images.
    """

    id: str
    target: str
    group: str
    metadata: tuple[str, ...]
    locations: tuple[str, ...]
    sha256: str
    bytes: int

    def location(self, _file: str) -> str:
        """Path column of the table of a split."""
        return PATH_SEPARATOR.join(self.locations)


@dataclass(frozen=True)
class _RecordInFile:
    file: str
    record: IndexedRecord

    @property
    def where(self) -> str:
        """Name of the record in an error message."""
        return f"{self.file}, record {self.record.number}, id {self.record.id!r}"


def join_channels(
    files: Mapping[str, Sequence[IndexedRecord]], *, channels: Sequence[str], record_name: str, grouped: bool
) -> dict[str, list[JoinedRecord]]:
    """Join the records of a split.

    Args:
        files: records by the name of their file in the table; ids must be unique.
        channels: names of the channels that every sample has.
        record_name: form of the id of a record, with `{id}` and `{channel}`.
        grouped: whether records have a group of their own.

    Returns:
        Samples by the file of their first channel.

    Raises:
        FoldlineError: the id of a record has another form or an unknown channel, a sample lacks a channel, or its
            records differ in label, group or metadata.
    """
    forms = {
        channel: re.compile(re.escape(record_name.replace(CHANNEL, channel)).replace(re.escape("{id}"), "(.+)"))
        for channel in channels
    }
    samples: dict[str, dict[str, _RecordInFile]] = {}
    wrong = []
    for file, records in files.items():
        if PATH_SEPARATOR in file:
            raise FoldlineError(
                f"{file}: the name of a TFRecord file must not contain {PATH_SEPARATOR!r}; rename the file"
            )
        for record in records:
            entry = _RecordInFile(file, record)
            matches = ((channel, form.fullmatch(record.id)) for channel, form in forms.items())
            channel, match = next((pair for pair in matches if pair[1]), ("", None))
            if match is None:
                wrong.append(entry.where)
            else:
                samples.setdefault(match[1], {})[channel] = entry
    problems = Problems()
    with problems.collected():
        if wrong:
            raise FoldlineError(
                f"{first_place(wrong, 'record')}: the id does not have the form {record_name} (dataset.record_name) "
                f"with one of the channels {listing(channels, limit=20)}; add the channel to dataset.channels, or "
                "remove the record"
            )
    joined: dict[str, list[JoinedRecord]] = {}
    for name, sample in samples.items():
        with problems.collected():
            record_of_sample = _join(name, sample, channels, record_name, grouped=grouped)
            joined.setdefault(sample[channels[0]].file, []).append(record_of_sample)
    problems.check()
    return joined


def _join(
    name: str, entries: Mapping[str, _RecordInFile], channels: Sequence[str], record_name: str, *, grouped: bool
) -> JoinedRecord:
    first = next(iter(entries.values()))
    absent = [channel for channel in channels if channel not in entries]
    if absent:
        wanted = record_name.replace("{id}", name).replace(CHANNEL, absent[0])
        raise FoldlineError(
            f"{first.where}: its sample has no record of channel {listing(absent, limit=20)} ({wanted!r} is in no "
            "file); download the missing file, or remove the sample"
        )
    shared = _shared_values(first.record, grouped)
    for other in entries.values():
        values = _shared_values(other.record, grouped)
        if values != shared:
            raise FoldlineError(
                f"{other.where}: label, group or metadata {values} differ from {shared} of {first.where}; the records "
                "of one sample must agree"
            )
    ordered = [entries[channel] for channel in channels]
    return JoinedRecord(
        id=name,
        target=first.record.target,
        group=first.record.group if grouped else name,
        metadata=first.record.metadata,
        locations=tuple(entry.record.location(entry.file) for entry in ordered),
        sha256=joint_digest([entry.record.sha256 for entry in ordered]),
        bytes=sum(entry.record.bytes for entry in ordered),
    )


def _shared_values(record: IndexedRecord, grouped: bool) -> tuple[str, ...]:
    """Values that all records of a sample must have in common."""
    return (record.target, *([record.group] if grouped else []), *record.metadata)
