"""Where pages are: on a server, or as files of a static site that can lie anywhere."""

from __future__ import annotations

import posixpath
from typing import Protocol
from urllib.parse import quote, urlencode


class Links(Protocol):
    """Addresses of all pages, as seen from the page that is being made."""

    live: bool

    def home(self) -> str:
        """Page of all tasks."""
        ...

    def task(self, task: str, trust: str = "", sort: str = "", descending: bool = False) -> str:
        """Page of a task, its table filtered and sorted."""
        ...

    def entry(self, task: str, entry: str) -> str:
        """Page of an entry."""
        ...

    def dataset(self, dataset: str) -> str:
        """Page of a dataset."""
        ...

    def figure(self, task: str, entry: str, name: str) -> str:
        """Locate a figure of an entry."""
        ...

    def predictions(self, task: str, entry: str) -> str:
        """Predictions of an entry."""
        ...

    def style(self) -> str:
        """Locate the style sheet."""
        ...


class LiveLinks:
    """Addresses on a server."""

    live = True

    def home(self) -> str:
        """Page of all tasks."""
        return "/"

    def task(self, task: str, trust: str = "", sort: str = "", descending: bool = False) -> str:
        """Page of a task, its table filtered and sorted."""
        query = {"trust": trust, "sort": sort, "order": "descending" if descending else ""}
        chosen = urlencode({name: value for name, value in query.items() if value})
        return f"/tasks/{task}" + (f"?{chosen}" if chosen else "")

    def entry(self, task: str, entry: str) -> str:
        """Page of an entry."""
        return f"/tasks/{task}/entries/{entry}"

    def dataset(self, dataset: str) -> str:
        """Page of a dataset."""
        return f"/datasets/{dataset}"

    def figure(self, task: str, entry: str, name: str) -> str:
        """Locate a figure of an entry."""
        return f"/tasks/{task}/entries/{entry}/figures/{name}"

    def predictions(self, task: str, entry: str) -> str:
        """Predictions of an entry."""
        return f"/api/v1/tasks/{task}/entries/{entry}/predictions"

    def style(self) -> str:
        """Locate the style sheet."""
        return "/static/style.css"


class StaticLinks:
    """Files of a static site, relative to the page that is being made.

    Parameters
    ----------
    page
        File of that page, relative to the folder of the site.
    """

    live = False

    def __init__(self, page: str) -> None:
        self._folder = posixpath.dirname(page)

    def home(self) -> str:
        """Page of all tasks."""
        return self._to("index.html")

    def task(self, task: str, trust: str = "", sort: str = "", descending: bool = False) -> str:
        """Page of a task, its table filtered and sorted."""
        return self._to(task_file(task, trust, sort, descending))

    def entry(self, task: str, entry: str) -> str:
        """Page of an entry."""
        return self._to(f"tasks/{task}/{entry}.html")

    def dataset(self, dataset: str) -> str:
        """Page of a dataset."""
        return self._to(f"datasets/{dataset}.html")

    def figure(self, task: str, entry: str, name: str) -> str:
        """Locate a figure of an entry."""
        return self._to(f"tasks/{task}/figures/{entry}/{name}")

    def predictions(self, task: str, entry: str) -> str:
        """Predictions of an entry."""
        return self._to(f"tasks/{task}/predictions/{entry}.npz")

    def style(self) -> str:
        """Locate the style sheet."""
        return self._to("style.css")

    def _to(self, file: str) -> str:
        return quote(posixpath.relpath(file, self._folder or "."))


def task_file(task: str, trust: str, sort: str, descending: bool) -> str:
    """File of a task's page in a static site."""
    chosen = [trust, sort, "descending" if descending else ""]
    name = "-".join(quote(part, safe="").replace("%", "_") for part in chosen if part)
    return f"tasks/{task}/{'by-' + name if name else 'index'}.html"
