"""Requests made from the OpenAPI description: no answer is ever a 5xx."""

from __future__ import annotations

import warnings

import httpx
import pytest

from hepgym.leaderboards.service import commands

REQUESTS_PER_OPERATION = 25


@pytest.mark.slow
def test_no_request_makes_an_error(start_server):
    """Slow: a few hundred requests as a maintainer, with bad and good values of everything."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, given, settings

    server = start_server(workers=0)
    _, token = commands.create_token(server.settings, "tester", "maintainer")
    headers = {"Authorization": f"Bearer {token}"}
    description = httpx.get(f"{server.url}/api/v1/openapi.json").json()
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=server.url)
    counts: dict[str, int] = {}

    def check(case):
        name = f"{case.operation.method.upper()} {case.operation.path}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = case.call(base_url=server.url, headers=headers, timeout=20)
        counts[name] = counts.get(name, 0) + 1
        assert answer.status_code < 500, (name, case, answer.text)
        if answer.status_code >= 400:
            assert isinstance(answer.json()["detail"], str), name

    bounded = settings(
        max_examples=REQUESTS_PER_OPERATION,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for operation in schema.get_all_operations():
        bounded(given(case=operation.ok().as_strategy())(check))()
    assert len(counts) >= 15
    assert httpx.get(f"{server.url}/health").status_code == 200
    assert '"level": "error"' not in server.log.read_text()
