"""The other side: handing in to a server, and reading its boards."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...version import __version__
from ..untrusted import SubmissionError
from .archives.packing import pack

if TYPE_CHECKING:
    import httpx

TOKEN_VARIABLE = "HEPGYM_TOKEN"

_TRIES = 5
_LOOK_EVERY_S = 0.5
_LONGEST_PAUSE_S = 60


class ServerError(OSError):
    """A server cannot be reached or does not answer as it should; the message is one sentence."""


class Client:
    """A server with boards.

    Parameters
    ----------
    server
        Its URL, for example ``http://127.0.0.1:8000``.
    token
        A token; by default what the variable ``HEPGYM_TOKEN`` holds.
    timeout_s
        How long to wait for an answer.
    """

    def __init__(self, server: str, token: str | None = None, timeout_s: float = 60.0) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ServerError(
                f"{server!r} is not the URL of a server: write it as http://host:port"
            )
        self.server = server.rstrip("/")
        self._token = token or os.environ.get(TOKEN_VARIABLE)
        self._timeout_s = timeout_s

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks with their best entries."""
        found: list[dict[str, Any]] = self._call("GET", "/tasks").json()
        return found

    def entries(self, task: str) -> list[dict[str, Any]]:
        """All entries of a board, the best first; see the API's ``EntrySummary``."""
        found: list[dict[str, Any]] = []
        while True:
            query = {"limit": "1000", "offset": str(len(found))}
            page = self._call("GET", f"/tasks/{task}/entries", params=query).json()
            found += page["entries"]
            if len(found) >= page["total"] or not page["entries"]:
                return found

    def submit(
        self,
        folder: Path,
        attachments: list[Path] | None = None,
        *,
        wait_s: float = 600.0,
        waiting: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Hand a submission in and wait for its score.

        Parameters
        ----------
        folder
            Folder of the submission.
        attachments
            Model and training log to go with it.
        wait_s
            How long to wait for the score; 0 not to wait. The server goes on in any case.
        waiting
            Called with the id of the submission while it waits.

        Returns
        -------
        dict
            The API's ``Submission``; its state is "scored", or "queued" if the time was over.

        Raises
        ------
        SubmissionError
            If the submission is refused, here or by the server.
        ServerError
            If the server cannot be reached, or could not score it.
        """
        answer = self._call("POST", "/submissions", content=pack(folder, attachments))
        handed: dict[str, Any] = answer.json()
        end = time.monotonic() + wait_s
        while handed["state"] == "queued" and time.monotonic() < end:
            if waiting:
                waiting(handed["id"])
            time.sleep(_LOOK_EVERY_S)
            handed = self._call("GET", f"/submissions/{handed['id']}").json()
        if handed["state"] == "refused":
            raise SubmissionError(f"{self.server} refuses it: {handed['reason']}")
        if handed["state"] == "failed":
            raise ServerError(
                f"{self.server} could not score it ({handed['reason']}): hand it in again"
            )
        return handed

    def refresh(self, task: str, size: int) -> str:
        """Have a board refreshed; return the name of the round."""
        answer = self._call("POST", f"/tasks/{task}/refresh", json={"size": size})
        name: str = answer.json()["round"]
        return name

    def _call(self, method: str, path: str, **content: Any) -> httpx.Response:
        import httpx

        headers = {"User-Agent": f"hepgym/{__version__}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        # All calls can be repeated: what is sent twice is one submission.
        for attempt in range(1, _TRIES + 1):
            try:
                answer = httpx.request(
                    method,
                    f"{self.server}/api/v1{path}",
                    headers=headers,
                    timeout=self._timeout_s,
                    **content,
                )
            except httpx.ConnectError as error:
                raise ServerError(
                    f"{self.server} cannot be reached ({error}): is `hepgym serve` running there?"
                ) from None
            except httpx.HTTPError as error:
                if attempt == _TRIES:
                    raise ServerError(
                        f"{self.server} does not answer: {type(error).__name__} {error}"
                    ) from None
            else:
                if answer.status_code == 429 and attempt < _TRIES:
                    asked = answer.headers.get("Retry-After", "")
                    if asked.isdigit() and int(asked) <= _LONGEST_PAUSE_S:
                        time.sleep(int(asked))
                        continue
                if answer.status_code not in (502, 503) or attempt == _TRIES:
                    return self._checked(answer, path)
            time.sleep(0.2 * 2**attempt)
        raise AssertionError

    def _checked(self, answer: httpx.Response, path: str) -> httpx.Response:
        if answer.is_success:
            return answer
        try:
            detail = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            detail = f"status {answer.status_code} for {path}"
        if answer.status_code == 422 and path == "/submissions":
            raise SubmissionError(f"{self.server} refuses it: {detail}")
        if answer.status_code == 401:
            detail += f"; put it into {TOKEN_VARIABLE} or give --token"
        raise ServerError(f"{self.server}: {detail}")
