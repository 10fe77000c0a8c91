"""A layer can tell whether XLA will compile it."""

import pytest
import tensorflow as tf

from stages.layers import xla


def test_only_what_is_traced_for_xla_knows_it():
    seen = []

    def look(x):
        seen.append(xla.is_traced())
        return x + 1

    tf.function(look)(tf.constant(1))
    assert int(xla.compiled(look)(tf.constant(1))) == 2
    look(1)
    assert seen == [False, True, False]


def test_a_trace_that_fails_is_over():
    def fail(x):
        raise ValueError("no such luck")

    with pytest.raises(ValueError, match="no such luck"):
        xla.compiled(fail)(tf.constant(1))
    assert not xla.is_traced()


def test_what_a_loop_inside_traces_knows_it():
    seen = []

    def body(at):
        seen.append(xla.is_traced())
        return at + 1

    def count(end):
        return tf.while_loop(lambda at: at < end, body, [tf.constant(0)])

    assert int(xla.compiled(count)(tf.constant(3))[0]) == 3
    assert seen and all(seen)
