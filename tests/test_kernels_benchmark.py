"""The benchmark of the ways to compute a step's parts."""

import json

from benchmarks import kernels


def test_each_part_has_the_time_of_each_way(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kernels, "CONVOLUTIONS", [(200, 4, 4, 8, 8)])
    monkeypatch.setattr(kernels, "MATRICES", [(8, 4)])
    monkeypatch.setattr(kernels, "ACTIVATED", (2, 3, 3, 4))
    monkeypatch.setattr(kernels, "ROUNDS", 1)
    kernels.main(["--precision", "float32", "--output", str(tmp_path / "kernels.json")])
    report = json.loads((tmp_path / "kernels.json").read_text())
    gradient, silu, gelu, products = report["milliseconds"].values()
    assert set(gradient) == {"oneDNN", "(convolution)", "matrix products", "pieces"}
    assert set(silu) == set(gelu) == {"XLA", "TensorFlow"}
    assert "float32" in products
    assert "weight gradient, 200x4x4x8 to 8" in capsys.readouterr().out
