"""The pages in a real browser: submit, wait for the score, sort, filter, compare."""

from __future__ import annotations

import shutil

import pytest

TASK = "JetGrooming-v0"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no browser: install the Debian packages chromium and chromium-driver",
)


@pytest.fixture
def browser(tmp_path):
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
        f"user-data-dir={tmp_path / 'profile'}",
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

    WebDriverWait(browser, 120).until(
        lambda page: "Scored" in page.find_element("id", "state").text
    )
    browser.find_element("link text", "Cut on z, seed 400").click()
    WebDriverWait(browser, 60).until(
        lambda page: page.find_elements("css selector", "svg.chart") != []
    )
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


def test_pages_fit_a_phone(browser, server):
    browser.set_window_size(500, 900)
    # Headless windows have a smallest width; the page's own width is what counts.
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    for path in ("/", f"/tasks/{TASK}", "/submit", "/api", "/datasets/jets/W-500GeV-v1"):
        browser.get(server.url + path)
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 360, path
    assert not [one for one in browser.get_log("browser") if one["level"] == "SEVERE"]
