"""Load on the leaderboard service: many clients browse while some hand in, all on this machine.

A server with its workers is started on 127.0.0.1 with an empty folder. Clients that browse ask for
the tasks, a task sorted in some way, an entry, a comparison and the API, with a short pause after
each page as a fast reader makes it. Clients that submit hand in new submissions, each of them
twice. After the time is over the queue is emptied, and the entries are counted: none may be lost,
none may be there twice. Everything stops by itself.

    python benchmarks/service_load.py --seconds 120 --browsing 50 --submitting 8
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

TASK = "JetGrooming-v0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--browsing", type=int, default=50, help="clients that browse")
    parser.add_argument("--submitting", type=int, default=8, help="clients that hand in")
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between pages")
    parser.add_argument("--each", type=float, default=8.0, help="mean seconds between hand-ins")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--empty", type=float, default=300.0, help="seconds to empty the queue")
    parser.add_argument("--database", default="", help="URL of an empty database; default SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(options, Path(folder))


def run(options: argparse.Namespace, folder: Path) -> None:
    archives = Archives(folder / "handed-in")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    service = folder / "service"
    command = [sys.executable, "-m", "hepgym", "serve", "--folder", str(service)]
    command += ["--port", str(port), "--workers", str(options.workers)]
    if options.database:
        command += ["--database", options.database]
    log = (folder / "log").open("w")
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    try:
        wait_until_up(url)
        load = Load(url, options)
        load.run(archives)
        left = empty_queue(url, load.accepted, options.empty)
        report(load, url, left, options)
    finally:
        server.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(60)
        server.kill()
        log.close()


class Archives:
    """Submissions that differ by their seed; the score is computed once."""

    def __init__(self, folder: Path) -> None:
        import numpy as np

        from hepgym.leaderboards.submission import evaluate_predictions
        from hepgym.leaderboards.tasks import load_test_data, task

        self._folder = folder
        self._task = task(TASK)
        data = load_test_data(self._task)
        self._predictions = {
            role: trees.states[:, 0] < np.log(0.08) for role, trees in data.items()
        }
        self._score = evaluate_predictions(self._task, "decisions", self._predictions, data)
        self._lock = threading.Lock()
        self._made = 0

    def next(self) -> bytes:
        """Make another one."""
        from hepgym.leaderboards.service.archives.packing import pack
        from hepgym.leaderboards.submission import write_submission

        with self._lock:
            self._made += 1
            seed = self._made
        folder = self._folder / str(seed)
        write_submission(
            folder,
            self._task,
            agent="load",
            kind="decisions",
            predictions=self._predictions,
            score=self._score,
            seeds=[seed],
            wall_time_s=0.1,
            description=f"Load test, seed {seed}",
        )
        return pack(folder)


class Load:
    """All clients, and what they saw."""

    def __init__(self, url: str, options: argparse.Namespace) -> None:
        self.url = url
        self.options = options
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.problems: list[str] = []
        self.accepted: set[str] = set()
        self._lock = threading.Lock()
        self._end = 0.0

    def run(self, archives: Archives) -> None:
        """Let all clients do their work until the time is over."""
        self._end = time.monotonic() + self.options.seconds
        clients = [
            threading.Thread(target=self._browse, args=(number,))
            for number in range(self.options.browsing)
        ]
        clients += [
            threading.Thread(target=self._submit, args=(number, archives))
            for number in range(self.options.submitting)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def _browse(self, number: int) -> None:
        import httpx

        random_pages = random.Random(number)
        with httpx.Client(base_url=self.url, timeout=60) as client:
            shown = client.get(f"/api/v1/tasks/{TASK}/entries").json()["entries"]
            names = [one["id"] for one in shown]
            while time.monotonic() < self._end:
                kind, path = self._page(random_pages, names)
                self._ask(client, kind, "GET", path)
                time.sleep(random_pages.expovariate(1.0 / self.options.pause))

    def _page(self, random_pages: random.Random, names: list[str]) -> tuple[str, str]:
        one, other = random_pages.sample(names, 2)
        sort = random_pages.choice(["", "window", "median", "f_bkg"])
        return random_pages.choice(
            [
                ("tasks", "/"),
                ("task", f"/tasks/{TASK}?sort={sort}"),
                ("entry", f"/tasks/{TASK}/entries/{one}"),
                ("comparison", f"/tasks/{TASK}/compare?entry={one}&entry={other}"),
                ("API", f"/api/v1/tasks/{TASK}/entries?limit=20"),
            ]
        )

    def _submit(self, number: int, archives: Archives) -> None:
        import httpx

        pauses = random.Random(1000 + number)
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while time.monotonic() < self._end:
                content = archives.next()
                for _ in range(2):
                    answer = self._ask(client, "hand-in", "POST", "/api/v1/submissions", content)
                    if answer is not None:
                        with self._lock:
                            self.accepted.add(answer.json()["id"])
                time.sleep(pauses.expovariate(1.0 / self.options.each))

    def _ask(self, client, kind: str, method: str, path: str, content: bytes | None = None):
        import httpx

        start = time.perf_counter()
        try:
            answer = client.request(method, path, content=content)
        except httpx.HTTPError as error:
            with self._lock:
                self.problems.append(f"{kind}: {type(error).__name__}")
            return None
        seconds = time.perf_counter() - start
        with self._lock:
            self.seconds[kind].append(seconds)
            if answer.status_code not in (200, 202):
                self.problems.append(f"{kind}: {answer.status_code} {answer.text[:100]}")
                return None
        return answer


def empty_queue(url: str, accepted: set[str], seconds: float) -> int:
    """Wait until everything is scored; return how many are not."""
    import httpx

    end = time.monotonic() + seconds
    left = set(accepted)
    while left and time.monotonic() < end:
        for submission in [*left]:
            state = httpx.get(f"{url}/api/v1/submissions/{submission}").json()["state"]
            if state == "scored":
                left.discard(submission)
            elif state != "queued":
                print(f"{submission}: {state}")
                break
            else:
                break
        time.sleep(0.5)
    return len(left)


def report(load: Load, url: str, left: int, options: argparse.Namespace) -> None:
    import httpx

    print(
        f"{options.browsing} browsing, {options.submitting} submitting, {options.seconds:.0f} s, "
        f"{options.workers} worker, {'PostgreSQL' if options.database else 'SQLite'}"
    )
    print(f"{'':12}{'requests':>10}{'median':>10}{'p95':>10}{'p99':>10}{'largest':>10}   (ms)")
    everything = [one for kind in load.seconds if kind != "hand-in" for one in load.seconds[kind]]
    for kind, values in [*sorted(load.seconds.items()), ("all pages", everything)]:
        ordered = sorted(values)

        def at(share: float, ordered=ordered) -> float:
            return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        numbers = (at(0.5), at(0.95), at(0.99), 1000 * ordered[-1])
        print(f"{kind:12}{len(ordered):>10}" + "".join(f"{one:>10.1f}" for one in numbers))
    entries = httpx.get(f"{url}/api/v1/tasks/{TASK}/entries", params={"limit": 1000}).json()
    own = [one["id"] for one in entries["entries"] if one["agent"] == "load"]
    lost = len(load.accepted) - len(own)
    twice = len(own) - len(set(own))
    print(f"accepted {len(load.accepted)}, entries {len(own)}: {lost} lost, {twice} twice")
    print(f"{left} not scored in time, {len(load.problems)} problems {load.problems[:3]}")
    print(json.dumps(httpx.get(f"{url}/health").json()))
    if lost or twice or load.problems:
        sys.exit("entries were lost or doubled, or requests failed")


def wait_until_up(url: str) -> None:
    import httpx

    for _ in range(600):
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health").status_code == 200:
                return
        time.sleep(0.1)
    sys.exit("the server did not start")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
