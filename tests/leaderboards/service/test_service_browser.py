"""The pages in a real browser: submit, wait for the score, sort, filter, compare."""

from __future__ import annotations

import shutil

import httpx
import pytest

TASK = "JetGrooming-v0"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no browser: install the Debian packages chromium and chromium-driver",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        f"user-data-dir={tmp_path_factory.mktemp('browser') / 'profile'}",
    ):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.implicitly_wait(5)
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


def column(browser, name: str) -> list[float]:
    """Numbers of a column of the board."""
    heads = [one.text for one in browser.find_elements("css selector", "#board thead th")]
    place = next(n for n, text in enumerate(heads) if text.split(" ")[0] == name)
    cells = browser.find_elements("css selector", f"#board tbody tr > *:nth-child({place + 1})")
    return [float(one.text.split()[0]) for one in cells]


def test_submit_sort_filter_compare(browser, server, archive, tmp_path):
    file = tmp_path / "submission.tar.gz"
    file.write_bytes(archive(400))
    browser.get(f"{server.url}/submit")
    browser.find_element("id", "archive").send_keys(str(file))
    browser.find_element("css selector", "button[type=submit]").click()
    # The page looks again by itself until the score is there.
    from selenium.webdriver.support.wait import WebDriverWait

    # One question: between two the page may have been replaced.
    state = "return document.getElementById('state')?.textContent ?? ''"
    WebDriverWait(browser, 120).until(lambda page: "Scored" in page.execute_script(state))
    browser.find_element("link text", "Cut on z, seed 400").click()
    charts = "return document.querySelectorAll('svg.chart').length"
    WebDriverWait(browser, 60).until(lambda page: page.execute_script(charts) > 0)
    assert "A. Tester" in browser.find_element("tag name", "main").text
    browser.find_element("link text", TASK).click()

    browser.find_element("link text", "window").click()
    ascending = column(browser, "window")
    assert ascending == sorted(ascending)
    browser.find_element("partial link text", "window").click()
    assert column(browser, "window") == ascending[::-1]
    head = browser.find_element("css selector", "th[aria-sort=descending]")
    assert head.text.startswith("window")

    browser.find_element("link text", "fresh").click()
    assert "No entry fits this filter" in browser.find_element("id", "board").text
    browser.find_element("partial link text", "all (").click()

    for box in browser.find_elements("css selector", "#board input[type=checkbox]")[:2]:
        box.click()
    browser.find_element("xpath", "//button[contains(., 'Compare')]").click()
    assert "Comparison of 2 entries" in browser.find_element("tag name", "h1").text
    shares = [one.text for one in browser.find_elements("css selector", "#probabilities tbody td")]
    assert shares[0] == shares[3] == "-"
    assert float(shares[1]) + float(shares[2]) == pytest.approx(1.0, abs=2e-3)


def test_a_refused_archive_says_why(browser, server, tmp_path):
    file = tmp_path / "bad.zip"
    file.write_bytes(b"PK")
    browser.get(f"{server.url}/submit")
    browser.find_element("id", "archive").send_keys(str(file))
    browser.find_element("css selector", "button[type=submit]").click()
    alert = browser.find_element("css selector", "[role=alert]")
    assert "the archive is cut short" in alert.text


@pytest.fixture
def phone(browser):
    """The browser as a phone: 360 points wide. Headless windows have a smallest width."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_pages_fit_a_phone(phone, server):
    """No page can be scrolled sideways; wide tables and figures scroll on their own."""
    pages = ["/", "/submit", "/api", "/nothing", f"/submissions/{'0' * 64}"]
    with httpx.Client(base_url=server.url, timeout=60) as client:
        tasks = client.get("/api/v1/tasks").json()
        datasets = {one for each in tasks for one in each["task"]["datasets"].values()}
        pages += [f"/datasets/{one}" for one in sorted(datasets)]
        for each in tasks:
            name = each["task"]["id"]
            entries = client.get(f"/api/v1/tasks/{name}/entries").json()["entries"]
            pages.append(f"/tasks/{name}")
            # The other entries have the same pages but for the numbers.
            pages += [f"/tasks/{name}/entries/{one['id']}" for one in entries[:1]]
            if len(entries) > 1:
                query = "&".join(f"entry={one['id']}" for one in entries[:2])
                pages.append(f"/tasks/{name}/compare?{query}")
    phone.get_log("browser")
    wide = {}
    for path in pages:
        phone.get(server.url + path)
        width = phone.execute_script("return document.documentElement.scrollWidth")
        phone.execute_script("window.scrollTo(500, 0)")
        if width > 360 or phone.execute_script("return window.scrollX") > 0:
            wide[path] = width
    assert not wide
    problems = [one for one in phone.get_log("browser") if one["level"] == "SEVERE"]
    # The two pages about something that is not there.
    assert len(problems) == 2, problems
