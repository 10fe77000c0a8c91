"""Compile functions by XLA, and tell a layer whether it is part of such a function."""

import contextvars
import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

_IS_TRACED = contextvars.ContextVar("is_traced", default=False)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that XLA compiles it when it is called."""

    @functools.wraps(function)
    def traced(*arguments: Any) -> Any:
        before = _IS_TRACED.set(True)
        try:
            return function(*arguments)
        finally:
            _IS_TRACED.reset(before)

    return tf.function(traced, jit_compile=True, reduce_retracing=True)


def is_traced() -> bool:
    """True while a function wrapped by `compiled` is being traced."""
    return _IS_TRACED.get()
