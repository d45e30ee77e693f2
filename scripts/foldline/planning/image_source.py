"""A split with a table and image files, as planning reads it."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foldline.dataset.channels import CHANNEL, joint_digest
from foldline.dataset.labels import Labels
from foldline.dataset.row_per_class import guessed_form
from foldline.dataset.sample_table import SampleTable, read_sample_table
from foldline.errors import FoldlineError, Problems, listing
from foldline.images.options import ImageOptions
from foldline.io import storage
from foldline.planning.dataset_section import ImageTable, columns_of, is_made_table
from foldline.planning.image_facts import ImageFacts, ImageFiles, header_problem, unusable
from foldline.planning.samples import Samples

# Images without a known header that are looked at again: there are only a few, or the format is not supported.
MOST_HEADERS = 1_000


class ImageSource:
    """A split with a table and image files."""

    def __init__(self, dataset: Mapping[str, Any], split: str, files: ImageTable, images: ImageFiles):
        self.table = files.table
        self._files, self._images, self._channels = files, images, dataset["channels"]
        self._options = ImageOptions(**ImageOptions.settings(dataset))
        columns = columns_of(dataset, split)
        if is_made_table(dataset, split):
            columns = columns.of_made_table()
        self._read: SampleTable = read_sample_table(files.table, columns)
        self.left_out: Mapping[str, int] = self._read.left_out
        if self._channels:
            _check_braces(self._read)

    def label_cells(self) -> dict[str, str]:
        """See `raw_data.Source`."""
        return self._read.label_cells()

    def samples(self, labels: Labels) -> Samples:
        """See `raw_data.Source`."""
        problems, table = Problems(), self._read
        paths = self._files.paths(table.ids, self._channels)
        per_row = max(1, len(self._channels))

        def row_of(number: int) -> str:
            row = number // per_row
            return f"{self.table}, {table.raw.unit} {table.raw.lines[row]}: id {table.ids[row]!r}"

        with problems.collected():
            rows = table.rows(labels)
        with problems.collected():
            facts = self._facts(paths, row_of)
            self._check_headers(facts, paths, row_of)
        if self._channels:
            with problems.collected():
                _check_channel_files(self._images, self._files, set(table.ids), self._channels)
        problems.check()
        if not self._channels:
            return Samples(rows, facts.checksums, facts.sizes, images={**facts.columns, "id": rows.id})
        of_rows = [slice(start, start + per_row) for start in range(0, len(paths), per_row)]
        return Samples(
            rows,
            contents=[joint_digest(facts.checksums[images]) for images in of_rows],
            sizes=[sum(facts.sizes[images]) for images in of_rows],
            images={
                **facts.columns,
                "id": [name for name in rows.id for _ in range(per_row)],
                "channel": [*self._channels] * len(rows),
            },
        )

    def _facts(self, paths: Sequence[str], row_of: Callable[[int], str]) -> ImageFacts:
        try:
            return self._images.facts(paths, row_of=row_of)
        except FoldlineError as error:
            form = guessed_form(self._read.ids)
            found = form and form.split(self._read.ids[0])
            if not form or not found or not storage.is_file(self._files.paths([found[0]], self._channels)[0]):
                raise
            classes = listing(form.classes, limit=30)
            raise FoldlineError(
                f"{error}; the ids look like one row per image and class, as there is an image of {found[0]!r}: set "
                f"dataset.row_per_class to {form.pattern!r}, dataset.labels.kind to multilabel and "
                f"dataset.labels.classes to [{classes}]"
            ) from error

    def _check_headers(self, facts: ImageFacts, paths: Sequence[str], row_of: Callable[[int], str]) -> None:
        """Refuse images on a disk whose headers cannot be used; the scan reports what only their pixels tell."""
        numbers = facts.without_header[:MOST_HEADERS]
        problems = {number: header_problem(paths[number], self._options) for number in numbers}
        wrong = {number: text for number, text in problems.items() if text}
        if wrong:
            raise unusable(wrong, row_of)


def _check_braces(table: SampleTable) -> None:
    """Refuse ids with `{channel}`, in place of which the paths of the inventory have the name of a channel."""
    wrong = [
        (line, f"id {name!r} has {CHANNEL} in it")
        for line, name in zip(table.raw.lines, table.ids, strict=True)
        if CHANNEL in name
    ]
    if wrong:
        raise table.raw.error(wrong, "rename the samples")


def _check_channel_files(images: ImageFiles, files: ImageTable, ids: set[str], channels: Sequence[str]) -> None:
    """Raise an error for files of a sample whose channel is not in the configuration.

    They are recognized if id and channel are in the file name, with a separator between them.
    """
    folder, name = os.path.split(files.pattern)
    form = re.fullmatch(r"([^{]*)\{(id|channel)\}([^{]+)\{(?!\2)(?:id|channel)\}([^{]*)", name)
    if form is None or "{" in folder:
        return
    before, first, between, after = form.groups()
    folder = storage.join(files.root, folder) if folder else files.root
    unknown = []
    for file in images.file_names(folder):
        if not (file.startswith(before) and file.endswith(after)):
            continue
        middle = file[len(before) : len(file) - len(after)]
        # An id may contain the separator; the name of a channel hardly does.
        left, separator, right = middle.rpartition(between) if first == "id" else middle.partition(between)
        sample, channel = (left, right) if first == "id" else (right, left)
        if separator and sample in ids and channel not in channels:
            unknown.append(f"{folder}/{file}")
    if unknown:
        raise FoldlineError(
            f"{listing(unknown, limit=3)}: not one of dataset.channels ({listing(channels, limit=20)}); add the "
            "channel there (models.NAME.channels chooses the channels that a model reads), or remove the file"
        )
