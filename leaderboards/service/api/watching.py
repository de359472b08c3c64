"""Health and metrics, for those who run the service."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from ....version import __version__
from ..storage import queue
from . import schemas
from .access import Parts

router = APIRouter(tags=["watching"])


@router.get("/health", responses={503: {"model": schemas.Problem}})
def health(parts: Parts) -> schemas.Health:
    """Say whether the service and its database work."""
    try:
        with parts.database.read() as session:
            depth = queue.depth(session)
    except SQLAlchemyError:
        raise HTTPException(503, "the database does not answer") from None
    counts = {
        state: sum(count for (_, one), count in depth.items() if one == state)
        for state in ("queued", "running")
    }
    return schemas.Health(
        status="ok",
        version=__version__,
        database=parts.database.backend,
        waiting=counts["queued"],
        running=counts["running"],
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
)
def metrics(request: Request, parts: Parts) -> Response:
    """Counters of requests and the state of the queue, in Prometheus's text format."""
    with parts.database.read() as session:
        depth = queue.depth(session)
    jobs = CollectorRegistry()
    gauge = Gauge("hepgym_jobs", "Jobs by kind and state.", ["kind", "state"], registry=jobs)
    for (kind, state), count in depth.items():
        gauge.labels(kind, state).set(count)
    content = generate_latest(request.app.state.measures.registry) + generate_latest(jobs)
    return Response(content, media_type=CONTENT_TYPE_LATEST)
