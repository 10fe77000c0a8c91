"""Pages in Markdown, from the templates beside this file."""

from pathlib import Path
from typing import Any

import jinja2

from benchmarks import runs
from stages.running import errors, outputs

PAGE = Path("docs/benchmarks.md")  # with a table of each benchmark


def render(name: str, **values: Any) -> str:
    """Fill a template in. Its filter `spread` makes one cell of the values of several runs."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, loader=loader)
    environment.filters["spread"] = runs.spread
    return environment.get_template(name).render(values)


def replace(text: str, name: str, between: str) -> str:
    """Put something else between a document's markers of a name: <!-- NAME --> and <!-- /NAME -->.

    Raises:
        errors.BadInput: it does not have each marker once, in this order.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise errors.BadInput(f"expected one {start} and, after it, one {end}, found others")
    head, rest = text.split(start)
    return f"{head}{start}\n{between}\n{end}{rest.split(end)[1]}"


def renew(name: str, between: str) -> None:
    """Put something else between the markers of a name in `PAGE`; raises what `replace` does."""
    write(PAGE, replace(PAGE.read_text("utf-8"), name, between))


def write(path: Path, text: str) -> None:
    """Replace a page by a text, whose end is the end of a line."""
    with outputs.file(path) as partial:
        partial.write_text(text.rstrip() + "\n", encoding="utf-8")
