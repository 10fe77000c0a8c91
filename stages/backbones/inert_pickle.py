"""A pickle as data: what it would import and call is named, and nothing is imported or called.

A pickle is a program for a small machine (https://docs.python.org/3/library/pickletools.html), which may
call any function when it is unpickled. Here its opcodes are only read, and those that PyTorch writes for
tensors are followed: they make plain values, lists, tuples and dictionaries, and `Name`, `Call` and
`Persistent` in place of a function, a call and an object outside of the pickle. Time and memory are
proportional to the pickle's length, without recursion.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from stages.running import errors

MOST_OPCODES = 1_000_000  # a network with ten thousand tensors has 500,000


class Name(NamedTuple):
    """A function or class that unpickling would import."""

    module: str
    name: str


class Persistent(NamedTuple):
    """An object that is kept outside of the pickle."""

    key: Any


@dataclass(eq=False)
class Call:
    """A call that unpickling would make, and the items that it would then put into the returned mapping."""

    function: Any
    arguments: Any
    items: dict[str, Any] = field(default_factory=dict)


def read(stream: BinaryIO) -> Any:
    """Read the pickle that begins at the stream's position, and leave the position behind its end.

    Args:
        stream: All in memory (io.BytesIO), because a hostile pickle may ask for more bytes than there are.

    Raises:
        errors.BadInput: the pickle is damaged, has an opcode that PyTorch does not write for tensors, or
            has more than MOST_OPCODES.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count == MOST_OPCODES:
                raise errors.BadInput(f"expected at most {MOST_OPCODES:,} opcodes of a pickle")
            if opcode.name not in _STEPS:
                raise errors.BadInput(f"expected a pickle of tensors, received one with opcode {opcode.name}")
            _STEPS[opcode.name](machine, argument)
        return machine.pop()
    except errors.BadInput:
        raise
    except (ValueError, IndexError, KeyError) as error:
        raise errors.BadInput(f"expected a pickle, received a damaged one: {ascii(error)[:100]}") from error


class _Machine:
    """The state of the machine: a stack with marks in it, and values remembered by number."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        """Put a value onto the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Take the last value from the stack."""
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        """Take all values behind the last mark from the stack."""
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def remember(self, number: int) -> None:
        """Keep the last value of the stack by a number, and leave it there."""
        self.memo[number] = self.stack[-1]


def _skip(_: _Machine, __: Any) -> None:
    """Follow an opcode that changes nothing here."""


def _push(machine: _Machine, value: Any) -> None:
    machine.push(value)


def _pushes(make: Callable[[], Any]) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(make())


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(tuple([machine.pop() for _ in range(count)][::-1]))


def _call(machine: _Machine, _: Any) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.push(Call(function, arguments))


def _append(machine: _Machine, _: Any) -> None:
    _extend(machine, [machine.pop()])


def _appends(machine: _Machine, _: Any) -> None:
    _extend(machine, machine.pop_to_mark())


def _extend(machine: _Machine, values: list[Any]) -> None:
    """Put values at the end of the list that is last on the stack."""
    if not isinstance(machine.stack[-1], list):
        raise errors.BadInput("expected values of a list, received values of something else")
    machine.stack[-1].extend(values)


def _set_items(machine: _Machine, _: Any) -> None:
    _put_items(machine, machine.pop_to_mark())


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _put_items(machine, [key, value])


def _put_items(machine: _Machine, flat: list[Any]) -> None:
    """Put items, a key before each value, into the mapping that is last on the stack."""
    mapping = machine.stack[-1]
    items = mapping.items if isinstance(mapping, Call) else mapping
    keys = flat[::2]
    if not isinstance(items, dict) or not all(isinstance(key, str) for key in keys):
        raise errors.BadInput("expected items of a dictionary by name, received others")
    items.update(zip(keys, flat[1::2], strict=True))


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _skip,
    "STOP": _skip,
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "NONE": _pushes(lambda: None),
    "NEWTRUE": _pushes(lambda: True),
    "NEWFALSE": _pushes(lambda: False),
    "BININT": _push,
    "BININT1": _push,
    "BININT2": _push,
    "LONG1": _push,
    "BINUNICODE": _push,
    "EMPTY_LIST": _pushes(list),
    "EMPTY_DICT": _pushes(dict),
    "EMPTY_TUPLE": _pushes(tuple),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "APPEND": _append,
    "APPENDS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "BINPUT": lambda machine, number: machine.remember(number),
    "LONG_BINPUT": lambda machine, number: machine.remember(number),
    "BINGET": lambda machine, number: machine.push(machine.memo[number]),
    "LONG_BINGET": lambda machine, number: machine.push(machine.memo[number]),
    "GLOBAL": lambda machine, names: machine.push(Name(*names.split(" ", 1))),
    "REDUCE": _call,
    "BUILD": lambda machine, _: machine.pop(),  # attributes, such as _metadata of a dictionary: not needed
    "BINPERSID": lambda machine, _: machine.push(Persistent(machine.pop())),
}
