"""The tutorials' page and the README's table, from made-up results, and the files kept beside them."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from benchmarks import machine, runs
from benchmarks.suites import shrink, templates, tutorials, tutorials_page
from stages.running import errors
from tests import measured, sandbox

HERE = machine.describe()["processor"]
CONFIGS = set(tutorials_page.CONFIGS)


def some_runs():
    return [
        *(measured.run("cifar10", seed=seed, accuracy=0.70 + 0.01 * seed) for seed in range(3)),
        *(measured.run("cifar10-best", seed=seed, accuracy=0.94, seconds=300.0) for seed in range(3)),
        *(
            measured.run(
                "fashion-mnist", {"train.model.filters": [16, 16]}, seed, accuracy=0.9, parameters=76_000
            )
            for seed in range(2)
        ),
        measured.run("fashion-mnist", accuracy=0.92),
    ]


def cells(line):
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


def row(text, first):
    """The cells of the table row that begins with `first`."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return cells(line)


def system(text, config):
    """The cells of the row of a params file."""
    (line,) = (line for line in text.splitlines() if line.endswith(f"| `{config}` |"))
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_every_params_file_belongs_to_a_tutorial():
    of_none = {"digits", "cifar10-large", "own-folder", "own-table"}  # cifar10-large takes a GPU
    assert {file.stem for file in (sandbox.PROJECT / "configs").glob("*.yaml")} - of_none == CONFIGS


def test_the_table_has_a_row_per_params_file():
    table = tutorials_page.systems(some_runs())
    assert system(table, "cifar10")[:3] == [
        "C: CIFAR-10, ten classes",
        "0.6709 ²",
        "as the tutorial trains it",
    ]
    assert system(table, "cifar10")[3:6] == ["0.7100 ± 0.0100", "1,234,567", "6.0 ± 0.0"]
    assert system(table, "cifar10-best")[:4] == ["", "", "best here", "0.9400 ± 0.0000"]
    assert system(table, "cifar10-tuned")[3:6] == ["—", "—", "—"]
    cores = machine.describe()["cores"]
    assert "(n = 1 to 3)" in table
    assert f"validation images. {HERE}, {cores} CPU cores, float32, TensorFlow 2.21.0." in table
    assert "`cp configs/NAME.yaml params.yaml && dvc repro`" in table


def test_several_machines_are_named_with_what_they_ran():
    elsewhere = measured.run("fashion-mnist-best")
    elsewhere.environment["processor"] = "A CPU"
    table = tutorials_page.systems([*some_runs(), elsewhere])
    assert " images. `fashion-mnist-best`: A CPU, " in table
    assert f"; `cifar10`, `cifar10-best`, `fashion-mnist`: {HERE}, " in table


def test_the_page_tells_what_came_of_each_params_file(tmp_path):
    page = tutorials_page.page(some_runs(), tmp_path)
    assert tutorials_page.systems(some_runs()) in page
    details = row(page, "[cifar10](../../configs/cifar10.yaml)")
    assert details[1:5] == ["0.7100 ± 0.0100", "0.7200 ± 0.0100", "0.8100 ± 0.0100", "0.7120 ± 0.0100"]
    assert details[5:] == ["1,234,567", "10", "6.0 ± 0.0", "60.0 ± 0.0", "3"]


def test_the_sweep_over_filters_counts_the_params_files_own_runs(tmp_path):
    page = tutorials_page.page(some_runs(), tmp_path)
    assert row(page, "`[16, 16]`")[1:] == ["0.9000 ± 0.0000", "76,000", "6.0 ± 0.0", "2"]
    assert row(page, "`[64, 64]`")[1:] == ["0.9200", "1,234,567", "6.0", "1"]
    assert "`[32, 32]`" not in page
    assert tutorials_page.SWEEP in (sandbox.PROJECT / tutorials.PAGE).read_text()


def test_a_page_without_results_is_still_a_page(tmp_path):
    assert "n = 0" in tutorials_page.page([], tmp_path)


def picture(path, noise=False):
    """A PNG: flat colours, or noise, which does not compress."""
    pixels = np.zeros((400, 1200, 3), np.uint8)
    pixels[:, 600:] = (255, 127, 14)
    if noise:
        pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def reports(tmp_path):
    folder = tmp_path / "reports"
    folder.mkdir()
    for name in ("metrics.json", "history.csv", "predictions.csv"):
        (folder / name).write_text(name)
    for name in ("learning_curves", "confusion_matrix", "filters"):
        picture(folder / f"{name}.png")
    return folder


@pytest.mark.long
def test_reports_are_kept_with_their_pictures_made_small(reports, tmp_path):
    picture(reports / "noise.png", noise=True)
    kept = tmp_path / "kept/cifar10"
    tutorials.keep(kept, reports)
    pictures = {"learning_curves.png", "confusion_matrix.png", "filters.png", "noise.png"}
    assert {file.name for file in kept.iterdir()} == {"metrics.json", "history.csv", *pictures}
    with Image.open(kept / "filters.png") as small:
        assert small.size == (1200, 400)
        assert [small.convert("RGB").getpixel((x, 5)) for x in (5, 1100)] == [(0, 0, 0), (255, 127, 14)]
    assert (kept / "filters.png").stat().st_size < 60_000
    with Image.open(kept / "noise.png") as small:
        assert small.size == (1200, 400)
    assert (kept / "noise.png").stat().st_size < (reports / "noise.png").stat().st_size / 3


def test_a_rare_colour_stays_what_it_is(tmp_path):
    """The red of wrong predictions, among grey clothes."""
    grey = np.random.default_rng(0).integers(0, 256, (400, 600, 1), np.uint8)
    pixels = np.repeat(grey, 3, axis=2)
    red = pixels[100:105, 200:220] = (207, 34, 46)
    Image.fromarray(pixels).save(tmp_path / "predictions.png")
    shrink.png(tmp_path / "predictions.png", tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as small:
        received = np.array(small.convert("RGB"))[100:105, 200:220]
    assert np.abs(received.astype(int) - red).max() < 20


def test_every_link_of_the_page_leads_to_a_file(reports, tmp_path):
    shutil.copytree("configs", tmp_path / "configs")
    folder = tmp_path / "reports/tutorials"
    for config in ("cifar10", "cifar10-best"):
        tutorials.keep(folder / config, reports)
    measured.write(folder / "results.json", some_runs())
    tutorials.write(folder)
    links = re.findall(r"\]\(([^)]+)\)", page := (folder / "README.md").read_text())
    assert {"results.json", "cifar10-best/learning_curves.png", "cifar10/filters.png"} <= set(links)
    assert all((folder / link).is_file() for link in links)
    assert "## C: CIFAR-10, ten classes" in page and "## A:" not in page


def test_text_is_replaced_only_between_the_markers():
    text = "before\n<!-- tutorials -->\nold\n\nold\n<!-- /tutorials -->\nafter\n"
    new = templates.replace(text, "tutorials", "new")
    assert new == "before\n<!-- tutorials -->\nnew\n<!-- /tutorials -->\nafter\n"
    assert templates.replace(new, "tutorials", "new") == new


@pytest.mark.parametrize(
    "text", ["", "<!-- tutorials -->", "<!-- /tutorials --><!-- tutorials -->", "<!-- tutorials -->" * 2]
)
def test_text_without_both_markers_is_refused(text):
    with pytest.raises(errors.BadInput, match="expected one <!-- tutorials --> and, after it, one"):
        templates.replace(text, "tutorials", "new")


def test_the_docs_page_is_renewed_without_training(tmp_path, monkeypatch):
    shutil.copytree("configs", tmp_path / "configs")
    (tmp_path / "docs").mkdir()
    shutil.copy(tutorials.PAGE, tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    measured.write(tutorials.FOLDER / "results.json", some_runs())
    tutorials.main(["--render", "--page"])
    assert "0.7100 ± 0.0100" in tutorials.PAGE.read_text()
    assert "0.7100 ± 0.0100" in (tutorials.FOLDER / "README.md").read_text()


def test_an_unknown_name_is_one_line(tmp_path, capsys):
    project = sandbox.create(tmp_path / "project")
    shutil.copytree("benchmarks", project.path / "benchmarks")
    done = project.attempt("python", "-m", "benchmarks", "tutorials", "cifar", "--seeds", "0")
    assert done.returncode == 1
    assert re.fullmatch(r"tutorials: error: unknown params file 'cifar';.*\n", done.stderr)
    assert not (project.path / "reports/tutorials/results.json").exists()


def test_results_in_git_are_readable():
    if (sandbox.PROJECT / tutorials.FOLDER / "results.json").exists():
        assert runs.read(sandbox.PROJECT / tutorials.FOLDER / "results.json")
        assert json.loads((sandbox.PROJECT / tutorials.FOLDER / "results.json").read_text())["runs"]
