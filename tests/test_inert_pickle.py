"""Pickles are read as data: nothing is called or imported, and whatever is damaged is bad input."""

import collections
import io
import os
import pickle
import pickletools
import subprocess

import hypothesis
import pytest
from hypothesis import strategies

from stages.backbones import inert_pickle
from stages.running import errors
from tests import torch_files

VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(-(1 << 40), 1 << 40) | strategies.text(),
    lambda inner: (
        strategies.lists(inner)
        | strategies.lists(inner).map(tuple)
        | strategies.dictionaries(strategies.text(), inner)
    ),
)


class Hostile:
    """What is unpickled calls a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def read(content):
    return inert_pickle.read(io.BytesIO(content))


def refusal(content):
    with pytest.raises(errors.BadInput) as caught:
        read(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@hypothesis.given(VALUES)
def test_plain_values_are_read_as_pickle_reads_them(value):
    assert read(pickle.dumps(value, 2)) == value


@hypothesis.given(VALUES)
def test_what_the_tests_write_are_pickles(value):
    assert pickle.loads(torch_files.pickled(value)) == value


def test_the_stream_is_left_behind_the_pickle():
    stream = io.BytesIO(pickle.dumps([1], 2) + pickle.dumps("two", 2))
    assert [inert_pickle.read(stream), inert_pickle.read(stream)] == [[1], "two"]


def test_a_call_is_named_and_not_made(tmp_path):
    call = read(pickle.dumps(Hostile(os.system, f"touch {tmp_path}/called"), 2))
    assert call.function == inert_pickle.Name(os.system.__module__, "system")
    assert call.arguments == (f"touch {tmp_path}/called",)
    assert not list(tmp_path.iterdir())


def test_a_class_is_named_and_not_imported():
    (name,) = read(pickle.dumps([subprocess.Popen], 2, fix_imports=False))
    assert name == inert_pickle.Name("subprocess", "Popen")


def test_an_ordered_dictionary_is_a_call_with_items():
    call = read(pickle.dumps(collections.OrderedDict(a=1, b=[2]), 2))
    assert call.function == inert_pickle.Name("collections", "OrderedDict")
    assert call.items == {"a": 1, "b": [2]}


def test_values_that_are_met_twice_are_the_same():
    value = ["a"]
    first, second = read(pickle.dumps([value, value], 2))
    assert first is second


@pytest.mark.parametrize("protocol", [0, 4, 5])
def test_opcodes_that_pytorch_does_not_write_are_bad_input(protocol):
    value = Hostile(os.system, "true")
    assert "received one with opcode " in refusal(pickle.dumps(value, protocol))


@pytest.mark.parametrize("name", ["NEWOBJ", "INST", "OBJ", "EXT1", "STACK_GLOBAL", "BYTEARRAY8"])
def test_no_other_opcode_is_followed(name):
    code = next(opcode.code for opcode in pickletools.opcodes if opcode.name == name).encode("latin-1")
    assert refusal(pickle.PROTO + b"\x02" + code + b"a\nb\n" + bytes(8) + pickle.STOP)


def test_items_by_numbers_are_bad_input():
    assert "items of a dictionary by name" in refusal(pickle.dumps({1: 2}, 2))


@pytest.mark.parametrize("mapping", [pickle.EMPTY_LIST, pickle.NONE, pickle.EMPTY_TUPLE])
def test_items_of_no_dictionary_are_bad_input(mapping):
    assert "items of a dictionary" in refusal(mapping + pickle.MARK + pickle.SETITEMS + pickle.STOP)


@pytest.mark.parametrize("sequence", [pickle.EMPTY_DICT, pickle.NONE, pickle.EMPTY_TUPLE])
def test_values_for_no_list_are_bad_input(sequence):
    assert "values of a list" in refusal(sequence + pickle.MARK + pickle.APPENDS + pickle.STOP)
    assert "values of a list" in refusal(sequence + pickle.NONE + pickle.APPEND + pickle.STOP)


def test_items_without_a_last_value_are_bad_input():
    code = pickle.EMPTY_DICT + pickle.MARK + torch_files.pickled("a")[2:-1] + pickle.SETITEMS + pickle.STOP
    assert "damaged" in refusal(code)


def test_a_huge_number_in_the_memo_takes_no_memory():
    content = pickle.NONE + pickle.LONG_BINPUT + b"\xff\xff\xff\xff" + pickle.STOP
    assert read(content) is None


def test_a_huge_text_that_is_not_there_is_bad_input():
    assert "damaged" in refusal(pickle.BINUNICODE + b"\xff\xff\xff\xff" + b"abc")


def test_deep_nesting_needs_no_recursion():
    value = read(pickle.EMPTY_TUPLE + 100_000 * pickle.TUPLE1 + pickle.STOP)
    assert len(value) == 1


def test_more_opcodes_than_any_network_has_are_bad_input(monkeypatch):
    monkeypatch.setattr(inert_pickle, "MOST_OPCODES", 10)
    assert read(8 * pickle.NONE + pickle.STOP) is None
    assert refusal(20 * pickle.NONE + pickle.STOP) == "expected at most 10 opcodes of a pickle"


@hypothesis.given(strategies.binary())
def test_any_bytes_are_a_value_or_bad_input(content):
    try:
        read(content)
    except errors.BadInput as error:
        assert "\n" not in str(error)


PICKLE = pickle.dumps(collections.OrderedDict(a=(1, 2, 3, 1 << 40), b=[None, True]), 2)


@hypothesis.settings(max_examples=300)
@hypothesis.given(strategies.integers(0, len(PICKLE) - 1), strategies.integers(0, 255))
def test_any_changed_byte_is_a_value_or_bad_input(position, byte):
    changed = bytearray(PICKLE)
    changed[position] = byte
    try:
        read(bytes(changed))
    except errors.BadInput as error:
        assert "\n" not in str(error)
