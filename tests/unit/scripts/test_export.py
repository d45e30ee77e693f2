"""SavedModels as others get them: loaded by plain TensorFlow in a process of its own, they give our predictions."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_ensemble import export_ensemble
from export_model import export_model
from fixtures.channels import CHANNELS, cells
from fixtures.pictures import photograph, saved
from fixtures.settings import model_config
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import Encoding, MetadataColumnConfig, fit_encoding
from foldline.errors import FoldlineError
from foldline.evaluation.activations import probabilities
from foldline.inference.saved_model import FILES, Member, Served
from foldline.inference.tta import view
from foldline.input_pipeline.decode import decode_image
from foldline.input_pipeline.metadata_tensors import metadata_vector
from foldline.io.files import write_json
from foldline.models.networks import build_network, input_spec_of
from foldline.models.weights_file import save_weights
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras

pytestmark = pytest.mark.slow

SIZE, ROWS, VIEWS = 32, 3, 2
CLASSES = ["er", "golgi"]
TINY = {"backbone": "efficientnet-lite0", "weights": "none", "image_size": SIZE}
MODELS = {
    "a": model_config(**TINY, channels=list(CHANNELS)),
    "b": model_config(image_size=SIZE, inputs=["metadata"], metadata_units=[4]),
}
SITE = fit_encoding({"site": MetadataColumnConfig("categorical", ("arm", "leg"))}, {"site": ["arm", "leg"]})

# Loads each folder of the first argument, calls it with the inputs of the second, and says what it gives.
SERVER = """
import base64, importlib.util, json, sys
assert importlib.util.find_spec("foldline") is None
import tensorflow as tf
given = json.load(open(sys.argv[2]))
answers = []
for folder in json.loads(sys.argv[1]):
    serve = tf.saved_model.load(folder).signatures["serving_default"]
    names = serve.structured_input_signature[1]
    inputs = {name: tf.constant([base64.b64decode(value) for value in given[name]]) for name in names}
    found = serve(**inputs)
    small = {name: value[:1] for name, value in inputs.items()}
    assert abs(serve(**small)["probabilities"] - found["probabilities"][:1]).numpy().max() < 1e-5
    answers.append({"names": sorted(names), "probabilities": found["probabilities"].numpy().tolist(),
                    "classes": [name.decode() for name in found["classes"].numpy()]})
try:
    serve(**{name: tf.constant([b"no image"]) for name in names})
except tf.errors.InvalidArgumentError:
    print(json.dumps(answers))
"""


def images() -> np.ndarray:
    return np.stack([cells(number, number % 2, edge=SIZE) for number in range(ROWS)])


def store(folder: Path, name: str, fold: int) -> tuple[Path, Path, np.ndarray]:
    """Weights and encoding of a network from its seed; and its probabilities of the images, (ROWS, classes)."""
    input_spec = input_spec_of(MODELS[name], SITE)
    tf_keras.utils.set_random_seed(100 * fold + len(name))
    device = use_device("cpu", threads=1)
    network = build_network(MODELS[name], input_spec, weights="none", n_classes=len(CLASSES), device=device)
    # Random networks hardly tell images apart; a larger last layer does.
    network.get_layer("logits").kernel.assign(30 * network.get_layer("logits").kernel)
    place = folder / "models" / name / f"fold{fold}"
    save_weights(network, place / "weights.weights.h5")
    write_json(place / "metadata.json", {"columns": input_spec.encoding.as_json()})
    if input_spec.encoding.width:
        site = metadata_vector({"site": tf.constant("leg")}, SITE)
        seen = [{"metadata": tf.tile(site[tf.newaxis], [ROWS, 1])}]
    else:
        seen = [{"image": view(tf.constant(images()), number)} for number in range(VIEWS)]
    wanted = np.mean([probabilities(network(one, training=False).numpy(), "sigmoid") for one in seen], axis=0)
    return place / "weights.weights.h5", place / "metadata.json", wanted


def serve(folder: Path, exports: list[Path], given: dict[str, list[bytes]]) -> list[dict[str, Any]]:
    """Answers of a process in which this project cannot be imported."""
    path = folder / "given.json"
    texts = {name: [base64.b64encode(one).decode() for one in some] for name, some in given.items()}
    path.write_text(json.dumps(texts))
    command = [sys.executable, "-I", "-c", SERVER, json.dumps([str(export) for export in exports]), str(path)]
    return json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout)


def test_plain_tensorflow_serves_a_fold_and_the_ensemble(tmp_path: Path) -> None:
    """Row 24: encoded channels in, the probabilities of our predictions out."""
    stored = {(name, fold): store(tmp_path, name, fold) for name, fold in (("a", 0), ("b", 0), ("b", 1))}
    weights, metadata, _ = stored["a", 0]
    common = {"class_names": CLASSES, "activation": "sigmoid", "views": VIEWS, "threads": 1}
    one, all_of_them = tmp_path / "export" / "a" / "fold0", tmp_path / "export" / "ensemble"
    export_model(weights=weights, metadata=metadata, graph=one / FILES[-1], model_config=MODELS["a"], **common)
    write_json(tmp_path / "blend.json", {"rule": "mean"})
    export_ensemble(
        weights=[paths[0] for paths in stored.values()],
        metadata=[paths[1] for paths in stored.values()],
        recipe=tmp_path / "blend.json",
        graph=all_of_them / FILES[-1],
        model_configs=MODELS,
        **common,
    )
    assert sorted(path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file()) == sorted(FILES)
    given = {name: [saved(row[..., [place]], "PNG") for row in images()] for place, name in enumerate(CHANNELS)}
    found, joined = serve(tmp_path, [one, all_of_them], {**given, "site": [b"leg"] * ROWS})
    assert found["names"] == sorted(CHANNELS)
    assert joined["names"] == sorted([*CHANNELS, "site"])
    assert found["classes"] == joined["classes"] == CLASSES
    np.testing.assert_allclose(found["probabilities"], stored["a", 0][2], atol=1e-5)
    wanted = stored["a", 0][2] / 2 + (stored["b", 0][2] + stored["b", 1][2]) / 4
    np.testing.assert_allclose(joined["probabilities"], wanted, atol=1e-5)
    assert np.abs(joined["probabilities"] - np.array(found["probabilities"])).max() > 1e-3


def test_a_blend_by_ranks_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "blend.json", {"rule": "rank_mean"})
    settings = {"weights": [], "metadata": [], "recipe": tmp_path / "blend.json", "graph": tmp_path / "g", "threads": 1}
    with pytest.raises(FoldlineError, match=r"the blend is by rank_mean, and a single image has no rank"):
        export_ensemble(**settings, model_configs={}, class_names=CLASSES, activation="sigmoid", views=1)


def means_of(channels: tuple[str, ...], size: int = SIZE) -> Member:
    """A network whose logits are the means of its channels, 0 to 1."""
    count = len(channels) or 3
    flat = tf_keras.Sequential([tf_keras.Input((size, size, count)), tf_keras.layers.GlobalAveragePooling2D()])
    network = tf_keras.Model({"image": flat.input}, tf_keras.layers.Rescaling(1 / 255)(flat.output))
    return Member(network, InputSpec(size, Encoding(()), channels))


def test_models_may_see_different_channels() -> None:
    served = Served(
        [[means_of(("red", "yellow"))], [means_of(("yellow", "blue"))]],
        views=1,
        activation="sigmoid",
        class_names=CLASSES,
    )
    planes = {name: images()[..., place] for place, name in enumerate(CHANNELS)}
    encoded = {name: tf.constant([saved(row, "PNG") for row in planes[name]]) for name in ("red", "yellow", "blue")}
    red, yellow, blue = (
        probabilities(planes[name].mean(axis=(1, 2)) / 255, "sigmoid") for name in ("red", "yellow", "blue")
    )
    wanted = np.stack([(red + yellow) / 2, (yellow + blue) / 2], axis=1)
    np.testing.assert_allclose(served.serve(**encoded)["probabilities"], wanted, atol=1e-6)


def test_an_rgb_image_is_one_input_and_must_have_its_size() -> None:
    served = Served([[means_of(())]], views=4, activation="softmax", class_names=["r", "g", "b"])
    data = saved(photograph(SIZE, SIZE), "JPEG")
    found = served.serve(image=tf.constant([data, data]))["probabilities"].numpy()
    means = decode_image([tf.constant(data)], SIZE, channels=3).numpy().mean(axis=(0, 1)) / 255
    np.testing.assert_allclose(found, np.tile(probabilities(means, "softmax"), (2, 1)), atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[40,32,3\]"):
        served.serve(image=tf.constant([saved(photograph(40, SIZE), "JPEG")]))


def test_models_of_different_sizes_are_exported_apart() -> None:
    members = [Member(tf_keras.Sequential(), InputSpec(size, Encoding(()))) for size in (32, 64)]
    with pytest.raises(FoldlineError, match="models of 32 px, 64 px take different images; export each by itself"):
        Served([[member] for member in members], views=1, activation="sigmoid", class_names=CLASSES)
