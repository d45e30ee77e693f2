"""A warning names columns and ids that look like groups, and nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.settings import dataset_settings
from foldline.dataset.sample_table import read_rows
from foldline.planning.dataset_section import columns_of
from foldline.planning.group_like import group_like
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Sample, Samples

ROWS = 400
RANDOM = np.random.default_rng(5)
LABELS = RANDOM.integers(0, 2, ROWS)


def found(path: Path, ids: Sequence[str], columns: dict[str, Sequence[object]], **keys: Any) -> list[str]:
    names = ["id", "target", *columns]
    rows = zip(ids, LABELS, *columns.values(), strict=True)
    path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n")
    dataset = dataset_settings(**keys)
    samples = Samples.of(Sample(row, "", 0) for row in read_rows(path, columns_of(dataset, "train")))
    return group_like(dataset, RawData({"train": samples}, [], True, {"train": str(path)}))


@pytest.mark.parametrize(
    ("ids", "example"),
    [
        (
            [f"patient{row // 4}_img{row % 4}" for row in range(ROWS)],
            "patient0_img0, patient0_img1 and 2 more, which share 'patient0'; 100",
        ),
        ([f"{row // 2}_{('left', 'right')[row % 2]}" for row in range(ROWS)], "0_left, 0_right, which share '0'; 200"),
        (
            [f"TCGA-{row // 40}-{row // 8}-{row}" for row in range(ROWS)],
            "TCGA-0-0-0, TCGA-0-0-1 and 38 more, which share 'TCGA 0'; 10",
        ),
        (
            [f"patient{row % 4}/{row}" for row in range(ROWS)],
            "patient0/0, patient0/4 and 98 more, which share 'patient0'; 4",
        ),
    ],
)
def test_ids_of_groups(ids: list[str], example: str, tmp_path: Path) -> None:
    (text,) = found(tmp_path / "t.csv", ids, {})
    assert text.startswith(
        f"ids look like parts of groups ({example} parts in 400 ids); rows of one group in several folds"
    )
    assert text.endswith("set dataset.group_column to a column with this part")
    assert found(tmp_path / "t.csv", ids, {"who": range(ROWS)}, group_column="who") == []


@pytest.mark.parametrize(
    "ids",
    [
        [f"ISIC_{row:07d}" for row in range(ROWS)],
        [f"s{row}" for row in range(ROWS)],
        [f"{('normal', 'sick')[LABELS[row]]}/{row}" for row in range(ROWS)],
        [f"{2015 + row % 6}_{row}" for row in range(ROWS)],
        [f"{row:04x}-{row * 7919 % 9973:04x}-4e" for row in range(ROWS)],
    ],
)
def test_other_ids(ids: list[str], tmp_path: Path) -> None:
    assert found(tmp_path / "t.csv", ids, {}) == []


IDS = [f"s{row}" for row in range(ROWS)]
OF_LABEL = [f"v{LABELS[row]}{row % 60}" for row in range(ROWS)]


def test_columns_of_groups(tmp_path: Path) -> None:
    """Also one that the configuration does not name, by its name alone."""
    (text,) = found(tmp_path / "t.csv", IDS, {"Patient_ID": [row // 4 for row in range(ROWS)]})
    assert text.startswith("column Patient_ID has 100 values in 400 rows, and looks like a group; rows of one group in")
    (text,) = found(tmp_path / "t.csv", IDS, {"nest": OF_LABEL}, metadata_columns=["nest"])
    assert text.startswith("column nest has 117 values in 400 rows")


@pytest.mark.parametrize(
    "values",
    [
        RANDOM.integers(20, 90, ROWS),
        RANDOM.choice(["arm", "leg", "head"], ROWS),
        [("arm", "leg")[label] for label in LABELS],
        RANDOM.normal(40, 9, ROWS).round(1),
        range(ROWS),
        [""] * ROWS,
    ],
)
def test_other_columns(values: Sequence[object], tmp_path: Path) -> None:
    assert found(tmp_path / "t.csv", IDS, {"a": values}, metadata_columns=["a"]) == []
    # Not every word with these letters: showcase, unwell.
    assert found(tmp_path / "t.csv", IDS, {"showcase": OF_LABEL}) == []


@pytest.mark.parametrize(
    "name",
    [
        *("patient", "PatientID", "patientid", "hospital_mrn", "MRN", "subject", "Subject ID", "study_uid", "lesion"),
        *("StudyInstanceUID", "seriesinstanceuid", "well", "plate", "Plate.Name", "case_id", "slide-number", "PTID"),
        *("participant_id", "mouse", "DonorId", "wsi", "video_id", "patients", "specimen_no", "pid"),
    ],
)
def test_names_of_columns_of_groups(name: str, tmp_path: Path) -> None:
    (text,) = found(tmp_path / "t.csv", IDS, {name: [row // 4 for row in range(ROWS)]})
    assert text.startswith(f"column {name} has 100 values in 400 rows, and looks like a group")


@pytest.mark.parametrize(
    "name",
    [
        *("patient_age", "PatientSex", "lesion_type", "slide_stain", "study_year", "series_description", "sequence"),
        *("case_control", "well_differentiated", "mouse_strain", "n_slices_per_patient", "lesion_location", "visit"),
        *("is_patient", "showcase", "site", "scanner", "age", "unwell", "staircase", "comparison", "path", "rate"),
        *("spatial", "rapid", "separate", "tumor_volume", "session"),
    ],
)
def test_names_of_other_columns(name: str, tmp_path: Path) -> None:
    assert found(tmp_path / "t.csv", IDS, {name: [row // 4 for row in range(ROWS)]}) == []


def test_nothing_is_said_of_the_example_whose_tables_need_not_exist_yet() -> None:
    dataset = dataset_settings(example="elpv")
    assert group_like(dataset, RawData({"train": Samples.of([])}, [], True, {"train": "no/such/table.csv"})) == []


def test_groups_that_differ_only_in_case_are_named(tmp_path: Path) -> None:
    ids, who = [str(row) for row in range(ROWS)], [f"{'Pp'[row % 2]}{row // 4}" for row in range(ROWS)]
    (text,) = found(tmp_path / "t.csv", ids, {"who": who}, group_column="who")
    assert text.startswith(
        "100 groups of who (dataset.group_column) in several spellings that differ only in case, such as"
    )
    assert "'P0', 'p0', which count as different groups" in text
