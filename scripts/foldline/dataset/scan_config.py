"""Settings of the scan: where the images of a split are, and how to read its table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from foldline.dataset.cell_values import DEFAULT_MISSING
from foldline.dataset.columns import Columns
from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.dataset.raw_table import AUTO
from foldline.dataset.row_per_class import RowPerClass
from foldline.images.options import DEFAULT, ImageOptions


@dataclass(frozen=True)
class ScanConfig:
    """Images and table of one split; see `dataset` in `config/config.schema.yaml`.

    Attributes:
        root: folder or URL of the dataset.
        table: path or URL of the user's table, or of the table of ready-made records.
        images: path of an image, relative to `root`, with `{id}` for the sample's id and `{channel}` for the channel's
            name. None if `locations` says it.
        channels: names of the channels, each a gray image; empty if a sample is one RGB image.
        image_feature: feature of the image in ready-made records.
        id_column: column of the sample's name.
        target_column: column of the label; None in the test split. With `target_columns`, a name for them together.
        group_column: column whose equal values belong together; None if there is none.
        metadata_columns: other columns to carry along, as text.
        labels: how the target column writes labels; None in the test split.
        locations: table with the location of the images, see `locations.locations_of`; None if `images` says it.
        digest: `rows_digest` of the rows and images of the shard, as the run was planned.
        missing: texts that mean "missing" in the columns of labels, groups and metadata.
        separator: see `raw_table.read_raw_table`.
        reading: how to read images.
        target_columns: see `sample_table.Columns`.
        optional_columns: see `sample_table.Columns`.
        column_names: see `sample_table.Columns`, `renamed`.
        row_per_class: see `sample_table.Columns`.
        external: see `sample_table.Columns`.
        own_labels: see `sample_table.Columns`.
        absent_columns: see `sample_table.Columns`, `absent`.
    """

    root: str
    table: str
    images: str | None
    channels: tuple[str, ...]
    image_feature: str
    id_column: str
    target_column: str | None
    group_column: str | None
    metadata_columns: tuple[str, ...]
    labels: Labels | None
    digest: str
    locations: str | None = None
    missing: tuple[str, ...] = DEFAULT_MISSING
    separator: str = AUTO
    reading: ImageOptions = DEFAULT
    target_columns: tuple[str, ...] = ()
    optional_columns: tuple[str, ...] = ()
    column_names: Mapping[str, str] = field(default_factory=dict)
    row_per_class: RowPerClass | None = None
    external: str = ""
    own_labels: Mapping[str, str | None] | None = None
    absent_columns: tuple[str, ...] = ()

    def columns(self) -> Columns:
        """Columns to read from the table."""
        return Columns(
            id=self.id_column,
            target=self.target_column,
            group=self.group_column,
            metadata=self.metadata_columns,
            labels=self.labels or BINARY_LABELS,
            missing=self.missing,
            separator=self.separator,
            target_columns=self.target_columns,
            optional=self.optional_columns,
            renamed=self.column_names,
            row_per_class=self.row_per_class,
            external=self.external,
            own_labels=self.own_labels,
            absent=self.absent_columns,
        )
