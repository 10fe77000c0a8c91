"""Keep a training's state between its epochs, so that a training that was killed goes on where it was.

A checkpoint has all weights, those of the best epoch, the optimizers with their place in the schedule, the
seeds of random layers, and the history. It lies in the cache of downloads, not among DVC's outputs, in a
folder that is named by everything the training depends on: no other experiment takes it up.
"""

import contextlib
import io
import math
import shutil
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from stages.running import durable, errors
from stages.sources import cache
from stages.training import loop, saved_state, stepping
from stages.training import team as teams

SHARE = 0.02  # of the training's time that saving may take
FIRST_SECONDS = 5.0  # of a training, after which it is saved for the first time
KEPT = 2  # checkpoints: the last one can be damaged where a machine has lost its power

# What TensorFlow and NumPy raise for damaged files, and for those of another network.
_UNUSABLE = (tf.errors.OpError, LookupError, ValueError, AssertionError, OSError, zipfile.BadZipFile)


class Checkpoints:
    """The checkpoints of one training, for use in a `with` statement.

    Another process that trains the same at the same time works without checkpoints. Of a team, only the chief
    has them; the others get what it restores. A training on another number of replicas has checkpoints of its
    own, because it learns something else.

    Args:
        name: The training's name, see `identity.key`.
        trainers: The trainer of each epoch.
        team: The processes that train.
    """

    def __init__(self, name: str, trainers: Sequence[stepping.Trainer], team: teams.Team):
        self.name, self.team, self.network = name, team, trainers[-1].network
        of_all = [
            each
            for trainer in dict.fromkeys(trainers)
            for each in (*trainer.network.variables, *trainer.optimizer.variables)
        ]
        self.variables = list({id(each): each for each in of_all}.values())
        self.values = saved_state.Values()
        parts = [_here(variable) for variable in self.variables]
        self.checkpoint = tf.train.Checkpoint(values=self.values, variables=parts)
        self.checkpoint.save_counter  # noqa: B018 - all workers make this variable, too, not only the chief
        self.saved_epochs = 0
        self.spacing, self.last = FIRST_SECONDS, time.monotonic()
        self.manager: tf.train.CheckpointManager | None = None
        self.lock = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if not self.team.is_chief:
            return self
        try:
            place = cache.made("checkpoints")
        except errors.BadInput as error:
            print(f"no checkpoints are kept: {error}", flush=True)
            return self
        cache.remove_old(place)
        replicas = self.team.replicas
        self.folder = place / (self.name if replicas == 1 else f"{self.name}-{replicas}")
        if self.lock.enter_context(cache.locked(self.folder.with_suffix(".lock"), blocking=False)):
            others = [
                each for each in place.glob(f"{self.name}*/") if not each.suffix and each != self.folder
            ]
            if others and not self.folder.exists():
                kept = f"what was saved stays at {others[0]}"
                print(f"training starts anew: the number of replicas is {replicas} now; {kept}", flush=True)
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
        try:
            self.manager = tf.train.CheckpointManager(self.checkpoint, str(self.folder), max_to_keep=KEPT)
        except ValueError:
            self._put_aside()
            self.manager = tf.train.CheckpointManager(self.checkpoint, str(self.folder), max_to_keep=KEPT)

    def _put_aside(self) -> None:
        aside = self.folder.with_suffix(".damaged")
        shutil.rmtree(aside, ignore_errors=True)
        self.folder.rename(aside)
        print(f"training starts anew: the checkpoint is damaged; it is at {aside} now", flush=True)

    def restore(self) -> loop.State:
        """Bring the newest checkpoint back and return the state of the loop; that of the start without one.

        Checkpoints that are damaged or of another training are put aside with one line. All replicas of all
        workers have the values of the chief's first one afterwards, with or without a checkpoint.
        """
        self.values.state = self._restored()
        if tf.distribute.has_strategy():
            self._spread()
        return self.values.state

    def _spread(self) -> None:
        buffer = io.BytesIO()
        values = [_here(variable).numpy() for variable in self.variables]
        np.savez(buffer, *values, state=np.frombuffer(self.values.serialize(), np.uint8))
        with np.load(io.BytesIO(self.team.from_chief(buffer.getvalue())), allow_pickle=False) as arrays:
            self.values.deserialize(arrays["state"].tobytes())
            for number, variable in enumerate(self.variables):
                variable.assign(arrays[f"arr_{number}"])

    def _restored(self) -> loop.State:
        if self.manager is None or not any(self.folder.glob("*.index")):
            return loop.START
        before = [variable.numpy() for variable in self.variables]
        for path in reversed(self.manager.checkpoints):
            try:
                self.checkpoint.restore(path).assert_consumed()
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
                durable.flush(file)
        except (tf.errors.OpError, OSError) as error:
            reason = str(error).splitlines()[0]
            print(f"no further checkpoints are kept: they cannot be written: {reason}", flush=True)
            self.spacing = math.inf
            return
        self.saved_epochs, self.last = state.epoch, time.monotonic()
        self.spacing = (self.last - began) / SHARE


def _here(variable: keras.Variable) -> tf.Variable:
    """Return a variable as the first replica of this process has it."""
    return tf.distribute.get_strategy().experimental_local_results(variable.value)[0]
