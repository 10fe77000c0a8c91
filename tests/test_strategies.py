"""A strategy is chosen by the parameter and by what there is; workers that differ are refused."""

import numpy as np
import pytest
import tensorflow as tf

from stages.running import errors
from stages.training import cluster, strategies
from stages.training import team as teams


@pytest.mark.parametrize("wanted", ["one", "auto"])
def test_one_device_has_no_strategy(monkeypatch, wanted):
    monkeypatch.delenv(cluster.NAME, raising=False)
    with strategies.started(wanted, 0) as team:
        assert not tf.distribute.has_strategy()
        assert (team.is_chief, team.workers, team.replicas, team.described()) == (True, 1, 1, {})
        assert team.from_chief(b"content") == b"content"
        team.require_alike({"code": "a"})


def test_one_device_takes_no_notice_of_a_cluster(monkeypatch):
    monkeypatch.setenv(cluster.NAME, cluster.EXAMPLE)
    with strategies.started("one", 0) as team:
        assert team.workers == 1


@pytest.mark.parametrize("content", [None, "{}", '{"cluster": {"worker": ["a:1"]}}'])
def test_several_workers_that_are_not_there_are_bad_input(monkeypatch, content):
    monkeypatch.delenv(cluster.NAME, raising=False)
    if content is not None:
        monkeypatch.setenv(cluster.NAME, content)
    with pytest.raises(errors.BadInput, match="multi_worker, which expects at least two workers"):
        strategies.started("multi_worker", 0).__enter__()


def test_several_gpus_that_are_not_there_are_bad_input():
    with pytest.raises(errors.BadInput, match="expects at least two GPUs, but TensorFlow may use 0"):
        strategies.started("mirrored", 0).__enter__()


def test_a_strategy_that_is_in_charge_stays(monkeypatch):
    monkeypatch.setenv(cluster.NAME, cluster.EXAMPLE)
    given = tf.distribute.MirroredStrategy(["CPU:0"])
    with given.scope(), strategies.started("auto", 0) as team:
        assert tf.distribute.get_strategy() is given
        assert team.described() == {"replicas": 1, "workers": 1}


def test_workers_that_differ_are_refused(monkeypatch):
    team = teams.Team(cluster.Cluster(("a:1", "b:2"), 0))

    def with_the_other(table):
        other = table[0] + np.array([0, 1, 0, 1])
        return np.stack([table[0], other])

    monkeypatch.setattr(team, "_added_up", with_the_other)
    facts = {"parameters": {"a": 1}, "records": ["b"], "weights": [], "code": "c"}
    with pytest.raises(
        errors.BadInput, match=r"but worker 1 \(b:2\) has other records and code than the chief"
    ):
        team.require_alike(facts)
