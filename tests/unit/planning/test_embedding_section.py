"""Whether images are embedded, and what their jobs see of the configuration."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures.project import REPOSITORY
from foldline.dataset.sample_table import Row
from foldline.errors import FoldlineError
from foldline.planning.configuration import complete, read_schema
from foldline.planning.embedding_section import check_features, embedding_problems, embedding_rule, features_in_use
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Sample, Samples

SCHEMA = read_schema(REPOSITORY / "config" / "config.schema.yaml")


def config_with(features: str | None = None, root: str = "data", **section: Any) -> dict[str, Any]:
    dataset = {"root": root, "id_column": "id", "target_column": "sick", "train_images": "{id}.png"}
    model = {"backbone": "efficientnet-lite0", "image_size": 64}
    return complete(
        {"dataset": {**dataset, "features": features}, "models": {"a": model}, "embeddings": section}, SCHEMA
    )


@pytest.mark.parametrize(
    ("config", "images", "rule"),
    [
        (config_with(), 20_000, "embed_images"),
        (config_with(), 20_001, ""),
        (config_with(enabled=True), 20_001, "embed_images"),
        (config_with(enabled=False), 10, ""),
        (config_with("vectors.parquet"), 10, "import_features"),
        (config_with("vectors.parquet"), 20_001, "import_features"),
        (config_with("vectors.parquet", enabled=False), 10, ""),
    ],
)
def test_the_rule_follows_key_and_number_of_images(config: dict[str, Any], images: int, rule: str) -> None:
    assert embedding_rule(config, images) == rule


def test_problems_name_their_keys(tmp_path: Path) -> None:
    assert list(embedding_problems(config_with())) == []
    (problem,) = embedding_problems(config_with(weights="none"))
    assert "embeddings.weights is none" in problem
    (problem,) = embedding_problems(config_with(backbone="efficientnet-lite9"))
    assert "no backbone 'efficientnet-lite9'" in problem
    (problem,) = embedding_problems(config_with(weights=str(tmp_path / "w.pth")))
    assert "embeddings.weights" in problem
    assert "there is no such file" in problem
    (problem,) = embedding_problems(config_with("vectors.parquet", root=str(tmp_path)))
    assert "vectors.parquet, but there is no such file" in problem
    (problem,) = embedding_problems(config_with("vectors.parquet", root="gs://bucket"))
    assert "gs://bucket/vectors.parquet, which is not on a disk" in problem
    (problem,) = embedding_problems(config_with("vectors.parquet", root=str(tmp_path), enabled=False))
    assert problem == (
        "config: dataset.features is 'vectors.parquet', but embeddings.enabled is false, so no vectors are used; set "
        "embeddings.enabled to true, or dataset.features to null"
    )


def test_vectors_are_checked_with_the_data(tmp_path: Path) -> None:
    path = tmp_path / "vectors.parquet"
    pq.write_table(pa.table({"id": ["s0", "s1", "s1"], "vector": [[1.0], [2.0], [3.0, 4.0]]}), path)
    assert features_in_use(config_with("vectors.parquet", root=str(tmp_path))) == str(path)
    assert features_in_use(config_with("vectors.parquet", root=str(tmp_path), enabled=False)) is None
    assert features_in_use(config_with()) is None
    samples = Samples.of(Sample(Row(2, name, "1", name, ()), "sha256", 9) for name in ("s0", "s2"))
    data = RawData({"train": samples}, ["id", "sick"], True, {"train": "train.csv"}, "")
    check_features(None, data)
    with pytest.raises(FoldlineError) as error:
        check_features(str(path), data)
    for words in ("1 id more than once: s1 (rows 2, 3)", "1 sample without a vector: s2", "usual 1: s1 (row 3: 2)"):
        assert f"dataset.features: {path}: " in str(error.value)
        assert words in str(error.value)
