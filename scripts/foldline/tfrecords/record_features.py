"""The features of a ready-made record as the cells of a table row."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from foldline.dataset.class_columns import flags_cell
from foldline.dataset.columns import Columns
from foldline.dataset.record_cells import RecordError
from foldline.errors import FoldlineError, listing
from foldline.images.options import DEFAULT, ImageOptions
from foldline.io import storage
from foldline.tfrecords.example_proto import Values, float32_text

# The first whole number that a 32-bit float cannot tell from its neighbor.
WHOLE_FLOATS = 2**24

Features = Mapping[str, Values]


@dataclass(frozen=True)
class RecordNames(Columns):
    """The meaning of the features of a record, which have the names of the columns unless `features` says otherwise.

    Attributes:
        image: feature of the image.
        features: feature of a column with another name, by column.
        ids_root: folder or URL of the data set, if ids are made of the file's path in it and the number of the record;
            None if a feature holds the id.
        reading: how to read images.
    """

    image: str = "image"
    features: Mapping[str, str] = field(default_factory=dict)
    ids_root: str | None = None
    reading: ImageOptions = DEFAULT

    def feature(self, column: str) -> str:
        """The feature that holds a column."""
        return self.features.get(column, self.in_table(column))


def id_from_position(root: str, path: str, number: int) -> str:
    """Id of a record without one: the file's path in the data set and the number of the record, such as a.tfrec/17.

    Args:
        root: folder or URL of the data set.
        path: path or URL of the file; of one outside the data set only the name counts.
        number: number of the record in the file, from 1.
    """
    inside = storage.relative(root, path)
    return f"{path.rpartition('/')[2] if inside == path else inside}/{number}"


@contextmanager
def collected(errors: list[RecordError]) -> Iterator[None]:
    """End the body at its first problem, and keep that: checks of a record that do not need each other."""
    try:
        yield
    except RecordError as error:
        errors.append(error)


def record_cells(
    features: Features, names: RecordNames, where: str, position: str, errors: list[RecordError]
) -> dict[str, str]:
    """Text of every column, as a table would have it; columns with a problem are left out.

    Args:
        features: the features of a record.
        names: the features to read.
        where: name of the record in an error message.
        position: `id_from_position`, for records without ids.
        errors: gets the problems: a feature is missing, or has a wrong kind or number of values.

    Raises:
        RecordError: there is no id.
    """
    name = position if names.ids_root is not None else _id(features, names, where)
    where = f"{where}, id {name!r}"
    cells = {names.id: name}
    if names.target:
        with collected(errors):
            is_one = not names.target_columns
            cells[names.target] = (
                _label(features, names, names.target, where) if is_one else _flags(features, names, where)
            )
    if names.group:
        with collected(errors):
            cells[names.group] = _group(features, names, names.group, where)
    for column in names.metadata:
        if column in names.absent or (column in names.optional and names.feature(column) not in features):
            cells.setdefault(column, "")
            continue
        with collected(errors):
            cells[column] = _text(features, names.feature(column), "dataset.metadata_columns", where, required=False)
    return cells


def _id(features: Features, names: RecordNames, where: str) -> str:
    feature = names.feature(names.id)
    if feature not in features:
        others = {names.image: "image_feature"}
        if names.target:
            others |= dict.fromkeys(map(names.feature, names.target_columns), "target_columns")
            others |= {} if names.target_columns else {names.feature(names.target): "target_column"}
        absent = [f", no feature {name!r} (dataset.{key})" for name, key in others.items() if name not in features]
        raise RecordError(
            where,
            f"no feature {feature!r} (dataset.id_column){''.join(absent)}; the record has {listing(sorted(features))}; "
            "if records have no ids, set dataset.record_ids to position",
        )
    return _name(features, feature, "dataset.id_column", where)


def _label(features: Features, names: RecordNames, column: str, where: str) -> str:
    """Cell of the labels, from one value, or from a list of classes or of a value for each class."""
    feature, labels, key = names.feature(column), names.labels, "dataset.target_column"
    values = features.get(feature)
    if values is not None and len(values) != 1 and (labels.lists_classes or (labels.is_soft and labels.classes)):
        texts = [_as_text(value, feature, key, where) for value in values]
        divided = [text for text, value in zip(texts, values, strict=True) if labels.separator in text]
        if divided:
            raise RecordError(
                where,
                f"feature {feature!r} ({key}) has the value {divided[0]!r}, which contains "
                f"{labels.separator!r}; set dataset.labels.separator to a text that is in no value",
            )
        return labels.separator.join(texts)
    if values is not None and len(values) > 1:
        raise RecordError(
            where,
            f"feature {feature!r} ({key}) holds {len(values)} values, but labels of the kind {labels.kind} "
            "need one; set dataset.labels.kind to multiclass or multilabel if it is a list of classes or of 0 and 1, "
            "or to soft, with dataset.labels.classes, if it is a list of probabilities",
        )
    return _text(features, feature, key, where)


def _group(features: Features, names: RecordNames, column: str, where: str) -> str:
    """Text of the group; "" if an external record has none."""
    feature = names.feature(column)
    if column in names.absent or (names.external and feature in features and not features[feature]):
        return ""
    return _name(features, feature, "dataset.group_column", where)


def _flags(features: Features, names: RecordNames, where: str) -> str:
    """Cell of the labels, from a feature for each class."""
    of_class = list(map(names.feature, names.target_columns))
    texts = [_text(features, feature, "dataset.target_columns", where) for feature in of_class]
    try:
        return flags_cell(of_class, texts, names.labels.separator, soft=names.labels.is_soft)
    except FoldlineError as error:
        raise RecordError(where, f"the label {error}; correct the records, or dataset.target_columns") from None


def _name(features: Features, name: str, key: str, where: str) -> str:
    """Text of an id or group; the float of a whole number gives that number."""
    value = value_of(features, name, key, where)
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= WHOLE_FLOATS:
            raise RecordError(
                where,
                f"feature {name!r} ({key}) is the float {value:.0f}; 32-bit floats round whole numbers from "
                f"{WHOLE_FLOATS} on, so that several names may have become one; write it as text or as an integer",
            )
        return str(int(value))
    return _text(features, name, key, where)


def _text(features: Features, name: str, key: str, where: str, *, required: bool = True) -> str:
    value = value_of(features, name, key, where, required=required)
    return "" if value is None else _as_text(value, name, key, where)


def _as_text(value: bytes | int | float, name: str, key: str, where: str) -> str:
    if isinstance(value, float):
        return float32_text(value)
    if isinstance(value, int):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise RecordError(
            where, f"feature {name!r} ({key}) is {value[:20]!r}, which is not text in UTF-8; name another feature"
        ) from error


def value_of(
    features: Features, name: str, key: str, where: str, *, required: bool = True
) -> bytes | int | float | None:
    """The value of a feature; None if it has none and needs none."""
    if name not in features:
        raise RecordError(where, f"no feature {name!r} ({key}); the record has {listing(sorted(features))}")
    values = features[name]
    if len(values) > 1 or (required and not values):
        raise RecordError(where, f"feature {name!r} ({key}) holds {len(values)} values, but needs one")
    return values[0] if values else None
