"""The API of a real server with a real worker."""

from __future__ import annotations

import concurrent.futures
import hashlib
import io
import json
import sqlite3

import httpx
import numpy as np
import pytest

from hepgym.leaderboards.board import Board
from hepgym.leaderboards.service import commands
from hepgym.leaderboards.service.archives.packing import pack
from hepgym.leaderboards.service.client import Client, ServerError
from hepgym.leaderboards.submission import read_submission, submission_id
from hepgym.leaderboards.untrusted import SubmissionError

TASK = "JetGrooming-v0"


@pytest.fixture
def api(server):
    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60) as client:
        yield client


def test_the_whole_way_of_a_submission(server, api, write, settled):
    folder = write(100)
    result = commands.submit(folder, server.url)
    assert result["submission"]["state"] == "scored"
    entry = result["entry"]
    assert entry["id"] == submission_id(read_submission(folder).manifest)
    assert entry["trust"] == "recomputed"
    assert entry["authors"] == ["A. Tester"]
    found = api.get(f"/tasks/{TASK}/entries/{entry['id']}").json()
    claimed = json.loads((folder / "submission.json").read_text())["claimed"]
    assert found["entry"]["recomputed"]["loss"] == pytest.approx(claimed["loss"])
    predictions = api.get(f"/tasks/{TASK}/entries/{entry['id']}/predictions").content
    assert predictions == (folder / "predictions.npz").read_bytes()
    # The folder of boards, read without the service, holds the same.
    board = Board(TASK, server.settings.boards, shipped=None)
    own = next(one for one in board.entries() if one.id == entry["id"])
    board.recompute(own)


def test_the_same_folder_twice_is_one_entry(server, api, write, settled):
    folder = write(101)
    first = commands.submit(folder, server.url)
    again = commands.submit(folder, server.url)
    assert again == first
    entries = api.get(f"/tasks/{TASK}/entries", params={"limit": 1000}).json()["entries"]
    assert [one["id"] for one in entries].count(first["entry"]["id"]) == 1
    # Another description is another upload, but the same run: one entry.
    other = write(101, description="the same run", overwrite=True)
    assert commands.submit(other, server.url)["entry"]["id"] == first["entry"]["id"]


def test_the_same_archive_at_once_is_one_submission(server, api, archive, settled):
    content = archive(102)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.post("/submissions", content=content), range(8)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    (number,) = {answer.json()["id"] for answer in answers}
    assert settled(server.url, number)["state"] == "scored"
    with sqlite3.connect(server.settings.folder / "service.db") as database:
        kinds = database.execute("SELECT kind FROM jobs WHERE subject = ?", (number,)).fetchall()
    assert kinds == [("score",)]


def test_waiting_for_the_score(api, archive):
    answer = api.post("/submissions", content=archive(103), params={"wait": 60})
    assert answer.status_code == 200
    assert answer.json()["state"] == "scored"


def test_a_false_claim_is_refused(api, write, server):
    folder = write(104)
    manifest = json.loads((folder / "submission.json").read_text())
    manifest["claimed"]["loss"]["value"] -= 1.0
    (folder / "submission.json").write_text(json.dumps(manifest))
    with pytest.raises(SubmissionError, match=r"'loss.value' is claimed to be .* give"):
        commands.submit(folder, server.url)


def test_predictions_of_the_wrong_shape_are_4xx(server, api, write):
    folder = write(105)
    manifest = json.loads((folder / "submission.json").read_text())
    out = io.BytesIO()
    np.savez(out, signal=np.zeros(2, np.uint8), background=np.zeros(2, np.uint8))
    (folder / "predictions.npz").write_bytes(out.getvalue())
    manifest["predictions"]["sizes"] = {"signal": 16, "background": 16}
    manifest["predictions"]["sha256"] = hashlib.sha256(out.getvalue()).hexdigest()
    (folder / "submission.json").write_text(json.dumps(manifest))
    answer = api.post("/submissions", content=pack(folder), params={"wait": 60})
    assert answer.status_code == 422
    assert "16 values, but these jets have" in answer.json()["detail"]
    again = api.post("/submissions", content=pack(folder))
    assert again.status_code == 422


def test_too_large_an_archive_is_refused_while_it_arrives(api, server):
    sent = 0

    def endless():
        nonlocal sent
        for _ in range(1000):
            sent += 1_000_000
            yield bytes(1_000_000)

    try:
        answer = api.post("/submissions", content=endless())
    except httpx.WriteError:
        # The server has closed the connection and does not read further.
        pass
    else:
        assert answer.status_code == 413
    assert sent < 200_000_000
    announced = api.post("/submissions", content=bytes(20_000_000))
    assert announced.status_code == 413
    assert not list(server.settings.incoming.iterdir())


def test_enormous_json_is_refused(api):
    answer = api.put("/users", content=b'{"name": "' + b"x" * 1_000_000 + b'"}')
    assert answer.status_code == 413


def test_boards_can_be_sorted_and_filtered(api):
    page = api.get(f"/tasks/{TASK}/entries", params={"sort": "window", "order": "descending"})
    windows = [one["metrics"]["window"]["value"] for one in page.json()["entries"]]
    assert windows == sorted(windows, reverse=True)
    assert len(windows) >= 15
    few = api.get(f"/tasks/{TASK}/entries", params={"limit": 3, "offset": 2}).json()
    assert [one["place"] for one in few["entries"]] == [3, 4, 5]
    assert api.get(f"/tasks/{TASK}/entries", params={"trust": "fresh"}).json()["entries"] == []
    assert api.get(f"/tasks/{TASK}/entries", params={"sort": "nonsense"}).status_code == 422


def test_comparison(api):
    best, *_, worst = api.get(f"/tasks/{TASK}/entries", params={"limit": 1000}).json()["entries"]
    query = {"one": best["id"], "other": worst["id"]}
    answer = api.get(f"/tasks/{TASK}/compare", params=query).json()
    assert answer["probability"] > 0.999


def test_statistics_across_tasks(api):
    found = {one["agent"]: one for one in api.get("/statistics").json()}
    assert found["random"]["interquartile_mean"]["value"] == 0.0
    assert found["dqn"]["tasks"] == 2
    assert (
        found["dqn"]["interquartile_mean"]["value"] > found["plain"]["interquartile_mean"]["value"]
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tasks/Chess-v0", 404),
        ("/tasks/%00", 422),
        (f"/tasks/{TASK}/entries/none", 404),
        (f"/tasks/{TASK}/entries/..%2f..%2fetc", 404),
        (f"/submissions/{'0' * 64}", 404),
        ("/submissions/%00", 422),
        ("/nothing", 404),
    ],
)
def test_what_is_not_there(api, path, status):
    answer = api.get(path)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


def test_maintenance_needs_a_token(api):
    assert api.get("/tokens").status_code == 401
    assert api.post(f"/tasks/{TASK}/refresh", json={"size": 100}).status_code == 401
    bad = api.get("/tasks", headers={"Authorization": "Bearer hepgym_wrong"})
    assert bad.status_code == 401
    assert bad.headers["www-authenticate"] == "Bearer"


def test_roles(server, api, archive):
    tokens = {
        role: commands.create_token(server.settings, f"a-{role}", role)[1]
        for role in ("reader", "submitter", "maintainer")
    }

    def status(method, path, role, **more):
        headers = {"Authorization": f"Bearer {tokens[role]}"}
        return api.request(method, path, headers=headers, **more).status_code

    content = archive(106)
    assert status("POST", "/submissions", "reader", content=content) == 403
    assert status("POST", "/submissions", "submitter", content=content) == 202
    assert status("GET", "/tokens", "submitter") == 403
    assert status("GET", "/tokens", "maintainer") == 200
    user = {"name": "new", "role": "reader"}
    assert status("PUT", "/users", "submitter", json=user) == 403
    assert status("PUT", "/users", "maintainer", json=user) == 204
    headers = {"Authorization": f"Bearer {tokens['maintainer']}"}
    made = api.post("/users/new/tokens", headers=headers, json={"label": "x", "days": 1}).json()
    own = {"Authorization": f"Bearer {made['token']}"}
    assert api.get("/tasks", headers=own).status_code == 200
    assert status("DELETE", f"/tokens/{made['id']}", "maintainer") == 204
    assert api.get("/tasks", headers=own).status_code == 401


def test_who_handed_in_is_shown(server, write):
    _, token = commands.create_token(server.settings, "maria", "submitter")
    folder = write(107)
    entry = commands.submit(folder, server.url, token=token)["entry"]
    assert entry["submitter"] == "maria"


def test_pages_of_other_sites_cannot_submit(server, api, archive):
    answer = api.post(
        "/submissions", content=archive(108), headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert api.get("/tasks", headers={"Host": "evil.example"}).status_code == 421


def test_health_metrics_and_headers(server):
    health = httpx.get(f"{server.url}/health").json()
    assert health["status"] == "ok"
    assert health["database"] == "sqlite"
    text = httpx.get(f"{server.url}/metrics").text
    assert 'hepgym_http_requests_total{method="GET",route="/health",status="200"}' in text
    assert "hepgym_http_request_seconds_bucket" in text
    headers = httpx.get(server.url).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"


def test_logs_are_json_and_hold_no_token(server, api):
    api.get("/tasks", headers={"Authorization": "Bearer hepgym_secret"})
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {"serving", "worker started", "request"} <= {line["event"] for line in lines}
    assert "hepgym_secret" not in server.log.read_text()


def test_the_description_is_complete(server):
    schema = httpx.get(f"{server.url}/api/v1/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], f"{method} {path}"
            assert any(code in operation["responses"] for code in ("200", "201", "202", "204"))


def test_a_server_that_is_not_there():
    with pytest.raises(ServerError, match="hepgym serve"):
        Client("http://127.0.0.1:9").tasks()
    with pytest.raises(ServerError, match="not the URL"):
        Client("boards").tasks()
