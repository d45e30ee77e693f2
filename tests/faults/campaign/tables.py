"""Random tables: each is read as pandas and its maker say, alike in planning and in steps, or refused with a reason.

    python tests/faults/campaign/tables.py [--tables 10000] [--seed 1] [--only NUMBER]

A third of the tables has one fault, which the message must name with its line. Every table is read again with random
damages of its bytes: no exception but `FoldlineError` may come out, and what is read must be what pandas reads. Every
twentieth table is read by the whole of planning, with image files.
"""

import argparse
import gzip
import io
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

import pandas as pd  # noqa: E402
from faults.campaign.table_cases import Case, damaged, make_case, parquet_of  # noqa: E402
from fixtures.pictures import photograph, saved  # noqa: E402
from fixtures.settings import dataset_settings  # noqa: E402
from foldline.dataset import plain_csv  # noqa: E402
from foldline.dataset.label_reading import resolve  # noqa: E402
from foldline.dataset.raw_table import read_raw_table  # noqa: E402
from foldline.dataset.sample_ids import id_of  # noqa: E402
from foldline.dataset.sample_table import Row, read_rows, read_sample_table  # noqa: E402
from foldline.dataset.scan_config import ScanConfig  # noqa: E402
from foldline.errors import FoldlineError  # noqa: E402
from foldline.io.settings import build  # noqa: E402
from foldline.planning.dataset_section import columns_of, scan_settings, table_arguments  # noqa: E402
from foldline.planning.raw_data import read_raw_data  # noqa: E402

DEEP_EVERY = 20
IMAGE = saved(photograph(8, 8), "PNG")


@dataclass
class Outcome:
    """What became of all tables.

    Attributes:
        counts: tables by outcome.
        problems: what is wrong, with the number of the table.
    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def run(count: int, *, seed: int, folder: Path, only: int | None = None) -> Outcome:
    """Read `count` random tables, or the one with number `only`.

    Args:
        count: number of tables.
        seed: seed of all tables.
        folder: where tables and images are written.
        only: number of the only table to read.
    """
    outcome = Outcome()
    for number in range(count) if only is None else [only]:
        random = Random(f"{seed}/{number}")
        case = make_case(random)
        try:
            check_case(case, folder, outcome)
            check_damaged(case, random, folder, outcome)
            if number % DEEP_EVERY == 0 or only is not None:
                check_planning(case, folder / f"deep{number}", outcome)
        except AssertionError as error:
            outcome.problems.append(f"table {number}: {error}")
        except Exception as error:
            outcome.problems.append(f"table {number}: {type(error).__name__}: {error}")
    return outcome


def settings(case: Case, root: Path) -> dict[str, Any]:
    """The `dataset` section of a configuration for the table of a case."""
    labels, base = case.labels, default_section()
    name, target, group, metadata = case.names
    changed = {
        "kind": labels.kind,
        "classes": list(labels.classes),
        "separator": labels.separator,
        "empty": labels.empty,
    }
    return {
        **base,
        "root": str(root),
        "train_table": "table.csv",
        "id_column": name,
        "target_column": target or "target",
        "group_column": group,
        "metadata_columns": list(metadata),
        "labels": {**base["labels"], **changed},
        "train_images": "images/{id}",
        "test_images": "images/{id}",
    }


@cache
def default_section() -> dict[str, Any]:
    """The `dataset` section with the defaults of the schema."""
    return dataset_settings()


def check_plain(path: Path, wanted: Sequence[str]) -> None:
    """Read a table as a long one without quotes is read, and as all others are."""
    found = []
    for longest in (0, sys.maxsize):
        with mock.patch.object(plain_csv, "LONG", longest):
            try:
                table = read_raw_table(path, wanted, every=True)
                found.append(
                    (table.header, list(table.lines), {name: list(cells) for name, cells in table.columns.items()})
                )
            except FoldlineError as error:
                found.append(str(error))
    assert found[0] == found[1], f"a long table is read otherwise than a short one: {found}"


def read_both(path: Path, case: Case) -> list[Row]:
    """Rows as planning reads them, which a step must read too."""
    check_plain(path, columns_of(settings(case, path.parent), "test").names())
    section, split = settings(case, path.parent), "train" if case.names[1] else "test"
    columns = columns_of(section, split)
    if split == "test" and case.names[2]:
        # A test table has no group of its own.
        case.rows = [(row[0], row[1], row[0], row[3]) for row in case.rows]
    table = read_sample_table(path, columns)
    labels = resolve(columns.labels, table.label_cells())
    planned = table.rows(labels).rows()
    reading = {} if labels.kind == "binary" else {"cells": labels.cells, "first_number": labels.first_number}
    config = build(
        ScanConfig,
        {
            **scan_settings(section, split),
            **table_arguments(section, split, reading),
            "root": "",
            "table": str(path),
            "images": "images/{id}",
            "digest": "",
        },
    )
    assert read_rows(config.table, config.columns()) == planned, "planning and step read different rows"
    return planned


def check_case(case: Case, folder: Path, outcome: Outcome) -> None:
    """Compare a table with the rows that its maker wanted and with pandas, or with its fault."""
    path = folder / "table.csv"
    path.write_bytes(case.content)
    ignored = case.fault in ("counts as missing",) and not case.names[1]
    try:
        rows = read_both(path, case)
    except FoldlineError as error:
        message = str(error)
        assert "\n" not in message, f"a message of several lines: {message!r}"
        assert case.fault or case.open_reading, f"a table without a fault is refused: {message}"
        if case.fault:
            assert case.fault in message or case.open_reading, f"the message does not say {case.fault!r}: {message}"
            named = f"line {case.line}" in message or not case.line or case.fault == "NUL" or case.open_reading
            assert named, f"the message does not name line {case.line}: {message}"
        outcome.counts["refused, with a fault" if case.fault else "refused, two readings"] += 1
        return
    if case.fault and not ignored:
        assert case.open_reading and case.fault == "label", f"a fault is not noticed: {case.fault} in line {case.line}"
        return
    if not case.fault:
        assert [(row.id, row.target, row.group, row.metadata) for row in rows] == case.rows, f"other rows: {rows}"
        compare_with_pandas(path, case)
        check_parquet(path, case, rows)
    outcome.counts["read"] += 1


def compare_with_pandas(path: Path, case: Case) -> None:
    """Compare all cells of a table with those that its maker wrote, and with those that pandas reads."""
    table = read_raw_table(path, list(case.cells or {}))
    assert {name: list(cells) for name, cells in table.columns.items()} == case.cells, "other cells"
    found = pandas_cells(path, case.pandas)
    wanted = {name: [with_unix_breaks(cell) for cell in cells] for name, cells in (case.cells or {}).items()}
    assert found == wanted, f"pandas reads other cells: {found}"


def pandas_cells(path: Path, options: dict[str, Any]) -> dict[str, list[str]]:
    """Cells by column without spaces around them, as pandas reads them."""
    data = path.read_bytes()
    if options["encoding"]:
        data = data.decode(options["encoding"]).encode()
    if options["bare_cr"]:
        # pandas fails at a space at the start of a line behind a CR alone.
        data = gzip.decompress(data) if options["zipped"] else data
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    frame = pd.read_csv(
        io.BytesIO(data),
        dtype=str,
        keep_default_na=False,
        na_filter=False,
        skipinitialspace=True,
        sep=options["separator"],
        encoding="utf-8-sig",
        compression="gzip" if options["zipped"] and not options["bare_cr"] else None,
    )
    return {str(name).strip(): [with_unix_breaks(cell).strip() for cell in frame[name]] for name in frame.columns}


def with_unix_breaks(cell: str) -> str:
    """A cell with LF for every line break."""
    return cell.replace("\r\n", "\n").replace("\r", "\n")


def check_parquet(path: Path, case: Case, rows: list[Row]) -> None:
    """Compare the rows with those of the same table as Parquet."""
    content = parquet_of(case)
    if content is not None:
        path = path.with_suffix(".parquet")
        path.write_bytes(content)
        found = [(row.id, row.target, row.group, row.metadata) for row in read_both(path, case)]
        assert found == [(row.id, row.target, row.group, row.metadata) for row in rows], "Parquet gives other rows"


def check_damaged(case: Case, random: Random, folder: Path, outcome: Outcome) -> None:
    """Read a damaged table: refused, or the same rows in planning and step, with the ids that pandas reads."""
    path = folder / "damaged.csv"
    path.write_bytes(damaged(random, case.content))
    try:
        rows = read_both(path, case)
    except FoldlineError:
        outcome.counts["damaged, refused"] += 1
        return
    outcome.counts["damaged, read"] += 1
    assert len({row.id for row in rows}) == len(rows), "an id occurs twice"
    try:
        found = pandas_cells(path, case.pandas)
    except (ValueError, OSError, EOFError, zlib.error):
        # pandas refuses it, or the damage changed the separator.
        return
    if case.names[0] in found:
        outcome.counts["damaged, read by pandas too"] += 1
        assert [row.id for row in rows] == list(map(id_of, found[case.names[0]])), (
            f"pandas reads other ids: {found[case.names[0]]}"
        )


def check_planning(case: Case, root: Path, outcome: Outcome) -> None:
    """Read a table of training rows by the whole of planning, with an image file of each sample and a test table."""
    if case.fault or not case.names[1]:
        return
    (root / "images").mkdir(parents=True)
    (root / "table.csv").write_bytes(case.content)
    for name in [*(row[0] for row in case.rows), "test 1"]:
        (root / "images" / name).write_bytes(IMAGE)
    metadata = case.names[3]
    (root / "test.csv").write_text(",".join(["id", *metadata]) + "\n" + ",".join(["test 1", *("NA" for _ in metadata)]))
    section = settings(case, root) | {"sample_submission": None}
    try:
        data = read_raw_data(section, record_tables=str(root / "raw"))
    except FoldlineError as error:
        assert case.open_reading, f"planning refuses a table without a fault: {error}"
        return
    found = [(s.row.id, s.row.target, s.row.group, s.row.metadata) for s in data.splits["train"]]
    assert found == case.rows, "planning reads other rows"
    outcome.counts["planned"] += 1


def main() -> None:
    """Run the campaign and print what became of the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(arguments.tables, seed=arguments.seed, folder=Path(folder), only=arguments.only)
    for name, count in sorted(outcome.counts.items()):
        print(f"{count:8,} {name}")
    print(f"{len(outcome.problems):8,} problems, {time.process_time() - start:.0f} CPU-s")
    for problem in outcome.problems[:20]:
        print(problem[:400])
    sys.exit(bool(outcome.problems))


if __name__ == "__main__":
    main()
