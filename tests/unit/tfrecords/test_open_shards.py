"""Shards are compared with their manifests, with each other and with the rows to read."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.records import write_shard
from fixtures.shards import ShardSet, write_shards
from foldline.errors import FoldlineError
from foldline.tfrecords.open_shards import check_ids, check_read, check_shards, open_shards
from foldline.tfrecords.records import feature_kinds


def test_shards_that_agree_with_their_manifests_are_accepted(tmp_path: Path) -> None:
    shards = [write_shard(tmp_path, name) for name in ("one", "two")]
    manifests = check_shards(*zip(*shards, strict=True))
    assert [manifest.records for manifest in manifests] == [3, 3]
    assert check_shards([], []) == []


def test_a_shard_truncated_between_records_is_refused(tmp_path: Path) -> None:
    path, manifest = write_shard(tmp_path)
    data = path.read_bytes()
    first = 16 + struct.unpack("<Q", data[:8])[0]
    path.write_bytes(data[:first])
    with pytest.raises(FoldlineError, match=rf"shard.tfrec: {first} bytes, but the manifest says {len(data)}"):
        check_shards([path], [manifest])


def test_a_shard_with_another_count_is_refused(tmp_path: Path) -> None:
    path, manifest = write_shard(tmp_path, records=4)
    with pytest.raises(FoldlineError, match="3 records, but the manifest says 4"):
        check_shards([path], [manifest])


def test_missing_files_are_refused(tmp_path: Path) -> None:
    path, manifest = write_shard(tmp_path)
    path.unlink()
    with pytest.raises(FoldlineError, match="no such shard"):
        check_shards([path], [manifest])
    with pytest.raises(FoldlineError, match="no such manifest, so its shard is incomplete"):
        check_shards([path], [tmp_path / "other.json"])


@pytest.mark.parametrize("change", [{"image_size": 64}, {"features": feature_kinds([], True)}])
def test_shards_that_differ_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    shards = [write_shard(tmp_path, "one"), write_shard(tmp_path, "two", **change)]
    with pytest.raises(FoldlineError, match=f"two.json: {next(iter(change))} is .* must agree"):
        check_shards(*zip(*shards, strict=True))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return write_shards(tmp_path_factory.mktemp("shards"), rows=45, size=16, count=3)


def test_images_of_another_size_are_refused(data: ShardSet) -> None:
    with pytest.raises(FoldlineError, match="images of 16 px, but the model reads 32 px"):
        open_shards(data.paths, data.manifests, image_size=32)


@pytest.mark.parametrize("change", [lambda ids: ids[1:], lambda ids: [*ids, "unknown"], lambda ids: ["x", *ids[1:]]])
def test_shards_with_other_rows_are_refused(data: ShardSet, change: Callable[[list[str]], list[str]]) -> None:
    shards = open_shards(data.paths, data.manifests, image_size=16)
    check_ids(shards, list(data.rows["id"]))
    with pytest.raises(FoldlineError, match="run the workflow again"):
        check_ids(shards, change(list(data.rows["id"])))


@pytest.mark.parametrize(
    ("ids", "words"),
    [(["a", "b", "b"], "1 repeated id.*b"), (["a"], "1 missing id.*b"), (["a", "b", "c"], "1 unknown id.*c")],
)
def test_missing_repeated_and_unknown_rows_are_refused(ids: list[str], words: str) -> None:
    check_read(["b", "a"], ["a", "b"], source="fold 1")
    with pytest.raises(FoldlineError, match=words):
        check_read(ids, ["a", "b"], source="fold 1")
