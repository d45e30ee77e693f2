"""The page is one file that needs nothing else, holds every figure, and is the same every time."""

import base64
import dataclasses
import hashlib
import html.parser
import json
import re
import shutil
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
from fixtures.results import Results, write_results, write_scores
from foldline.errors import FoldlineError
from foldline.report.page import CAPTIONS
from render_report import (
    fold_of,
    label_words,
    model_and_fold,
    most_wrong,
    of_every_label,
    read_pictures,
    render_report,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = write_scores(write_results(tmp_path_factory.mktemp("results")))
    render_report(**results.report_arguments())
    return results


@pytest.fixture(scope="module")
def page(made: Results) -> str:
    return (made.folder / "report.html").read_text(encoding="utf-8")


class Reader(html.parser.HTMLParser):
    """Collects the tags, ids, links and texts of a page, and whether its tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_page_needs_nothing_else(page: str, read: Reader) -> None:
    assert read.open == []
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in read.tags}
    assert not re.search(r"https?:|//\w|@import|url\(", re.sub(r"base64,[\w+/=]+", "", page))
    for tag, attributes in read.tags:
        for name in ("src", "href", "srcset", "data"):
            if name in attributes:
                start = "data:image/png;base64," if tag == "img" else "#"
                assert attributes[name].startswith(start)
        assert not [name for name in attributes if name.startswith("on")]


def test_links_lead_to_sections(read: Reader) -> None:
    anchors = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    links = [attributes["href"][1:] for tag, attributes in read.tags if tag == "a"]
    assert set(links) <= set(anchors)
    assert set(links) == {attributes["id"] for tag, attributes in read.tags if tag == "section"}


def test_all_figures_are_in_the_page_and_beside_it(made: Results, read: Reader) -> None:
    inside = [attributes for tag, attributes in read.tags if tag == "img"]
    assert len(inside) == len(CAPTIONS) == 11
    beside = {path.read_bytes() for path in (made.folder / "figures").iterdir()}
    assert {base64.b64decode(attributes["src"].partition(",")[2]) for attributes in inside} == beside
    for attributes in inside:
        assert attributes["alt"]
        assert int(attributes["width"]) > 100
    for data in beside:
        assert data.startswith(b"\x89PNG")
        assert b"tEXt" not in data


def test_every_figure_says_how_to_read_it(read: Reader) -> None:
    text = " ".join(read.text.split())
    for title, caption in CAPTIONS.values():
        assert f"{title}. {caption}" in text


def test_key_figures_stand_in_the_page(made: Results, read: Reader) -> None:
    metrics = json.loads((made.folder / "metrics.json").read_text())
    area = metrics["models"]["blend"]["auc"]
    text = " ".join(read.text.split())
    assert "Spots & marks" in text
    assert f"Out-of-fold ROC AUC{area['value']:.3f}{area['low']:.3f} to {area['high']:.3f} (95% interval)" in text
    assert "Training images120in 58 groups" in text
    assert "Trained onCPU6 trainings" in text
    for column in ("a", "b", "blend"):
        for row in metrics["models"][column]["folds"]:
            assert f"{row['auc']:.4f}" in text


def test_leaks_stand_in_the_page(read: Reader) -> None:
    text = " ".join(read.text.split())
    assert "2 pairs of duplicates among the training images were found and kept in one fold." in text
    assert "1 pair of these carries two different labels" in text
    assert "1 test image duplicates training images" in text
    assert re.search(r"training images ?1 ?1 ?1 test and training images ?0 ?1 ?. test images ?1 ?0 ?.", text)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch, made: Results) -> None:
    """Figures are made but not drawn, which takes seconds."""
    data = (made.folder / "figures" / "folds.png").read_bytes()
    monkeypatch.setattr("render_report.png_bytes", lambda _: data)


def test_the_title_cannot_carry_markup(made: Results, undrawn: None, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.png" for name in CAPTIONS}
    render_report(**made.report_arguments(title="<script>x</script>", report=tmp_path / "report.html", figures=paths))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;x" in page


def digests(folder: Path) -> dict[str, str]:
    paths = [folder / "report.html", *sorted((folder / "figures").iterdir())]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_same_inputs_give_the_same_bytes(made: Results, tmp_path: Path) -> None:
    """In another folder and with other settings of matplotlib on the machine."""
    shutil.copytree(made.folder, tmp_path / "again")
    again = dataclasses.replace(made, folder=tmp_path / "again")
    (again.folder / "report.html").unlink()
    shutil.rmtree(again.folder / "figures")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 30}):
        render_report(**again.report_arguments())
    assert digests(again.folder) == digests(made.folder)


@pytest.mark.parametrize("method", ["mean", "rank_mean"])
def test_one_model(method: str, undrawn: None, tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path, models=("lite0",), rows=90), method=method)
    render_report(**results.report_arguments(wrong_images=1))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ("mean of ranks" in page) == (method == "rank_mean")
    assert page.count(">lite0</th>") >= 2


def test_most_wrong_rows_come_first_and_ties_by_id() -> None:
    table = pd.DataFrame({"id": list("dcba"), "target": [1, 0, 1, 0], "blend": [0.1, 0.9, 0.8, 0.3]})
    assert list(most_wrong(table, 3)["id"]) == ["c", "d", "a"]
    assert len(most_wrong(table, 9)) == 4


def test_pictures_come_whole_from_the_shard_of_their_id(made: Results) -> None:
    arguments = made.report_arguments()
    found = read_pictures(["image_0003", "image_0050"], arguments["shards"], arguments["manifests"])
    assert {name: pixels.shape for name, pixels in found.items()} == {
        "image_0003": (32, 32, 3),
        "image_0050": (32, 32, 3),
    }
    labels = pd.read_csv(made.folder / "folds.csv").set_index("id")["target"]
    for name in labels.index[:8]:
        pixels = read_pictures([name], arguments["shards"], arguments["manifests"])[name]
        assert (pixels[10:22, 10:22].mean() > 130) == bool(labels[name])
    with pytest.raises(FoldlineError, match="no shard holds id image_9999"):
        read_pictures(["image_9999"], arguments["shards"], arguments["manifests"])


def test_labels_take_turns_among_the_training_images() -> None:
    """Row 25: sample images with the names of their labels."""
    table = pd.DataFrame({"id": list("gfedcba"), "target": ["110", "001", "001", "001", "001", "110", "001"]})
    assert list(of_every_label(table, 5)["id"]) == ["a", "b", "c", "g", "d"]
    assert [label_words(code, ["er", "golgi", "actin"]) for code in ("110", "001", "000")] == [
        "er, golgi",
        "actin",
        "no class",
    ]
    assert label_words("1", ["target"]) == "target 1"


def test_places_tell_model_and_fold() -> None:
    assert model_and_fold("results/models/b3-384/fold12/history.csv") == ("b3-384", 12)
    assert fold_of("results/class_weights/fold3.json") == 3
    with pytest.raises(FoldlineError, match="'part3' is not the name of a fold, such as fold3"):
        fold_of("part3.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_names": ["mark"]}, "the metrics are of class target, not mark"),
        ({"histories": []}, "histories and metrics are of other models and folds: a/fold0, a/fold1"),
        ({"provenances": []}, "provenances and metrics are of other models and folds: a/fold0, a/fold1"),
        ({"figures": {"roc": "roc.png"}}, "figures roc; the report has architectures, augmented_samples, calibration"),
    ],
)
def test_inputs_of_another_run(change: dict, words: str, made: Results, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=words):
        render_report(**made.report_arguments(report=tmp_path / "report.html", **change))
    assert not list(tmp_path.iterdir())


def test_augmented_samples_end_the_section_of_the_trainings(page: str) -> None:
    places = [page.index(text) for text in ('id="learning_curves"', 'id="augmented_samples"', 'id="method"')]
    assert places == sorted(places)


def test_a_run_without_images_has_no_samples(made: Results, undrawn: None, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.png" for name in CAPTIONS}
    render_report(**made.report_arguments(samples=[], report=tmp_path / "report.html", figures=paths))
    assert paths["augmented_samples"].is_file()


def test_samples_of_another_run(made: Results, tmp_path: Path) -> None:
    path = tmp_path / "c" / "fold0" / "samples.png"
    path.parent.mkdir(parents=True)
    shutil.copy(made.report_arguments()["samples"][0], path)
    with pytest.raises(FoldlineError, match="samples of other models and folds than the metrics: c/fold0"):
        render_report(**made.report_arguments(samples=[path], report=tmp_path / "report.html"))


def test_external_rows_stand_in_the_page(undrawn: None, tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path, external=6))
    render_report(**results.report_arguments(wrong_images=1))
    reader = Reader()
    reader.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(reader.text.split())
    assert "6 external images are trained on and never scored. 3 of them are tied to training images" in text
    assert "Training images120in 58 groups" in text
    assert re.search(r"external and training images ?0 ?1 ?1 external images ?1 ?0 ?0 test and training images", text)
    assert "fold -1" not in text


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
def test_several_classes_have_a_table_and_their_own_figures(link: str, undrawn: None, tmp_path: Path) -> None:
    names = ("mole", "melanoma", "other spots", "rare")
    results = write_scores(write_results(tmp_path, models=("lite0",), rows=90, class_names=names, activation=link))
    render_report(**results.report_arguments())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Class by class" in page
    assert all(f'<th scope="row">{name}' in page for name in names)
    assert "1 class of 4 cannot be in every fold: rare (2 images)" in page
    assert ("Highest score right" in page) == (link == "softmax")
