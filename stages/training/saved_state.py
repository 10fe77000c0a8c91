"""Write the state of the loop into a checkpoint, and read it back."""

import io
import json

import numpy as np
import tensorflow as tf

from stages.training import loop, selection


class Values(tf.train.experimental.PythonState):
    """What a checkpoint has beside variables: the state of the loop."""

    def __init__(self) -> None:
        self.state = loop.START

    def serialize(self) -> bytes:
        """Return the state as the content of an npz file."""
        values = self.state._asdict()
        weights, judged = values.pop("best_weights") or [], values.pop("best_judged")
        buffer = io.BytesIO()
        arrays = {f"weights{number}": array for number, array in enumerate(weights)}
        arrays |= judged._asdict() if judged else {}
        np.savez(buffer, state=np.array(json.dumps(values)), **arrays)
        return buffer.getvalue()

    def deserialize(self, content: bytes) -> None:
        """Take the state from what `serialize` returned."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            values = json.loads(str(arrays["state"]))
            count = sum(name.startswith("weights") for name in arrays.files)
            weights = [arrays[f"weights{number}"] for number in range(count)]
            judged = selection.Judged(*(arrays[name] for name in selection.Judged._fields)) if count else None
        self.state = loop.State(**values, best_weights=weights or None, best_judged=judged)
