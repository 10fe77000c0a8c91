"""One HTML file that needs no other: style, script and data are in it, and nothing else may run."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from stages.page import card

FOLDER = Path(__file__).parent


def text(facts: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return the page. Equal arguments give an equal page.

    Every name in it is text, whatever it holds. The page's policy lets the browser fetch nothing and run
    only the script that is in it.

    Args:
        facts: What page.html.j2 shows.
        data: What the script shows; values for JSON.
    """
    style, script = (_source(name) for name in ("page.css", "page.js"))
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    template = _environment().get_template("page.html.j2")
    return template.render(facts, data=data, policy=policy, style=style, script=script)


def _source(name: str) -> Markup:
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _digest(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.filters["markdown"] = card.as_html
    return environment
