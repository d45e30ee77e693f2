"""Manifests are read back and checked."""

import json
from pathlib import Path

import pytest
from fixtures.records import manifest_of, write_file
from foldline.errors import FoldlineError
from foldline.tfrecords.manifests import read_manifest, write_manifest


def test_a_manifest_is_read_back_and_checked(tmp_path: Path) -> None:
    path = write_file(tmp_path / "shard.tfrec")
    manifest = tmp_path / "shard.json"
    write_manifest(manifest, manifest_of(path, channels=("red", "blue")))
    assert read_manifest(manifest) == manifest_of(path, channels=("red", "blue"))
    content = json.loads(manifest.read_text())
    for wrong in ({**content, "records": "3"}, {**content, "more": 1}, {"records": 3}):
        manifest.write_text(json.dumps(wrong))
        with pytest.raises(FoldlineError, match=r"shard\.json: manifest key .* is missing, unknown or of a wrong type"):
            read_manifest(manifest)
