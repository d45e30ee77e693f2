"""Views and their mean."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.inference.forward_pass import make_forward
from foldline.inference.tta import VIEWS, predict, prediction_table, view
from foldline.io.tables import PREDICTIONS, write_table
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)


def network() -> tf_keras.Model:
    """Logits that depend on where a pixel is."""
    tf_keras.utils.set_random_seed(9)
    layers = tf_keras.layers
    seen = tf_keras.Input((6, 6, 3))
    return tf_keras.Model({"image": seen}, layers.Dense(2)(layers.Flatten()(layers.Rescaling(1 / 255)(seen))))


def batches(values: np.ndarray, size: int):
    names = tf.constant([f"row{number}" for number in range(len(values))])
    return tf.data.Dataset.from_tensor_slices((names, {"image": values}, tf.zeros((len(values), 0)))).batch(size)


def test_the_views_are_the_eight_symmetries_of_a_square() -> None:
    turned = [np.rot90(image, turns, (1, 2)) for image in (images(), images()[:, :, ::-1]) for turns in range(4)]
    made = [view(tf.constant(images()), number).numpy() for number in range(8)]
    assert {array.tobytes() for array in made} == {array.tobytes() for array in turned}
    np.testing.assert_array_equal(made[0], images())
    np.testing.assert_array_equal(made[1], images()[:, :, ::-1])
    # Four views leave rows as rows.
    assert not any(transpose for transpose, _, _ in VIEWS[:4])


@pytest.mark.parametrize("views", [1, 2, 4, 8])
def test_probabilities_are_means_over_the_views(views: int) -> None:
    model = network()
    forward = make_forward(model, use_device("cpu", threads=2), batch_size=3)
    names, probabilities = predict(forward, batches(images(), 3), views=views, activation="sigmoid")
    logits = [model({"image": view(tf.constant(images()), number)}).numpy().astype(float) for number in range(views)]
    assert names == [f"row{number}" for number in range(5)]
    np.testing.assert_allclose(probabilities, np.mean(1 / (1 + np.exp(-np.array(logits))), axis=0), rtol=1e-5)


def test_eight_views_do_not_care_how_an_image_is_turned() -> None:
    forward = make_forward(network(), use_device("cpu", threads=2), batch_size=5)
    turned = np.ascontiguousarray(np.rot90(images(), 1, (1, 2)))
    first, second = (
        predict(forward, batches(values, 5), views=8, activation="sigmoid")[1] for values in (images(), turned)
    )
    np.testing.assert_allclose(first, second, rtol=1e-5)
    assert not np.allclose(first, predict(forward, batches(turned, 5), views=4, activation="sigmoid")[1], rtol=1e-3)


def test_the_size_of_batches_changes_nothing() -> None:
    forward = make_forward(network(), use_device("cpu", threads=2), batch_size=5)
    results = [predict(forward, batches(images(), size), views=2, activation="sigmoid")[1] for size in (1, 2, 5)]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)
    np.testing.assert_allclose(results[0], results[2], rtol=1e-5)


def test_what_cannot_be_is_refused() -> None:
    forward = make_forward(network(), use_device("cpu", threads=2), batch_size=5)
    with pytest.raises(FoldlineError, match="views is 3"):
        predict(forward, batches(images(), 5), views=3, activation="sigmoid")
    with pytest.raises(FoldlineError, match="not finite"):
        predict(
            lambda inputs: np.full((len(inputs["image"]), 2), np.nan),
            batches(images(), 5),
            views=1,
            activation="sigmoid",
        )


def test_the_table_has_a_row_for_each_id_and_class(tmp_path) -> None:
    probabilities = np.array([[0.1, 0.2], [0.3, 0.4]])
    table = prediction_table(["b", "a"], probabilities, class_names=["y", "x"], model="m", fold=3, views=4)
    write_table(table, tmp_path / "t.csv", PREDICTIONS, key=("id", "class"))
    assert list(zip(table["id"], table["class"], table["probability"], strict=True)) == [
        ("a", "x", 0.4),
        ("a", "y", 0.3),
        ("b", "x", 0.2),
        ("b", "y", 0.1),
    ]
    assert set(table["fold"]) == {3}
    assert set(table["views"]) == {4}
