"""Limit on the rate of requests."""

from __future__ import annotations

import httpx
import pytest

from hepgym.leaderboards.service import client as client_module
from hepgym.leaderboards.service import commands
from hepgym.leaderboards.service.api.rate import RateLimit
from hepgym.leaderboards.service.client import Client, ServerError
from hepgym.leaderboards.service.service import open_service
from hepgym.leaderboards.service.settings import ServiceSettings

PER_MINUTE = 6


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_so_many_at_once_then_one_in_each_interval():
    clock = Clock()
    rate = RateLimit(PER_MINUTE, clock)
    assert [rate.ask("a") for _ in range(PER_MINUTE)] == [0] * PER_MINUTE
    assert rate.ask("a") == 10
    # Others are not concerned, and who asks in vain does not make it worse.
    assert rate.ask("b") == 0
    clock.now += 9.5
    assert rate.ask("a") == 1
    clock.now += 0.5
    assert [rate.ask("a"), rate.ask("a")] == [0, 10]
    clock.now += 60.0
    assert [rate.ask("a") for _ in range(PER_MINUTE + 1)] == [0] * PER_MINUTE + [10]


def test_over_a_long_time_the_rate_holds():
    clock = Clock()
    rate = RateLimit(PER_MINUTE, clock)
    answered = 0
    for _ in range(36_000):
        clock.now += 0.1
        answered += rate.ask("a") == 0
    assert answered == pytest.approx(60 * PER_MINUTE + PER_MINUTE, abs=1)


def test_no_limit():
    rate = RateLimit(0)
    assert not any(rate.ask("a") for _ in range(1000))


def test_callers_that_have_gone_are_forgotten(monkeypatch):
    monkeypatch.setattr("hepgym.leaderboards.service.api.rate._TIDY_ABOVE", 10)
    clock = Clock()
    rate = RateLimit(PER_MINUTE, clock)
    for number in range(1000):
        clock.now += 61.0
        rate.ask(f"caller {number}")
    assert len(rate._times) <= 11


@pytest.fixture
def service(tmp_path):
    settings = ServiceSettings(
        folder=tmp_path / "service", shipped=False, requests_per_minute=PER_MINUTE
    )
    with open_service(settings) as opened:
        yield opened


@pytest.fixture
def web(service, asked):
    return asked(service)


def test_too_many_requests_of_an_address(web):
    for _ in range(PER_MINUTE):
        assert web.get("/api/v1/tasks").status_code == 200
    answer = web.get("/api/v1/tasks")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 10
    assert "more than 6 times a minute" in answer.json()["detail"]
    page = web.get("/")
    assert page.status_code == 429
    assert "retry-after" in page.headers
    # Whoever runs the service still sees whether it works.
    assert web.get("/health").status_code == 200


def test_invented_tokens_are_no_way_around(web):
    states = [
        web.get("/api/v1/tasks", headers={"Authorization": f"Bearer hepgym_{number}"}).status_code
        for number in range(PER_MINUTE + 2)
    ]
    assert states == [401] * PER_MINUTE + [429] * 2


def test_each_account_has_its_own_share(web, service):
    tokens = [commands.create_token(service.settings, name, "reader")[1] for name in ("a", "b")]
    headers = [{"Authorization": f"Bearer {token}"} for token in tokens]
    states = [web.get("/api/v1/tasks", headers=headers[0]).status_code for _ in range(7)]
    assert states == [200] * 6 + [429]
    assert web.get("/api/v1/tasks", headers=headers[1]).status_code == 200
    # Another token of the same account is the same account.
    _, second = commands.create_token(service.settings, "a", "reader")
    again = web.get("/api/v1/tasks", headers={"Authorization": f"Bearer {second}"})
    assert again.status_code == 429


def test_off_on_this_machine_only():
    assert commands.default_rate("127.0.0.1") == 0
    assert commands.default_rate("0.0.0.0") == 600


def test_the_client_waits_as_long_as_it_is_told(monkeypatch):
    answers = [
        httpx.Response(429, headers={"Retry-After": "7"}, json={"detail": "too many"}),
        httpx.Response(200, json=[]),
    ]
    slept = []
    monkeypatch.setattr(httpx, "request", lambda *_, **__: answers.pop(0))
    monkeypatch.setattr(client_module.time, "sleep", slept.append)
    assert Client("http://127.0.0.1:9").tasks() == []
    assert slept == [7]
    # Not for hours.
    answers.append(httpx.Response(429, headers={"Retry-After": "9999"}, json={"detail": "later"}))
    with pytest.raises(ServerError, match="later"):
        Client("http://127.0.0.1:9").tasks()
