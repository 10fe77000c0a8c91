"""A training that was interrupted goes on where it was, and ends with the same bytes."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import filelock
import keras
import numpy as np
import pytest

from stages.classifier import architecture
from stages.running import code, durable, errors
from stages.sources import cache
from stages.training import checkpoints, identity, loop, saved_state, selection, team
from tests import small_backbone, tiny, training

EPOCHS = 4
QUICK = {"model": {"name": "dense", **training.OPTIONS["dense"]}, "epochs": EPOCHS}
KINDS: dict[str, dict[str, Any]] = {
    "quick": {},
    "adam": {"model": training.PARAMS["model"]},
    "compiled": {"resident": True, "deterministic": True},
    "muon": {
        "model": {"name": "airbench", **training.OPTIONS["airbench"], "dropout": 0.5},
        "optimizer": {**training.PARAMS["optimizer"], "name": "muon", "momentum": 0.6},
        "test_time_augmentation": 2,
    },
    "averaged": {"resident": True, "average": 0.8, "select": "balanced_accuracy"},
    "head": {
        "model": training.TRANSFER,
        "fine_tuning": {"head_epochs": 3, "learning_rate_scale": 0.1},
        "patience": 1,
    },
}


@pytest.fixture(autouse=True, scope="module")
def imported():
    """Import all that is trained here, as a training's name depends on what is imported."""
    for kind in (QUICK, *KINDS.values()):
        architecture.Architecture({**QUICK, **kind}["model"])


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Save after every epoch, however long that takes."""
    small_backbone.in_place_of_vgg16(monkeypatch, features=6)
    monkeypatch.setattr(checkpoints, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return tiny.build_records(folder, tiny.subset(folder / "subset"), normalize="none")


@pytest.fixture(scope="module")
def whole(records, tmp_path_factory):
    """The bytes that a training leaves that is not interrupted, by kind."""
    found = {}

    def of(kind):
        if kind not in found:
            folder = tmp_path_factory.mktemp("whole")
            found[kind] = left(trained(records, folder, **KINDS[kind]))
        return found[kind]

    return of


def trained(records, folder, **changes):
    """Train as a process of its own would: layers are numbered from the start."""
    keras.utils.clear_session()
    return training.run(records, folder, **{**QUICK, **changes})


def left(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def interrupt(records, folder, after, monkeypatch, error=KeyboardInterrupt, **changes):
    """Train, and be interrupted when so many epochs are saved."""
    save = checkpoints.Checkpoints.save

    def interrupted(self, state):
        save(self, state)
        if state.epoch == after:
            raise error

    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr(checkpoints.Checkpoints, "save", interrupted)
        trained(records, folder, **changes)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Checkpoints of interrupted trainings by the number of epochs that are saved."""
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture
def halfway(records, tmp_path, monkeypatch, found):
    """A function that leaves what a training leaves that was interrupted after some epochs."""

    def leave(after):
        if not (found / str(after)).exists():
            interrupt(records, tmp_path / "out", after, monkeypatch)
            shutil.copytree(cache.made("checkpoints"), found / str(after))
        shutil.copytree(found / str(after), cache.made("checkpoints"), dirs_exist_ok=True)

    return leave


def kept():
    """What lies beside the checkpoints of other trainings."""
    return sorted(path.name for path in cache.made("checkpoints").iterdir())


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("quick", 1),
        ("head", 1),
        *(
            pytest.param(*each, marks=pytest.mark.long)
            for each in (("adam", 3), ("muon", 2), ("compiled", 2))
        ),
        *(pytest.param(*each, marks=pytest.mark.long) for each in (("averaged", 2), ("head", 3))),
    ],
)
def test_an_interrupted_training_ends_with_the_same_bytes(
    records, tmp_path, whole, monkeypatch, capsys, kind, after
):
    interrupt(records, tmp_path / "out", after, monkeypatch, **KINDS[kind])
    assert left(tmp_path / "out") == {}
    assert f"the next `dvc repro` goes on after epoch {after}\n" in capsys.readouterr().err
    found = left(trained(records, tmp_path / "out", **KINDS[kind]))
    said = capsys.readouterr().out
    assert f"going on after epoch {after}, " in said and f"epoch {after}/{EPOCHS}:" not in said
    assert found == whole(kind)
    assert kept() == []


@pytest.mark.long
def test_a_training_may_be_interrupted_again_and_again(records, tmp_path, whole, monkeypatch):
    for after in range(1, EPOCHS + 1):
        interrupt(records, tmp_path / "out", after, monkeypatch)
    assert left(trained(records, tmp_path / "out")) == whole("quick")


SCRIPT = """
import os, signal, sys
from pathlib import Path
from stages.training import checkpoints
from tests import training
checkpoints.FIRST_SECONDS, checkpoints.SHARE = 0.0, float("inf")
save = checkpoints.Checkpoints.save
def killed(self, state):
    save(self, state)
    if state.epoch == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
checkpoints.Checkpoints.save = killed
model = {"name": "dense", **training.OPTIONS["dense"]}
training.run(Path(sys.argv[1]), Path(sys.argv[2]), epochs=4, model=model)
"""


def test_a_killed_training_ends_with_the_same_bytes(records, tmp_path, whole):
    command = [sys.executable, "-c", SCRIPT, records, tmp_path / "out"]
    root = Path(__file__).parents[1]
    killed = subprocess.run([*command, "2"], cwd=root, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    second = subprocess.run([*command, "0"], cwd=root, capture_output=True, text=True)
    assert "going on after epoch 2, " in second.stdout
    assert left(tmp_path / "out") == whole("quick")
    assert kept() == []


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"epochs": EPOCHS + 1}, {"batch_size": 7}, {"label_smoothing": 0.1}], ids=str
)
def test_another_training_does_not_take_it_up(records, tmp_path, halfway, capsys, changes):
    halfway(2)
    trained(records, tmp_path / "out", **changes)
    assert "going on" not in capsys.readouterr().out
    assert len(kept()) == 1, "the checkpoint is still there, for the training that it is of"


def test_the_same_training_elsewhere_takes_it_up(records, tmp_path, whole, halfway, capsys):
    halfway(2)
    elsewhere = shutil.copytree(records, tmp_path / "workspace of an experiment")
    assert left(trained(elsewhere, tmp_path / "its")) == whole("quick")
    assert "going on after epoch 2, " in capsys.readouterr().out


def test_other_records_do_not_take_it_up(records, tmp_path, halfway, capsys):
    halfway(2)
    others = tiny.build_records(tmp_path / "others", tiny.subset(tmp_path / "subset", train=25))
    trained(others, tmp_path / "out")
    assert "going on" not in capsys.readouterr().out


def test_the_name_follows_from_facts_and_code(tmp_path, monkeypatch):
    name = identity.key({"a": 1}, "b")
    assert identity.key({"a": 1}, "b") == name
    assert identity.key({"a": 2}, "b") != name
    copy = tmp_path / "loop.py"
    shutil.copyfile(loop.__file__, copy)
    monkeypatch.setattr(code, "PROJECT", tmp_path)
    monkeypatch.setattr(loop, "__file__", str(copy))
    name = identity.key()
    assert identity.key() == name
    copy.write_text(copy.read_text() + "\n# another line")
    assert identity.key() != name


def test_weights_to_start_from_count_by_their_content(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"one")
    one = identity.of_weights(tmp_path)
    assert identity.of_weights(tmp_path / "a.h5") == one
    (tmp_path / "a.h5").write_bytes(b"two")
    assert identity.of_weights(tmp_path) != one
    assert identity.of_weights(None) == []


def damage(how, path):
    content = path.read_bytes()
    middle = len(content) // 2
    changed = {
        "truncated": content[:middle],
        "empty": b"",
        "other": b"\x00" * len(content),
        "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
    }
    path.write_bytes(changed[how])


@pytest.mark.parametrize(
    ("how", "suffix"),
    [
        ("truncated", "data-00000-of-00001"),
        ("changed", "data-00000-of-00001"),
        ("empty", "index"),
        ("other", "index"),
    ],
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    records, tmp_path, whole, halfway, capsys, how, suffix
):
    halfway(3)
    (file,) = cache.folder().glob(f"checkpoints/*/ckpt-3.{suffix}")
    damage(how, file)
    assert left(trained(records, tmp_path / "out")) == whole("quick")
    assert "going on after epoch 2, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("how", "pattern"),
    [("truncated", "*.data*"), ("changed", "*.index"), ("empty", "checkpoint"), ("other", "checkpoint")],
)
def test_if_all_are_damaged_the_training_starts_anew(records, tmp_path, whole, halfway, capsys, how, pattern):
    halfway(3)
    (folder,) = cache.made("checkpoints").glob("*[!k]")
    for file in folder.glob(pattern):
        damage(how, file)
    capsys.readouterr()
    assert left(trained(records, tmp_path / "out")) == whole("quick")
    said = capsys.readouterr().out
    assert f"the checkpoint is damaged; it is at {folder}.damaged now" in said
    assert kept() == [f"{folder.name}.damaged"]


def test_a_checkpoint_of_another_network_is_put_aside(records, tmp_path, whole, monkeypatch, halfway, capsys):
    halfway(2)
    (mine,) = kept_folders()
    shutil.move(mine, tmp_path / "mine")
    interrupt(records, tmp_path / "out", 2, monkeypatch, **KINDS["muon"])
    (its,) = kept_folders()
    its.rename(mine)
    assert left(trained(records, tmp_path / "out")) == whole("quick")
    assert "the checkpoint is damaged" in capsys.readouterr().out


def kept_folders():
    return [path for path in cache.made("checkpoints").iterdir() if path.is_dir()]


def test_what_a_kill_in_the_first_save_leaves_is_no_checkpoint(records, tmp_path, whole, halfway, capsys):
    halfway(1)
    (folder,) = kept_folders()
    for file in [*folder.glob("*.index"), folder / "checkpoint"]:
        file.unlink()
    assert left(trained(records, tmp_path / "out")) == whole("quick")
    assert "damaged" not in capsys.readouterr().out
    assert kept() == []


def test_a_training_that_fails_leaves_no_checkpoint(records, tmp_path, monkeypatch):
    interrupt(records, tmp_path / "out", 2, monkeypatch, error=errors.Diverged)
    assert kept() == []


def test_two_at_once_do_not_share_a_checkpoint(records, tmp_path, whole, halfway, capsys):
    halfway(2)
    (folder,) = kept_folders()
    with filelock.FileLock(folder.with_suffix(".lock")):
        assert left(trained(records, tmp_path / "out")) == whole("quick")
    assert "the same training runs in another process" in capsys.readouterr().out
    assert kept_folders() == [folder]


def test_a_cache_that_cannot_be_written_keeps_no_training_from_ending(
    records, tmp_path, whole, monkeypatch, capsys
):
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", "/dev/null/cache")
    assert left(trained(records, tmp_path / "out")) == whole("quick")
    assert "no checkpoints are kept: the cache of downloads cannot be made" in capsys.readouterr().out


def test_a_full_disk_keeps_no_training_from_ending(records, tmp_path, whole, monkeypatch, capsys):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "flush", full)
    assert left(trained(records, tmp_path / "out")) == whole("quick")
    assert capsys.readouterr().out.count("no further checkpoints are kept") == 1
    assert kept() == []


def test_saving_takes_a_small_share_of_the_time(records, tmp_path, monkeypatch):
    now, saved = [0.0], []
    trainers: Any = [_Trainer()]
    monkeypatch.setattr(checkpoints, "SHARE", 0.02)
    monkeypatch.setattr(checkpoints, "FIRST_SECONDS", 5.0)
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    with checkpoints.Checkpoints("name", trainers, team.Team()) as one:

        def slowly(checkpoint_number):
            now[0] += 0.5
            saved.append(now[0])
            return str(one.folder / "ckpt-1")

        one.folder.mkdir()
        monkeypatch.setattr(one.manager, "save", slowly)
        for epoch in range(100):
            now[0] += 1.0
            one.save(loop.State(epoch=epoch))
    assert saved[0] == 5.5
    assert 0.5 * len(saved) <= 0.02 * now[0] + 0.5


def test_a_checkpoint_of_another_number_of_replicas_is_left_and_named(capsys):
    other = cache.made("checkpoints", "name-3") / "ckpt-1.index"
    other.write_bytes(b"x")
    trainers: Any = [_Trainer()]
    with checkpoints.Checkpoints("name", trainers, team.Team()) as one:
        assert one.restore() == loop.START
    assert capsys.readouterr().out == (
        f"training starts anew: the number of replicas is 1 now; what was saved stays at {other.parent}\n"
    )
    assert kept() == ["name-3"] and other.exists()


class _Trainer:
    """As much of a trainer as `Checkpoints` looks at."""

    class network:
        variables = ()

    class optimizer:
        variables = ()


def test_old_checkpoints_are_swept(records, tmp_path, monkeypatch):
    place = cache.made("checkpoints")
    (place / "old").mkdir()
    (place / "old" / "ckpt-1.index").write_bytes(b"x")
    (place / "old.lock").write_bytes(b"")
    monkeypatch.setattr(cache, "OLD_SECONDS", -1)
    trained(records, tmp_path / "out", epochs=1)
    assert kept() == []


def test_the_state_comes_back_as_it_was():
    values = saved_state.Values()
    assert values.state == loop.START
    values.deserialize(values.serialize())
    assert json.dumps(values.state) == json.dumps(loop.START)


def test_the_best_epoch_comes_back_as_it_was():
    judged = selection.Judged(np.array([0, 1]), np.array([1, 0]), np.array([0.5, 2.0], np.float32))
    weights = [np.ones((2, 3), np.float32), np.zeros(3, np.float32)]
    values = saved_state.Values()
    values.state = loop.State(3, [{"epoch": 1.0}], 1, -1, 1, [0.5, -1.25], weights, judged, True)
    content = values.serialize()
    values.deserialize(content)
    back = values.state
    for found, expected in ((back.best_weights, weights), (back.best_judged, judged)):
        assert found is not None and all(map(np.array_equal, found, expected))
    rest = back._replace(best_weights=None, best_judged=None)
    assert rest == loop.State(3, [{"epoch": 1.0}], 1, -1, 1, [0.5, -1.25], None, None, True)
