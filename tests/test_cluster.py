"""TF_CONFIG is read with care, and a worker that does not come is named."""

import json
import socket

import pytest

from stages.running import errors
from stages.training import cluster

TWO = ["a:1", "b:2"]


def config(task_type="worker", index=0, **jobs):
    return json.dumps({"cluster": jobs, "task": {"type": task_type, "index": index}})


@pytest.mark.parametrize(
    ("content", "addresses", "number"),
    [
        (config(worker=TWO), ("a:1", "b:2"), 0),
        (config(index=1, worker=TWO), ("a:1", "b:2"), 1),
        (config(index="1", worker=TWO), ("a:1", "b:2"), 1),
        (config("chief", 0, chief=["c:3"], worker=TWO), ("c:3", "a:1", "b:2"), 0),
        (config("worker", 1, chief=["c:3"], worker=TWO), ("c:3", "a:1", "b:2"), 2),
    ],
)
def test_the_chief_comes_first(monkeypatch, content, addresses, number):
    monkeypatch.setenv(cluster.NAME, content)
    found = cluster.read()
    assert found == cluster.Cluster(addresses, number)
    assert found.is_chief == (number == 0)


@pytest.mark.parametrize("content", ["", " ", "{}", config(worker=["a:1"]), config("chief", chief=["a:1"])])
def test_fewer_than_two_workers_are_no_cluster(monkeypatch, content):
    monkeypatch.setenv(cluster.NAME, content)
    assert cluster.read() is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected a JSON object"),
        ("[" * 100_000, "expected"),
        ('["a"]', "expected a JSON object"),
        ("x" * (cluster.LARGEST + 1), "expected at most 1,048,576 bytes"),
        (json.dumps({"cluster": {"worker": TWO}}), "task is missing"),
        (config(index=2, worker=TWO), r"one of the 2 of type worker, counted from 0, received 2"),
        (config(index=-1, worker=TWO), "task.index"),
        (config("chief", worker=TWO), r"one of the 0 of type chief"),
        (config("ps", worker=TWO), "task.type: expected 'chief' or 'worker', received 'ps'"),
        (config(worker=TWO, ps=["c:3"]), "unknown key 'ps'"),
        (config(worker=["a:1", "a:1"]), "an address of its own"),
        (config(worker=["a", "b"]), "cluster.worker.0"),
        (config(worker="a:1"), "cluster.worker"),
    ],
)
def test_what_is_no_cluster_is_refused(monkeypatch, content, message):
    monkeypatch.setattr(cluster.os, "environ", {cluster.NAME: content})
    with pytest.raises(errors.BadInput, match=message):
        cluster.read()


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


@pytest.fixture
def free():
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
    return address


def test_workers_that_are_there_are_not_waited_for(listening, free, capsys):
    cluster.meet(cluster.Cluster((free, listening), 0), 0)
    assert capsys.readouterr().out == ""


def test_a_worker_that_does_not_come_is_named(listening, free, capsys):
    own, missing = free, "127.0.0.1:1"
    with pytest.raises(errors.Unreachable, match=rf"waited 0.1 s for worker 2 \({missing}\), without"):
        cluster.meet(cluster.Cluster((own, listening, missing), 0), 0.1)
    assert capsys.readouterr().out == f"waiting for worker 2 ({missing}), at most 0.1 s\n"


def test_a_host_that_nobody_knows_does_not_answer(free):
    with pytest.raises(errors.Unreachable, match="worker 1 "):
        cluster.meet(cluster.Cluster((free, f"{'a' * 70}:1"), 0), 0)


def test_a_port_that_is_taken_is_bad_input(listening):
    with pytest.raises(errors.BadInput, match=f"expected a free port at {listening}"):
        cluster.meet(cluster.Cluster((listening, "127.0.0.1:1"), 0), 0)
