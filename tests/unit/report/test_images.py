"""Which images the report shows, and that their pixels come from the right shard."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures.results import Results, write_results
from foldline.errors import FoldlineError
from foldline.evaluation.oof import Oof
from foldline.report.images import label_text, largest_errors, read_images, rows_of_every_label, worst_predictions


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("results"))


def test_largest_errors_come_first_and_ties_by_id() -> None:
    pairs = pd.DataFrame({"id": list("dcba"), "target": [1, 0, 1, 0], "blend": [0.1, 0.9, 0.8, 0.3]})
    assert list(largest_errors(pairs, 3)["id"]) == ["c", "d", "a"]
    assert len(largest_errors(pairs, 9)) == 4


def test_each_image_is_once_among_the_worst_predictions() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4]])
    oof = Oof(["x", "y", "z"], list("dcba"), np.zeros(4, int), np.eye(3, dtype=int)[[0, 0, 1, 1]], {"blend": scores})
    found = worst_predictions(oof, scores.argmax(axis=1), 3)
    assert found.to_dict("list") == {
        "id": ["c", "b", "a"],
        "true": [0, 1, 1],
        "predicted": [1, 2, 2],
        "true_score": [0.05, 0.2, 0.3],
        "predicted_score": [0.9, 0.6, 0.4],
    }
    assert list(worst_predictions(oof, scores.argmax(axis=1), 9)["id"]) == ["c", "b", "a", "d"]
    other = worst_predictions(oof, np.array([0, 2, 1, 1]), 2)
    assert list(other["predicted"]) == [2, 1]
    assert list(other["predicted_score"]) == [0.05, 0.2]


def test_training_images_alternate_between_labels() -> None:
    """Row 25: sample images with the names of their labels."""
    table = pd.DataFrame({"id": list("gfedcba"), "target": ["110", "001", "001", "001", "001", "110", "001"]})
    assert list(rows_of_every_label(table, 5)["id"]) == ["a", "b", "c", "g", "d"]


@pytest.mark.parametrize(
    ("target", "class_names", "text"),
    [
        ("110", ["er", "golgi", "actin"], "er, golgi"),
        ("001", ["er", "golgi", "actin"], "actin"),
        ("000", ["er", "golgi", "actin"], "no class"),
        ("1", ["target"], "target 1"),
        ("0.3", ["target"], "target 0.3"),
        ("0.1 0.5 0.1 0.3", ["er", "golgi", "actin", "none"], "golgi 0.50, none 0.30, er 0.10"),
    ],
)
def test_label_codes_become_names(target: str, class_names: list[str], text: str) -> None:
    assert label_text(target, class_names) == text


def test_images_are_read_from_the_shard_of_their_id(results: Results) -> None:
    inputs = results.report_arguments()["inputs"]
    images = read_images(["image_0003", "image_0050"], inputs.shards, inputs.manifests)
    assert {name: pixels.shape for name, pixels in images.items()} == {
        "image_0003": (32, 32, 3),
        "image_0050": (32, 32, 3),
    }
    labels = pd.read_csv(results.folder / "folds.csv").set_index("id")["target"]
    for name in labels.index[:8]:
        pixels = read_images([name], inputs.shards, inputs.manifests)[name]
        assert (pixels[10:22, 10:22].mean() > 130) == bool(labels[name])


def test_only_shards_with_a_wanted_id_are_opened(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    from foldline.report import images

    opened: list[str] = []
    original = images.read_records

    def read_records(path: str | Path):
        opened.append(Path(path).name)
        return original(path)

    monkeypatch.setattr(images, "read_records", read_records)
    inputs = results.report_arguments()["inputs"]
    read_images(["image_0003"], inputs.shards, inputs.manifests)
    assert len(inputs.shards) == 2
    assert len(opened) == 1


def test_an_id_in_no_shard_is_an_error(results: Results) -> None:
    inputs = results.report_arguments()["inputs"]
    with pytest.raises(FoldlineError, match="no shard holds id image_9999"):
        read_images(["image_9999"], inputs.shards, inputs.manifests)
