"""A split with a table and image files, as planning reads it."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foldline.dataset.channels import CHANNEL, joint_digest
from foldline.dataset.labels import Labels
from foldline.dataset.locations import write_locations
from foldline.dataset.row_per_class import guessed_form
from foldline.dataset.sample_ids import id_problem
from foldline.dataset.sample_table import RowColumns, SampleTable, open_sample_table
from foldline.errors import FoldlineError, Problems, SeveralProblemsError, listing, problems_error
from foldline.images.options import ImageOptions
from foldline.io import storage
from foldline.io.hdf5_paths import located
from foldline.planning.dataset_section import ImageTable, columns_of, reading_of, source_of
from foldline.planning.dataset_splits import key_of
from foldline.planning.image_content import header_problem
from foldline.planning.image_errors import missing_decoder, unranged_images, unusable, unusable_headers
from foldline.planning.image_facts import ImageFacts
from foldline.planning.image_files import ImageFiles
from foldline.planning.image_search import ImageSearch, Values, has_channel, search_rows
from foldline.planning.listed_images import ImageLister
from foldline.planning.samples import Samples
from foldline.planning.unlisted_channels import check_channel_files


class ImageSource:
    """A split with image files, and a table of the user or one that is made from the names of the files.

    Attributes:
        table: path or URL of the table.
        locations: path or URL of a table with the location of the images; None if it follows from their ids.
    """

    def __init__(self, dataset: Mapping[str, Any], split: str, files: ImageTable, images: ImageFiles, *, made: str):
        """Read the table.

        Args:
            dataset: the section of the configuration.
            split: the split.
            files: its table and images.
            images: reads images.
            made: folder or URL of the tables that Foldline makes.

        Raises:
            FoldlineError: the table is wrong, or no file matches.
        """
        self.table, self.locations = files.table, None
        self._files, self._images = files, images
        self.unranged: Sequence[str] = ()
        # Of which each has a file.
        self._channels = dataset["channels"] if has_channel(files.patterns) else []
        self._any_suffix = ""
        if files.table and len(files.patterns) == 1 and not files.patterns[0].is_in_hdf5:
            self._any_suffix = (
                f"set {key_of(split, 'images')} to {files.patterns[0].with_any_suffix!r}, where .* is any suffix"
            )
        self._options = ImageOptions(**reading_of(dataset, split))
        self._ignored = dataset["ignore"]
        self._listed: dict[str, list[str]] | None = None
        self._found: list[list[str]] | None = None
        self._problems = Problems()
        columns = columns_of(dataset, split)
        if not files.table:
            self.table = self.locations = storage.join(made, f"{split}.csv")
            self._listed = ImageLister(dataset, split, files, images).write_table(self.table, self._problems)
            columns = columns.of_made_table(source_of(dataset, split))
        elif not files.is_plain:
            self.locations = storage.join(made, f"{split}_images.csv")
        self._read: SampleTable = open_sample_table(self.table, columns)
        self.left_out: Mapping[str, int] = self._read.left_out
        self.ids, self.n_rows = self._read.ids, len(self._read.ids)
        self.spellings: Mapping[str, str] = self._read.spellings
        # Files without a class are not listed.
        self.most_groups = None if self._problems and self._listed is not None else self._read.most_groups
        with self._problems.collected():
            self._read.problems.check()
        if self._channels:
            with self._problems.collected():
                _check_braces(self._read)

    def place(self, name: str) -> str:
        """See `raw_data.Source`."""
        row = list(self.ids).index(name)
        if self._listed is not None:
            return storage.join(self._files.root, self._listed[name][0])
        return self._read.place(row)

    def check(self) -> None:
        """See `raw_data.Source`."""
        problems = Problems()
        with problems.collected():
            self._problems.check()
        with problems.collected():
            self._image_facts()
        problems.check()

    def unlabeled(self) -> RowColumns | None:
        """See `raw_data.Source`."""
        return self._read.unlabeled()

    def label_cells(self) -> dict[str, str]:
        """See `raw_data.Source`."""
        return self._read.label_cells()

    def label_counts(self) -> Mapping[str, int]:
        """See `raw_data.Source`."""
        return self._read.label_counts()

    def samples(self, labels: Labels) -> Samples:
        """See `raw_data.Source`."""
        problems, table = Problems(), self._read
        with problems.collected():
            self._problems.check()
        with problems.collected():
            rows = table.rows(labels)
        with problems.collected():
            facts = self._image_facts()
        problems.check()
        self._write_locations(facts)
        per_row = max(1, len(self._channels))
        needed = facts.image_mb(self._options, per_row)
        if per_row == 1:
            images = {**facts.columns, "id": rows.id}
            return Samples(rows, facts.checksums, facts.sizes, image_mb=needed, images=images)
        of_rows = [slice(start, start + per_row) for start in range(0, len(facts.checksums), per_row)]
        return Samples(
            rows,
            contents=[joint_digest(facts.checksums[images]) for images in of_rows],
            sizes=[sum(facts.sizes[images]) for images in of_rows],
            image_mb=needed,
            images={
                **facts.columns,
                "id": [name for name in rows.id for _ in range(per_row)],
                "channel": [*self._channels] * len(rows),
            },
        )

    def _image_facts(self) -> ImageFacts:
        """Facts of all images, those of a row together.

        Raises:
            FoldlineError: names all problems of images.
        """
        problems, table = Problems(), self._read
        paths, wrong = self._paths()
        per_row = max(1, len(self._channels))
        if table.problems:
            wrong |= {row: "" for row, name in enumerate(table.ids) if id_problem(name, "")}
        numbers: Sequence[int] = range(len(paths))
        if wrong:
            numbers = [number for number in numbers if number // per_row not in wrong]
            paths = [paths[number] for number in numbers]
        told = {row: text for row, text in wrong.items() if text}
        if told:
            with problems.collected():
                raise unusable(told, self._row)
        facts = None
        with problems.collected():
            facts = self._checked_facts(paths, lambda number: self._row(numbers[number] // per_row))
        if self._channels and self._listed is None:
            with problems.collected():
                check_channel_files(self._images, self._files, self._search_rows(), self._channels, self._ignored)
        problems.check()
        assert facts is not None
        return facts

    def _row(self, row: int) -> str:
        """What an error calls a row."""
        place = self._read.place(row)
        return place if self._listed is not None else f"{place}: id {self._read.ids[row]!r}"

    def _checked_facts(self, paths: Sequence[str], row_of: Callable[[int], str]) -> ImageFacts:
        """Facts of all images; if some cannot be read, the headers of the others are checked all the same."""
        try:
            facts = self._facts(paths, row_of)
        except FoldlineError as error:
            raise problems_error([str(error), *self._problems_of_readable(paths, row_of)]) from error
        self._check_facts(facts, paths, row_of, range(len(paths)))
        return facts

    def _check_facts(
        self, facts: ImageFacts, paths: Sequence[str], row_of: Callable[[int], str], numbers: Sequence[int]
    ) -> None:
        """Check the headers of some images, and those of the channels of a row together.

        Args:
            facts: of these images.
            paths: (n_images,), theirs.
            row_of: see `image_files.ImageFiles.facts`, of these images.
            numbers: (n_images,), their numbers among all images.
        """
        problems = Problems()
        with problems.collected():
            self._check_headers(facts, paths, row_of)
        if self._channels:
            wrong = facts.wrong_channels(paths, [number // len(self._channels) for number in numbers])
            texts = {number: f"image {paths[number]} cannot be used: {text}" for number, text in sorted(wrong.items())}
            with problems.collected():
                if texts:
                    raise unusable_headers(texts, row_of)
        problems.check()

    def _problems_of_readable(self, paths: Sequence[str], row_of: Callable[[int], str]) -> list[str]:
        """Problems of the headers of those images on a disk that can be read."""
        # Unlike `Path.is_file`, False for a path that is too long as well.
        numbers = [n for n, path in enumerate(paths) if not storage.is_url(path) and os.path.isfile(path)]  # noqa: PTH113
        readable = [paths[number] for number in numbers]
        if not readable:
            return []
        try:
            facts = self._images.facts(readable, row_of=str, options=self._options)
        except FoldlineError:
            # Reported already.
            return []
        try:
            self._check_facts(facts, readable, lambda number: row_of(numbers[number]), numbers)
        except SeveralProblemsError as error:
            return error.problems
        except FoldlineError as error:
            return [str(error)]
        return []

    def _facts(self, paths: Sequence[str], row_of: Callable[[int], str]) -> ImageFacts:
        try:
            return self._images.facts(paths, row_of=row_of, options=self._options, any_suffix=self._any_suffix)
        except FoldlineError as error:
            form = guessed_form(self._read.ids)
            found = form and form.split(self._read.ids[0])
            if not form or not found or not self._files.is_plain:
                raise
            if not storage.is_file(self._files.paths([found[0]], self._channels)[0]):
                raise
            classes = listing(form.classes, limit=30)
            raise FoldlineError(
                f"{error}; the ids look like one row per image and class, as there is an image of {found[0]!r}: set "
                f"dataset.row_per_class to {form.pattern!r}, dataset.labels.kind to multilabel and "
                f"dataset.labels.classes to [{classes}]"
            ) from error

    def _paths(self) -> tuple[list[str], dict[int, str]]:
        """Paths or URLs of the images, those of a row together, and what is wrong with rows without them, by number."""
        table, root, wrong = self._read, self._files.root, dict[int, str]()
        if self._files.is_plain:
            return self._files.paths(table.ids, self._channels), wrong
        if self._listed is not None:
            found = [self._listed[name] for name in table.ids]
        else:
            search = ImageSearch(self._files, self._images, ignored=self._ignored)
            found, wrong = search.paths(self._search_rows(), self._channels)
            self._found = found
            absent = [""] * max(1, len(self._channels))
            found = [absent if row in wrong else paths for row, paths in enumerate(found)]
        return [storage.join(root, path) for paths in found for path in paths], wrong

    def _search_rows(self) -> list[Values]:
        columns = {name: self._read.raw.columns[name] for name in self._read.columns.of_paths}
        return search_rows(columns, self._read.ids)

    def _write_locations(self, facts: ImageFacts) -> None:
        """Write the table of locations, if images had to be searched."""
        if self._found is None:
            return
        places = iter(facts.places)
        locations = [[located(path, next(places)) for path in paths] for paths in self._found]
        write_locations(str(self.locations), self._read.ids, locations)

    def _check_headers(self, facts: ImageFacts, paths: Sequence[str], row_of: Callable[[int], str]) -> None:
        """Refuse files that are too large, also in a bucket, which the scan would read whole, and unusable headers."""
        wrong: dict[int, str] = {}
        if max(facts.sizes, default=0) > self._options.max_bytes:
            large = {number: self._options.size_problem(size) for number, size in enumerate(facts.sizes)}
            wrong = {number: f"image {paths[number]} cannot be used: {text}" for number, text in large.items() if text}
        # Of those that were known before, without a header, nearly all are too large for it.
        numbers = [number for number in facts.without_header if number not in {*wrong, *facts.problems}]
        places = facts.places if numbers else ()
        problems = {number: header_problem(paths[number], places[number], self._options) for number in numbers}
        problems |= {number: f"image {paths[number]} cannot be used: {text}" for number, text in facts.problems.items()}
        wrong |= {number: text for number, text in sorted(problems.items()) if text and number not in wrong}
        if self._options.white is None:
            self.unranged = list(unranged_images(facts.unranged(), paths, row_of))
        problem = missing_decoder(facts.of_format("HEIC"), paths, row_of)
        errors = Problems()
        with errors.collected():
            if wrong:
                raise unusable_headers(wrong, row_of)
        errors.add(problem)
        errors.check()


def _check_braces(table: SampleTable) -> None:
    """Refuse ids with `{channel}`, in place of which the paths of the inventory have the name of a channel."""
    wrong = [
        (line, f"id {name!r} has {CHANNEL} in it")
        for line, name in zip(table.raw.lines, table.ids, strict=True)
        if CHANNEL in name
    ]
    if wrong:
        raise table.raw.error(wrong, "rename the samples")
