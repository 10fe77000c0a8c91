"""Documents of plain values in JSON or YAML: read whole, of bounded size, and checked before anything walks
through them.
"""

import json
import stat
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML, Node, ScalarNode, YAMLError  # DVC's parser: in YAML 1.2 `1e-3` is a number

from stages.running import ellipsis

PLAIN_FILE = "a plain file"
LARGEST = 32 << 20  # bytes of a file
LARGEST_YAML = 256 << 10  # bytes; a larger file takes its parser more than a few seconds
MOST_VALUES = 1_000_000  # in YAML, where what an alias stands for counts each time
DEEPEST = 50  # mappings and lists inside each other
LARGEST_NUMBER = 2**63  # and larger whole numbers have no place in a table
SHOWN = 40  # bytes of a file, in an error
SHOWN_COMPLAINT = 200  # characters of a parser's words, in an error


class Unfit(ValueError):
    """A file or a document is not as it is read here; the message says what was expected and received."""

    def __init__(self, expected: str, received: str):
        self.expected, self.received = expected, ellipsis.cut(" ".join(received.split()), SHOWN_COMPLAINT)
        super().__init__(f"expected {self.expected}, received {self.received}")


def read(path: Path, largest: int = LARGEST) -> bytes:
    """Return the bytes of a plain file of at most `largest` bytes.

    Raises:
        Unfit: nothing is there, something else than a file, or a larger one.
        OSError: the file cannot be read.
    """
    require_file(path)
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise Unfit(f"at most {largest:,} bytes", "more")
    return content


def require_file(path: Path) -> None:
    """Check that a plain file is at a path: a pipe or a device may have no end.

    Raises:
        Unfit: something else is there, or nothing.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise Unfit(PLAIN_FILE, "nothing") from None
    if not stat.S_ISREG(mode):
        raise Unfit(PLAIN_FILE, kind(mode))


def kind(mode: int) -> str:
    """Return what is at a path in words, from the mode that the system gives it."""
    if stat.S_ISREG(mode):
        return PLAIN_FILE
    return "a folder" if stat.S_ISDIR(mode) else "a device, a pipe or a socket"


def parse_json(content: bytes) -> dict[str, Any]:
    """Return a JSON object of plain values.

    Raises:
        Unfit: the content is something else.
    """
    return _parsed("a JSON object", content, lambda text: json.loads(text, parse_constant=_refuse))


def parse_yaml(content: bytes) -> dict[str, Any]:
    """Return a YAML mapping of plain values.

    Raises:
        Unfit: the content is something else.
    """
    return _parsed("a YAML mapping", content, _yaml)


def _parsed(expected: str, content: bytes, parse: Callable[[bytes], Any]) -> dict[str, Any]:
    try:
        value = parse(content)
    except Unfit:
        raise
    except (ValueError, YAMLError) as error:
        raise Unfit(expected, f"{error}; it begins with {content[:SHOWN]!r}") from error
    except RecursionError as error:
        raise Unfit(f"at most {DEEPEST} levels", "more") from error
    if not isinstance(value, dict):
        raise Unfit(expected, repr(content[:SHOWN]))
    _require_plain(value)
    return value


def _yaml(content: bytes) -> Any:
    """Parse YAML, after a look at how much its aliases and merged mappings stand for."""
    node = YAML(typ="safe").compose(BytesIO(content))
    if node is not None and _values(node, {}) > MOST_VALUES:
        raise Unfit(f"at most {MOST_VALUES:,} values", "more")
    return YAML(typ="safe").load(BytesIO(content))


def _values(node: Node, known: dict[int, int]) -> int:
    """Count the values below a node of YAML; one that contains itself has more than there may be."""
    if isinstance(node, ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1
        pairs = [part if isinstance(part, tuple) else (part,) for part in node.value]
        known[id(node)] = 1 + sum(_values(part, known) for parts in pairs for part in parts)
    return known[id(node)]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _require_plain(document: dict) -> None:
    level: list[Any] = [document]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                below += value
            elif isinstance(value, int):
                if abs(value) > LARGEST_NUMBER:
                    raise Unfit("whole numbers from -2**63 to 2**63", f"one of {value.bit_length()} bits")
            elif value is not None and not isinstance(value, str | float):
                raise Unfit("numbers, texts, lists and mappings", type(value).__name__)
        if not below:
            return
        level = below
    raise Unfit(f"at most {DEEPEST} levels", "more")
