"""Pretrained weights, published by a web server on the loopback interface."""

import hashlib

import h5py
import pytest

from stages.backbones import pretrained
from stages.running import errors
from stages.sources import origin

CONTENT = b"weights" * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(origin, "STALL_SECONDS", 0.2)


@pytest.fixture
def url(server):
    server.files["a.h5"] = CONTENT
    return server.url("a.h5")


@pytest.fixture
def unknown(server, tmp_path):
    """The address of weights that have no published checksum."""
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["layer_names"] = ["dense"]
    server.files["unknown.h5"] = (tmp_path / "weights.h5").read_bytes()
    return server.url("unknown.h5")


def test_a_file_is_fetched_whole(url, fetch_cache):
    path = pretrained.fetch(url, MD5)
    assert path.read_bytes() == CONTENT
    assert [file for file in fetch_cache.rglob("*") if file.is_file()] == [path]


def test_a_fetched_file_is_fetched_only_once(server, url):
    first = pretrained.fetch(url, MD5)
    del server.files["a.h5"]
    assert pretrained.fetch(url, MD5) == first


def test_weights_without_a_checksum_are_fetched_once(server, unknown):
    first = pretrained.fetch(unknown, None)
    del server.files["unknown.h5"]
    assert pretrained.fetch(unknown, None) == first


@pytest.mark.parametrize("content", [b"<html>try again later</html>", b""])
def test_a_page_instead_of_weights_is_not_kept(server, unknown, fetch_cache, content):
    server.files["unknown.h5"] = content or b" "
    with pytest.raises(errors.BadInput, match=r"unknown\.h5: expected weights in HDF5"):
        pretrained.fetch(unknown, None)
    assert not [path for path in fetch_cache.rglob("*") if path.is_file()]


def test_an_hdf5_file_without_layers_is_not_kept(server, unknown, fetch_cache, tmp_path):
    h5py.File(tmp_path / "other.h5", "w").close()
    server.files["unknown.h5"] = (tmp_path / "other.h5").read_bytes()
    with pytest.raises(errors.BadInput, match="an HDF5 file without layers"):
        pretrained.fetch(unknown, None)
    assert not [path for path in fetch_cache.rglob("*") if path.is_file()]


def test_weights_without_a_checksum_stay_what_they_were_at_first(server, unknown, tmp_path):
    pretrained.fetch(unknown, None).write_bytes(b"damaged")
    with h5py.File(tmp_path / "weights.h5", "a") as file:
        file.attrs["layer_names"] = ["other"]
    server.files["unknown.h5"] = (tmp_path / "weights.h5").read_bytes()
    with pytest.raises(errors.BadInput, match="corrupt or another version: expected sha256"):
        pretrained.fetch(unknown, None)


def test_a_cached_file_that_is_damaged_is_fetched_again(url):
    pretrained.fetch(url, MD5).write_bytes(b"weight")
    assert pretrained.fetch(url, MD5).read_bytes() == CONTENT


def test_a_file_other_than_published_is_bad_input_and_not_kept(server, url, fetch_cache):
    server.files["a.h5"] = CONTENT[1:]
    with pytest.raises(errors.BadInput, match=rf"a\.h5 is corrupt or another version: expected md5 {MD5}"):
        pretrained.fetch(url, MD5)
    assert not [path for path in fetch_cache.rglob("*") if path.is_file()]


def test_a_missing_file_is_bad_input_with_the_servers_answer(server):
    with pytest.raises(errors.Unreachable, match=r"absent\.h5: the server answered 404"):
        pretrained.fetch(server.url("absent.h5"), MD5)


def test_a_server_that_stalls_midway_is_given_up_leaving_nothing(server, impatient, fetch_cache):
    server.files["large.h5"] = bytes(3 << 20)
    server.stalls_after["large.h5"] = (3 << 20, (1 << 20) + 1000)  # the probe reads one megabyte
    with pytest.raises(errors.Unreachable, match=r"large\.h5: the download broke off: "):
        pretrained.fetch(server.url("large.h5"), None)
    assert not [path for path in fetch_cache.rglob("*") if path.is_file()]


def test_a_server_out_of_reach_is_bad_input(server):
    url = server.url("a.h5")
    server.server_close()
    server.shutdown()
    with pytest.raises(errors.Unreachable, match=r"a\.h5: "):
        pretrained.fetch(url, MD5)


def test_a_cache_that_cannot_be_made_is_bad_input(url, monkeypatch):
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", "/dev/null/cache")
    with pytest.raises(errors.BadInput, match=r"cannot be made at /dev/null/cache/pretrained: .*; set IMAGE"):
        pretrained.fetch(url, MD5)
