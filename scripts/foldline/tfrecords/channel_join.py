"""Ready-made records of single channels, joined to samples by the id in their names, never by their order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foldline.dataset.channels import CHANNEL, PATH_SEPARATOR, joint_digest
from foldline.errors import FoldlineError, listing
from foldline.tfrecords.record_index import IndexedRecord


@dataclass(frozen=True)
class JoinedRecord:
    """A sample whose channels stand in records of their own.

    Attributes:
        id: the sample's name.
        target: as every record has it; "" in a test split.
        group: as every record has it; the sample's id where there is none.
        metadata: as every record has them.
        places: place of the record of each channel, in the order of the channels.
        sha256: `channels.joint_digest` of the images.
        bytes: size of the images together.
    """

    id: str
    target: str
    group: str
    metadata: tuple[str, ...]
    places: tuple[str, ...]
    sha256: str
    bytes: int

    def place(self, _file: str) -> str:
        """Place in the table of a split."""
        return PATH_SEPARATOR.join(self.places)


@dataclass(frozen=True)
class _Found:
    """A record with its file."""

    file: str
    record: IndexedRecord

    @property
    def where(self) -> str:
        return f"{self.file}, record {self.record.number}, id {self.record.id!r}"


def join_channels(
    files: Mapping[str, Sequence[IndexedRecord]], *, channels: Sequence[str], record_name: str, grouped: bool
) -> dict[str, list[JoinedRecord]]:
    """Put the records of a split together.

    Args:
        files: records of each file by what the table calls it, their ids unique.
        channels: names of the channels that every sample has.
        record_name: how the id of a record is made of {id} and {channel}.
        grouped: whether records have a group of their own.

    Returns:
        Samples by the file of their first channel.

    Raises:
        FoldlineError: the id of a record is made otherwise or of an unknown channel, a sample lacks a channel, or its
            records differ in label, group or metadata.
    """
    forms = {
        channel: re.compile(re.escape(record_name.replace(CHANNEL, channel)).replace(re.escape("{id}"), "(.+)"))
        for channel in channels
    }
    samples: dict[str, dict[str, _Found]] = {}
    for file, records in files.items():
        if PATH_SEPARATOR in file:
            raise FoldlineError(f"{file}: the name of a file of records cannot hold {PATH_SEPARATOR!r}; rename it")
        for record in records:
            found = _Found(file, record)
            matches = ((channel, form.fullmatch(record.id)) for channel, form in forms.items())
            channel, match = next((pair for pair in matches if pair[1]), ("", None))
            if match is None:
                raise FoldlineError(
                    f"{found.where}: the id is not {record_name} (dataset.record_name) with one of the channels "
                    f"{listing(channels, limit=20)}; name the channel in dataset.channels, or leave the record out"
                )
            samples.setdefault(match[1], {})[channel] = found
    joined: dict[str, list[JoinedRecord]] = {}
    for name, sample in samples.items():
        made = _joined(name, sample, channels, record_name, grouped=grouped)
        joined.setdefault(sample[channels[0]].file, []).append(made)
    return joined


def _joined(
    name: str, found: Mapping[str, _Found], channels: Sequence[str], record_name: str, *, grouped: bool
) -> JoinedRecord:
    first = next(iter(found.values()))
    absent = [channel for channel in channels if channel not in found]
    if absent:
        wanted = record_name.replace("{id}", name).replace(CHANNEL, absent[0])
        raise FoldlineError(
            f"{first.where}: its sample has no record of channel {listing(absent, limit=20)} ({wanted!r} is in no "
            "file); fetch the file that lacks it, or leave the sample out"
        )
    facts = _facts(first.record, grouped)
    for other in found.values():
        if _facts(other.record, grouped) != facts:
            raise FoldlineError(
                f"{other.where}: label, group or metadata {_facts(other.record, grouped)} differ from {facts} of "
                f"{first.where}; the records of one sample must agree"
            )
    records = [found[channel] for channel in channels]
    return JoinedRecord(
        id=name,
        target=first.record.target,
        group=first.record.group if grouped else name,
        metadata=first.record.metadata,
        places=tuple(one.record.place(one.file) for one in records),
        sha256=joint_digest([one.record.sha256 for one in records]),
        bytes=sum(one.record.bytes for one in records),
    )


def _facts(record: IndexedRecord, grouped: bool) -> tuple[str, ...]:
    """What the records of one sample have in common."""
    return (record.target, *([record.group] if grouped else []), *record.metadata)
