"""Pages: all there, well-formed, accessible, and nothing that was handed in is markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from hepgym.leaderboards.service import commands
from hepgym.leaderboards.service.pages.charts import Line, band, chart, staircase, steps
from hepgym.leaderboards.service.service import open_service
from hepgym.leaderboards.service.settings import ServiceSettings

TASK = "JetGrooming-v0"
VOID = {"meta", "link", "input", "img", "line", "path", "circle"}


class Page(HTMLParser):
    """Checks nesting and collects what is to be read aloud."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = text
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture
def page(server):
    def page(path: str, status: int = 200) -> Page:
        answer = httpx.get(server.url + path, timeout=30)
        assert answer.status_code == status, path
        return Page(answer.text)

    return page


@pytest.fixture(scope="session")
def two_entries(server) -> list[str]:
    entries = httpx.get(f"{server.url}/api/v1/tasks/{TASK}/entries").json()["entries"]
    return [entries[0]["id"], entries[4]["id"]]


@pytest.fixture
def every_page(two_entries) -> list[str]:
    one, other = two_entries
    return [
        "/",
        f"/tasks/{TASK}",
        f"/tasks/{TASK}?sort=window&order=descending&trust=recomputed",
        f"/tasks/{TASK}/entries/{one}",
        f"/tasks/{TASK}/compare?entry={one}&entry={other}",
        "/datasets/jets/W-500GeV-v1",
        "/submit",
        "/api",
    ]


def test_every_page_is_accessible(page, every_page):
    for path in every_page:
        found = page(path)
        assert found.all("html")[0]["lang"] == "en"
        assert len(found.all("h1")) == 1, path
        assert len(found.all("main")) == 1
        assert len(found.all("title")) >= 1
        assert all(one.get("alt") for one in found.all("img"))
        assert all("aria-labelledby" in one for one in found.all("svg"))
        assert all(one.get("scope") in ("row", "col") for one in found.all("th"))
        labels = {one.get("for") for one in found.all("label")}
        for one in found.all("input", "select"):
            assert one.get("aria-label") or one.get("id") in labels, path
        ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path
        assert "width=device-width" in found.all("meta")[1]["content"]
        # No script, no style in the page, nothing from elsewhere.
        assert not found.all("script", "style", "iframe")
        assert not any(
            "style" in attributes or "onclick" in attributes for _, attributes in found.tags
        )
        for one in found.all("link", "img"):
            assert (one.get("href") or one.get("src")).startswith("/")


def test_every_link_leads_somewhere(server, page, every_page):
    links = {
        one["href"]
        for path in every_page
        for one in page(path).all("a")
        if one["href"].startswith("/")
    }
    assert len(links) > 40
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for link in sorted(links)[::3]:
            assert client.get(link).status_code == 200, link


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tasks/Chess-v0", 404),
        (f"/tasks/{TASK}/entries/none", 404),
        (f"/tasks/{TASK}?sort=nonsense", 422),
        (f"/tasks/{TASK}?trust=nonsense", 422),
        (f"/tasks/{TASK}/compare?entry=one", 422),
        (f"/tasks/{TASK}/entries/none/figures/..%2f..%2fx.png", 404),
        ("/datasets/jets/none-v1", 404),
        ("/datasets/../../etc/passwd", 404),
        ("/submissions/none", 404),
        ("/static/../settings.py", 404),
        ("/nothing", 404),
    ],
)
def test_problems_have_pages(page, path, status):
    found = page(path, status)
    assert any(one.get("role") == "alert" for one in found.all("p"))


def test_text_that_was_handed_in_is_escaped(server, write, page):
    evil = "<script>alert(1)</script> <img src=x onerror=alert(1)>"
    entry = commands.submit(write(300, description=evil), server.url)["entry"]
    found = page(f"/tasks/{TASK}/entries/{entry['id']}")
    assert "&lt;script&gt;" in found.text
    for path in ("/", f"/tasks/{TASK}", f"/tasks/{TASK}/entries/{entry['id']}"):
        assert not page(path).all("script")
        assert not any("onerror" in one for one in page(path).all("img"))


def test_a_closed_service_asks_browsers_for_a_token(tmp_path, asked):
    settings = ServiceSettings(folder=tmp_path / "service", shipped=False, anonymous=None)
    with open_service(settings) as service:
        web = asked(service)
        _, token = commands.create_token(settings, "maria", "reader")
        closed = web.get("/")
        assert closed.status_code == 401
        assert closed.headers["www-authenticate"].startswith("Basic")
        assert web.get("/", auth=("maria", token)).status_code == 200
        assert web.get("/", auth=("maria", "wrong")).status_code == 401
        assert web.get("/api/v1/tasks").status_code == 401


def test_a_chart_holds_its_data():
    svg = Page(
        str(
            chart(
                [Line("<one>", "c0", [(0.0, 0.0), (10.0, 5.0)], dots=True)],
                title="Growth & decay",
                x_label="x",
                y_label="y",
                number=3,
            )
        )
    )
    assert len(svg.all("circle")) == 2
    assert "&lt;one&gt;" in svg.text
    first, last = (float(one["cx"]) for one in svg.all("circle"))
    assert first == pytest.approx(74.0)
    assert last == pytest.approx(626.0)


@pytest.mark.parametrize("points", [[(1.0, 2.0)], [(0.0, 1e-9), (1.0, 1e9)], [(3.0, -4.0)] * 2])
def test_charts_of_awkward_data(points):
    assert "nan" not in str(
        chart([Line("a", "c0", points)], title="t", x_label="x", y_label="y", number=0)
    )


@pytest.mark.parametrize(("low", "shown"), [(0.0, [0.0]), (2.0, [0.0]), (-3.0, [-2.0, 0.0])])
def test_nothing_leaves_a_chart_that_has_zero(low, shown):
    """Values below zero are in the frame; else the axis begins at zero."""
    line = Line("a", "c0", [(0.0, low), (1.0, 4.0)], dots=True, band=[(0.0, low), (1.0, 5.0)])
    svg = Page(str(chart([line], title="t", x_label="x", y_label="y", number=0, from_zero=True)))
    assert all(14.0 <= float(dot["cy"]) <= 288.0 for dot in svg.all("circle"))
    ticks = [float(text) for text in re.findall(r'text-anchor="end">([-\d.]+)<', svg.text)]
    assert set(shown) <= set(ticks)
    assert len([path for path in svg.all("path") if "area" in path["class"]]) == 1


def test_outlines():
    assert steps([0, 1, 2], [5, 6]) == [(0, 0), (0, 5), (1, 5), (1, 6), (2, 6), (2, 0)]
    assert band([0, 1, 2], [5, 6], [1, 2]) == [
        *[(0, 6), (1, 6), (1, 8), (2, 8)],
        *[(2, 4), (1, 4), (1, 4), (0, 4)],
    ]
    assert staircase([(0, 5), (2, 3)], 9) == [(0, 5), (2, 5), (2, 3), (9, 3)]
