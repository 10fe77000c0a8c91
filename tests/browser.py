"""A headless Chromium of this machine that opens a page from its file; it reaches no network."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE = Path(__file__).parents[1] / ".axe-core/package/axe.min.js"  # which .ci/browser fetches


class Faulty(Exception):
    """A page's script failed, or the browser refused something in it."""


def missing() -> str | None:
    """What a browser test lacks here, in words; None if there is all."""
    if not find_spec("playwright"):
        return "the package playwright is not installed: make test installs it"
    if not any(map(shutil.which, PROGRAMS)):
        return "there is no Chromium here: run .ci/browser"
    return None


@contextmanager
def started() -> Iterator[Any]:
    """Start a Chromium without its sandbox, which root and some machines of CI cannot have."""
    program = next(found for found in map(shutil.which, PROGRAMS) if found)
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def opened(chromium: Any, path: Path, width: int = 1440, scheme: str = "light", **more: Any) -> Iterator[Any]:
    """Open a page in a window of some width; what its scripts get wrong fails the test that opens it."""
    window = {"width": width, "height": 900}
    context = chromium.new_context(viewport=window, color_scheme=scheme, offline=True, **more)
    page = context.new_page()
    page.set_default_timeout(20_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(path.resolve().as_uri())
    yield page
    context.close()
    if faults:
        raise Faulty("; ".join(faults))
