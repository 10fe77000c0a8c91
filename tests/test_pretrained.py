"""Pretrained weights, published by a web server on the loopback interface."""

import hashlib

import pytest

from stages.running import errors
from stages.sources import origin, pretrained

CONTENT = b"weights" * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(origin, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(pretrained, "STALL_SECONDS", 0.2)


@pytest.fixture
def url(server):
    server.files["a.h5"] = CONTENT
    return server.url("a.h5")


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_file_is_fetched_whole(url, fetch_cache, md5):
    path = pretrained.fetch(url, md5)
    assert path.read_bytes() == CONTENT
    assert list(fetch_cache.rglob("*")) == [path.parent, path]


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_fetched_file_is_fetched_only_once(server, url, md5):
    first = pretrained.fetch(url, md5)
    del server.files["a.h5"]
    assert pretrained.fetch(url, md5) == first


def test_a_cached_file_that_is_damaged_is_fetched_again(url):
    pretrained.fetch(url, MD5).write_bytes(b"weight")
    assert pretrained.fetch(url, MD5).read_bytes() == CONTENT


def test_another_file_than_was_published_is_bad_input_and_not_kept(server, url, fetch_cache):
    server.files["a.h5"] = CONTENT[1:]
    with pytest.raises(errors.BadInput, match=rf"a\.h5 is corrupt or another version: expected md5 {MD5}"):
        pretrained.fetch(url, MD5)
    assert not [path for path in fetch_cache.rglob("*") if path.is_file()]


def test_a_missing_file_is_bad_input_with_the_servers_answer(server):
    with pytest.raises(errors.BadInput, match=r"absent\.h5: the server answered 404"):
        pretrained.fetch(server.url("absent.h5"), MD5)


def test_a_server_that_stalls_in_the_middle_is_given_up_and_leaves_nothing(server, impatient, fetch_cache):
    server.files["large.h5"] = bytes(3 << 20)
    server.stalls_after["large.h5"] = (3 << 20, (1 << 20) + 1000)  # the probe reads one megabyte
    with pytest.raises(errors.BadInput, match=r"large\.h5: the download broke off: "):
        pretrained.fetch(server.url("large.h5"), None)
    assert not [path for path in fetch_cache.rglob("*") if path.is_file()]


def test_a_server_out_of_reach_is_bad_input(server):
    url = server.url("a.h5")
    server.server_close()
    server.shutdown()
    with pytest.raises(errors.BadInput, match=r"a\.h5: "):
        pretrained.fetch(url, MD5)
