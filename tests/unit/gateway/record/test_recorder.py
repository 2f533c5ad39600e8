"""Each outcome is counted once and logged once."""

import io
import json
from typing import Any

import pytest

from nexus.gateway.record.lines import LineWriter
from nexus.gateway.record.metrics import Metrics
from nexus.gateway.record.recorder import Recorder
from nexus.gateway.values import Outcome


class Told:
    """A recorder and what it told."""

    def __init__(self) -> None:
        self._stream = io.BytesIO()
        self._lines = LineWriter(self._stream)
        self.metrics = Metrics(dict)
        self.used: dict[str, float] = {}
        self.recorder = Recorder(self.metrics, self._lines, self.used)

    def log(self) -> list[dict[str, Any]]:
        self._lines.start()
        self._lines.close()
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def told() -> Told:
    return Told()


def test_an_outcome_is_a_count_and_a_line(told: Told) -> None:
    told.recorder.record(
        Outcome(1.5, "info", "request", "req-1", "administrator", "chat.completions", 200, 3.25, model="m", error="x")
    )
    assert told.log() == [
        {
            "ts": 1.5,
            "level": "info",
            "event": "request",
            "request_id": "req-1",
            "token": "administrator",
            "operation": "chat.completions",
            "status": 200,
            "ms": 3.25,
            "model": "m",
            "error": "x",
        }
    ]
    counted = b'nexus_requests_total{model="m",operation="chat.completions",service="",status="200"} 1.0'
    assert counted in told.metrics.text()
    assert told.used == {"administrator": 1.5}


@pytest.mark.parametrize(("status", "level"), [(200, "info"), (404, "info"), (500, "error"), (503, "error")])
def test_a_request_to_the_control_plane_is_told_in_the_same_words(told: Told, status: int, level: str) -> None:
    told.recorder.record_control(
        method="GET", path="/v1/services/{name}", status=status, seconds=0.0012349, request_id="req-2"
    )
    (line,) = told.log()
    assert isinstance(line.pop("ts"), float)
    assert line == {
        "level": level,
        "event": "request",
        "request_id": "req-2",
        "token": "",
        "operation": "GET /v1/services/{name}",
        "status": status,
        "ms": 1.23,
    }
    assert f'operation="GET /v1/services/{{name}}",service="",status="{status}"'.encode() in told.metrics.text()
