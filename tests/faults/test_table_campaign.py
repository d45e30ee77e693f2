"""A small version of the campaign of random tables, `tests/faults/campaign/tables.py`."""

from pathlib import Path

from faults.campaign.tables import run


def test_random_tables_are_read_as_their_maker_says_or_refused(tmp_path: Path) -> None:
    outcome = run(250, seed=2, folder=tmp_path)
    assert outcome.problems == []
    assert outcome.counts["read"] > 80
    assert outcome.counts["refused, with a fault"] > 40
    assert outcome.counts["planned"] > 2
