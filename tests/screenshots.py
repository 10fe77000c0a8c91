"""Photograph a page in a headless Chromium: python -m tests.screenshots page/index.html docs

It writes page.png (1440 pixels wide, light), page-dark.png (the same, dark), page-768.png, and
page-phone.png (390 pixels wide, dark).
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from tests import browser

SIZES = {
    "page.png": (1440, "light"),
    "page-dark.png": (1440, "dark"),
    "page-768.png": (768, "light"),
    "page-phone.png": (390, "dark"),
}
TALLEST = 2400  # pixels


def photograph(path: Path, folder: Path, names: Iterable[str]) -> None:
    with browser.started() as chromium:
        for name in names:
            width, scheme = SIZES[name]
            with browser.opened(chromium, path, width, scheme) as page:
                height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
                clip = {"x": 0, "y": 0, "width": width, "height": height}
                page.screenshot(path=folder / name, full_page=True, clip=clip)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SIZES)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - SIZES.keys():
        parser.error(f"expected names of {', '.join(SIZES)}, received {', '.join(sorted(unknown))}")
    if reason := browser.missing():
        sys.exit(f"screenshots: error: {reason}")
    photograph(arguments.page, arguments.folder, arguments.names or SIZES)


if __name__ == "__main__":
    main()
