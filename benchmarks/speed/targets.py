"""What was measured, beside what it should be."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from benchmarks import table


class Target(NamedTuple):
    """One measured figure and its bound; None was not measured."""

    what: str
    measured: float | None
    kind: Literal["at least", "at most"]
    bound: float
    unit: str

    @property
    def met(self) -> bool | None:
        """True if the figure keeps to its bound; None if it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.bound if self.kind == "at least" else self.measured <= self.bound

    def as_json(self) -> dict[str, Any]:
        """Give the fields, and whether the target is met."""
        return {**self._asdict(), "met": self.met}


def render(targets: Sequence[dict[str, Any]]) -> str:
    """A row each, as from JSON: what, measured, target, met or not."""
    words = {True: "met", False: "NOT MET", None: "not measured"}
    rows = []
    for each in targets:
        measured = "-" if each["measured"] is None else _quantity(each["measured"], each["unit"])
        bound = f"{each['kind']} {_quantity(each['bound'], each['unit'])}"
        rows.append([each["what"], measured, bound, words[each["met"]]])
    return table.render(["what", "measured", "target", ""], rows)


def _quantity(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 1000 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()
