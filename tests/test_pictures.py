"""The benchmark of own pictures: pictures to measure with, and params that the stages take."""

import importlib

from PIL import Image

from benchmarks.speed import pictures
from stages.running import paramfile


def test_pictures_are_made_and_copied_in_ten_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "DIFFERENT", 12)
    mean = pictures.write(tmp_path, 15)
    files = sorted(tmp_path.rglob("*.jpg"))
    assert len(files) == 15 and len({file.read_bytes() for file in files}) == 12
    assert len({file.parent for file in files}) == pictures.CLASSES
    assert mean == sum(file.stat().st_size for file in files) / 15
    with Image.open(files[0]) as opened:
        assert opened.size == (500, 375)


def test_the_params_are_those_of_the_stages(tmp_path):
    pictures.write_params(tmp_path)
    for stage in pictures.STAGES:
        schema = importlib.import_module(f"stages.{stage}").Params
        paramfile.read(schema, stage, tmp_path / "params.yaml")
