"""The learning rate by step: a linear warm-up, then one of a few shapes down to a final value."""

import math
from typing import Any, Literal

import keras
import tensorflow as tf

Shape = Literal["constant", "linear", "cosine"]


class WarmupThenDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rise to `peak` in equal steps, then a decay along `shape` towards `final_fraction` of the peak.

    The cosine is that of SGDR (Loshchilov and Hutter, arXiv:1608.03983) without restarts. Keras's own
    CosineDecay can warm up; the other schedules of Keras cannot. With Muon a warm-up gains nothing: a warm-up
    of one epoch of four costs 0.5 ± 0.5 points (reports/benchmarks/ablation.md).

    Args:
        peak: The highest learning rate.
        shape: The shape of the decay; "constant" stays at the peak.
        steps: The number of all steps of the training, including the warm-up.
        warmup_steps: The number of steps of the warm-up, which may be 0.
        final_fraction: The fraction of the peak at which the shape ends, one step after the last.
    """

    def __init__(self, peak: float, shape: Shape, steps: int, warmup_steps: int, final_fraction: float):
        super().__init__()
        self.peak, self.shape, self.steps = peak, shape, steps
        self.warmup_steps, self.final_fraction = warmup_steps, final_fraction

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the learning rate of a step, counted from 0, as float32."""
        done = tf.cast(step, tf.float32)
        warm = tf.minimum((done + 1) / max(self.warmup_steps, 1), 1.0)
        share = tf.clip_by_value(
            (done - self.warmup_steps) / max(self.steps - self.warmup_steps, 1), 0.0, 1.0
        )
        left = {
            "constant": tf.ones_like(share),
            "linear": 1 - share,
            "cosine": (1 + tf.cos(math.pi * share)) / 2,
        }[self.shape]
        return self.peak * warm * (self.final_fraction + (1 - self.final_fraction) * left)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments with which the schedule was made."""
        return {
            "peak": self.peak,
            "shape": self.shape,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "final_fraction": self.final_fraction,
        }
