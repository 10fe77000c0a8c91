"""The build of encoded records: the same bytes by any number of workers, and nothing is built twice."""

import importlib
import io
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.building import cluster, encoding, processes, shard, shards, sources
from stages.inputs import arrays, encoded, tfrecord
from stages.running import cores, errors
from tests import deadly, tiny

HOW = encoding.Encoding("png", 90, None)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards of four images or so."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 1000)
    monkeypatch.setattr(shards, "LARGEST_SHARD", 1500)


@pytest.fixture
def plan(tmp_path):
    """A function that plans some shards of 24 images."""
    folder = tiny.subset(tmp_path / "arrays", shape=(8, 8, 3)) / "train"

    def run():
        chosen = arrays.read(folder)
        source = sources.of(chosen, folder, tmp_path / "raw")
        return shards.plan(chosen, source, HOW, True, sources.identity(chosen, folder, tmp_path / "raw"))

    return run


@pytest.fixture
def planned(plan):
    return plan()


def write(folder, planned, scheduler=None):
    folder.mkdir()
    with shards.written(folder, planned, scheduler):
        return tiny.digests(folder)


def test_any_number_of_workers_gives_the_same_bytes(tmp_path, planned, monkeypatch, fetch_cache):
    assert planned.shards > 3
    found = []
    for workers in (1, 2, 7):
        monkeypatch.setattr(cores, "usable", lambda count=workers: count)
        found.append(write(tmp_path / str(workers), planned))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == planned.shards + 1  # and the labels
    assert not list((fetch_cache / "records").iterdir())


def test_shards_have_the_bytes_that_are_meant(planned, monkeypatch):
    for total, count in [(10, 1), (190, 1), (210, 2), (1000, 7)]:
        monkeypatch.setattr(shards, "SHARD_BYTES", 150)
        monkeypatch.setattr(shards, "LARGEST_SHARD", 200)
        assert planned._replace(bytes=total).shards == count


def test_a_finished_shard_is_not_built_again(tmp_path, plan, monkeypatch, fetch_cache):
    planned = plan()
    monkeypatch.setattr(cores, "usable", lambda: 1)
    written: list[str] = []
    rebuilt: list[str] = []
    write_shard = tfrecord.write_shard

    def interrupted(path, records):
        if len(written) == 2:
            next(iter(records))
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        written.append(path.name)
        write_shard(path, records)

    monkeypatch.setattr(tfrecord, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "interrupted", planned)
    (place,) = (each for each in (fetch_cache / "records").iterdir() if each.is_dir())
    assert {each.name for each in place.glob("*.tfrecord*")} == {encoded.shard_name(0), encoded.shard_name(1)}
    (place / f"{encoded.shard_name(2)}.half.partial").touch()  # of a process that was killed

    def noted(path, records):
        rebuilt.append(path.name)
        write_shard(path, records)

    monkeypatch.setattr(tfrecord, "write_shard", noted)
    goes_on = plan()
    assert goes_on.name == planned.name and 0 < goes_on.needed < planned.needed
    found = write(tmp_path / "went on", goes_on)
    assert len(rebuilt) == planned.shards - 2
    assert found == write(tmp_path / "at once", planned)


def test_a_shard_that_is_not_whole_is_built_again(tmp_path, planned):
    place = tmp_path / "place"
    place.mkdir()
    job = shard.Job(
        0, planned.source, planned.chosen.labels, planned.chosen.positions, np.arange(24), HOW, True, place, 1
    )
    built = shard.build(job)
    path = place / encoded.shard_name(0)
    before = path.read_bytes()
    path.write_bytes(before[:-1])
    assert shard.finished(path) is None
    assert shard.build(job) == built == shard.finished(path)
    assert path.read_bytes() == before


def test_a_killed_process_is_replaced(tmp_path, capsys):
    labels = np.arange(12)
    source = deadly.Source(tmp_path / "flag", labels)
    (tmp_path / "flag").touch()
    expected, found = tmp_path / "expected", tmp_path / "found"
    for place, workers in ((expected, 1), (found, 2)):
        place.mkdir()
        jobs = [
            shard.Job(number, source.take(places), labels[places], places, places, HOW, True, place, 1)
            for number, places in enumerate(np.array_split(labels, 4))
        ]
        assert sorted(built.number for built in processes.results(jobs, workers)) == [0, 1, 2, 3]
        for left in place.glob("*.partial"):  # of the process that was killed
            left.unlink()
        (tmp_path / "flag").unlink()
    assert tiny.digests(found) == tiny.digests(expected)
    assert "a process that built records has ended" in capsys.readouterr().out


def test_a_picture_that_cannot_be_read_is_told_from_another_process(tmp_path, planned):
    file = planned.source.file
    broken, one = planned.source._replace(file=file.with_name("missing.npy")), np.zeros(1, int)
    jobs = [shard.Job(number, broken, one, one, one, HOW, True, tmp_path, 1) for number in range(2)]
    with pytest.raises(errors.BadInput, match=r"missing\.npy: expected uint8"):
        list(processes.results(jobs, 2))


def test_a_disk_without_room_is_noticed_before_the_first_byte(tmp_path, planned, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=planned.needed - 1))
    expected = r"needs .* GiB free for 24 encoded images in \d+ files; lower records\.encoded\.quality"
    with pytest.raises(errors.BadInput, match=expected):
        write(tmp_path / "train", planned)
    assert not list((tmp_path / "train").iterdir())


@pytest.fixture
def start(tmp_path):
    """A function that starts a program of Dask, with the project on its path or without."""
    pytest.importorskip("distributed")
    started = []

    def program(name, *options, path=str(Path(__file__).parents[1])):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *options, "--no-dashboard"]
        environment = {**os.environ, "PYTHONPATH": path}
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield program
    for process in started:
        process.kill()
        process.communicate()


def said(process, pattern):
    """Wait until a program says something."""
    for line in process.stderr:
        if match := re.search(pattern, line):
            return match
    raise AssertionError(f"{process.args} has ended")


def scheduler_at(process):
    return said(process, r"Scheduler at:\s+(tcp://\S+)")[1]


LOCAL = ("--host", "127.0.0.1")
WORKER = (*LOCAL, "--nthreads", "1", "--no-nanny")


@pytest.fixture
def dask(start):
    """The address of a Dask scheduler, which needs no project, and the processes of its two workers."""
    address = scheduler_at(start("scheduler", *LOCAL, "--port", "0", path=""))
    workers = [start("worker", address, *WORKER) for _ in range(2)]
    for worker in workers:
        said(worker, "Registered to")
    return address, workers


def test_a_worker_without_the_project_names_what_to_do(tmp_path, planned, start):
    address = scheduler_at(start("scheduler", *LOCAL, "--port", "0", path=""))
    said(start("worker", address, *WORKER, path=""), "Registered to")
    with pytest.raises(errors.BadInput, match=r"workers, too: No module named 'stages'; .*PYTHONPATH=\."):
        write(tmp_path / "train", planned, address)


def test_a_cluster_gives_the_same_bytes_though_a_worker_is_killed(tmp_path, planned, dask, monkeypatch):
    address, workers = dask
    expected = write(tmp_path / "here", planned)
    results = cluster.results

    def killing(jobs, scheduler):
        workers[0].send_signal(signal.SIGSTOP)  # it gets shards, and builds none
        for number, built in enumerate(results(jobs, scheduler)):
            if number == 0:
                workers[0].kill()
            yield built

    monkeypatch.setattr(cluster, "results", killing)
    assert write(tmp_path / "there", planned, address) == expected


@pytest.fixture
def here():
    """A Dask cluster in threads of this process, at first of one worker with one thread."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as found:
        yield found


@pytest.fixture
def of_single_images(tmp_path, planned):
    """A function that makes so many jobs of one image each."""
    (tmp_path / "single").mkdir()

    def jobs(count):
        alike = HOW, True, tmp_path / "single", 1
        places = np.arange(count)[:, np.newaxis]
        return [
            shard.Job(number, planned.source.take(place), place, place, place, *alike)
            for number, place in enumerate(places)
        ]

    return jobs


def test_few_shards_are_with_the_scheduler_at_a_time(here, of_single_images, monkeypatch):
    """Four for one worker, and eight after three others have come."""
    client = importlib.import_module("distributed").Client
    submitted, submit = [], client.submit

    def noting(client, read, content, **options):
        submitted.append(_Number(io.BytesIO(content)).load())
        return submit(client, read, content, **options)

    monkeypatch.setattr(client, "submit", noting)
    counts = []
    for _ in cluster.results(of_single_images(16), here.scheduler_address):
        counts.append(len(submitted))
        if len(counts) == 2:
            here.scale(4)
            here.wait_for_workers(4)
    assert counts == [5, 6, 11, 12, 13, 14, 15, *9 * [16]]
    assert submitted == list(range(16))


class _Number(pickle.Unpickler):
    """Reads the number of a job where a worker would build its shard."""

    def find_class(self, module, name):
        return (lambda job: job.number) if name == "build" else super().find_class(module, name)


def test_a_scheduler_that_ends_is_named(here, of_single_images, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS", 1)
    results = cluster.results(of_single_images(16), here.scheduler_address)
    next(results)
    here.close()
    with pytest.raises(errors.Unreachable, match=r"lost Dask's scheduler at \S+: it has ended"):
        list(results)


def test_a_cluster_without_dask_names_what_to_install(planned, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(errors.BadInput, match=r"pip install -r requirements-cluster\.txt"):
        write(tmp_path / "train", planned, "tcp://127.0.0.1:1")
