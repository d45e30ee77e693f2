"""Exported SavedModels: plain TensorFlow, in a process without this project, gives the probabilities of predictions."""

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_ensemble import export_ensemble, trained_models
from export_model import export_model
from fixtures.channels import CHANNELS, cells
from fixtures.pictures import saved
from fixtures.settings import model_settings
from foldline.dataset.metadata import Encoding, MetadataColumnConfig, fit_encoding
from foldline.errors import FoldlineError
from foldline.evaluation.activations import probabilities
from foldline.evaluation.recipe import read_recipe
from foldline.images.resizing import record_image
from foldline.inference.saved_model import FILES
from foldline.inference.serving_images import ServingImages
from foldline.inference.trained_model import TrainedModel
from foldline.inference.tta import view
from foldline.input_pipeline.decode import decode_image
from foldline.input_pipeline.metadata_tensors import metadata_vector
from foldline.io.files import write_json
from foldline.io.settings import build
from foldline.models.model_config import ModelConfig
from foldline.models.networks import build_network, input_spec_of
from foldline.models.weights_file import save_weights
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_lite0")]

SIZE, EDGE, ROWS, VIEWS = 32, 80, 3, 2
IMAGES = ServingImages("stretch", 95)
CLASSES = ["er", "golgi"]
SITE = fit_encoding({"site": MetadataColumnConfig("categorical", ("arm", "leg"))}, {"site": ["arm", "leg"]})

# Load each folder of the first argument, call it with the inputs of the second, and print its answers.
SERVER = """
import base64, importlib.util, json, sys
assert importlib.util.find_spec("foldline") is None
import tensorflow as tf
features = json.load(open(sys.argv[2]))
answers = []
for folder in json.loads(sys.argv[1]):
    serve = tf.saved_model.load(folder).signatures["serving_default"]
    names = serve.structured_input_signature[1]
    inputs = {name: tf.constant([base64.b64decode(value) for value in features[name]]) for name in names}
    answer = serve(**inputs)
    small = {name: value[:1] for name, value in inputs.items()}
    assert abs(serve(**small)["probabilities"] - answer["probabilities"][:1]).numpy().max() < 1e-5
    answers.append({"names": sorted(names), "probabilities": answer["probabilities"].numpy().tolist(),
                    "classes": [name.decode() for name in answer["classes"].numpy()]})
try:
    serve(**{name: tf.constant([b"no image"]) for name in names})
except tf.errors.InvalidArgumentError:
    print(json.dumps(answers))
"""


def model_config_mapping(**changes: Any) -> dict[str, Any]:
    """The `ModelConfig` of a model as the step gets it."""
    settings = model_settings(image_size=SIZE, **changes)
    return {name: settings[name] for name in ModelConfig.__dataclass_fields__}


SETTINGS = {
    "model_configs": {
        "a": model_config_mapping(backbone="efficientnet-lite0", channels=list(CHANNELS)),
        "b": model_config_mapping(inputs=["metadata"], metadata_units=[4]),
    },
    "class_names": CLASSES,
    "activation": "sigmoid",
}


@dataclass(frozen=True)
class Stored:
    """Files of a network, and its probabilities of the test rows, (ROWS, n_classes)."""

    weights: Path
    metadata: Path
    probabilities: np.ndarray


def files() -> dict[str, list[bytes]]:
    """Files of each channel, larger than the images of the model."""
    rows = [cells(number, number % 2, edge=EDGE) for number in range(ROWS)]
    return {name: [saved(row[..., [index]], "PNG") for row in rows] for index, name in enumerate(CHANNELS)}


def images() -> np.ndarray:
    """What the shards hold of the files: uint8, (ROWS, SIZE, SIZE, C)."""

    def pixels(file: bytes) -> np.ndarray:
        record = record_image(file, size=SIZE, aspect=IMAGES.aspect, jpeg_quality=IMAGES.jpeg_quality)
        return decode_image([tf.constant(record)], SIZE, channels=1).numpy()

    of_channels = [np.stack([pixels(file) for file in files()[name]]) for name in CHANNELS]
    return np.concatenate(of_channels, axis=-1)


def store(folder: Path, name: str, fold: int) -> Stored:
    """Store a network with random weights."""
    config = build(ModelConfig, SETTINGS["model_configs"][name])
    input_spec = input_spec_of(config, SITE)
    tf_keras.utils.set_random_seed(100 * fold + len(name))
    device = use_device("cpu", threads=1)
    network = build_network(config, input_spec, weights="none", n_classes=len(CLASSES), device=device)
    # Logits of random networks hardly depend on the image; a larger last layer makes them differ.
    network.get_layer("logits").kernel.assign(30 * network.get_layer("logits").kernel)
    files = folder / "models" / name / f"fold{fold}"
    save_weights(network, files / "weights.weights.h5")
    write_json(files / "metadata.json", {"columns": input_spec.encoding.as_json()})
    expected = np.mean(
        [probabilities(network(inputs, training=False).numpy(), "sigmoid") for inputs in views_of(input_spec.encoding)],
        axis=0,
    )
    return Stored(files / "weights.weights.h5", files / "metadata.json", expected)


def views_of(encoding: Encoding) -> list[dict[str, tf.Tensor]]:
    """Inputs of a network for each view of the test rows."""
    if encoding.width:
        site = metadata_vector({"site": tf.constant("leg")}, encoding)
        return [{"metadata": tf.tile(site[tf.newaxis], [ROWS, 1])}]
    return [{"image": view(tf.constant(images()), number)} for number in range(VIEWS)]


def serve(folder: Path, exports: list[Path], features: dict[str, list[bytes]]) -> list[dict[str, Any]]:
    """Answers of a process that cannot import this project."""
    path = folder / "features.json"
    texts = {name: [base64.b64encode(value).decode() for value in values] for name, values in features.items()}
    path.write_text(json.dumps(texts))
    command = [sys.executable, "-I", "-c", SERVER, json.dumps([str(export) for export in exports]), str(path)]
    return json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout)


def test_plain_tensorflow_serves_a_fold_and_the_ensemble(tmp_path: Path) -> None:
    """Row 24: encoded channels of any size in, the probabilities of the predictions out."""
    stored = [store(tmp_path, name, fold) for name, fold in (("a", 0), ("b", 0), ("b", 1))]
    models = trained_models([each.weights for each in stored], [each.metadata for each in stored], SETTINGS)
    single, ensemble = tmp_path / "export" / "a" / "fold0", tmp_path / "export" / "ensemble"
    export_model(models[0], graph=single / FILES[-1], images=IMAGES, views=VIEWS, threads=1)
    weights = {"a": [1.0, 0.5], "b": [0.5, 1.0], "c": [0.0, 0.0]}
    blend = {"scale": "log", "weights": weights, "intercepts": [0.2, 0.0]}
    calibration = {"method": "platt", "slopes": [0.7, 1.5], "intercepts": [0.1, -0.3]}
    recipe = {"blended": ["a", "b", "c"], "activation": SETTINGS["activation"], "blend": blend}
    write_json(tmp_path / "blend.json", {**recipe, "calibration": calibration, "cross_fitted": {}})
    export_ensemble(
        models,
        recipe=tmp_path / "blend.json",
        graph=ensemble / FILES[-1],
        images=IMAGES,
        views=[range(VIEWS)] * len(models),
        threads=1,
    )
    assert sorted(path.relative_to(single).as_posix() for path in single.rglob("*") if path.is_file()) == sorted(FILES)
    fold_answer, ensemble_answer = serve(tmp_path, [single, ensemble], {**files(), "site": [b"leg"] * ROWS})
    assert fold_answer["names"] == sorted(CHANNELS)
    assert ensemble_answer["names"] == sorted([*CHANNELS, "site"])
    assert fold_answer["classes"] == ensemble_answer["classes"] == CLASSES
    np.testing.assert_allclose(fold_answer["probabilities"], stored[0].probabilities, atol=1e-5)
    of_models = {"a": stored[0].probabilities, "b": (stored[1].probabilities + stored[2].probabilities) / 2}
    expected = read_recipe(tmp_path / "blend.json").without_unused_models().apply(of_models)
    np.testing.assert_allclose(ensemble_answer["probabilities"], expected, atol=1e-5)
    assert np.abs(ensemble_answer["probabilities"] - np.array(fold_answer["probabilities"])).max() > 1e-3


def test_models_and_folds_come_from_the_paths() -> None:
    paths = ["results/models/a/fold0/weights.weights.h5", "results/models/b/fold12/weights.weights.h5"]
    models = trained_models(paths, ["a.json", "b.json"], SETTINGS)
    found = [(model.name, str(model.member), model.metadata) for model in models]
    assert found == [
        ("a", "0", "a.json"),
        ("b", "12", "b.json"),
    ]
    assert [model.config.inputs for model in models] == [("image",), ("metadata",)]


def test_a_blend_of_ranks_is_an_error(tmp_path: Path) -> None:
    blend = {"scale": "rank", "weights": {"a": [1.0]}, "intercepts": [0.0]}
    recipe = {"blended": ["a"], "activation": "sigmoid", "blend": blend, "calibration": {"method": "none"}}
    write_json(tmp_path / "blend.json", {**recipe, "cross_fitted": {}})
    models: list[TrainedModel] = []
    with pytest.raises(FoldlineError, match="the blend rule is rank_mean, but a single image has no rank"):
        export_ensemble(
            models, recipe=tmp_path / "blend.json", graph=tmp_path / FILES[-1], images=IMAGES, views=[], threads=1
        )
    assert not (tmp_path / FILES[-1]).exists()
