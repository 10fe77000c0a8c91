"""The benchmark of exports: what it exports, and what it makes of the figures."""

import json
from pathlib import Path

import pytest

from benchmarks import child
from benchmarks.speed import exports, runtimes
from benchmarks.suites import templates
from stages.running import errors
from tests import tiny

TIMED = {
    "keras": {"one_image": [90.0, 100.0, 900.0], "batch": [300.0, 200.0, 100.0]},
    "saved_model": {"one_image": [20.0] * 3, "batch": [100.0] * 3},
    "onnx": {"one_image": [10.0] * 3, "batch": [1000.0] * 3},
    "litert": {"one_image": [5.0] * 3, "batch": [50.0] * 3},
    "litert-int8": {"one_image": [1.0] * 3, "batch": [5000.0] * 3},
}


def test_figures_are_medians_and_ratios_of_them():
    report = exports.summarize(TIMED, dict.fromkeys(TIMED, 1_500_000), 256, None, [8, 8, 3])
    assert {name: row["times_keras"] for name, row in report["peers"].items()} == {
        "keras": 1.0,
        "saved_model": 5.0,
        "onnx": 10.0,
        "litert": 20.0,
        "litert-int8": 100.0,
    }
    assert report["peers"]["keras"]["images_per_second"] == 200.0
    (target,) = report["targets"]
    assert (target["measured"], target["met"]) == (20.0, True)


def test_each_format_is_exported_and_the_table_is_renewed(tmp_path, monkeypatch, capsys):
    exported = []

    def export(command, folder):
        words = list(map(str, command))
        place = Path(words[words.index("--output") + 1])
        place.mkdir()
        (place / "file").write_bytes(bytes(2_000_000))
        exported.append((words[3], "--int8" in words, words[words.index("--looks") + 1]))

    def run(places, shape, batch, rounds):
        assert list(places) == list(TIMED) and (shape, batch, rounds) == ((8, 8, 1), 256, 3)
        return TIMED

    monkeypatch.setattr(child, "run", export)
    monkeypatch.setattr(runtimes, "run", run)
    tiny.build_records(tmp_path, tiny.subset(tmp_path / "arrays"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.keras").write_bytes(bytes(1_000_000))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- exports -->\nold\n<!-- /exports -->\nafter\n")
    monkeypatch.setattr(templates, "PAGE", page)
    places = ["--model", str(tmp_path / "model"), "--records", str(tmp_path / "records")]
    output = ["--output", str(tmp_path / "exports.json")]
    exports.main([*places, *output, "--rounds", "3", "--looks", "1", "--page"])
    assert exported == [
        ("saved_model", False, "1"),
        ("onnx", False, "1"),
        ("litert", False, "1"),
        ("litert", True, "1"),
    ]
    report = json.loads((tmp_path / "exports.json").read_text())
    assert report["peers"]["onnx"]["bytes"] == 2_000_000 and report["looks"] == 1
    assert "met" in capsys.readouterr().out
    assert "| LiteRT, int8 | 2.00 | 1.00 | 1.00-1.00 | 100.0 | 5,000 |" in page.read_text()
    assert "old" not in page.read_text() and page.read_text().endswith("after\n")


@pytest.mark.parametrize("option", ["--rounds", "--batch"])
def test_less_than_one_is_refused(option):
    with pytest.raises(errors.BadInput, match="at least one round, and one image"):
        exports.main([option, "0"])
