"""Functions that XLA compiles, and how a layer knows that it is part of one."""

import contextvars
import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

_IS_TRACED = contextvars.ContextVar("is_traced", default=False)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, compiled by XLA when it is called."""

    @functools.wraps(function)
    def traced(*arguments: Any) -> Any:
        before = _IS_TRACED.set(True)
        try:
            return function(*arguments)
        finally:
            _IS_TRACED.reset(before)

    return tf.function(traced, jit_compile=True, reduce_retracing=True)


def is_traced() -> bool:
    """Whether what a layer is asked for now is part of a `compiled` function."""
    return _IS_TRACED.get()
