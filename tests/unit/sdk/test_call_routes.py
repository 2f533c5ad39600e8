"""What is told of a call while it waits and while it runs, and that it is forgotten with its answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nexus.sdk.engine import Call, Engine

MANIFEST = """
[service]
name = "s"
engine = "engine:Works"
[[endpoints]]
operation = "s.work"
path = "/v1/s/work"
"""


class Works(Engine):
    go: threading.Event

    def s_work(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        call.report(0.25, "drawing")
        self.go.wait(10)
        return {}


def test_a_call_is_told_of_by_its_requests_id(start) -> None:
    engine = type("Fresh", (Works,), {"go": threading.Event()})
    running = start(engine, MANIFEST).until_ready()
    calls = running.service.calls
    with ThreadPoolExecutor(3) as threads:
        answers = []
        for name in ("a/1", "b", "c"):
            headers = {"x-request-id": name}
            answers.append(threads.submit(running.post, "/v1/s/work", json={}, headers=headers))
            running.until(lambda name=name: calls.of(name) is not None)
        running.until(lambda: running.service.admission.queued == 2)
        running.until(lambda: running.get("/v1/calls/a/1").json()["progress"] == 0.25)
        first = {"id": "a/1", "state": "running", "position": 0, "progress": 0.25, "message": "drawing"}
        third = {"id": "c", "state": "queued", "position": 2, "progress": 0.0, "message": ""}
        assert running.get("/v1/calls/a/1").json() == first
        assert running.get("/v1/calls/c").json() == third
        engine.go.set()
        assert [answer.result().status_code for answer in answers] == [200, 200, 200]
    running.until(lambda: len(calls) == 0)
    gone = running.get("/v1/calls/a/1")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")
    assert running.post("/v1/calls/a/1").status_code == 405
