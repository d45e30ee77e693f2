"""Figures show the right values and labels, at unusual sizes too."""

import io

import numpy as np
import pandas as pd
import pytest
from foldline.dataset.label_arrays import label_codes
from foldline.evaluation.calibration import reliability_bins
from foldline.evaluation.results import Confusion
from foldline.io.result_paths import Member
from foldline.models.stage import Stage
from foldline.report import score_plots, training_plots
from foldline.report.figure_style import DPI, WIDTH, png_bytes, shortened, style
from foldline.report.score_plots import ScoredImage
from foldline.report.training_plots import LabeledImage
from foldline.splits.class_weights import ClassWeights
from matplotlib.figure import Figure
from PIL import Image


def drawn(figure: Figure) -> Image.Image:
    return Image.open(io.BytesIO(png_bytes(figure)))


@pytest.fixture
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    target = (random.random(300) < 0.3).astype(int)
    scores = {name: 1 / (1 + np.exp(-(random.normal(size=300) + target))) for name in "abcdefg"}
    return pd.DataFrame({"fold": np.arange(300) % 3, "class": "mark", "target": target, **scores})


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (4, 4, 1), (5, 3, 2), (7, 4, 2), (9, 3, 3)]
)
def test_panels_fill_their_rows(count: int, columns: int, rows: int) -> None:
    assert score_plots._grid(count) == (columns, rows)


@pytest.mark.parametrize("count", [1, 5])
def test_every_column_has_a_panel_with_every_fold(count: int, table: pd.DataFrame) -> None:
    titles = {name: f"model {name}" for name in "abcdefg"[:count]}
    with style():
        for draw in (score_plots.roc, score_plots.precision_recall):
            panels = [axes for axes in draw(table, titles).axes if axes.lines]
            assert [axes.get_title(loc="left") for axes in panels] == list(titles.values())
            for axes in panels:
                assert [line.get_label() for line in axes.lines] == ["fold 0", "fold 1", "fold 2", "all rows", "chance"]


def test_curves_end_where_they_must(table: pd.DataFrame) -> None:
    with style():
        pooled = score_plots.roc(table, {"a": "a"}).axes[0].lines[3]
        precision = score_plots.precision_recall(table, {"a": "a"}).axes[0].lines[3]
    assert [pooled.get_xydata()[index].tolist() for index in (0, -1)] == [[0, 0], [1, 1]]
    assert precision.get_xydata()[-1].tolist() == [1, table["target"].mean()]
    # Scores that separate the labels have a precision of 1 up to the recall 1, not from there on.
    with style():
        perfect = score_plots.precision_recall(table.assign(a=table["target"]), {"a": "a"}).axes[0].lines[3]
    assert perfect.get_xydata()[:2].tolist() == [[0, 1], [1, 1]]


def test_calibration_has_a_point_per_filled_bin(table: pd.DataFrame) -> None:
    bins = {"a": reliability_bins(table["target"].to_numpy(), table["a"].to_numpy())}
    with style():
        figure = score_plots.calibration(bins, {"a": "a"})
        points = figure.axes[0].lines[1].get_xydata()
        assert drawn(figure).size[0] > 300
    assert points.tolist() == [[row.mean_score, row.positive_share] for row in bins["a"] if row.rows]


HISTORY = ("learning_rate", "loss", "auc", "accuracy", "val_loss", "val_auc", "val_accuracy")


def fold_table(count: int) -> pd.DataFrame:
    """Four train rows of each fold, one of them positive."""
    names = [f"s{number:03d}" for number in range(4 * count)]
    return pd.DataFrame(
        {"id": names, "fold": np.repeat(np.arange(count), 4), "target": list("0100") * count, "split": "train"}
    )


@pytest.mark.parametrize("count", [1, 12])
def test_any_number_of_folds(count: int) -> None:
    table = fold_table(count)
    weights = {fold: [ClassWeights("mark", 1, 3, positive_weight=1.0, negative_weight=1.0)] for fold in range(count)}
    with style():
        assert drawn(training_plots.class_balance(np.array([[0], [1], [0], [0]] * count), weights)).format == "PNG"
        texts = [text.get_text() for text in training_plots.folds(table, ["mark"]).axes[0].texts]
    assert texts[-count:] == ["4 rows, 1 positive (25.0%)"] * count


def test_folds_show_their_withheld_external_rows() -> None:
    external = pd.DataFrame({"id": list("abcde"), "fold": [-1, 1, 1, 2, -1], "target": "1", "split": "external"})
    with style():
        axes = training_plots.folds(pd.concat([fold_table(3), external]), ["mark"]).axes[0]
        assert axes.get_xlabel() == "rows; beside them 5 external rows, 3 of them withheld from a fold"
        labels = [text.get_text() for text in axes.texts[-3:]]
        assert "external" not in training_plots.folds(fold_table(3), ["mark"]).axes[0].get_xlabel()
    assert labels == [f"4 rows, 1 positive (25.0%); {count} external withheld" for count in (0, 2, 1)]


def test_a_single_epoch_is_drawn_as_points() -> None:
    history = pd.DataFrame({"epoch": [1], **{name: [0.5] for name in HISTORY}})
    with style():
        *measured, rate = training_plots.learning_curves({("a", Member(1, 0)): history}).axes
    lines = [line for axes in measured for line in axes.lines[:2]]
    assert {line.get_marker() for line in (*lines, rate.lines[0])} == {"o"}


def test_learning_curves_show_training_and_held_out_rows_and_the_learning_rate() -> None:
    """Rows 14, 21 and 25."""
    columns = {name: [0.1 * number, 0.1 * number + 0.05] for number, name in enumerate(HISTORY)}
    history = pd.DataFrame({"epoch": [1, 2], **columns})
    with style():
        panels = training_plots.learning_curves({("a", Member(1, fold)): history for fold in range(3)}).axes
    lines = [[line for line in axes.lines if len(line.get_ydata())] for axes in panels]
    assert [[line.get_ydata().tolist() for line in shown] for shown in lines] == [
        *([columns[name], columns[f"val_{name}"]] * 3 for name in ("loss", "auc", "accuracy")),
        [columns["learning_rate"]] * 3,
    ]
    assert [line.get_linestyle() for line in lines[1]] == ["--", "-"] * 3
    assert [text.get_text() for text in panels[2].get_legend().get_texts()] == ["training rows", "fold held out"]


def test_architectures_are_boxes_from_image_to_logits() -> None:
    """Row 25: a picture of the architecture."""
    stages = [
        Stage((64, 64, 4), layers=2, parameters=0, metadata=False),
        Stage((2, 2, 1280), layers=1, parameters=2_500_000, metadata=False),
        Stage((50,), layers=3, parameters=1500, metadata=True),
        Stage((1,), layers=1, parameters=12, metadata=False),
    ]
    with style():
        figure = training_plots.architectures({"a": stages, "b": stages[:1]})
        assert drawn(figure).size[0] == WIDTH * DPI
    first, second = figure.axes
    assert [text.get_text() for text in first.texts] == [
        "64 x 64 x 4\n2 layers\nno weights",
        "2 x 2 x 1280\n1 layer\n2.50M weights",
        "50\n3 layers\n1.5k weights",
        "1\n1 layer\n0.0k weights",
    ]
    heights = [box.get_height() for box in first.patches]
    assert heights[0] > heights[1] > heights[2]
    assert (first.get_title(loc="left"), len(second.patches)) == ("a", 1)


def test_channels_of_a_training_image_are_in_one_row() -> None:
    """Row 25: the channels of samples, with label names."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:4, 2:4, 3] = 90
    pixels[5, 5, 0] = 200
    with style():
        figure = training_plots.training_images(
            [LabeledImage(pixels, "a", "er, golgi"), LabeledImage(pixels, "b", "no class")],
            ("red", "green", "blue", "yellow"),
        )
        assert drawn(figure).size[0] == WIDTH * DPI
        plain = training_plots.training_images(
            [LabeledImage(pixels[..., :3], f"s{number}", "target 1") for number in range(8)], ()
        )
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["a\ner, golgi", "red", "green", "blue", "yellow", "b\nno class", "red", "green", "blue", "yellow"]
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes[:5]]
    assert shown[0][2, 2].tolist() == [90, 90, 0]
    assert shown[0][5, 5].tolist() == [200, 0, 0]
    assert [picture[2, 2].tolist() for picture in shown[1:]] == [[0, 0, 0]] * 3 + [[90, 90, 90]]
    assert [axes.get_title(loc="left") for axes in plain.axes][:9] == [*(f"s{n}\ntarget 1" for n in range(8)), ""]


def test_grids_of_augmented_samples_are_titled_by_model() -> None:
    """Row 25."""
    grids = {"small": np.zeros((20, 160, 3), np.uint8), "gray": np.full((40, 80, 1), 9, np.uint8)}
    with style():
        figure = training_plots.augmented_samples(grids)
        panels = figure.axes
        assert drawn(figure).size[0] == WIDTH * DPI
        none = training_plots.augmented_samples({})
        assert drawn(none).format == "PNG"
    assert [axes.get_title(loc="left") for axes in panels] == ["small", "gray"]
    assert [axes.images[0].get_array().shape for axes in panels] == [(20, 160, 3), (40, 80, 3)]
    assert [text.get_text() for text in none.texts] == ["No model sees images, so there are no augmented images."]


def test_gray_images_look_like_color_images_of_equal_channels() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20, 1), dtype=np.uint8)
    with style():
        gray, color = (
            png_bytes(score_plots.most_wrong([ScoredImage(image, "a-very-long-name-of-an-image", "label 1", True)]))
            for image in (pixels, pixels.repeat(3, 2))
        )
    assert gray == color


def test_long_names_keep_both_ends() -> None:
    assert shortened("ISIC_0024306") == "ISIC_0024306"
    short = shortened("patient-0001-slide-0002-tile-0003")
    assert len(short) <= 22
    assert short.startswith("patient-00")
    assert short.endswith("tile-0003")


NAMES = [f"class {number}" for number in range(19)]


def test_counts_and_weights_are_in_the_order_of_the_classes() -> None:
    """Row 16: the bar chart of both, the weights not in the order of a dictionary."""
    labels = (np.random.default_rng(0).random((200, 19)) < np.linspace(0.05, 0.5, 19)).astype(int)
    weights = {
        fold: [
            ClassWeights(name, 1, 3, positive_weight=(number + fold + 1) / 30, negative_weight=1.0)
            for number, name in enumerate(NAMES)
        ]
        for fold in range(3)
    }
    with style():
        figure = training_plots.class_balance(labels, weights)
        left, right = figure.axes
        assert drawn(figure).size[0] > 1000
    assert [bar.get_width() for bar in left.patches] == labels.sum(axis=0).tolist()
    assert [text.get_text() for text in left.get_yticklabels()] == NAMES
    points = [line.get_xdata().tolist() for line in right.lines if line.get_marker() == "s" and len(line.get_xdata())]
    assert np.sort(np.array(points), axis=0) == pytest.approx(
        np.array([[row.positive_weight for row in weights[fold]] for fold in range(3)])
    )


def test_folds_show_the_positives_of_each_class() -> None:
    labels = (np.random.default_rng(1).random((60, 3)) < 0.3).astype(int)
    table = pd.DataFrame(
        {"id": [f"s{number:02d}" for number in range(60)], "split": "train", "fold": np.arange(60) % 4}
    )
    with style():
        figure = training_plots.folds(table.assign(target=label_codes(labels)), ["x", "y", "z"])
        assert drawn(figure).format == "PNG"
    counts = np.array([int(text.get_text()) for text in figure.axes[0].texts]).reshape(4, 3)
    assert (counts == [labels[np.arange(60) % 4 == fold].sum(axis=0) for fold in range(4)]).all()


def test_each_class_with_both_labels_has_a_line(table: pd.DataFrame) -> None:
    pairs = pd.concat([table.assign(**{"class": name}) for name in ("x", "y", "z")])
    pairs.loc[pairs["class"] == "z", "target"] = 0
    with style():
        for draw in (score_plots.roc, score_plots.precision_recall):
            lines = draw(pairs, {"a": "a"}).axes[0].lines
            assert [line.get_label() for line in lines] == ["x", "y", "all rows and classes", "chance"]


def test_names_in_any_script_are_drawn(table: pd.DataFrame) -> None:
    """Also where no installed font has their characters; a warning would be an error here."""
    with style():
        assert drawn(score_plots.roc(table, {"a": "中文类别 \N{CAT}"})).size[0] > 300


def assert_nothing_is_cut(figure: Figure) -> None:
    """Titles, labels and legends are inside the figure."""
    figure.draw_without_rendering()
    width, height = figure.canvas.get_width_height()
    for part in (*figure.axes, *figure.legends):
        box = part.get_tightbbox()
        assert box is None or (box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height), part


@pytest.mark.parametrize("classes", [2, 7, 25])
@pytest.mark.parametrize("panels", [1, 3, 7])
def test_curves_of_many_classes_are_not_cut(classes: int, panels: int, table: pd.DataFrame) -> None:
    pairs = pd.concat([table.assign(**{"class": f"a class with a long name {n}"}) for n in range(classes)])
    titles = {name: f"model {name}\nmean AUC 0.9876" for name in "abcdefg"[:panels]}
    with style():
        for draw in (score_plots.roc, score_plots.precision_recall):
            figure = draw(pairs, titles)
            assert_nothing_is_cut(figure)
            box = figure.axes[0].get_window_extent()
            assert box.width > 1.6 * DPI


@pytest.mark.parametrize("size", [2, 7, 40])
def test_the_confusion_matrix_has_its_counts_and_shares(size: int) -> None:
    counts = np.random.default_rng(0).integers(0, 900, (size, size))
    shares = [[value / sum(row) for value in row] for row in counts.tolist()]
    shares[0] = [None] * size
    names = [f"class number {number}" for number in range(size)]
    with style():
        figure = score_plots.confusion(Confusion(counts.tolist(), shares, None), names, "lite0")
        assert_nothing_is_cut(figure)
        axes = figure.axes[0]
    shown = [text.get_text() for text in axes.texts]
    assert shown == ([f"{count}" for count in counts.ravel()] if size <= 25 else [])
    assert np.asarray(axes.images[0].get_array())[1] == pytest.approx(shares[1])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")


def test_weights_of_negatives_are_shown_only_if_they_differ() -> None:
    labels = np.eye(3, dtype=int).repeat(4, axis=0)

    def marks(negative_weight: float) -> list[str]:
        rows = [ClassWeights(name, 4, 8, positive_weight=2.0, negative_weight=negative_weight) for name in "xyz"]
        with style():
            figure = training_plots.class_balance(labels, {0: rows})
        return [text.get_text() for text in figure.legends[0].get_texts()]

    assert marks(2.0) == ["rows of the class, a mark per fold"]
    assert marks(1.0) == ["negative rows, a mark per fold", "positive rows, a mark per fold"]
