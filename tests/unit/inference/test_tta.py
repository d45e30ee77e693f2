"""Views of images, and the mean of their probabilities."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.inference.forward_pass import make_forward
from foldline.inference.prediction_config import PredictionConfig
from foldline.inference.tta import VIEWS, predict, view
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf, tf_keras


def images(count: int = 5) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)


def network() -> tf_keras.Model:
    """A network whose logits depend on the position of a pixel."""
    tf_keras.utils.set_random_seed(9)
    layers = tf_keras.layers
    pixels = tf_keras.Input((6, 6, 3))
    return tf_keras.Model({"image": pixels}, layers.Dense(2)(layers.Flatten()(layers.Rescaling(1 / 255)(pixels))))


def batches(values: np.ndarray, size: int) -> tf.data.Dataset:
    names = tf.constant([f"row{number}" for number in range(len(values))])
    return tf.data.Dataset.from_tensor_slices((names, {"image": values}, tf.zeros((len(values), 0)))).batch(size)


def test_the_views_are_the_eight_symmetries_of_a_square() -> None:
    symmetries = [np.rot90(image, turns, (1, 2)) for image in (images(), images()[:, :, ::-1]) for turns in range(4)]
    views = [view(tf.constant(images()), number).numpy() for number in range(8)]
    assert {array.tobytes() for array in views} == {array.tobytes() for array in symmetries}
    np.testing.assert_array_equal(views[0], images())
    np.testing.assert_array_equal(views[1], images()[:, :, ::-1])
    # The first four views do not transpose.
    assert not any(transpose for transpose, _, _ in VIEWS[:4])


@pytest.mark.parametrize("views", [1, 2, 4, 8])
def test_probabilities_are_means_over_the_views(views: int) -> None:
    model = network()
    forward = make_forward(model, use_device("cpu", threads=2), batch_size=3)
    names, probabilities = predict(forward, batches(images(), 3), views=range(views), activation="sigmoid")
    logits = [model({"image": view(tf.constant(images()), number)}).numpy().astype(float) for number in range(views)]
    assert names == [f"row{number}" for number in range(5)]
    np.testing.assert_allclose(probabilities, np.mean(1 / (1 + np.exp(-np.array(logits))), axis=0), rtol=1e-5)


def test_eight_views_give_the_same_mean_for_a_rotated_image() -> None:
    forward = make_forward(network(), use_device("cpu", threads=2), batch_size=5)
    turned = np.ascontiguousarray(np.rot90(images(), 1, (1, 2)))
    first, second = (
        predict(forward, batches(values, 5), views=range(8), activation="sigmoid")[1] for values in (images(), turned)
    )
    np.testing.assert_allclose(first, second, rtol=1e-5)
    assert not np.allclose(
        first, predict(forward, batches(turned, 5), views=range(4), activation="sigmoid")[1], rtol=1e-3
    )


def test_the_batch_size_does_not_change_the_predictions() -> None:
    forward = make_forward(network(), use_device("cpu", threads=2), batch_size=5)
    results = [predict(forward, batches(images(), size), views=range(2), activation="sigmoid")[1] for size in (1, 2, 5)]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)
    np.testing.assert_allclose(results[0], results[2], rtol=1e-5)


def test_another_number_of_views_is_an_error() -> None:
    with pytest.raises(FoldlineError, match=r"views is 3; set prediction\.views to 1, 2, 4 or 8"):
        PredictionConfig(views=3, batch_size=5).view_numbers  # noqa: B018  (a property that checks)


def symmetry(values: np.ndarray, number: int) -> np.ndarray:
    """View `number` of images, pixel by pixel."""
    transpose, flip_rows, flip_columns = number // 4 % 2, number // 2 % 2, number % 2
    last, made = values.shape[1] - 1, np.empty_like(values)
    for image, row, column in np.ndindex(*values.shape[:3]):
        from_row = last - row if flip_rows else row
        from_column = last - column if flip_columns else column
        place = (from_column, from_row) if transpose else (from_row, from_column)
        made[image, row, column] = values[(image, *place)]
    return made


@pytest.mark.parametrize("views", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 10])
def test_networks_that_share_the_views_have_each_view_of_an_image(views: int, count: int) -> None:
    model, shares = network(), [PredictionConfig(views, 5, (number, count)).view_numbers for number in range(count)]
    forward = make_forward(model, use_device("cpu", threads=2), batch_size=5)
    assert {view for share in shares for view in share} == set(range(views))
    # No view is computed twice, unless there are more networks than views.
    assert sum(map(len, shares)) == max(views, count)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    for share in shares:
        logits = [model({"image": tf.constant(symmetry(images(), number))}).numpy() for number in share]
        _, found = predict(forward, batches(images(), 3), views=share, activation="sigmoid")
        np.testing.assert_allclose(found, np.mean(1 / (1 + np.exp(-np.array(logits, float))), axis=0), rtol=1e-5)


def test_logits_that_are_not_finite_are_an_error() -> None:
    def forward(inputs: dict[str, tf.Tensor]) -> np.ndarray:
        return np.full((len(inputs["image"]), 2), np.nan)

    with pytest.raises(FoldlineError, match="logits that are not finite for rows near row4"):
        predict(forward, batches(images(), 5), views=[0], activation="sigmoid")
