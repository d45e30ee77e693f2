"""The table of a split of ready-made records, and the checks between its records."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.dataset.columns import Columns
from foldline.dataset.label_reading import resolve
from foldline.dataset.labels import Labels
from foldline.dataset.locations import read_locations
from foldline.dataset.sample_table import read_rows
from foldline.errors import FoldlineError
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_index import index_file
from foldline.tfrecords.record_tables import check_split, label_cells, with_codes, write_split_table

NAMES = RecordNames("image_name", "target", "patient_id", tuple(METADATA))


def test_an_id_in_two_files_is_refused(tmp_path: Path) -> None:
    files = {
        "a.tfrec": index_file(write_tfrecord(tmp_path / "a.tfrec", examples(3)), NAMES),
        "b.tfrec": index_file(write_tfrecord(tmp_path / "b.tfrec", examples(3, first=2)), NAMES),
    }
    words = r"b\.tfrec, record 1: id 'ISIC_0002' is also in a\.tfrec, record 3; ids must be unique"
    with pytest.raises(FoldlineError, match=words):
        check_split(files)


def test_an_id_in_two_spellings_is_refused(tmp_path: Path) -> None:
    records = index_file(write_tfrecord(tmp_path / "a.tfrec", examples(2)), NAMES)
    alike = [replace(record, id=name) for record, name in zip(records, ("é", "e\u0301"), strict=True)]
    words = r"a\.tfrec, record 2: id '.*' is also in a\.tfrec, record 1, in another Unicode spelling of its accents"
    with pytest.raises(FoldlineError, match=words):
        check_split({"a.tfrec": alike})


def test_the_table_of_a_split_is_sorted_and_written_once(tmp_path: Path) -> None:
    table = tmp_path / "raw" / "train.csv"
    later = index_file(write_tfrecord(tmp_path / "a.tfrec", examples(2, first=2)), NAMES)
    early = index_file(write_tfrecord(tmp_path / "b.tfrec", examples(2)), NAMES)
    write_split_table(table, {"a.tfrec": later, "b.tfrec": early}, NAMES)
    lines = table.read_text().splitlines()
    assert lines[0] == "image_name,target,patient_id,age_approx,sex,anatom_site_general_challenge,path"
    assert lines[1] == ",".join(
        ["ISIC_0000", "0", "0", *early[0].metadata, f"b.tfrec#{early[0].offset}+{early[0].length}"]
    )
    assert [line.split(",")[0] for line in lines[1:]] == [f"ISIC_{number:04d}" for number in range(4)]
    assert read_locations(table)["ISIC_0003"] == f"a.tfrec#{later[1].offset}+{later[1].length}"
    os.utime(table, ns=(1, 1))
    write_split_table(table, {"b.tfrec": early, "a.tfrec": later}, NAMES)
    assert table.stat().st_mtime_ns == 1
    write_split_table(table, {"b.tfrec": early}, NAMES)
    assert len(table.read_text().splitlines()) == 3


def test_a_table_of_labels_alone_has_no_metadata(tmp_path: Path) -> None:
    """The known labels of test records, which have metadata columns."""
    records = index_file(write_tfrecord(tmp_path / "a.tfrec", examples(2)), NAMES)
    write_split_table(tmp_path / "labels.csv", {"a.tfrec": records}, replace(NAMES, group=None, metadata=()))
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines] == [["image_name", "target"], ["ISIC_0000", "0"], ["ISIC_0001", "1"]]


def test_a_feature_with_the_name_of_the_path_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="feature 'path': the table of the records has a column of that name"):
        write_split_table(tmp_path / "train.csv", {}, RecordNames("image_name", None, None, ("path",)))


ONE_HOT = RecordNames(
    "image_name",
    "MEL, NV",
    "patient_id",
    ("patient_id",),
    Labels("multiclass", ("MEL", "NV"), cells="flags"),
    target_columns=("MEL", "NV"),
)


def one_hot(*flags: Any) -> list[dict[str, Any]]:
    """Records with a feature of 0 or 1 for each class."""
    records = examples(len(flags))
    return [{**record, "MEL": mel, "NV": nv} for record, (mel, nv) in zip(records, flags, strict=True)]


def test_a_feature_for_each_class_gives_the_label(tmp_path: Path) -> None:
    """The group is a metadata column too, and has one column in the table."""
    path = write_tfrecord(tmp_path / "a.tfrec", one_hot((1, 0), (0.0, 1.0)))
    coded = with_codes({"a.tfrec": index_file(path, ONE_HOT)}, ONE_HOT, ONE_HOT.labels)
    write_split_table(tmp_path / "train.csv", coded, ONE_HOT)
    made = Columns(ONE_HOT.id, ONE_HOT.target, ONE_HOT.group, ONE_HOT.metadata, ONE_HOT.labels)
    rows = read_rows(tmp_path / "train.csv", made)
    assert [(row.target, row.group, row.metadata) for row in rows] == [("10", "0", ("0",)), ("01", "0", ("0",))]


def test_a_feature_of_a_class_with_a_probability_is_refused(tmp_path: Path) -> None:
    path = write_tfrecord(tmp_path / "a.tfrec", one_hot((0.25, 0.75)))
    with pytest.raises(FoldlineError, match=r"record 1, id 'ISIC_0000': the label has '0\.25' in column MEL, .*soft"):
        index_file(path, ONE_HOT)


COLORS = Labels("multilabel", ("red", "green", "blue", "Negative"), exclusive="Negative", empty=True)


@pytest.mark.parametrize(
    ("values", "reading", "codes"),
    [
        ((b"0|2", b"", 1, [2, 1]), "class numbers from 0", ["1010", "0000", "0100", "0110"]),
        ((b"4", 1, [2]), "class numbers from 1", ["0001", "1000", "0100"]),
        ((b"red|blue", b"Negative", b""), "class names", ["1010", "0001", "0000"]),
        (([0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]), "one 0 or 1 for each class", ["0110", "0001", "0000"]),
    ],
)
def test_labels_of_records_are_names_numbers_or_one_bit_for_each_class(
    values: tuple[Any, ...], reading: str, codes: list[str], tmp_path: Path
) -> None:
    """Row 15: a text of class numbers, as the public records of the protein atlas have it, and integers."""
    made = [features | {"target": value} for features, value in zip(examples(len(values)), values, strict=True)]
    names = RecordNames("image_name", "target", None, (), labels=COLORS)
    indexed = {"train.tfrec": index_file(write_tfrecord(tmp_path / "train.tfrec", made), names)}
    labels = resolve(COLORS, label_cells(indexed, names))
    assert labels.reading == reading
    found = with_codes(indexed, names, labels)
    assert [record.target for record in found["train.tfrec"]] == codes
    write_split_table(tmp_path / "train.csv", found, replace(names, labels=labels))
    columns = Columns("image_name", "target", None, labels=labels)
    assert [row.target for row in read_rows(tmp_path / "train.csv", columns)] == codes


SHARES = Labels("soft", ("red", "green", "blue"))


@pytest.mark.parametrize(
    ("labels", "values", "codes"),
    [
        (Labels(), (0.0, 1.0, 1), ["0", "1", "1"]),
        (replace(COLORS, exclusive=None), ([0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]), ["0110", "0000"]),
        (replace(COLORS, exclusive=None), ([b"red", b"blue"], [b"green"], b"", None), ["1010", "0100", "0000", "0000"]),
        (Labels("multiclass", ("a", "b", "c")), ([0, 1, 0], [1.0, 0.0, 0.0]), ["010", "100"]),
        (Labels("multiclass", ("a", "b", "c")), (b"b", [b"a"]), ["010", "100"]),
        (Labels("multiclass", ("a", "b", "c")), (0.0, 2.0, 1), ["100", "001", "010"]),
        (SHARES, ([0.2, 0.3, 0.5], [1, 2, 1]), ["0.2 0.3 0.5", "0.25 0.5 0.25"]),
        (Labels("soft"), (0.3, 1), ["0.3", "1.0"]),
    ],
)
def test_labels_of_records_may_have_any_type(
    labels: Labels, values: tuple[Any, ...], codes: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As floats, one-hot or multi-hot lists, lists of names, and lists of shares."""
    made = [features | {"target": value} for features, value in zip(examples(len(values)), values, strict=True)]
    names = RecordNames("image_name", "target", None, (), labels=labels)
    indexed = {"train.tfrec": index_file(write_tfrecord(tmp_path / "train.tfrec", made), names)}
    labels = resolve(labels, label_cells(indexed, names))
    found = with_codes(indexed, names, labels)
    assert [record.target for record in found["train.tfrec"]] == codes
    assert ("of 1 row do not have the sum 1, but 4, so" in caplog.text) == ([1, 2, 1] in values)
    write_split_table(tmp_path / "train.csv", found, replace(names, labels=labels))
    columns = Columns("image_name", "target", None, labels=labels)
    assert [row.target for row in read_rows(tmp_path / "train.csv", columns)] == codes


def test_a_name_with_the_separator_is_refused(tmp_path: Path) -> None:
    names = RecordNames("image_name", "target", None, (), labels=COLORS)
    path = write_tfrecord(tmp_path / "a.tfrec", [examples(1)[0] | {"target": [b"red", b"green|blue"]}])
    with pytest.raises(
        FoldlineError, match=r"has the value 'green\|blue', which contains '\|'; set dataset\.labels\.sep"
    ):
        index_file(path, names)


def test_labels_of_a_kind_are_one_problem(tmp_path: Path) -> None:
    names = RecordNames("image_name", "target", None, ())
    made = [features | {"target": max(1, number) / 10} for number, features in enumerate(examples(9))]
    indexed = {"a.tfrec": index_file(write_tfrecord(tmp_path / "a.tfrec", made), names)}
    with pytest.raises(
        FoldlineError, match=r"^a\.tfrec, record 1 \(and 1 more record\): label '0\.1'.*; and 3 more labels; .*"
    ):
        with_codes(indexed, names, Labels())


@pytest.mark.parametrize(
    ("value", "labels", "words"),
    [
        (37.5, Labels(), r"record 2: label '37\.5' .* is not 0 or 1; these are measurements, and regression is not"),
        (
            0.25,
            Labels(),
            "record 2: .*; regression is not supported; if these are probabilities, set dataset.labels.kin",
        ),
        (
            [1.0, -2.0, 0.0],
            SHARES,
            r"record 2: label '1\.0\|-2\.0\|0\.0' .* has '-2\.0' for green, which is not a number",
        ),
        (
            [1, 2],
            SHARES,
            r"record 2: label '1\|2' .* is not a list of 3 numbers, one for each class; the cells are read",
        ),
        (2, Labels(), r"record 2: label '2' \(feature target\) of id 'ISIC_0001' is not 0 or 1"),
        (b"malignant", Labels(), "record 2: label 'malignant'"),
        (b"NA", Labels(), "record 2: label 'NA' .* counts as missing"),
        (b"0|3", replace(COLORS, cells="numbers", first_number=0), r"record 2: label '0\|3' .* contains 'Negative'"),
    ],
)
def test_a_label_that_is_not_allowed_is_named_with_its_record(
    value: Any, labels: Labels, words: str, tmp_path: Path
) -> None:
    first, second = examples(2)
    names = RecordNames("image_name", "target", None, (), labels=labels)
    made = [first | {"target": [1, 1, 1] if labels.is_soft else 1}, second | {"target": value}]
    indexed = {"train.tfrec": index_file(write_tfrecord(tmp_path / "train.tfrec", made), names)}
    with pytest.raises(FoldlineError, match=rf"train\.tfrec, {words}"):
        with_codes(indexed, names, labels)
