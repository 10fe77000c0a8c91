"""The benchmark of the data path: its parts with few images, and the repository it runs stages in."""

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks import child, scratch
from benchmarks.speed import data_path
from stages import records
from stages.running import errors, paramfile


def test_rates_are_those_of_real_records(tmp_path):
    built, read = data_path.rates(tmp_path, count=60)
    assert built.measured and read.measured
    written = paramfile.read(records.Params, "records", data_path.DEFAULT)
    views = list((tmp_path / "records/train").glob("view-*"))
    assert len(views) == written.views * written.shards


@pytest.mark.long
def test_memory_is_that_of_a_stage_with_few_and_many_images(tmp_path, monkeypatch):
    monkeypatch.setattr(data_path, "STAGES", {"records": data_path.STAGES["records"]})
    (measured,) = data_path.memory(tmp_path, few=30)
    assert measured.what.split()[3].rstrip(",") == "records" and measured.measured
    assert (tmp_path / "300/records/train/manifest.json").is_file()


def test_a_dataset_that_is_not_in_the_cache_is_not_fetched(tmp_path):
    assert [each.met for each in data_path.default(tmp_path)] == [None, None]  # tests have an empty cache


def test_what_is_not_training_is_the_rest_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache/digits").mkdir(parents=True)
    monkeypatch.setattr(data_path, "DEFAULT", data_path.DIGITS)

    def run(copy, *arguments):
        copy.timing.write_text('{"training": 6.0}')
        return child.Usage(seconds=3.0 if "records" in arguments else 9.0, peak_mib=1.0, said="")

    monkeypatch.setattr(scratch.Scratch, "dvc", run)
    to_records, share = data_path.default(tmp_path / "project")
    assert (to_records.measured, share.measured) == (3.0, 0.5)


def test_a_command_is_measured_without_its_parent(tmp_path):
    held = bytearray(500 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    usage = child.run([sys.executable, "-c", "pass"], tmp_path)
    assert 1 < usage.peak_mib < 200


def test_what_a_command_says_is_kept(tmp_path):
    program = "import sys; print('out'); print('err', file=sys.stderr)"
    assert set(child.run([sys.executable, "-c", program], tmp_path).said.split()) == {"out", "err"}


def test_a_command_that_fails_is_named_with_what_it_said(tmp_path):
    with pytest.raises(errors.BadInput, match=r"(?s)status 3.*no such luck"):
        child.run([sys.executable, "-c", "import sys; print('no such luck'); sys.exit(3)"], tmp_path)


def test_a_scratch_repository_is_a_copy_with_other_params(tmp_path):
    tree = scratch.checkout(child.PROJECT, tmp_path, params=data_path.DIGITS).tree
    for name in ("stages/train.py", ".dvc/config"):
        assert (tree / name).read_bytes() == Path(name).read_bytes()
    assert (tree / "params.yaml").read_bytes() == Path("configs/digits.yaml").read_bytes()
    assert (tree / ".git").is_dir() and not (tree / ".dvc/cache").exists()


def test_training_in_a_scratch_repository_writes_what_it_took(tmp_path):
    yaml = YAML(typ="safe")
    copy = scratch.checkout(child.PROJECT, tmp_path, params=data_path.DIGITS)
    copied, original = (yaml.load(path / "dvc.yaml")["stages"] for path in (copy.tree, Path()))
    assert copied["train"].pop("cmd") == f"{original['train'].pop('cmd')} --timing {copy.timing}"
    assert copied == original
