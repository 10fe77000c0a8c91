"""The page in a headless Chromium, by clicks and by keys; skipped where there is none."""

import numpy as np
import pytest

from tests import browser, pages
from tests.names import NASTY

pytestmark = pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
CLASSES = ["cat", "dog", "owl"]
ACTUAL = ["cat"] * 5 + ["dog"] * 4 + ["owl"]
BEFORE = ["dog", "cat", "cat", "cat", "cat", "dog", "dog", "dog", "dog", "cat"]
PREDICTED = ["cat", "dog", "owl", "cat", "cat", "dog", "cat", "cat", "dog", "owl"]
CONFIDENCE = [0.9, 0.6, 0.8, 0.7, 0.5, 0.4, 0.95, 0.55, 0.8, 0.99]
LONG = "a_long_name_of_a_class_without_any_blanks_in_it"


@pytest.fixture(scope="module")
def chromium():
    with browser.started() as running:
        yield running


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Ten test images of three classes, compared with main: two fixed and four broken."""
    folder = tmp_path_factory.mktemp("compared")
    pages.write_results(folder, ACTUAL, BEFORE, CONFIDENCE, CLASSES)
    pages.write_images(folder, ACTUAL, CLASSES, pages.noise(10))
    pages.commit(folder)
    pages.write_results(folder, ACTUAL, PREDICTED, CONFIDENCE, CLASSES)
    return pages.page(folder, "main")


@pytest.fixture(scope="module")
def hundred(tmp_path_factory):
    """A hundred classes of all kinds of names, one of them wrong for three in four images."""
    folder = tmp_path_factory.mktemp("hundred")
    odd = [LONG, *(name for name in NASTY if name.strip())]
    names = [*odd, *(f"class {number}" for number in range(100 - len(odd)))]
    actual = names * 4
    predicted = [*np.roll(names, 1), *np.roll(names, 2), *names, *np.roll(names, 5)]
    paths = [f"{name}/<img src=x onerror=alert(1)>{number}.png" for number, name in enumerate(actual)]
    pages.write_results(folder, actual, predicted, None, names, paths)
    return pages.page(folder)


@pytest.fixture
def page(chromium, compared):
    with browser.opened(chromium, compared) as opened:
        yield opened


@pytest.fixture(scope="module")
def filtered(chromium, compared):
    """A page whose filters tests set, and reset before."""
    with browser.opened(chromium, compared) as opened:
        yield opened


def titles(page, name="gallery"):
    """The images that a list shows, by their positions."""
    return [int(title.split()[-1]) for title in page.locator(f"#{name} .title").all_text_contents()]


def cell(page, words):
    return page.get_by_role("table", name="Test images by actual class").get_by_role("button", name=words)


def test_wrong_pictures_come_first_the_surest_before_the_others(page):
    assert titles(page) == [106, 102, 101, 107]
    assert page.get_by_role("status").first.text_content() == "4 wrong pictures"
    sizes = page.evaluate("[...document.querySelectorAll('#gallery img')].map(image => image.naturalWidth)")
    assert sizes == [8] * 4


def test_a_cell_opens_its_pictures_and_leads_back(page):
    cell(page, "2: dog taken for cat").click()
    page.get_by_text("2 wrong pictures").wait_for()
    assert titles(page) == [106, 107]
    assert page.evaluate("document.activeElement.id") == "pictures-title"
    page.get_by_role("button", name="Back to the cell").click()
    assert page.evaluate("document.activeElement.textContent") == "2"
    cell(page, "3: cat found").click()
    page.get_by_text("3 right pictures").wait_for()
    assert titles(page) == [104, 103, 100]
    page.get_by_role("button", name="Show all wrong ones").click()
    page.get_by_text("4 wrong pictures").wait_for()
    assert titles(page) == [106, 102, 101, 107]


def test_a_cell_says_how_many_pictures_it_had_before(page):
    assert cell(page, "1: cat taken for owl; before 0").count() == 1
    assert cell(page, "3: cat found; before 4").count() == 1


def test_arrow_keys_lead_from_cell_to_cell(page):
    cell(page, "3: cat found").focus()
    for key, expected in [
        ("ArrowRight", "1"),
        ("ArrowDown", "2"),
        ("ArrowLeft", "2"),
        ("ArrowDown", "2"),
        ("ArrowUp", "3"),
    ]:
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.firstChild.textContent") == expected
    assert page.locator("#matrix button[tabindex='0']").count() == 1


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("Actual class", "cat", [102, 101]),
        ("Taken for", "cat", [106, 107]),
        ("Confidence from, %", "70", [106, 102]),
        ("to, %", "60", [101, 107]),
        ("to, %", "", [106, 102, 101, 107]),
        ("Order", "least sure first", [107, 101, 102, 106]),
        ("Order", "by name", [101, 102, 106, 107]),
        ("Order", "by actual class", [102, 101, 106, 107]),
        ("Confidence from, %", "96", []),
    ],
)
def test_filters_and_orders(filtered, field, value, expected):
    filtered.get_by_role("button", name="Show all wrong ones").click()
    filtered.get_by_text("4 wrong pictures").wait_for()
    control = filtered.get_by_label(field, exact=True)
    if control.evaluate("control => control.tagName") == "SELECT":
        control.select_option(label=value)
    else:
        control.fill(value)
    assert titles(filtered) == expected


def test_a_picture_opens_and_the_keys_lead_to_the_others(page):
    page.locator("#gallery").get_by_role("button", name="test image 102").click()
    dialog = page.get_by_role("dialog", name="test image 102")
    assert dialog.get_by_text("2 of 4").count() == 1
    assert "cat" in dialog.text_content() and "80.00 %" in dialog.text_content()
    page.keyboard.press("ArrowRight")
    page.get_by_role("dialog", name="test image 101").get_by_text("3 of 4").wait_for()
    page.get_by_role("button", name="Next").click()
    assert page.evaluate("document.activeElement.id") == "close"  # no next one is left
    page.keyboard.press("ArrowRight")
    page.get_by_role("dialog", name="test image 107").wait_for()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("dialog", name="test image 106").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")  # which a browser does after the key
    page.wait_for_function("document.activeElement.textContent.startsWith('test image 106')")


def test_fixed_and_broken_pictures_are_side_by_side(page):
    assert page.get_by_role("heading", name="Fixed: 2").count() == 1
    assert page.get_by_role("heading", name="Broken: 4").count() == 1
    assert (titles(page, "fixed"), titles(page, "broken")) == ([109, 100], [106, 102, 101, 107])
    left, right = (page.locator(f"#{name}").bounding_box() for name in ("fixed", "broken"))
    assert left["y"] == right["y"] and left["x"] + left["width"] < right["x"]
    page.locator("#fixed").get_by_role("button", name="test image 109").click()
    facts = page.locator("dialog dl > div").all_text_contents()
    assert facts[:3] == ["Actual classowl", "Taken forowl", "Confidence99.00 %"]
    assert facts[3].startswith("Taken for by main (") and facts[3].endswith("cat")


def test_more_pictures_are_drawn_when_they_are_asked_for(chromium, hundred):
    with browser.opened(chromium, hundred) as page:
        assert page.locator("#gallery li").count() == 60
        page.get_by_role("button", name="Show 60 more of 240").click()
        assert page.locator("#gallery li").count() == 120
        assert page.evaluate("document.activeElement === document.querySelectorAll('#gallery button')[60]")


OUTSIDE = """[...document.querySelectorAll("body *")].filter(each => !each.closest(".scroller, .skip, svg"))
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
    .map(each => each.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("name", ["compared", "hundred"])
def test_the_window_never_scrolls_sideways(chromium, request, name):
    with browser.opened(chromium, request.getfixturevalue(name)) as page:
        for width in (1440, 768, 390, 360):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate(OUTSIDE) == []


def test_names_never_become_markup(chromium, hundred):
    with browser.opened(chromium, hundred) as page:  # which fails if a script or a picture of a name runs
        for _ in range(3):
            page.locator(".more:visible").last.click()
        page.get_by_label("Order").select_option(label="by name")
        assert page.locator("#gallery .title img, #matrix img, dialog script").count() == 0
        page.locator("#gallery .tile").first.click()
        assert "<img src=x onerror=alert(1)>" in page.locator("#picture-name").text_content()


def test_scripts_from_elsewhere_do_not_run(chromium, compared, tmp_path):
    html = compared.read_text(encoding="utf-8")
    spoilt = tmp_path / "page.html"
    spoilt.write_text(html.replace("</main>", "<script>document.title = 'run'</script></main>"), "utf-8")
    with pytest.raises(browser.Faulty, match="violates the following Content Security Policy"):
        with browser.opened(chromium, spoilt) as page:
            assert page.title() == "Results: tiny"


def test_without_scripts_the_numbers_and_the_card_are_there(chromium, compared):
    with browser.opened(chromium, compared, java_script_enabled=False) as page:
        shown = page.locator("body").inner_text()
        assert "need JavaScript" in shown
        assert "60.00 %" in shown and "architecture" in shown
        assert page.get_by_role("img", name="accuracy by epoch").is_visible()
        assert not page.locator("#filters").is_visible()


def test_the_keyboard_reaches_the_results_first(page):
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the results")
    assert skip.bounding_box()["x"] == 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("compared", 1440, "light"), ("compared", 360, "dark"), ("hundred", 1440, "dark")],
)
def test_axe_finds_nothing(chromium, request, name, width, scheme):
    if not browser.AXE.is_file():
        pytest.skip("axe-core is not here: run .ci/browser")
    with browser.opened(chromium, request.getfixturevalue(name), width, scheme) as page:
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        page.evaluate(browser.AXE.read_text(encoding="utf-8"))
        assert violations(page) == []
        if name == "compared":
            page.locator("#gallery .tile").first.click()
            assert violations(page) == []


def violations(page):
    """What axe-core finds by all its default rules; it would need seconds for 10,000 cells."""
    where = "{exclude: ['#matrix tbody tr:nth-child(n + 9)']}"
    found = page.evaluate(f"axe.run({where}, {{resultTypes: ['violations']}})")["violations"]
    return [(each["id"], each["nodes"][0]["html"][:200], len(each["nodes"])) for each in found]
