"""Bytes that are changed at random: in places, cut, doubled, joined."""

from collections.abc import Sequence

from hypothesis import strategies

INTERESTING = [b"\0", b"\xff", b"9", b"-", b"/", b"..", b'"', b",", b"\n", b"\xff" * 8, b"\x7f" + b"\xff" * 3]


@strategies.composite
def changed(draw: strategies.DrawFn, wholes: Sequence[bytes]) -> bytes:
    """One of some contents with up to four changes."""
    data = draw(strategies.sampled_from(wholes))
    for _ in range(draw(strategies.integers(0, 4))):
        start, end = sorted(draw(strategies.tuples(*[strategies.integers(0, len(data))] * 2)))
        some = draw(strategies.sampled_from(INTERESTING) | strategies.binary(max_size=4))
        kind = draw(
            strategies.sampled_from(["put", "put", "put", "insert", "cut", "remove", "double", "join"])
        )
        if kind == "put":
            data = data[:start] + some + data[start + len(some) :]
        elif kind == "insert":
            data = data[:start] + some + data[start:]
        elif kind == "cut":
            data = data[:end]
        elif kind == "remove":
            data = data[:start] + data[end:]
        elif kind == "double":
            data = data[:end] + data[start:]
        else:
            data = data + draw(strategies.sampled_from(wholes))
    return data
