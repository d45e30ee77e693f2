"""The report page is self-contained, holds every figure, and is byte-identical for equal inputs."""

import base64
import dataclasses
import hashlib
import html.parser
import json
import re
import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from fixtures.results import Results, write_results, write_scores
from foldline.errors import FoldlineError
from foldline.io.tables import LOOK_ALIKES, write_table
from foldline.report.captions import CAPTIONS, figure_names
from render_report import render_report

FIGURES = figure_names(one_class_per_image=False)
AVERAGING = {"fold_averaging": {"networks": 3, "single_auc": 0.65, "gain": 0.0289, "low": 0.01, "high": 0.04}}
# Columns of the table of reliability, which every report has.
RELIABILITY = '<th scope="col">Scores</th><th scope="col">Rows</th><th scope="col">Positives</th>'


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Results:
    results = write_scores(write_results(tmp_path_factory.mktemp("results")))
    render_report(**results.report_arguments())
    return results


@pytest.fixture(scope="module")
def page(rendered: Results) -> str:
    return (rendered.folder / "report.html").read_text(encoding="utf-8")


class PageParser(html.parser.HTMLParser):
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
def parsed(page: str) -> PageParser:
    reader = PageParser()
    reader.feed(page)
    return reader


def test_the_page_is_self_contained(page: str, parsed: PageParser) -> None:
    assert parsed.open == []
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in parsed.tags}
    assert not re.search(r"https?:|//\w|@import|url\(", re.sub(r"base64,[\w+/=]+", "", page))
    for tag, attributes in parsed.tags:
        for name in ("src", "href", "srcset", "data"):
            if name in attributes:
                start = "data:image/png;base64," if tag == "img" else "#"
                assert attributes[name].startswith(start)
        assert not [name for name in attributes if name.startswith("on")]


def test_the_contents_list_every_section(parsed: PageParser) -> None:
    anchors = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    links = [attributes["href"][1:] for tag, attributes in parsed.tags if tag == "a"]
    assert set(links) <= set(anchors)
    assert set(links) == {attributes["id"] for tag, attributes in parsed.tags if tag == "section"}


def test_all_figures_are_in_the_page_and_beside_it(rendered: Results, parsed: PageParser) -> None:
    inside = [attributes for tag, attributes in parsed.tags if tag == "img"]
    assert len(inside) == len(figure_names(one_class_per_image=False)) == 11
    beside = {path.read_bytes() for path in (rendered.folder / "figures").iterdir()}
    assert {base64.b64decode(attributes["src"].partition(",")[2]) for attributes in inside} == beside
    for attributes in inside:
        assert attributes["alt"]
        assert int(attributes["width"]) > 100
    for data in beside:
        assert data.startswith(b"\x89PNG")
        assert b"tEXt" not in data


def test_every_figure_has_its_caption(parsed: PageParser) -> None:
    text = " ".join(parsed.text.split())
    for caption in (CAPTIONS[name] for name in FIGURES):
        assert f"{caption.title}. {caption.text}" in text


def test_the_page_shows_the_key_figures(rendered: Results, parsed: PageParser) -> None:
    metrics = json.loads((rendered.folder / "metrics.json").read_text())
    area = metrics["models"]["blend"]["auc"]
    text = " ".join(parsed.text.split())
    assert "Spots & marks" in text
    assert f"Out-of-fold ROC AUC{area['value']:.3f}{area['low']:.3f} to {area['high']:.3f} (95% interval)" in text
    assert "Training images120in 58 groups" in text
    assert "Trained onCPU6 training runs" in text
    for column in ("a", "b", "blend"):
        for row in metrics["models"][column]["folds"]:
            assert f"{row['auc']['value']:.4f}" in text


def test_the_page_shows_the_leaks(parsed: PageParser) -> None:
    text = " ".join(parsed.text.split())
    assert (
        "2 pairs of copies among the training images (1 exact, 1 near). No image of them is scored by a model" in text
    )
    assert "1 of these pairs has contradictory labels" in text
    assert "1 test image is a copy of training images as far as the audit can tell" in text
    assert re.search(r"training images ?1 ?1 ?0 ?1 test and training images ?0 ?1 ?0 ?. test images ?1 ?0 ?0 ?.", text)
    assert "What the audit can see Exact copies are images with equal decoded pixels" in text
    assert "train (120 compared), test (132 compared)." in text


@pytest.fixture
def no_drawing(monkeypatch: pytest.MonkeyPatch, rendered: Results) -> None:
    """Replace the rendering of figures, which takes seconds."""
    data = (rendered.folder / "figures" / "folds.png").read_bytes()
    monkeypatch.setattr("foldline.report.figures.png_bytes", lambda _: data)


def test_markup_in_the_title_is_escaped(rendered: Results, no_drawing: None, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.png" for name in FIGURES}
    render_report(
        **rendered.report_arguments(title="<script>x</script>", report=tmp_path / "report.html", figures=paths)
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;x" in page


def digests(folder: Path) -> dict[str, str]:
    paths = [folder / "report.html", *sorted((folder / "figures").iterdir())]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_equal_inputs_give_equal_bytes(rendered: Results, tmp_path: Path) -> None:
    """Also in another folder and with other matplotlib settings on the machine."""
    shutil.copytree(rendered.folder, tmp_path / "again")
    again = dataclasses.replace(rendered, folder=tmp_path / "again")
    (again.folder / "report.html").unlink()
    shutil.rmtree(again.folder / "figures")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 30}):
        render_report(**again.report_arguments())
    assert digests(again.folder) == digests(rendered.folder)


@pytest.mark.parametrize("method", ["mean", "rank_mean"])
def test_a_single_model_is_shown_once_unless_its_ranks_are_blended(
    method: str, no_drawing: None, tmp_path: Path
) -> None:
    results = write_scores(write_results(tmp_path, models=("lite0",), rows=90), method=method)
    render_report(**results.report_arguments(wrong_images=1))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ("mean of ranks" in page) == (method == "rank_mean")
    assert page.count(">lite0</th>") >= 2


def test_a_calibrated_blend_is_shown_before_and_after(no_drawing: None, tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path, models=("lite0",), rows=90), calibration="platt")
    render_report(**results.report_arguments(wrong_images=1))
    parser = PageParser()
    parser.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    text, metrics = " ".join(parser.text.split()), json.loads((tmp_path / "metrics.json").read_text())
    before, after = metrics["before_calibration"], metrics["models"]["blend"]["calibration"]
    assert before["slope"] == metrics["models"]["lite0"]["calibration"]["slope"] != after["slope"]
    assert re.search(rf"before{before['slope']['value']:.4f}.*after \(platt\){after['slope']['value']:.4f}", text)
    assert "The blend is calibrated (platt)" in text


def test_known_labels_of_the_test_rows_have_a_section_of_their_own(
    rendered: Results, page: str, no_drawing: None, tmp_path: Path
) -> None:
    """Row 26."""
    metrics = json.loads((rendered.folder / "metrics.json").read_text())
    metrics["models"]["blend"]["auc"] |= {"value": 0.6789, "low": 0.61, "high": 0.72}
    path, paths = tmp_path / "test_metrics.json", {name: tmp_path / f"{name}.png" for name in FIGURES}
    arguments = {"report": tmp_path / "report.html", "figures": paths, "test_metrics": [path]}
    path.write_text(json.dumps({"rows": 12, "models": metrics["models"], **AVERAGING}))
    render_report(**rendered.report_arguments(**arguments))
    parser = PageParser()
    parser.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(parser.text.split())
    assert "Test rows The labels of the 12 test images are known." in text
    assert "0.67890.610 to 0.720" in text
    assert "On the test rows, one network of each model has an AUC of 0.6500 on average, and the mean of 3 adds" in text
    assert 'id="test"' not in page
    assert "0.6789" not in page
    path.write_text(json.dumps({"rows": 11, "models": metrics["models"], **AVERAGING}))
    with pytest.raises(FoldlineError, match=r"the test scores are of 11 rows and of .*, the predictions of 12 rows"):
        render_report(**rendered.report_arguments(**arguments))


def test_a_holdout_has_a_section_of_its_own(rendered: Results, page: str, no_drawing: None, tmp_path: Path) -> None:
    metrics = json.loads((rendered.folder / "metrics.json").read_text())
    metrics["models"]["blend"]["auc"] |= {"value": 0.6789, "low": 0.61, "high": 0.72}
    path, paths = tmp_path / "holdout_metrics.json", {name: tmp_path / f"{name}.png" for name in FIGURES}
    path.write_text(json.dumps({"rows": 2, "models": metrics["models"], **AVERAGING}))
    table = pd.read_csv(rendered.folder / "folds.csv", dtype=str, keep_default_na=False)
    more = table[table["split"] == "train"].head(2).assign(id=["x1", "x2"], fold="-2", no_oof="holdout")
    pd.concat([table.assign(no_oof=""), more]).to_csv(tmp_path / "folds.csv", index=False)
    arguments = {"report": tmp_path / "report.html", "figures": paths, "holdout_metrics": [path]}
    render_report(**rendered.report_arguments(**arguments, folds=tmp_path / "folds.csv"))
    parser = PageParser()
    parser.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(parser.text.split())
    assert "Holdout No model was trained on the 2 images of the holdout, and nothing was chosen" in text
    assert "0.67890.610 to 0.720" in text
    assert "2 training images have no out-of-fold prediction" in text
    assert 'id="holdout"' not in page
    with pytest.raises(FoldlineError, match="the scores of the holdout are of 2 rows, and the fold table has 0 in it"):
        render_report(**rendered.report_arguments(**arguments))


def test_inputs_of_another_run_leave_no_output(rendered: Results, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="histories and metrics have different models and folds"):
        render_report(**rendered.report_arguments(report=tmp_path / "report.html", histories=[]))
    assert not list(tmp_path.iterdir())


def test_outputs_of_other_figures_are_an_error(rendered: Results) -> None:
    message = (
        "the rule render_report has the figures roc, the report makes architectures, augmented_samples, calibration"
    )
    with pytest.raises(FoldlineError, match=message):
        render_report(**rendered.report_arguments(figures={"roc": "roc.png"}))


def test_augmented_samples_follow_the_learning_curves(page: str) -> None:
    offsets = [page.index(text) for text in ('id="learning_curves"', 'id="augmented_samples"', 'id="methods"')]
    assert offsets == sorted(offsets)


def test_models_without_images_need_no_samples(rendered: Results, no_drawing: None, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.png" for name in FIGURES}
    render_report(**rendered.report_arguments(samples=[], report=tmp_path / "report.html", figures=paths))
    assert paths["augmented_samples"].is_file()


def test_the_page_shows_external_rows(no_drawing: None, tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path, external=6))
    render_report(**results.report_arguments(wrong_images=1))
    parser = PageParser()
    parser.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(parser.text.split())
    assert (
        "6 external images are used for training only. 3 of them share a group or a duplicate with training images"
        in text
    )
    assert "Training images120in 58 groups" in text
    assert re.search(
        r"external and training images ?0 ?1 ?0 ?1 external images ?1 ?0 ?0 ?0 test and training images", text
    )
    assert "fold -1" not in text


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_several_classes_have_a_table_of_their_own(activation: str, no_drawing: None, tmp_path: Path) -> None:
    names = ("mole", "melanoma", "other spots", "rare")
    results = write_scores(
        write_results(tmp_path, models=("lite0",), rows=90, class_names=names, activation=activation)
    )
    render_report(**results.report_arguments())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Scores per class of lite0" in page
    assert all(f'<th scope="row">{name}' in page for name in names)
    assert "1 class of 4 cannot be in every fold: rare (2 images)" in page
    one_class, scores = activation == "softmax", page[: page.index('<section id="subgroups">')]
    for heading in ("Accuracy", "Balanced accuracy", "Macro F1", "Cohen&#39;s kappa", "Log loss", "Precision"):
        assert (f'<th scope="col">{heading}</th>' in scores) == one_class, heading
    for heading in ("Mean accuracy at 0.5", "Mean F1 at 0.5", "Mean log loss", "Labels", "Labels per row"):
        assert (f'<th scope="col">{heading}</th>' in page.replace(RELIABILITY, "")) == (not one_class), heading
    assert '<th scope="col">Mean ROC AUC</th>' in page
    assert "mole, melanoma, other spots, rare: 90 labeled images" in page
    assert "Classes marked * have too few groups" in page
    groups = "43 groups, 43 of them with several images."
    assert f"the values of the column patient_id, merged where images are duplicates: {groups}" in page
    assert ('id="confusion"' in page) == ("Out-of-fold accuracy" in page) == one_class
    assert (tmp_path / "figures" / "confusion.png").is_file() == one_class
    if one_class:
        accuracy = json.loads((tmp_path / "metrics.json").read_text())["models"]["blend"]["accuracy"]["value"]
        assert f"is the true one in {accuracy:.1%} of the images" in page
        assert "The predicted class of an image is the one with the highest probability. " in page
        results.evaluate(threshold="prevalence")
        render_report(**results.report_arguments())
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert "is the true one in" not in page
        assert "is the one with the highest probability relative to its share of the rows (prevalence)" in page


def test_the_table_of_look_alikes_is_linked_and_counted(rendered: Results, tmp_path: Path, page: str) -> None:
    assert "look_alikes.csv" not in page
    rows = pd.DataFrame({"rank": [1, 2], "id": ["a", "a"], "other_id": ["b", "c"]})
    rows = rows.assign(split="train", other_split="test", score=[1.5, 1.0])
    write_table(rows, tmp_path / "look_alikes.csv", LOOK_ALIKES, key=("rank",))
    arguments = {"report": tmp_path / "report.html", "look_alikes": [tmp_path / "look_alikes.csv"]}
    render_report(**rendered.report_arguments(**arguments))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<a href="leaks/look_alikes.csv">leaks/look_alikes.csv</a> ranks 2 pairs' in text
    assert "nobody" in text


def test_rows_without_an_auc_have_a_report(tmp_path: Path) -> None:
    """All positives have the weight 0: nothing is scored, and nothing fails."""
    results = write_results(tmp_path, models=("lite0",), rows=60)
    table = pd.read_csv(tmp_path / "folds.csv", dtype=str, keep_default_na=False)
    table["row_weight"] = np.where(table["target"] == "1", "0", "1")
    table.to_csv(tmp_path / "folds.csv", index=False)
    results.blend(weighted=True, calibration="platt")
    results.evaluate(weighted=True)
    render_report(**results.report_arguments())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "There is no ROC AUC (not defined: the rows with a weight above 0 have one label only)." in page
    assert "No label is questioned, because the predictions are not shown to be better than chance" in page
