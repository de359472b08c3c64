"""What every request passes: size limit, headers, log, metrics."""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..logs import log_event

_LOG = logging.getLogger("hepgym.service.http")

_FORM_EXTRA = 100_000
"""Bytes of a form around the file that it holds."""
_OTHER_BYTES = 100_000
"""Most bytes of any request that is no upload."""

_HEADERS = {
    b"content-security-policy": (
        b"default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; "
        b"base-uri 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


class Measures:
    """Counters of requests, for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hepgym_http_requests",
            "Requests by route, method and status.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "hepgym_http_request_seconds",
            "Time to answer a request, by route.",
            ["route"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.submissions = Counter(
            "hepgym_submissions",
            "Archives by what became of them at once.",
            ["outcome"],
            registry=self.registry,
        )


class _TooLargeError(Exception):
    pass


class Edge:
    """Middleware around the whole application.

    Parameters
    ----------
    app
        The application.
    measures
        Where requests are counted.
    limit
        Most bytes of an archive. No body is read further, whatever its headers say.
    uploads
        Paths to which archives are sent; what is sent elsewhere is small.
    hosts
        Names under which the service may be called; empty for any. A page in a browser could
        otherwise make its own name lead here.
    """

    def __init__(
        self,
        app: ASGIApp,
        measures: Measures,
        limit: int,
        uploads: frozenset[str],
        hosts: frozenset[str] = frozenset(),
    ) -> None:
        self.app = app
        self.measures = measures
        self.limit = limit
        self.uploads = uploads
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = uuid.uuid4().hex[:16]
        status = 500
        started = False
        left = limit = self._limit(scope)

        async def limited() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise _TooLargeError
            return message

        async def answering(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = list(message.get("headers", []))
                headers += [*_HEADERS.items(), (b"x-request-id", request_id.encode())]
                if status == 413:
                    # What is still to come is not read.
                    headers = [one for one in headers if one[0] != b"connection"]
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await _refuse(answering, *refusal)
            else:
                await self.app(scope, limited, answering)
        except _TooLargeError:
            if not started:
                await _refuse(answering, *_too_large(limit))
        except Exception:
            _LOG.exception("request failed", extra={"hepgym_fields": {"request": request_id}})
            if not started:
                await _refuse(answering, 500, "the service made an error, which was logged")
        finally:
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"]
            self.measures.requests.labels(route, method, status).inc()
            self.measures.seconds.labels(route).observe(seconds)
            log_event(
                _LOG,
                "request",
                request=request_id,
                method=method,
                path=scope["path"][:300],
                status=status,
                seconds=round(seconds, 5),
                user=scope.get("state", {}).get("user"),
            )

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if self.hosts and name not in self.hosts:
            return 421, "this service is not called by that name"
        origin = headers.get(b"origin", b"").decode("latin-1")
        changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        # Another site's page may not use the rights that this machine has here.
        if changes and origin and origin.partition("://")[2] != host:
            return 403, "requests from the pages of another site are refused"
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._limit(scope):
            return _too_large(self._limit(scope))
        return None

    def _limit(self, scope: Scope) -> int:
        return self.limit + _FORM_EXTRA if scope["path"] in self.uploads else _OTHER_BYTES


def _too_large(limit: int) -> tuple[int, str]:
    return 413, f"the request is larger than the {limit} bytes allowed"


async def _refuse(send: Send, status: int, detail: str) -> None:
    body: dict[str, Any] = {"detail": detail}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json")],
        }
    )
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
