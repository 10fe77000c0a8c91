"""Keep a training's state between its epochs, so that a training that was killed goes on where it was.

A checkpoint has all weights, those of the best epoch, the optimizers with their place in the schedule, the
seeds of random layers, and the history. It lies in the cache of downloads, not among DVC's outputs, in a
folder that is named by everything the training depends on: no other experiment takes it up.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from stages.running import errors
from stages.sources import cache, checksums
from stages.training import loop, selection

SHARE = 0.02  # of the training's time that saving may take
FIRST_SECONDS = 5.0  # of a training, after which it is saved for the first time
PROJECT = Path(__file__).parents[1]  # its code
KEPT = 2  # checkpoints: the last one can be damaged where a machine has lost its power

# What TensorFlow and NumPy raise for damaged files, and for those of another network.
_UNUSABLE = (tf.errors.OpError, LookupError, ValueError, AssertionError, OSError, zipfile.BadZipFile)


def key(*facts: Any) -> str:
    """Return the name of a training: a digest of facts, JSON values each, and of this project's code.

    The code is that of all modules of the project that are imported.
    """
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for path in sorted(Path(file) for file in files if file and Path(file).is_relative_to(PROJECT)):
        digest.update(path.relative_to(PROJECT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def of_weights(place: Path | None) -> list[str]:
    """Return the digests of the files of weights that a training starts from."""
    if place is None:
        return []
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    return [checksums.of_file(path, "sha256") for path in files]


class _Values(tf.train.experimental.PythonState):
    """What a checkpoint has beside variables: the state of the loop."""

    def __init__(self) -> None:
        self.state = loop.START

    def serialize(self) -> bytes:
        values = self.state._asdict()
        weights, judged = values.pop("best_weights") or [], values.pop("best_judged")
        buffer = io.BytesIO()
        arrays = {f"weights{number}": array for number, array in enumerate(weights)}
        arrays |= judged._asdict() if judged else {}
        np.savez(buffer, state=np.array(json.dumps(values)), **arrays)
        return buffer.getvalue()

    def deserialize(self, content: bytes) -> None:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            values = json.loads(str(arrays["state"]))
            count = sum(name.startswith("weights") for name in arrays.files)
            weights = [arrays[f"weights{number}"] for number in range(count)]
            judged = selection.Judged(*(arrays[name] for name in selection.Judged._fields)) if count else None
        self.state = loop.State(**values, best_weights=weights or None, best_judged=judged)


class Checkpoints:
    """The checkpoints of one training, for use in a `with` statement.

    Another process that trains the same at the same time works without checkpoints. Inside a `tf.distribute`
    strategy there are none.

    Args:
        name: The training's name, see `key`.
        trainers: The trainer of each epoch.
    """

    def __init__(self, name: str, trainers: Sequence[loop.Trainer]):
        self.name, self.network = name, trainers[-1].network
        of_all = [
            each
            for trainer in dict.fromkeys(trainers)
            for each in (*trainer.network.variables, *trainer.optimizer.variables)
        ]
        self.variables = list({id(each): each for each in of_all}.values())
        self.values = _Values()
        self.saved_epochs = 0
        self.spacing, self.last = FIRST_SECONDS, time.monotonic()
        self.manager: tf.train.CheckpointManager | None = None
        self.lock = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if tf.distribute.has_strategy():
            return self
        try:
            place = cache.made("checkpoints")
        except errors.BadInput as error:
            print(f"no checkpoints are kept: {error}", flush=True)
            return self
        cache.remove_old(place)
        self.folder = place / self.name
        if self.lock.enter_context(cache.locked(self.folder.with_suffix(".lock"), blocking=False)):
            self._open()
        else:
            print("no checkpoints are kept: the same training runs in another process", flush=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.manager is None:
            return
        if kind is None or issubclass(kind, errors.StageError):
            shutil.rmtree(self.folder, ignore_errors=True)
        elif issubclass(kind, KeyboardInterrupt):
            where = f"after epoch {self.saved_epochs}" if self.saved_epochs else "at the first epoch"
            print(f"\nthe next `dvc repro` goes on {where}", file=sys.stderr, flush=True)
        self.lock.close()

    def _open(self) -> None:
        variables = [variable.value for variable in self.variables]
        checkpoint = tf.train.Checkpoint(values=self.values, variables=variables)
        try:
            self.manager = tf.train.CheckpointManager(checkpoint, str(self.folder), max_to_keep=KEPT)
        except ValueError:
            self._put_aside()
            self.manager = tf.train.CheckpointManager(checkpoint, str(self.folder), max_to_keep=KEPT)

    def _put_aside(self) -> None:
        aside = self.folder.with_suffix(".damaged")
        shutil.rmtree(aside, ignore_errors=True)
        self.folder.rename(aside)
        print(f"training starts anew: the checkpoint is damaged; it is at {aside} now", flush=True)

    def restore(self) -> loop.State:
        """Bring the newest checkpoint back and return the state of the loop; that of the start without one.

        Checkpoints that are damaged or of another training are put aside with one line.
        """
        if self.manager is None or not any(self.folder.glob("*.index")):
            return loop.START
        before = [variable.numpy() for variable in self.variables]
        for path in reversed(self.manager.checkpoints):
            try:
                self.manager.checkpoint.restore(path).assert_consumed()
                self._require_fitting(self.values.state)
            except _UNUSABLE:
                continue
            self.saved_epochs = self.values.state.epoch
            print(f"going on after epoch {self.saved_epochs}, from the checkpoint at {path}", flush=True)
            return self.values.state
        for variable, value in zip(self.variables, before, strict=True):
            variable.assign(value)
        self._put_aside()
        self._open()
        return loop.START

    def _require_fitting(self, state: loop.State) -> None:
        expected = [array.shape for array in self.network.get_weights()]
        if state.best_weights is not None and [each.shape for each in state.best_weights] != expected:
            raise ValueError("the best weights are of another network")

    def save(self, state: loop.State) -> None:
        """Save the state after an epoch, unless that would take more than `SHARE` of the time."""
        if self.manager is None or time.monotonic() - self.last < self.spacing:
            return
        began = time.monotonic()
        self.values.state = state
        try:
            path = Path(self.manager.save(checkpoint_number=state.epoch))
            for file in (*path.parent.glob(f"{path.name}.*"), path.parent):
                _to_the_disk(file)
        except (tf.errors.OpError, OSError) as error:
            reason = str(error).splitlines()[0]
            print(f"no further checkpoints are kept: they cannot be written: {reason}", flush=True)
            self.spacing = math.inf
            return
        self.saved_epochs, self.last = state.epoch, time.monotonic()
        self.spacing = (self.last - began) / SHARE


def _to_the_disk(path: Path) -> None:
    """Wait until a file or folder would survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
