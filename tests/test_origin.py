"""The place of publication, played by a web server on the loopback interface."""

import contextlib
import gzip
import hashlib
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stages.running import errors
from stages.sources import cache, origin

CONTENT = bytes(range(256)) * 4000
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


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
    path = origin.download(origin.File(server.url("one.gz")), tmp_path)
    assert (path, path.read_bytes()) == (tmp_path / "one.gz", b"first")


def test_a_file_with_another_checksum_is_refused(server, tmp_path):
    server.files["one.gz"] = b"first"
    with pytest.raises(errors.BadInput, match=r"one\.gz from .* is corrupt or another version: expected md5"):
        origin.download(origin.File(server.url("one.gz"), None, "0" * 32), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_is_gone_is_refused(server, tmp_path):
    with pytest.raises(errors.Unreachable, match=r"one\.gz: the server answered 404"):
        origin.download(origin.File(server.url("one.gz")), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


class Answers:
    """Answers with a file as a server does that knows ranges; what is asked for is noted in `ranges`."""

    def __init__(self, content=CONTENT, etag="one", status=206, shift=0):
        self.content, self.etag, self.status, self.shift = content, etag, status, shift
        self.sent = len(content)  # bytes after which the connection is closed
        self.ranges = []

    def __call__(self, handler):
        asked = handler.headers["Range"]
        self.ranges.append(asked)
        start, status = 0, 200
        if asked and self.status == 206:
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")) + self.shift, 206
        handler.send_response(self.status if asked else status)
        handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(self.content) - start))
        if status == 206:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        handler.end_headers()
        handler.wfile.write(self.content[start : self.sent])


@pytest.fixture
def fetch(server, tmp_path):
    """A function that answers a download in some way; it returns the bytes."""

    def run(answer, size=None, checksum=CHECKSUM):
        server.answers["a.bin"] = answer
        (tmp_path / "out").mkdir(exist_ok=True)
        path = origin.download(origin.File(server.url("a.bin"), size, checksum), tmp_path / "out")
        content = path.read_bytes()
        path.unlink()
        return content

    return run


@pytest.fixture
def broken_off(fetch):
    """A download that ended after 300,000 bytes."""
    answers = Answers()
    answers.sent = 300_000
    with pytest.raises(errors.Unreachable, match=r"a\.bin: the download broke off: "):
        fetch(answers)
    answers.sent = len(CONTENT)
    answers.ranges.clear()
    return answers


def waiting() -> list[str]:
    """What a download that broke off has left in the cache."""
    return [path.name for path in cache.folder().rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_download_that_broke_off_goes_on(fetch, broken_off):
    assert sorted(waiting()) == ["a.bin", "answer.json"]
    assert fetch(broken_off, len(CONTENT)) == CONTENT
    assert broken_off.ranges == ["bytes=300000-"]
    assert waiting() == []


CHANGES: dict[str, dict[str, Any]] = {
    "another version": {"etag": "two"},
    "another size": {"content": CONTENT + b"!"},
    "another range": {"shift": 1},
    "no ranges": {"status": 200},
    "a range that it refuses": {"status": 416},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_server_with_something_else_is_asked_for_all(fetch, broken_off, change):
    other = Answers(**CHANGES[change])
    assert fetch(other, None, hashlib.sha256(other.content).hexdigest()) == other.content
    assert other.ranges[-1] is None


def test_a_beginning_that_is_damaged_is_fetched_again(fetch, broken_off):
    (partial,) = cache.folder().rglob("a.bin")
    partial.write_bytes(bytes(300_000))
    with pytest.raises(errors.BadInput, match=r"a\.bin from .* is corrupt or another version"):
        fetch(broken_off)
    assert waiting() == []
    assert fetch(broken_off) == CONTENT
    assert broken_off.ranges == ["bytes=300000-", None]


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b'{"size": "x"}', b"\xff"])
def test_a_note_that_is_damaged_is_as_good_as_none(fetch, broken_off, answer):
    (note,) = cache.folder().rglob("answer.json")
    note.write_bytes(answer)
    assert fetch(broken_off) == CONTENT
    assert broken_off.ranges == [None]


def test_a_server_that_is_away_loses_nothing(fetch, broken_off):
    with pytest.raises(errors.Unreachable, match="the server answered 503"):
        fetch(lambda handler: handler.send_error(503))
    with pytest.raises(errors.Unreachable, match="the server has 5 bytes instead of 1,024,000"):
        fetch(Answers(b"<htm>"), len(CONTENT))
    assert fetch(broken_off) == CONTENT
    assert broken_off.ranges == ["bytes=300000-"]


def test_without_a_checksum_nothing_is_gone_on_with(fetch):
    answers = Answers()
    answers.sent = 300_000
    with pytest.raises(errors.Unreachable):
        fetch(answers, checksum=None)
    assert waiting() == []


SCRIPT = """
import os, signal, sys
from pathlib import Path
from typing import Any
from stages.sources import origin
blocks = origin._blocks
def killed(response):
    for block in blocks(response):
        yield block
        received.append(len(block))
        if sum(received) > 500_000:
            os.kill(os.getpid(), signal.SIGKILL)
received = []
origin._blocks = killed
origin.download(origin.File(sys.argv[1], None, sys.argv[2]), Path(sys.argv[3]))
"""


def test_a_killed_download_goes_on(server, fetch, tmp_path):
    server.answers["a.bin"] = answers = Answers()
    command = [sys.executable, "-c", SCRIPT, server.url("a.bin"), CHECKSUM, str(tmp_path)]
    killed = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert fetch(answers) == CONTENT
    first, (begin, _, end) = answers.ranges[0], answers.ranges[1].partition("-")
    assert first is None and end == "" and int(begin.removeprefix("bytes=")) > 300_000
    assert waiting() == []


@pytest.mark.parametrize("length", [None, "abc", "-5", "9" * 5000, str(len(CONTENT))])
def test_a_length_that_says_nothing_is_no_matter(fetch, length):
    assert fetch(sends({"Content-Length": length} if length else {}, CONTENT)) == CONTENT


def sends(headers, *blocks):
    """An answer with some headers and some bytes."""

    def answer(handler):
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        with contextlib.suppress(OSError):  # the client has had enough
            for block in blocks:
                handler.wfile.write(block)

    return answer


def test_a_body_is_taken_as_it_is_sent(fetch):
    packed = gzip.compress(CONTENT, mtime=0)
    checksum = hashlib.sha256(packed).hexdigest()
    assert fetch(sends({"Content-Encoding": "gzip"}, packed), None, checksum) == packed


def test_a_body_in_chunks_is_put_together(fetch):
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (CONTENT[:1000], CONTENT[1000:], b"")]

    def answer(handler):
        handler.protocol_version = "HTTP/1.1"
        sends({"Transfer-Encoding": "chunked", "Connection": "close"}, *chunks)(handler)

    assert fetch(answer) == CONTENT


@pytest.mark.parametrize(("size", "most"), [(1000, "1,000"), (None, "100,000")])
def test_a_body_without_end_is_given_up(fetch, monkeypatch, size, most):
    monkeypatch.setattr(origin, "LARGEST", 100_000)
    with pytest.raises(errors.BadInput, match=f"received more than the {most} bytes expected"):
        fetch(sends({}, *[CONTENT] * 1000), size)
    assert waiting() == []


@pytest.mark.parametrize("size", [1000, None])
def test_more_bytes_than_expected_are_not_asked_for(fetch, monkeypatch, size):
    monkeypatch.setattr(origin, "LARGEST", 100_000)
    with pytest.raises(
        errors.Unreachable, match=r"the server has 1,024,000 bytes instead of (1,000|100,000)$"
    ):
        fetch(sends({"Content-Length": str(len(CONTENT))}, CONTENT), size)


def test_fewer_bytes_than_were_published_broke_off(fetch):
    with pytest.raises(errors.Unreachable, match="the download ended after 1,000 bytes of 1,024,000"):
        fetch(sends({}, CONTENT[:1000]), len(CONTENT))


@pytest.mark.parametrize("place", ["/a.bin", "file:///etc/passwd", "http://[", "http://\x7f/", "x" * 60_000])
def test_an_answer_that_leads_astray_is_one_line(fetch, place):
    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", place)
        handler.end_headers()

    with pytest.raises(errors.Unreachable) as caught:
        fetch(redirect)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_body_that_trickles_is_given_up(server, fetch, monkeypatch):
    monkeypatch.setattr(origin, "STALL_SECONDS", 0.1)

    def trickle(handler):
        sends({"Content-Length": "1000"})(handler)
        with contextlib.suppress(OSError):
            while not server.ended.wait(0.02):
                handler.wfile.write(b"x")

    with pytest.raises(errors.Unreachable, match="bytes in 0 s"):
        fetch(trickle)
