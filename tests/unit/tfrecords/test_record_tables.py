"""The table of a split of ready-made records, and the checks between its records."""

import os
from pathlib import Path

import pytest
from fixtures.tfrecords import METADATA, examples, write_tfrecord
from foldline.errors import FoldlineError
from foldline.tfrecords.record_index import RecordNames, index_file
from foldline.tfrecords.record_tables import check_split, read_locations, write_split_table

NAMES = RecordNames("image_name", "target", "patient_id", tuple(METADATA))


def test_an_id_in_two_files_is_refused(tmp_path: Path) -> None:
    files = {
        "a.tfrec": index_file(write_tfrecord(tmp_path / "a.tfrec", examples(3)), NAMES),
        "b.tfrec": index_file(write_tfrecord(tmp_path / "b.tfrec", examples(3, first=2)), NAMES),
    }
    words = r"b\.tfrec, record 1: id 'ISIC_0002' is also in a\.tfrec, record 3; ids must be unique"
    with pytest.raises(FoldlineError, match=words):
        check_split(files)


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    files = {
        "a.tfrec": index_file(write_tfrecord(tmp_path / "a.tfrec", examples(3)), NAMES),
        "b.tfrec": index_file(write_tfrecord(tmp_path / "b.tfrec", examples(2, first=3, size=32)), NAMES),
    }
    words = (
        r"b\.tfrec, record 1: the image of id 'ISIC_0003' is 32 x 32 pixels, but that of a\.tfrec, record 1 is 24 x 24"
    )
    with pytest.raises(FoldlineError, match=words):
        check_split(files)
    check_split({"a.tfrec": files["a.tfrec"]})


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


def test_a_feature_with_the_name_of_the_path_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="feature 'path': the table of the records has a column of that name"):
        write_split_table(tmp_path / "train.csv", {}, RecordNames("image_name", None, None, ("path",)))
