"""People read the classes and vocabularies of a run, in their order and in their own letters."""

import json
from pathlib import Path

from list_classes import list_classes


def test_words_keep_their_order_and_letters(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    list_classes(words=path, classes=("nävus", "mel"), vocabularies={"site": ("leg", "arm")})
    text = path.read_text(encoding="utf-8")
    assert "nävus" in text
    assert json.loads(text) == {"classes": ["nävus", "mel"], "vocabularies": {"site": ["leg", "arm"]}}
