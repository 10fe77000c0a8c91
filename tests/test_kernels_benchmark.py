"""The benchmark of the ways to compute a step's parts."""

import json

from benchmarks.speed import kernels


def test_each_part_has_the_time_of_each_way(tmp_path, monkeypatch, capsys):
    small = {"convolutions": [[200, 4, 4, 8, 8]], "matrices": [[8, 4]]}
    small |= {"activated": [[2, 3, 3, 4]], "normalized": [[2, 3, 3, 4]]}
    assert small.keys() == kernels.SHAPES.keys()
    monkeypatch.setattr(kernels, "SHAPES", small)
    monkeypatch.setattr(kernels, "ROUNDS", 1)
    kernels.main(["--precision", "float32", "--output", str(tmp_path / "kernels.json")])
    report = json.loads((tmp_path / "kernels.json").read_text())
    ways = {part.split()[0].rstrip(","): set(found) for part, found in report["milliseconds"].items()}
    assert ways["weight"] == {"oneDNN", "(convolution)", "matrix products", "pieces"}
    assert ways["silu"] == ways["gelu"] == {"XLA", "TensorFlow"}
    assert ways["batch"] == {"oneDNN", "XLA"}
    assert "float32" in ways["Muon"]
    assert "weight gradient, 200x4x4x8 to 8" in capsys.readouterr().out
