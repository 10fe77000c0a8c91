"""The place of publication, played by a web server on the loopback interface."""

import socket

import pytest

from stages.running import errors
from stages.sources import origin


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(origin, "PROBE_SECONDS", 0.2)


def test_a_large_file_is_probed_for_its_rate(server):
    server.files["large"] = bytes(3 << 20)
    assert 0 < origin.probe(server.url("large")) < float("inf")


def test_a_small_file_counts_as_fast(server):
    server.files["small"] = bytes(1000)
    assert origin.probe(server.url("small")) == float("inf")


def test_a_missing_file_is_refused_with_the_answer(server):
    with pytest.raises(errors.Unreachable, match="absent: the server answered 404 Not Found"):
        origin.probe(server.url("absent"))


def test_a_server_that_does_not_answer_is_given_up(server, impatient):
    server.files["silent"] = b""
    server.stalls_after["silent"] = (0, 0)
    with pytest.raises(errors.Unreachable, match="silent: no answer within 0"):
        origin.probe(server.url("silent"))


def test_a_server_that_stalls_midway_is_given_up_for_that_reason(server, impatient):
    server.files["stalled"] = bytes(3 << 20)
    server.stalls_after["stalled"] = (3 << 20, 1000)
    with pytest.raises(errors.Unreachable, match="stalled: ") as caught:
        origin.probe(server.url("stalled"))
    assert "no connection" not in str(caught.value)


def test_a_port_where_nobody_listens_is_no_connection():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
    with pytest.raises(errors.Unreachable, match="no connection"):
        origin.probe(url)


def test_a_file_keeps_its_published_name(server, tmp_path):
    server.files["one.gz"] = b"first"
    path = origin.download(server.url("one.gz"), tmp_path)
    assert (path, path.read_bytes()) == (tmp_path / "one.gz", b"first")


def test_a_file_with_another_checksum_is_refused(server, tmp_path):
    server.files["one.gz"] = b"first"
    with pytest.raises(errors.BadInput, match=r"one\.gz from .* is corrupt or another version: expected md5"):
        origin.download(server.url("one.gz"), tmp_path, "md5:" + "0" * 32)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_gone_is_refused(server, tmp_path):
    with pytest.raises(errors.Unreachable, match=r"one\.gz: the server answered 404"):
        origin.download(server.url("one.gz"), tmp_path)
    assert not list(tmp_path.iterdir())
