"""Markdown that the project writes, as HTML in which nothing of a name is markup.

Of HTML in Markdown, only the few elements count that `reporting.markdown` writes. All other is shown as the
text that it is. Pictures and links to other files of the reports become words: a page is one file.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

ELEMENTS = re.compile(r"(</?(?:details|summary|code)>)")
FOCUSED = 'tabindex="0" role="group"'  # of what may be wider than the window
TITLES_BELOW = 2  # levels by which titles are moved down: the page has the first two
LOWEST_TITLE = 6


def as_html(text: str, pictures: Mapping[str, str] | None = None) -> Markup:
    """Return a document as HTML that may stand in a page without styles or scripts of its own.

    Args:
        text: The document in Markdown.
        pictures: For names of picture files, the fragment of the page that shows the same, such as #data, or
            the picture itself as a data URL.
    """
    parser = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer).enable("table")
    return Markup(parser.render(text, {"pictures": pictures or {}}))


class _Renderer(RendererHTML):
    """Rules for the tokens that a page shows in another way than markdown-it does."""

    def html_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return _known_elements(tokens[idx].content)

    def html_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return _known_elements(tokens[idx].content)

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<{_title(tokens[idx].tag)}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"</{_title(tokens[idx].tag)}>\n"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        code = html.escape(tokens[idx].content)
        return (
            f'<pre class="scroller" tabindex="0" role="group" aria-label="Code"><code>{code}</code></pre>\n'
        )

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<div class="scroller" {FOCUSED} aria-label="Table">\n<table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</table>\n</div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        if not tokens[idx + 1].content:  # assistive technology takes an empty title for a mistake
            tokens[idx + 2].tag = "td"
            return "<td>"
        return f'<th scope="col"{_alignment(tokens[idx])}>'

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<td{_alignment(tokens[idx])}>"

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        address = str(tokens[idx].attrGet("href"))
        if address.startswith(("https://", "http://")):
            return f'<a href="{html.escape(address)}" rel="noreferrer">'
        return "<cite>"

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        depth = 0
        for token in reversed(tokens[:idx]):
            depth += (token.type == "link_close") - (token.type == "link_open")
            if depth < 0:
                is_kept = str(token.attrGet("href")).startswith(("https://", "http://"))
                return "</a>" if is_kept else "</cite>"
        return ""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        said = html.escape(tokens[idx].content)
        name = str(tokens[idx].attrGet("src"))
        place = html.escape(env["pictures"].get(name, ""))
        if place.startswith("data:image/"):
            return f'<img class="figure" alt="{said}" src="{place}">'
        return f'<a href="{place}">{said}</a>' if place else f"<em>{said}: {html.escape(name)}</em>"


def _known_elements(source: str) -> str:
    parts = ELEMENTS.split(source)
    return "".join(
        part if number % 2 else html.escape(html.unescape(part)) for number, part in enumerate(parts)
    )


def _title(tag: str) -> str:
    return f"h{min(int(tag[1:]) + TITLES_BELOW, LOWEST_TITLE)}"


def _alignment(token: Token) -> str:
    return ' class="number"' if "right" in str(token.attrGet("style")) else ""
