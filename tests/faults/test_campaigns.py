"""Small versions of the campaigns; `tests/faults/campaign/` has one command for each."""

from pathlib import Path

import pytest
from faults.campaign import files, images

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("kind", files.KINDS)
def test_mutated_files_are_refused_or_read_right(kind: str, tmp_path: Path) -> None:
    tally = files.campaign(kind, count=60, seed=7, folder=tmp_path)
    assert tally.broken == []
    assert tally.refused > 20


@pytest.mark.parametrize("kind", images.originals())
def test_mutated_images_are_refused_or_decoded(kind: str) -> None:
    found = dict(images.results(kind, 30, 7))
    assert sorted(found) == list(range(30))
    assert [text for text in found.values() if text.startswith("broke")] == []
    assert len(set(found.values())) > 1
