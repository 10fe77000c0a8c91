"""Show the progress of long work: as a bar on a terminal, as occasional plain lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

from tqdm import tqdm

from stages.running import output

LOG_SECONDS = 10  # between two lines in a log


class LogLines:
    """The numbers of the bar as plain lines: at most one every LOG_SECONDS, and one at the end."""

    def __init__(self, total: float, label: str, unit: str, divisor: int):
        self.total, self.label, self.unit, self.divisor = total, label, unit, divisor
        self.done, self.printed_at, self.numbers = 0.0, -1.0, ""
        self.started = self.printed = time.monotonic()

    def update(self, n: float = 1) -> None:
        """Advance the progress by n units."""
        self.done += n
        if time.monotonic() - self.printed >= LOG_SECONDS:
            self._print()

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Set the text that ends the next lines."""
        self.numbers = s

    def _print(self) -> None:
        self.printed, self.printed_at = time.monotonic(), self.done
        seconds = max(self.printed - self.started, 1e-9)
        done, total = self._amount(self.done), self._amount(self.total)
        rate = tqdm.format_sizeof(self.done / seconds, divisor=self.divisor)
        parts = [f"{self.label}: {done} of {total}{self.unit}", f"{rate}{self.unit}/s"]
        parts += [self.numbers] if self.numbers else []
        if self.done >= self.total:
            parts.append(f"{seconds:.0f} s")
        elif self.done:
            parts.append(f"{(self.total - self.done) * seconds / self.done:.0f} s left")
        try:
            print(", ".join(parts), file=sys.stderr, flush=True)
        except OSError:  # nobody reads it any more
            output.silence(output.STDERR)

    def _amount(self, value: float) -> str:
        """Write a count in full, and an amount of bytes with a prefix."""
        return f"{value:,.0f}" if self.divisor == 1000 else tqdm.format_sizeof(value, divisor=self.divisor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.done >= self.total and self.printed_at != self.done:
            self._print()


Bar = tqdm | LogLines


def bar(total: float, label: str, unit: str, divisor: int = 1000) -> Bar:
    """Start a progress bar over `total` units, for use in a `with` statement.

    Args:
        total: The amount of work, in units.
        label: The work in words.
        unit: The unit of the work, shown as `UNIT/s`; "B" with divisor 1024 for bytes.
        divisor: The factor from one SI prefix to the next.
    """
    if sys.stderr.isatty():
        return tqdm(
            total=total, desc=label, unit=unit, unit_scale=True, unit_divisor=divisor, dynamic_ncols=True
        )
    return LogLines(total, label, f" {unit}" if divisor == 1000 else unit, divisor)


Item = TypeVar("Item")


def counted(items: Iterable[Item], bar: Bar) -> Iterator[Item]:
    """Yield items, and advance a bar by one for each."""
    for item in items:
        yield item
        bar.update(1)
