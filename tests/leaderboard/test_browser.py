"""The site of hostile records in a real browser: from files alone, without network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.site import build_site
from agfer_bench.submissions.read import read_folder
from tests.leaderboard.generated import make_records

pytestmark = pytest.mark.slow

MOST_BYTES = 6_000_000
MOST_SECONDS = 2.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site of 50 hostile records: 10 modules, 3 protocols."""
    folder = tmp_path_factory.mktemp("leaderboard")
    make_records(folder / "records", runs=50, modules=10, protocols=3, hostile=True)
    reading = read_folder(folder / "records")
    assert len(reading.accepted) == 50
    build_site(reading, pages_of(reading), folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def across(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a site of hostile records in twelve settings; return its page of blocks over them."""
    folder = tmp_path_factory.mktemp("across")
    make_records(folder / "records", runs=36, modules=5, protocols=12, hostile=True)
    reading = read_folder(folder / "records")
    build_site(reading, pages_of(reading), folder / "site")
    return folder / "site" / "across.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        assert "CI" not in os.environ, "CI must have chromium and chromedriver"
        pytest.skip("chromium and chromedriver are not installed")
    options = Options()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    found.execute_cdp_cmd("Network.enable", {})
    # Whatever is not a file must not be loaded, and would be an error on the console.
    found.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["http://*", "https://*", "ws://*"]})
    yield found
    found.quit()


@pytest.fixture
def page(browser: webdriver.Chrome, site: Path) -> webdriver.Chrome:
    """Open one of the pages, wide, as a first visitor."""
    _size(browser, 1400)
    browser.get(sorted(site.glob("pages/*.html"))[0].as_uri())
    _run(browser, "localStorage.clear()")
    browser.refresh()
    return browser


def _size(browser: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def _run(browser: webdriver.Chrome, script: str, *arguments: Any) -> Any:
    return browser.execute_script(script, *arguments)


def _errors(browser: webdriver.Chrome) -> list[Any]:
    log = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [line for line in log if line["level"] in ("SEVERE", "WARNING")]


def _is_drawn(chart: WebElement) -> bool:
    return bool(chart.find_elements(By.CSS_SELECTOR, ".main-svg"))


def _show_all_charts(browser: webdriver.Chrome) -> int:
    """Scroll through the page, so that every chart is drawn; return how many there are."""
    charts = browser.find_elements(By.CSS_SELECTOR, ".chart")
    for chart in charts:
        _run(browser, "arguments[0].scrollIntoView()", chart)
        WebDriverWait(chart, 20).until(_is_drawn)
    return len(charts)


def _bodies(browser: webdriver.Chrome, name: str) -> list[list[float | None]]:
    """Return a column's values, top to bottom: of judged rows, then of each group of others."""
    found: list[list[float | None]] = _run(
        browser,
        """
        const place = document.querySelector(`th[data-column="${arguments[0]}"]`).cellIndex;
        const rows = (body) => [...body.querySelectorAll("tr:not([hidden], .heading)")];
        return [...document.querySelectorAll("#rows tbody")].map((body) => rows(body).map((row) => {
          const value = row.cells[place].dataset.v;
          return value === undefined ? null : Number(value);
        }));
        """,
        name,
    )
    return found


def _column(browser: webdriver.Chrome, name: str) -> list[float | None]:
    """Return the values of a column, top to bottom, of the rows that are shown."""
    return [value for body in _bodies(browser, name) for value in body]


def _button(browser: webdriver.Chrome, column: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, f'th[data-column="{column}"] button')


def test_no_script_of_a_record_runs_and_nothing_goes_wrong(
    browser: webdriver.Chrome, site: Path, across: Path
) -> None:
    _size(browser, 1400)
    pages = [site / "index.html", across, *sorted(site.glob("pages/*.html"))]
    assert len(pages) == 5
    for path in pages:
        browser.get(path.as_uri())
        charts = _show_all_charts(browser)
        assert charts >= {"index.html": 0, "across.html": 1}.get(path.name, 5)
        assert _run(browser, "return window.hacked") is None, path.name
        assert _errors(browser) == [], path.name
        scripts = browser.find_elements(By.TAG_NAME, "script")
        ours = {"theme.js", "site.js", "plotly.min.js", ""}
        assert {(one.get_attribute("src") or "").split("/")[-1] for one in scripts} <= ours
        for image in browser.find_elements(By.TAG_NAME, "img"):
            assert image.get_attribute("onerror") is None
        for link in browser.find_elements(By.TAG_NAME, "a"):
            assert (link.get_attribute("href") or "file:").split(":")[0] in (
                "file",
                "http",
                "https",
            )


def test_the_browser_would_tell(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """The twin of the test above: the same watch sees a script, and a file that is not there."""
    bad = tmp_path / "bad.html"
    bad.write_text('<!doctype html><img src=x onerror="window.hacked=1">')
    browser.get(bad.as_uri())
    WebDriverWait(browser, 10).until(lambda _: _run(browser, "return window.hacked") == 1)
    assert _errors(browser)


def test_a_page_is_light_and_soon_ready(browser: webdriver.Chrome, site: Path) -> None:
    shared = sum(file.stat().st_size for file in (site / "assets").iterdir())
    for path in site.glob("pages/*.html"):
        assert path.stat().st_size + shared <= MOST_BYTES
        seconds = []
        for _ in range(2):
            browser.get(path.as_uri())
            ready = _run(
                browser,
                "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd",
            )
            seconds.append(ready / 1000)
        assert min(seconds) < MOST_SECONDS


def test_sorting_by_mouse_and_by_keyboard(page: webdriver.Chrome) -> None:
    accuracy, *_ = _bodies(page, "accuracy")
    known = [value for value in accuracy if value is not None]
    assert known == sorted(known, reverse=True), "judged rows by accuracy, before any click"
    assert len(known) > 7
    button = _button(page, "parameters")
    button.click()
    header = page.find_element(By.CSS_SELECTOR, 'th[data-column="parameters"]')
    first = header.get_attribute("aria-sort")
    before = _bodies(page, "parameters")
    for body in before:
        values = [value for value in body if value is not None]
        assert values == sorted(values, reverse=first == "descending")
    assert len(set(before[0])) > 1
    button.send_keys(Keys.ENTER)
    assert {first, header.get_attribute("aria-sort")} == {"ascending", "descending"}
    for body, turned in zip(before, _bodies(page, "parameters"), strict=True):
        known = [value for value in body if value is not None]
        assert [value for value in turned if value is not None] == known[::-1]
        missing = [value is None for value in turned]
        assert missing == sorted(missing), "rows without a value stand last, whatever the order"


def test_times_are_those_of_the_chosen_device(page: webdriver.Chrome) -> None:
    device = Select(page.find_element(By.ID, "device"))
    assert len(device.options) > 2
    _button(page, "latency").click()
    found = []
    for number in range(len(device.options)):
        device.select_by_index(number)
        values = [value for value in _column(page, "latency") if value is not None]
        assert len(values) > 1
        for body in _bodies(page, "latency"):
            known = [value for value in body if value is not None]
            assert known == sorted(known), "another device's times are sorted anew"
        found.append(sorted(values))
    assert len({tuple(one) for one in found}) == len(found)


def test_rows_that_are_not_judged_stay_apart_however_the_table_is_sorted(
    page: webdriver.Chrome,
) -> None:
    headings = page.find_elements(By.CSS_SELECTOR, "#rows tr.heading")
    assert headings
    assert all(one.text.startswith("Not judged: ") for one in headings)
    names = "return [...document.querySelectorAll('#rows tr[data-judged]')].map((r) => r.innerText)"
    judged = sorted(_run(page, names))
    for column in ("accuracy", "name", "parameters"):
        _button(page, column).click()
        first = page.find_elements(By.CSS_SELECTOR, "#rows tbody:first-of-type tr")
        assert sorted(_run(page, names)) == judged
        assert len(first) == len(judged)
        assert page.find_elements(
            By.CSS_SELECTOR, "#rows tbody:last-of-type tr.heading:first-child"
        )
    edges = "return document.querySelector('#rows').classList.contains('by-accuracy')"
    assert not _run(page, edges), "tiers are edges in the order of accuracy alone"


def test_filtering(page: webdriver.Chrome) -> None:
    total = len(_column(page, "accuracy"))
    box = page.find_element(By.CSS_SELECTOR, ".filter[data-table=rows]")
    box.send_keys("cbam")
    shown = page.find_elements(By.CSS_SELECTOR, "#rows tbody tr:not([hidden], .heading)")
    assert 0 < len(shown) < total
    assert all("cbam" in row.text.lower() for row in shown)
    output = page.find_element(By.CSS_SELECTOR, ".shown[data-table=rows]")
    assert output.text == f"{len(shown)} of {total} rows"
    box.send_keys(" no such module")
    assert not page.find_elements(By.CSS_SELECTOR, "#rows tr.heading:not([hidden])")
    assert not page.find_elements(By.CSS_SELECTOR, "#rows tbody tr:not([hidden], .heading)")


def test_dark_mode_of_the_system_and_by_hand(page: webdriver.Chrome) -> None:
    def background() -> int:
        colour = _run(page, "return getComputedStyle(document.body).backgroundColor")
        return sum(map(int, colour.strip("rgba()").split(",")[:3]))

    def prefer(scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    try:
        prefer("light")
        assert background() > 3 * 200
        prefer("dark")
        assert background() < 3 * 60
        theme = page.find_element(By.ID, "theme")
        while "light" not in theme.text:
            theme.click()
        assert background() > 3 * 200
        page.refresh()
        assert background() > 3 * 200, "the choice is kept"
    finally:
        prefer("")


def test_on_paper_every_chart_is_drawn_light_and_fits(page: webdriver.Chrome) -> None:
    """A browser that prints does not wait: what was never scrolled to is there all the same."""
    charts = page.find_elements(By.CSS_SELECTOR, ".chart")
    for chart in charts:
        WebDriverWait(chart, 30).until(_is_drawn)

    def looks() -> tuple[set[float], str]:
        width = "return document.querySelector('#' + arguments[0] + ' .main-svg').clientWidth"
        widths = {_run(page, width, one.get_attribute("data-chart")) for one in charts}
        text = "return getComputedStyle(document.querySelector('.chart text')).fill"
        return widths, _run(page, text)

    theme = page.find_element(By.ID, "theme")
    while "dark" not in theme.text:
        theme.click()
    WebDriverWait(page, 10).until(lambda _: looks()[1] == "rgb(232, 232, 234)")
    on_screen = looks()
    _run(page, "dispatchEvent(new Event('beforeprint'))")
    WebDriverWait(page, 10).until(lambda _: looks() == ({900}, "rgb(28, 28, 30)"))
    _run(page, "dispatchEvent(new Event('afterprint'))")
    WebDriverWait(page, 10).until(lambda _: looks() == on_screen)


def test_the_forest_plot_is_that_of_the_chosen_block(
    browser: webdriver.Chrome, across: Path
) -> None:
    _size(browser, 1400)
    browser.get(across.as_uri())
    _show_all_charts(browser)
    block = Select(browser.find_element(By.CSS_SELECTOR, "select.choose"))
    assert len(block.options) > 1
    drawn = "return JSON.stringify(document.querySelector('.chart').data.map((one) => one.x))"
    found = []
    for number in range(2):
        block.select_by_index(number)
        WebDriverWait(browser, 10).until(lambda _: _run(browser, drawn) not in found)
        found.append(_run(browser, drawn))


def test_on_a_phone_only_tables_scroll_sideways(
    browser: webdriver.Chrome, site: Path, across: Path
) -> None:
    _size(browser, 390)
    for path in (site / "index.html", across, *site.glob("pages/*.html")):
        browser.get(path.as_uri())
        _show_all_charts(browser)
        assert _run(browser, "return document.documentElement.scrollWidth") <= 390, path.name
        assert _errors(browser) == []


def test_the_keyboard_reaches_the_content_first(page: webdriver.Chrome) -> None:
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = page.switch_to.active_element
    assert focused.get_attribute("class") == "skip"
    focused.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "main"
