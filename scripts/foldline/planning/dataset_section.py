"""Look-ups in the `dataset` section of a completed configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import PurePath
from typing import Any

from foldline.dataset.cell_values import canonical, missing_words
from foldline.dataset.channels import CHANNEL, image_paths
from foldline.dataset.columns import Columns
from foldline.dataset.labels import BINARY_LABELS, FLAGS, Labels
from foldline.dataset.row_per_class import RowPerClass
from foldline.images.options import ImageOptions
from foldline.io import storage
from foldline.planning.dataset_splits import TEST, TRAIN, key_of, value_of
from foldline.planning.image_patterns import CLASS, ImagePattern, parsed
from foldline.planning.usable_values import UnusableValueError

# Value of `dataset.test_labels`: the test table or the test records have the target column themselves.
OWN = "own"
# Value of `dataset.record_ids`: the file and the number of a record are its id.
POSITION = "position"
# Name of the table of these labels, made from test records.
KNOWN_LABELS = "test_labels.csv"
# Column of the labels in the table that is made of class folders.
CLASS_COLUMN = "class"


@dataclass(frozen=True)
class ImageTable:
    """Where a split with a table and image files is stored.

    Attributes:
        table: path or URL of the table; "" if the files are the rows.
        root: folder or URL of the data set.
        patterns: paths of a sample's image under `root`; exactly one of them exists.
    """

    table: str
    root: str
    patterns: tuple[ImagePattern, ...]

    @property
    def is_plain(self) -> bool:
        """Whether the paths follow from ids and channels alone."""
        return bool(self.table) and len(self.patterns) == 1 and self.patterns[0].is_plain

    @property
    def is_remote(self) -> bool:
        """Whether images are in a bucket."""
        return any(storage.is_url(storage.join(self.root, pattern.text)) for pattern in self.patterns)

    def paths(self, names: Sequence[str], channels: Sequence[str]) -> list[str]:
        """Paths or URLs of the images of samples, those of a sample together, if the pattern is plain.

        Braces in `root` and in an id mean nothing.

        Args:
            names: (n_samples,), their ids.
            channels: (n_channels,), names of the channels; empty if a sample is one image.
        """
        root, pattern = self._parts
        patterns = image_paths(pattern, channels) if CHANNEL in pattern else [pattern]
        parts = [path.split("{id}") for path in patterns]
        if len(parts) == 1 and len(parts[0]) == 2:
            start, end = root + parts[0][0], parts[0][1]
            return [start + name + end for name in names]
        return [root + name.join(part) for name in names for part in parts]

    @cached_property
    def _parts(self) -> tuple[str, str]:
        """What `storage.join` makes of the root and of the pattern; joining a million paths one by one takes 20 s."""
        (pattern,) = self.patterns
        if storage.join(self.root, pattern.text) == pattern.text:
            return "", pattern.text
        if storage.is_url(self.root):
            return storage.join(self.root, ""), pattern.text
        # No path has a NUL.
        return storage.join(self.root, "\0").removesuffix("\0"), str(PurePath(pattern.text))


def group_columns(dataset: Mapping[str, Any]) -> list[str]:
    """Columns whose equal values belong together; the first is the group of a row, and the others connect groups."""
    names = dataset["group_column"]
    return [names] if isinstance(names, str) else list(names or [])


def is_made_table(dataset: Mapping[str, Any], split: str) -> bool:
    """Whether Foldline writes the table of a split itself, from TFRecord files or from the names of image files."""
    if record_patterns(dataset, split) is not None:
        return True
    return dataset["class_folders"] is not None if split == TRAIN else split == TEST and dataset["test_table"] is None


def source_of(dataset: Mapping[str, Any], split: str) -> str:
    """What messages call a table that Foldline makes itself: the key from whose files it is made."""
    if record_patterns(dataset, split) is not None:
        return key_of(split, "records")
    return "dataset.class_folders" if split == TRAIN else key_of(split, "images")


def record_patterns(dataset: Mapping[str, Any], split: str) -> list[str] | None:
    """Patterns of the ready-made TFRecord files of a split; None for a split with a table and image files."""
    patterns: list[str] | None = value_of(dataset, split, "records")
    return patterns


def has_own_labels(dataset: Mapping[str, Any]) -> bool:
    """Whether the test table or the test records have labels, which are only scored."""
    return bool(dataset["test_labels"] == OWN)


def image_patterns(dataset: Mapping[str, Any], split: str) -> tuple[ImagePattern, ...]:
    """Paths of a sample's image under `dataset.root`; none for a split of TFRecord files."""
    if split == TRAIN and dataset["class_folders"] is not None:
        return parsed([class_folder_pattern(dataset["class_folders"])])
    given = value_of(dataset, split, "images")
    if given is None:
        column = None if record_patterns(dataset, split) is not None else dataset["image_column"]
        return () if column is None else parsed([f"{{{column}}}"])
    return parsed([given] if isinstance(given, str) else given)


def class_folder_pattern(folder: str) -> str:
    """The pattern of images in a folder with a folder for each class; a pattern with `{class}` stays as it is."""
    return folder if CLASS in folder else f"{folder.rstrip('/')}/{CLASS}/**/*"


def image_table(dataset: Mapping[str, Any], split: str) -> ImageTable | None:
    """Table and images of a split, without a table if the files are the rows; None for a split of TFRecord files."""
    patterns = image_patterns(dataset, split)
    if not patterns:
        return None
    table = value_of(dataset, split, "table")
    made = table is None or is_made_table(dataset, split)
    return ImageTable("" if made else storage.join(dataset["root"], table), dataset["root"], patterns)


def location_arguments(dataset: Mapping[str, Any], split: str, locations: Mapping[str, str]) -> dict[str, Any]:
    """Where steps find the images of a split: arguments of `locations.locations_of`.

    Args:
        dataset: the section.
        split: the split.
        locations: see `data_index.DataIndex`.
    """
    images = None if split in locations else image_patterns(dataset, split)[0].text
    return {"images": images, "locations": locations.get(split)}


def labels_of(dataset: Mapping[str, Any]) -> Labels:
    """The labels as the configuration defines them; with `target_columns`, cells have a 0 or 1 for each class."""
    labels = Labels.from_config(dataset["labels"])
    columns = dataset["target_columns"]
    if not columns and not dataset["row_per_class"]:
        return labels
    return replace(labels, classes=labels.classes or tuple(columns or ()), cells=FLAGS, first_number=0)


def row_per_class_of(dataset: Mapping[str, Any], classes: Sequence[str] | None = None) -> RowPerClass | None:
    """How the ids of tables with one row per sample and class are made; None if tables have one row per sample.

    Args:
        dataset: the section.
        classes: names of the classes that have rows; None for all.
    """
    pattern = dataset["row_per_class"]
    return None if pattern is None else RowPerClass(pattern, tuple(classes or class_names_of(dataset)))


def without_labels(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The section for reading all but labels, because it or the tables do not tell what they are."""
    external = {name: {**section, "labels": None} for name, section in (dataset["external"] or {}).items()}
    labels = {**asdict(Labels()), "kind": None, "classes": [], "absent": []}
    return {**dataset, "labels": labels, "row_per_class": None, "test_labels": None, "external": external}


def reads_labels(dataset: Mapping[str, Any]) -> bool:
    """Whether labels are read, see `without_labels`."""
    return bool(dataset["labels"]["kind"])


def target_of(dataset: Mapping[str, Any]) -> str:
    """The column of the labels, or the columns of all classes in one name."""
    columns = dataset["target_columns"] or [dataset["target_column"]]
    if columns == [None] and dataset["class_folders"] is not None:
        return CLASS_COLUMN
    if columns == [None]:
        # `dataset_checks` reports it.
        raise UnusableValueError("target_column")
    return ", ".join(columns)


def columns_of(dataset: Mapping[str, Any], split: str) -> Columns:
    """Columns of the table of a split."""
    grouped, labeled = split != TEST, split != TEST and reads_labels(dataset)
    columns = Columns(
        id=dataset["id_column"],
        target=target_of(dataset) if labeled else None,
        group=next(iter(group_columns(dataset)), None) if grouped else None,
        metadata=tuple(dataset["metadata_columns"]),
        labels=labels_of(dataset) if labeled else BINARY_LABELS,
        missing=missing_words(dataset["missing"]),
        separator=separator_of(dataset, split),
        target_columns=tuple(dataset["target_columns"] or ()) if labeled else (),
        optional=_optional_columns(dataset, split),
        renamed=column_names(dataset, split),
        row_per_class=row_per_class_of(dataset),
        of_paths=path_columns(dataset, split),
    )
    return _of_external_set(columns, split, dataset["external"][split]) if split not in (TRAIN, TEST) else columns


def _of_external_set(columns: Columns, name: str, section: Mapping[str, Any]) -> Columns:
    """Columns of an external set, from those that it would have as a training table."""
    absent = tuple(column for column, in_table in section["columns"].items() if in_table is None)
    columns = replace(columns, external=name, absent=absent)
    if section["labels"] is None or columns.target is None:
        return columns
    words = own_words(section["labels"])
    target = section["target_column"] or columns.target
    return replace(columns, target=target, target_columns=(), row_per_class=None, own_labels=words)


def own_words(labels: Mapping[str, Any]) -> dict[str, str | None]:
    """The words of `dataset.external.SET.labels` as cells are compared with them, see `own_labels.Words`."""
    return {canonical(word): None if label is None else str(label) for word, label in labels.items()}


def path_columns(dataset: Mapping[str, Any], split: str) -> tuple[str, ...]:
    """The columns that the paths of images name."""
    patterns = () if is_made_table(dataset, split) else image_patterns(dataset, split)
    return tuple(dict.fromkeys(column for pattern in patterns for column in pattern.columns))


def column_names(dataset: Mapping[str, Any], split: str) -> dict[str, str]:
    """Names of the columns in the table of a split that differ from those of the training table."""
    if split == TRAIN:
        return {}
    return {name: column for name, column in value_of(dataset, split, "columns").items() if column is not None}


def _optional_columns(dataset: Mapping[str, Any], split: str) -> tuple[str, ...]:
    """Columns that only the training table needs: folds and subgroups use them, but no model reads them."""
    if split == TRAIN:
        return ()
    renamed = column_names(dataset, split)
    return tuple(name for name in dataset["metadata_columns"] if name not in (*dataset["metadata"], *renamed))


def separator_of(dataset: Mapping[str, Any], split: str) -> str:
    """Separator of the table of a split."""
    return "," if is_made_table(dataset, split) else str(dataset["separator"])


def image_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """How image files become those of shards: fields of `ShardConfig` and `ServingImages`, from the configuration."""
    shards = config["shards"]
    reading = ImageOptions.settings(config["dataset"])
    return {"aspect": shards["aspect"], "jpeg_quality": shards["jpeg_quality"], "reading": reading}


def shard_settings(config: Mapping[str, Any], split: str) -> dict[str, Any]:
    """What defines the shards of a split beside their rows and size: fields of `shard_config.ShardConfig`."""
    dataset = config["dataset"]
    return {
        **image_settings(config),
        "reading": reading_of(dataset, split),
        "metadata_columns": dataset["metadata_columns"],
        **{name: dataset[name] for name in ("channels", "image_feature")},
        "soft_labels": labels_of(dataset).is_soft,
    }


def scan_settings(dataset: Mapping[str, Any], split: str) -> dict[str, Any]:
    """What defines the scan of a split beside its rows: fields of `scan_config.ScanConfig`."""
    columns = columns_of(dataset, split)
    return {
        "id_column": columns.id,
        "target_column": columns.target,
        "group_column": columns.group,
        "metadata_columns": list(columns.metadata),
        "channels": dataset["channels"],
        "image_feature": dataset["image_feature"],
        "reading": reading_of(dataset, split),
    }


def reading_of(dataset: Mapping[str, Any], split: str) -> dict[str, Any]:
    """How the images of a split are read: the fields of `ImageOptions`."""
    patterns = image_patterns(dataset, split)
    in_one_file = patterns and not any(CHANNEL in pattern.text for pattern in patterns)
    return {**ImageOptions.settings(dataset), "planes": len(dataset["channels"]) if in_one_file else 0}


def table_arguments(dataset: Mapping[str, Any], split: str, label_cells: Mapping[str, Any]) -> dict[str, Any]:
    """How the scan reads the table of a split: other fields of `scan_config.ScanConfig`.

    They do not define the result, because the rows that they give do.

    Args:
        dataset: the section.
        split: the split.
        label_cells: see `data_index.DataIndex`.
    """
    columns = columns_of(dataset, split)
    if is_made_table(dataset, split):
        columns = columns.of_made_table()
    labels = labels_of(dataset)
    lists = {"classes": list(labels.classes), "values": list(map(list, labels.values))}
    section = {**asdict(labels), **lists, **label_cells}
    return {
        "labels": section if columns.target else None,
        "missing": list(columns.missing),
        "separator": columns.separator,
        "target_columns": list(columns.target_columns),
        "optional_columns": list(columns.optional),
        "column_names": dict(columns.renamed),
        "row_per_class": row_per_class_settings(columns.row_per_class),
        "external": columns.external,
        "own_labels": None if columns.own_labels is None else dict(columns.own_labels),
        "absent_columns": list(columns.absent),
    }


def row_per_class_settings(form: RowPerClass | None) -> dict[str, Any] | None:
    """The fields of `RowPerClass` as a step gets them."""
    return None if form is None else {"pattern": form.pattern, "classes": list(form.classes)}


def class_names_of(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the classes, (n_classes,)."""
    labels = labels_of(dataset)
    if labels.lists_classes and not labels.classes:
        # They are not read yet; see `found_words`.
        raise UnusableValueError("classes")
    return labels.class_names(target_of(dataset))


def scored_classes_of(dataset: Mapping[str, Any]) -> list[str]:
    """Names of the classes whose probabilities are submitted and scored, in the order of the classes."""
    submitted, class_names = dataset["submission"]["class"], class_names_of(dataset)
    if submitted is None:
        return class_names
    chosen = [submitted] if isinstance(submitted, str) else submitted
    return [name for name in class_names if name in chosen]
