"""The README and the pages of docs/ name files that exist, and the README stays short."""

import re
from pathlib import Path

import pytest

from tests.sandbox import PROJECT

README = PROJECT / "README.md"
PAGES = [README, *sorted((PROJECT / "docs").glob("*.md"))]
ROOM = re.compile(r"^  (\w+)/ +\w", re.MULTILINE)


def test_the_tree_names_every_room():
    (tree,) = re.findall(r"```\n(dvc\.yaml .*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    rooms = [path.name for path in (PROJECT / "stages").glob("[a-z]*/")]
    assert ROOM.findall(tree) == sorted(rooms)
    for line in tree.splitlines():
        folder = line.strip().split()[0]
        assert (PROJECT / folder).exists() or (PROJECT / "stages" / folder).exists()


def test_the_readme_fits_a_few_screens():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    local = [link for link in links if link and not link.startswith("http")]
    assert not [link for link in local if not Path(page.parent, link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_modules_that_pages_run_exist(page):
    modules = set(re.findall(r"python -m ((?:stages|benchmarks)[\w.]*)", page.read_text(encoding="utf-8")))
    for module in modules:
        path = PROJECT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
