"""Photograph a page in a headless Chromium: python -m tests.screenshots page/index.html docs

It writes page.png (1440 pixels wide, light), page-dark.png (the same, dark), page-768.png, and
page-phone.png (390 pixels wide, dark).
"""

import sys
from pathlib import Path

from tests import browser

SIZES = {
    "page.png": (1440, "light"),
    "page-dark.png": (1440, "dark"),
    "page-768.png": (768, "light"),
    "page-phone.png": (390, "dark"),
}
TALLEST = 2400  # pixels


def main(path: Path, folder: Path, *names: str) -> None:
    with browser.started() as chromium:
        for name in names or SIZES:
            width, scheme = SIZES[name]
            with browser.opened(chromium, path, width, scheme) as page:
                height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
                clip = {"x": 0, "y": 0, "width": width, "height": height}
                page.screenshot(path=folder / name, full_page=True, clip=clip)


if __name__ == "__main__":
    if reason := browser.missing():
        sys.exit(f"screenshots: error: {reason}")
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
