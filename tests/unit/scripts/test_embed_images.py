"""A vector for every image of a split, and the same from a table of the user."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embed_images import embed_images
from fixtures.result_files import inventory_table
from fixtures.shards import ShardSet, write_shards
from foldline.errors import FoldlineError
from foldline.inference.embedding_config import EmbeddingConfig
from foldline.inference.predictions import ShardFiles
from foldline.io.embeddings import read_embeddings
from foldline.io.tables import INVENTORY, write_table
from import_features import import_features

CONFIG = EmbeddingConfig(image_size=32, backbone="efficientnet-lite0", weights="imagenet", channels=())


def embedded(data: ShardSet, path: Path, *, shards: slice = slice(None)) -> dict[str, np.ndarray]:
    files = ShardFiles(data.paths[shards], data.manifests[shards])
    embed_images(files, path, config=CONFIG, accelerator="cpu", threads=1)
    return dict(zip(*read_embeddings(path), strict=True))


def test_a_vector_depends_on_its_image_alone(tmp_path: Path) -> None:
    # More rows than a batch has, so that the second shard is embedded beside rows of the first one, and alone.
    data = write_shards(tmp_path, rows=90)
    together = embedded(data, tmp_path / "all.parquet")
    alone = embedded(data, tmp_path / "second.parquet", shards=slice(1, 2))
    assert len(together) == 90 > len(alone) > 30
    assert {len(vector) for vector in together.values()} == {2 * (40 + 112)}
    for name, vector in alone.items():
        assert vector.tobytes() == together[name].tobytes(), name
    assert np.ptp(np.stack(list(together.values())), axis=0).max() > 0.1
    assert embedded(data, tmp_path / "again.parquet").keys() == together.keys()
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "all.parquet").read_bytes()


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    table: pd.DataFrame = inventory_table(["b", "a"], ["0", "1"], ["b", "a"], np.random.default_rng(0))
    write_table(table, tmp_path / "inventory.parquet", INVENTORY)
    return tmp_path / "inventory.parquet"


def test_features_of_the_user_are_taken(inventory: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["x", "b", "a"], "vector": [[0.0, 0.0], [1.5, 2], [3, 4]]}), tmp_path / "f.parquet")
    import_features([inventory], tmp_path / "out.parquet", features=tmp_path / "f.parquet", split="train")
    ids, vectors = read_embeddings(tmp_path / "out.parquet")
    assert (ids, vectors.tolist()) == (["a", "b"], [[3, 4], [1.5, 2]])


def test_wrong_features_are_refused(inventory: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["b", "b"], "vector": [[0.0], [1.0]]}), tmp_path / "f.parquet")
    with pytest.raises(FoldlineError, match=r"features: .*1 id more than once: b .*\n.*1 sample without a vector: a"):
        import_features([inventory], tmp_path / "out.parquet", features=tmp_path / "f.parquet", split="train")
    assert not (tmp_path / "out.parquet").exists()
