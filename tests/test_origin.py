"""The place of publication, played by a web server on the loopback interface."""

import hashlib
import socket

import pytest
import tensorflow_datasets as tfds

from stages.running import errors
from stages.sources import origin


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(origin, "PROBE_SECONDS", 0.2)


@pytest.fixture
def registered(server, monkeypatch):
    """Publish a file and register its checksum with tensorflow-datasets; gives its URL."""

    def register(name: str, content: bytes, checksum: str | None = None) -> str:
        server.files[name] = content
        info = tfds.download.checksums.UrlInfo(
            size=tfds.core.utils.Size(len(content)),
            checksum=checksum or hashlib.sha256(content).hexdigest(),
            filename=name,
        )
        monkeypatch.setitem(tfds.builder_cls("cifar10").url_infos, server.url(name), info)
        return server.url(name)

    return register


def test_a_large_file_is_probed_for_its_rate(server):
    server.files["large"] = bytes(3 << 20)
    assert 0 < origin.probe(server.url("large")) < float("inf")


def test_a_small_file_counts_as_fast(server):
    server.files["small"] = bytes(1000)
    assert origin.probe(server.url("small")) == float("inf")


def test_a_missing_file_is_refused_with_the_answer(server):
    with pytest.raises(errors.BadInput, match="absent: the server answered 404 Not Found"):
        origin.probe(server.url("absent"))


def test_a_server_that_does_not_answer_is_given_up(server, impatient):
    server.files["silent"] = b""
    server.stalls_after["silent"] = (0, 0)
    with pytest.raises(errors.BadInput, match="silent: no answer within 0"):
        origin.probe(server.url("silent"))


def test_a_server_that_stops_in_the_middle_is_given_up_for_that_reason(server, impatient):
    server.files["stalled"] = bytes(3 << 20)
    server.stalls_after["stalled"] = (3 << 20, 1000)
    with pytest.raises(errors.BadInput, match="stalled: ") as caught:
        origin.probe(server.url("stalled"))
    assert "no connection" not in str(caught.value)


def test_a_port_where_nobody_listens_is_no_connection():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
    with pytest.raises(errors.BadInput, match="no connection"):
        origin.probe(url)


def test_files_are_fetched_by_their_published_names(registered, tmp_path):
    urls = [registered("one.gz", b"first"), registered("two.gz", b"second")]
    fetched = origin.fetch("cifar10", urls, tmp_path)
    assert {name: path.read_bytes() for name, path in fetched.items()} == {
        "one.gz": b"first",
        "two.gz": b"second",
    }


def test_a_file_with_another_checksum_is_refused(registered, tmp_path):
    url = registered("one.gz", b"first", checksum="0" * 64)
    with pytest.raises(errors.BadInput, match=r"could not fetch cifar10: .*one\.gz.*has wrong checksum"):
        origin.fetch("cifar10", [url], tmp_path)


def test_a_file_that_is_gone_is_refused(registered, server, tmp_path):
    url = registered("one.gz", b"first")
    server.files.clear()
    with pytest.raises(errors.BadInput, match=r"could not fetch cifar10: .*HTTP code: 404"):
        origin.fetch("cifar10", [url], tmp_path)
