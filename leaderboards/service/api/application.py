"""The application: API, pages, and what surrounds them."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ....version import __version__
from ..pages import routes as pages
from ..service import Service
from . import routes, watching
from .edge import Edge, Measures
from .rate import RateLimit

_DESCRIPTION = """Boards of hepgym: tasks, entries, submissions.

Everything that is refused is answered with a status of 4xx and `detail`, one sentence."""


def create_application(service: Service, *, hosts: frozenset[str] = frozenset()) -> FastAPI:
    """Make the application of a service.

    Parameters
    ----------
    service
        What requests are answered from.
    hosts
        Names under which it may be called; empty for any.

    Returns
    -------
    fastapi.FastAPI
    """
    application = FastAPI(
        title="hepgym leaderboards",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=f"/api/{routes.VERSION}/openapi.json",
        # The pages that FastAPI brings load scripts from elsewhere; /api is our own.
        docs_url=None,
        redoc_url=None,
    )
    application.state.service = service
    application.state.measures = Measures()
    application.state.rate = RateLimit(service.settings.requests_per_minute)
    application.state.pages = pages.PageCache()
    application.include_router(routes.router)
    application.include_router(watching.router)
    application.include_router(pages.router)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(HTTPException, _refused)
    application.add_middleware(
        Edge,
        measures=application.state.measures,
        limit=service.settings.upload_bytes,
        uploads=frozenset({f"{routes.router.prefix}/submissions", "/submit"}),
        hosts=hosts,
    )
    return application


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = " ".join(str(part) for part in first["loc"])[:100]
    return _answer(request, 422, f"{place}: {first['msg']}")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, error.detail, dict(error.headers or {}))


def _answer(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> Response:
    if request.url.path.startswith(("/api/", "/health", "/metrics")):
        return JSONResponse({"detail": detail}, status, headers)
    return pages.problem(request, status, detail, headers)
