"""The samples of a split as the process that builds the DAG knows them: rows of a table and content of images."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from typing import Any, NamedTuple

from foldline.dataset.rows_digest import row_digests
from foldline.dataset.sample_table import Row, RowColumns


class Sample(NamedTuple):
    """A row of a table and what is known about its images.

    Attributes:
        row: the row.
        content: `channels.joint_digest` of what changes with the bytes of the images: their SHA-256, or in a bucket
            the checksums that it stores.
        bytes: size of the images together.
        file: the TFRecord file that holds the sample, as a path under the root of the data set; "" for image files.
    """

    row: Row
    content: str
    bytes: int
    file: str = ""


@dataclass(frozen=True)
class Samples:
    """The samples of a split, column by column.

    Attributes:
        rows: the rows of the table.
        contents: (n_rows,), see `Sample.content`.
        sizes: (n_rows,), see `Sample.bytes`.
        files: (n_rows,), see `Sample.file`; empty for image files.
        image_mb: see `image_facts.ImageFacts.image_mb`.
        images: columns of the data index for each image of the rows, see `index_table.SCHEMA`.
    """

    rows: RowColumns
    contents: Sequence[str]
    sizes: Sequence[int]
    files: Sequence[str] = ()
    image_mb: list[float] | None = None
    images: Mapping[str, Sequence[Any]] = field(default_factory=lambda: {"id": [], "path": []})

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "Samples":
        """Columns of samples, whose images have no columns."""
        listed = list(samples)
        rows = [sample.row for sample in listed]
        lines, ids, targets, groups, metadata = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        columns = RowColumns(lines, ids, targets, groups, tuple(zip(*metadata, strict=True)))
        contents, sizes = [sample.content for sample in listed], [sample.bytes for sample in listed]
        return cls(columns, contents, sizes, [sample.file for sample in listed])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Sample]:
        return map(Sample, self.rows.rows(), self.contents, self.sizes, self.files or repeat(""))

    def of_rows(self, chosen: Sequence[bool]) -> "Samples":
        """The samples of some rows, (n_rows,), without the columns of their images."""
        listed = list(compress(self, chosen))
        return Samples.of(listed)

    def digests(self) -> list[bytes]:
        """Digest of everything that a result may depend on, row by row.

        Line and file only say where a sample is, so they do not count.
        """
        rows = self.rows
        return row_digests([rows.id, rows.target, rows.group, *rows.metadata, self.contents])
