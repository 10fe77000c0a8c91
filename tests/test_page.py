"""The page about the results: what is in it, how large it is, and that names in it stay text."""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.page import card, chosen, curves, write
from stages.running import errors
from tests import pages
from tests.names import NASTY
from tests.sandbox import PROJECT

CLASSES = ["cat", "dog", "owl"]
ACTUAL = ["cat", "cat", "cat", "dog", "dog", "owl"]
PREDICTED = ["cat", "dog", "owl", "dog", "cat", "owl"]
CONFIDENCE = [0.9, 0.5, 0.8, 0.7, 0.95, 0.6]


class Parsed(HTMLParser):
    """The elements of a page, its text, and what its scripts and styles hold."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.raw, self.words, self.inside = [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag

    def handle_data(self, data):
        if self.inside in ("script", "style"):
            self.raw.append((self.inside, data))
        else:
            self.words.append(data)

    def handle_endtag(self, tag):
        self.inside = ""

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    @property
    def data(self):
        return json.loads(self.raw[1][1])


@pytest.fixture
def project(tmp_path):
    """Six test images of three classes, of which a model has three wrong, and their pixels."""
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, CLASSES)
    return pages.write_images(tmp_path, ACTUAL, CLASSES, pages.noise(6))


def pictures(path):
    """Position, actual and predicted class, and confidence of each picture."""
    data = Parsed(path).data
    return [(name, data["classes"][a], data["classes"][p], sure) for name, a, p, sure, *_ in data["pictures"]]


def decoded(encoded):
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def test_errors_come_first_the_surest_before_the_others(project):
    assert pictures(pages.page(project))[:3] == [
        (104, "dog", "cat", 0.95),
        (102, "cat", "owl", 0.8),
        (101, "cat", "dog", 0.5),
    ]


def test_of_right_images_the_least_sure_of_each_class_are_there(tmp_path):
    count = chosen.right_of_class(1) + 10
    sure = np.linspace(0.2, 1, count).tolist()
    pages.write_results(tmp_path, ["cat"] * count, ["cat"] * count, sure[::-1])
    found = pictures(pages.page(tmp_path))
    assert [row[3] for row in found] == [round(value, 4) for value in sure[: chosen.right_of_class(1)]]


def test_each_picture_has_its_own_pixels(tmp_path):
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, CLASSES)
    levels = np.arange(6) * 40
    flat = np.broadcast_to(levels[:, None, None, None], (6, 16, 16, 1)).astype(np.uint8)
    pages.write_images(tmp_path, ACTUAL, CLASSES, flat)
    for name, *_, encoded in Parsed(pages.page(tmp_path)).data["pictures"]:
        shown = np.asarray(decoded(encoded).convert("L")).astype(int)
        assert shown.shape == (16, 16)
        assert np.abs(shown - levels[name - 100]).max() <= 2


def test_ten_thousand_wrong_images_fit_into_five_megabytes(tmp_path, capsys):
    actual, predicted = ["cat", "dog"] * 5000, ["dog", "cat"] * 5000
    pages.write_results(tmp_path, actual, predicted)
    pages.write_images(tmp_path, actual, ["cat", "dog"], pages.noise(10_000, 32))
    path = pages.page(tmp_path)
    assert 3_000_000 < path.stat().st_size < 5_000_000
    shown = Parsed(path)
    assert len({name for name, *_ in shown.data["pictures"]}) == 10_000
    assert all(encoded for *_, encoded in shown.data["pictures"])
    side = decoded(shown.data["pictures"][0][4]).width
    assert f"shown with at most {side} pixels on their longer side" in shown.text
    assert "more than" not in capsys.readouterr().out


def test_large_images_are_made_small(tmp_path):
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, CLASSES)
    pages.write_images(tmp_path, ACTUAL, CLASSES, pages.noise(6, 224))
    shown = Parsed(pages.page(tmp_path))
    assert {decoded(encoded).size for *_, encoded in shown.data["pictures"]} == {(128, 128)}
    assert "shown with at most 128 pixels on their longer side, as WebP of the quality 80" in shown.text


def test_pictures_that_fit_at_no_level_are_there_as_small_as_they_get(tmp_path, monkeypatch, capsys):
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, CLASSES)
    pages.write_images(tmp_path, ACTUAL, CLASSES, pages.noise(6, 32))
    monkeypatch.setattr(write, "LARGEST_PAGE", 1000)
    shown = Parsed(pages.page(tmp_path))
    assert [decoded(encoded).width for *_, encoded in shown.data["pictures"]] == [16] * 6
    assert "more than 1,000 bytes, for 6 pictures" in capsys.readouterr().out


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_any_number_of_channels(tmp_path, channels):
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, CLASSES)
    pages.write_images(tmp_path, ACTUAL, CLASSES, pages.noise(6, 8, channels))
    *_, encoded = Parsed(pages.page(tmp_path)).data["pictures"][0]
    assert decoded(encoded).mode == ("RGBA" if channels == 4 else "RGB")


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    """A page whose classes and pictures are called like markup."""
    folder = tmp_path_factory.mktemp("nasty")
    names = [name for name in NASTY if name.strip()] + ["</script><script>alert(1)</script>", "<!--<script>"]
    shifted = names[1:] + names[:1]
    pages.write_results(folder, names, shifted, paths=[f"{name}/<img src=x>.png" for name in names])
    return names, Parsed(pages.page(folder))


def test_names_that_are_markup_stay_text(nasty):
    names, parsed = nasty
    tags = [tag for tag, _ in parsed.elements]
    assert tags.count("script") == 2
    assert not {"b", "iframe", "object", "base"} & set(tags)
    assert all(found.get("src", "data:").startswith("data:") for _, found in parsed.elements)
    assert not [found for _, found in parsed.elements if any(name.startswith("on") for name in found)]
    assert parsed.data["classes"] == names
    assert {name for name, *_ in parsed.data["pictures"]} == {f"{name}/<img src=x>.png" for name in names}
    for name in ("<b>", "&amp;", "</script><script>alert(1)</script>"):
        assert name in parsed.text


def test_the_policy_allows_the_style_and_the_script_of_the_page_only(project):
    parsed = Parsed(pages.page(project))
    (policy,) = [
        attributes["content"]
        for tag, attributes in parsed.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    (_, style), _, (_, script) = parsed.raw
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for kind, source in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not [attributes for _, attributes in parsed.elements if "style" in attributes]


def test_nothing_is_fetched_and_links_lead_into_the_page_or_to_the_web(project):
    parsed = Parsed(pages.page(project))
    sources = [attributes["src"] for _, attributes in parsed.elements if "src" in attributes]
    assert sources and all(source.startswith("data:image/webp;base64,") for source in sources)
    assert not [tag for tag, _ in parsed.elements if tag in ("link", "iframe", "object")]
    links = {attributes["href"] for tag, attributes in parsed.elements if tag == "a"}
    assert links - {"https://arxiv.org/abs/1810.03993"} == {link for link in links if link.startswith("#")}
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    assert {link[1:] for link in links if link.startswith("#")} <= ids


def test_metrics_have_their_intervals(project):
    text = Parsed(pages.page(project)).text
    assert "accuracy 50.00 % (18.76 to 81.24)" in text
    assert "loss (negative log-likelihood, nats) 0.2036" in text
    assert "odd.share 0.5" in text
    assert "cat 3 33.33 % (6.15 to 79.23) 50.00 % (9.45 to 90.55)" in text


def test_a_class_without_images_or_predictions_has_no_shares(tmp_path):
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, [*CLASSES, "yak"])
    assert "yak 0 - -" in Parsed(pages.page(tmp_path)).text


def test_the_data_report_is_in_words(tmp_path):
    paths = [f"a/{number}.png" for number in range(6)]
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, CLASSES, paths)
    text = Parsed(pages.page(tmp_path)).text
    assert "1 picture has several classes" in text and "a/<b>.png" in text
    assert "2 images were dropped from the training split" in text
    assert "turned upright as their EXIF data says 2" in text
    assert "The darkest: a/night.png" in text
    assert "all 6 6 6" in text


def test_a_matrix_of_too_many_classes_is_a_list_of_pairs(tmp_path):
    names = [f"class {number}" for number in range(101)]
    pages.write_results(tmp_path, names * 2, [*names, names[1], names[0], *names[2:]])
    parsed = Parsed(pages.page(tmp_path))
    ids = [attributes.get("id") for _, attributes in parsed.elements]
    assert "pairs" in ids and "matrix" not in ids
    assert "class 0 class 1 1 class 1 class 0 1" in parsed.text


def test_a_model_without_errors(tmp_path):
    pages.write_results(tmp_path, ["cat", "dog"], ["cat", "dog"])
    parsed = Parsed(pages.page(tmp_path))
    assert "All 0 wrong test images" in parsed.text


def test_without_the_data_there_are_no_pictures(project, tmp_path, capsys):
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    parsed = Parsed(pages.page(project))
    assert {encoded for *_, encoded in parsed.data["pictures"]} == {""}
    assert "the page was written without the data" in parsed.text
    assert "run `dvc repro`, or `dvc pull subset`" in capsys.readouterr().out


def test_equal_results_give_equal_bytes(project):
    first = pages.page(project).read_bytes()
    assert pages.page(project).read_bytes() == first


def fails(folder, base=None):
    """The message for a folder of which no page can be written; nothing is left behind."""
    with pytest.raises(errors.BadInput) as raised:
        pages.page(folder, base)
    assert not (folder / "page").exists()
    return str(raised.value)


@pytest.mark.parametrize(
    "name", ["metrics.json", "predictions.csv", "history.csv", "data.json", "model_card.md"]
)
def test_a_missing_report_is_named(project, name):
    (project / "reports" / name).unlink()
    said = fails(project)
    assert f"reports/{name}" in said and "dvc repro" in said


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "data.json",
            '{"classes": 5}',
            "reports/data.json of the working tree.classes: expected a valid list",
        ),
        ("data.json", "[", "expected a JSON object"),
        ("metrics.json", '{"accuracy": 2, "images": 1}', "expected an accuracy in 0..1"),
        ("predictions.csv", "index,actual\n1,cat\n", "expected the columns"),
        ("history.csv", "epoch,loss\n1,2\n", "expected the columns epoch, loss and accuracy"),
        ("data.png", "no picture", "expected a picture"),
    ],
)
def test_a_damaged_report_is_named(project, name, content, expected):
    (project / "reports" / name).write_text(content)
    said = fails(project)
    assert f"reports/{name}" in said and expected in said


def test_a_report_behind_a_link_is_not_read(project, tmp_path):
    (project / "reports/model_card.md").rename(tmp_path / "card.md")
    (project / "reports/model_card.md").symlink_to(tmp_path / "card.md")
    assert "expected a plain file, received a link" in fails(project)


def test_images_that_were_not_judged_are_an_error(project):
    table = pd.read_csv(project / "reports/predictions.csv")
    table.assign(index=table["index"] + 10).to_csv(project / "reports/predictions.csv", index=False)
    assert "have no such image in its place; run `dvc checkout`" in fails(project)


def test_images_of_other_classes_are_an_error(tmp_path):
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, CLASSES)
    pages.write_images(tmp_path, ACTUAL[::-1], CLASSES, pages.noise(6))
    said = fails(tmp_path)
    assert "test image 104 of the class 'dog'; the test images that are here have 'cat' in its place" in said


def test_the_command_ends_with_one_line_and_without_tensorflow(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stages.page.write"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    imported, (said,) = done.stderr.splitlines()[:-1], done.stderr.splitlines()[-1:]
    assert re.fullmatch("page: error: expected reports/metrics.json.*run `dvc repro`", said)
    assert all(line.startswith("import time:") for line in imported)
    names = {line.split("|")[-1].strip() for line in imported}
    assert "stages.page.card" in names and "tensorflow" not in names


@pytest.fixture
def changed(project):
    """A repository whose main has other results than its working tree, which fixed one and broke one."""
    pages.commit(project)
    predicted = ["cat", "cat", "owl", "dog", "cat", "cat"]
    pages.write_results(project, ACTUAL, predicted, CONFIDENCE, CLASSES)
    return project


def test_pictures_that_were_fixed_and_broken_have_both_answers(changed):
    parsed = Parsed(pages.page(changed, "main"))
    label = parsed.data["classes"].index
    answers = {name: (predicted, before) for name, _, predicted, _, _, before, _ in parsed.data["pictures"]}
    assert answers[101] == (label("cat"), label("dog"))
    assert answers[105] == (label("cat"), label("owl"))
    assert "1 fixed, 1 broke" in parsed.text
    assert "Compared with main" in parsed.text


def test_a_fixed_picture_is_there_however_sure_the_model_is(tmp_path):
    count = chosen.right_of_class(2) + 5
    actual = ["cat"] * count + ["dog"]
    pages.write_results(tmp_path, actual, ["dog", *actual[1:]])
    pages.commit(tmp_path)
    pages.write_results(tmp_path, actual, actual, [0.99, *[0.5] * count])
    assert 100 in {name for name, *_ in Parsed(pages.page(tmp_path, "main")).data["pictures"]}
    assert 100 not in {name for name, *_ in Parsed(pages.page(tmp_path)).data["pictures"]}


def test_own_pictures_are_paired_by_their_paths(tmp_path):
    paths = [f"a/{number}.png" for number in range(6)]
    pages.write_results(tmp_path, ACTUAL, PREDICTED, CONFIDENCE, CLASSES, paths)
    pages.commit(tmp_path)
    pages.write_results(tmp_path, ACTUAL[1:], ACTUAL[1:], None, CLASSES, paths[1:])
    data = Parsed(pages.page(tmp_path, "main")).data
    before = {name: data["classes"][earlier] for name, *_, earlier, _ in data["pictures"]}
    assert before == dict(zip(paths[1:], PREDICTED[1:], strict=True))


def test_other_images_are_not_paired(changed):
    (changed / "params.yaml").write_text("download: {dataset: other}\n")
    parsed = Parsed(pages.page(changed, "main"))
    assert "because the dataset is another" in parsed.text
    assert {len(values) for values in parsed.data["pictures"]} == {5}
    assert "fixed" not in [attributes.get("id") for _, attributes in parsed.elements]


def test_a_base_without_results_gets_no_verdict(project):
    pages.commit(project)
    pages.git(project, "rm", "--quiet", "--cached", "-r", "reports")
    pages.git(project, "commit", "--quiet", "--amend", "--no-edit", "--allow-empty", "--author=A <a@b.c>")
    assert "No verdict : the base has no" in Parsed(pages.page(project, "main")).text


def test_an_unknown_base_is_an_error(changed):
    assert "expected a Git revision or a DVC experiment, received 'nowhere'" in fails(changed, "nowhere")


def test_html_in_a_card_is_text_but_for_what_the_project_writes():
    code = "a <script>x</script> <code>&#60;b&#62;</code>\n\n<img src=x onerror=y>\n\n"
    folded = "<details>\n<summary>&lt;s&gt; 1</summary>\n\nin\n\n</details>\n"
    assert card.as_html(code + folded) == (
        "<p>a &lt;script&gt;x&lt;/script&gt; <code>&lt;b&gt;</code></p>\n"
        "&lt;img src=x onerror=y&gt;\n<details>\n<summary>&lt;s&gt; 1</summary>\n<p>in</p>\n</details>\n"
    )


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x.org"]
)
def test_links_of_a_card_lead_to_the_web_or_nowhere(address):
    assert "href" not in card.as_html(f"[x]({address})")


def test_the_pictures_of_a_card_are_in_the_page_or_named():
    places = {"data.png": "#data", "r.png": "data:image/webp;base64,AA"}
    assert card.as_html("![a <b>](data.png)", places) == '<p><a href="#data">a &lt;b&gt;</a></p>\n'
    assert 'src="data:image/webp;base64,AA"' in card.as_html("![r](r.png)", places)
    assert card.as_html("![f](f.png)", places) == "<p><em>f: f.png</em></p>\n"


def test_titles_of_a_card_are_below_those_of_the_page():
    assert re.findall("<(h.)>", card.as_html("# a\n\n## b\n\n### c\n")) == ["h3", "h4", "h5"]


def chart(measure, **histories):
    """The chart of some histories; there is one."""
    drawn = curves.chart(measure, histories)
    assert drawn is not None
    return drawn


def history(**columns):
    return pd.DataFrame(columns, dtype=float)


def test_curves_go_through_the_numbers():
    shown = chart("loss", head=("", history(epoch=[1, 2, 3], loss=[0, 2, 1])))
    (line,) = shown.lines
    x, y = [point.x for point in line.points], [point.y for point in line.points]
    assert x == [curves.LEFT, (curves.LEFT + curves.WIDTH - curves.RIGHT) / 2, curves.WIDTH - curves.RIGHT]
    ticks = {tick.text: tick.place for tick in shown.y_ticks}
    assert list(ticks) == ["0.0", "0.4", "0.8", "1.2", "1.6", "2.0"]
    assert y == [ticks["0.0"], ticks["2.0"], (ticks["0.0"] + ticks["2.0"]) / 2]
    assert line.points[1].text == "epoch 2, training: 2"


@pytest.mark.parametrize("values", [[np.nan, 1.0], [np.inf, 1.0], [1.0, 1.0]])
def test_curves_of_few_or_odd_numbers(values):
    shown = chart("loss", head=("", history(epoch=[1, 2], loss=values)))
    assert all(np.isfinite([point.x, point.y]).all() for point in shown.lines[0].points)
    assert "nan" not in shown.lines[0].path


def test_a_measure_without_numbers_has_no_curve():
    assert curves.chart("loss", {"head": ("", history(epoch=[1], loss=[np.nan]))}) is None


def test_both_revisions_have_curves():
    head, base = history(epoch=[1], loss=[1], val_loss=[2]), history(epoch=[1], loss=[3])
    lines = chart("loss", head=("", head), base=(" of main", base)).lines
    assert [line.name for line in lines] == ["training", "validation", "training of main"]


def test_a_long_history_is_shown_in_part():
    names, rows = curves.table(history(epoch=range(1000), val_loss=[np.nan] * 1000))
    assert names == ["epoch", "val loss"]
    assert len(rows) == curves.MOST_ROWS
    assert (rows[0], rows[-1]) == (["0", ""], ["999", ""])
