"""Images that share axes, a ruler or their smoothness are no copies."""

from pathlib import Path

import pytest
from fixtures.image_sets import UNRELATED, pairs_of


@pytest.mark.parametrize("name", UNRELATED)
def test_unrelated_images_are_no_copies(name: str, tmp_path: Path) -> None:
    assert pairs_of(UNRELATED[name](tmp_path)) == []
