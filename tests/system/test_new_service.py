"""The promise: a new service that is started while traffic flows is a route of the gateway, with no restart."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers.gateway import Gateway, free_port
from tests.servers.raw import fetch, wait_until
from tests.servers.scripted import ScriptedUpstream
from tests.servers.traffic import Traffic

INTERVAL = 1.0
SECRET = "registration-0123456789abcdef"
TEXT = "to be or not to be"


def new_service(parent: Path) -> Path:
    """What `nexus service new` writes, untouched."""
    command = [sys.executable, "-m", "nexus.cli", "service", "new", "wordy", "--into", str(parent)]
    subprocess.run(command, check=True, capture_output=True)
    return parent / "wordy"


@contextmanager
def serving(folder: Path, port: int, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The service as a process of its own; SIGTERM at the end, if it still runs."""
    command = [sys.executable, "-m", "nexus.sdk.serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=log, stderr=log, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def is_ready(port: int) -> bool:
    try:
        return fetch(port, "/readyz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("way", ["by-name", "announced"])
def test_a_new_service_is_a_route_while_traffic_flows(
    start_gateway: Callable[..., Gateway], stack: ExitStack, tmp_path: Path, way: str
) -> None:
    port = free_port()
    folder = new_service(tmp_path / "services")
    intervals = {"NEXUS_DISCOVERY_INTERVAL": str(INTERVAL), "NEXUS_HEALTH_INTERVAL": str(INTERVAL)}
    found = {"NEXUS_DISCOVERY_DNS": f"localhost:{port}"} if way == "by-name" else {"NEXUS_REGISTRATION_SECRET": SECRET}
    gateway = start_gateway(stack.enter_context(ScriptedUpstream()), env={**intervals, **found})
    told = {} if way == "by-name" else {"NEXUS_GATEWAY_URL": gateway.url, "NEXUS_REGISTRATION_SECRET": SECRET}

    def count() -> int:
        return gateway.post("/v1/wordy/count", {"text": TEXT}).status

    traffic = Traffic(gateway)
    with traffic.flowing(2):
        wait_until(lambda: len(traffic.answers) > 10)
        assert count() == 404
        with serving(folder, port, told) as process:
            wait_until(lambda: is_ready(port), 15)
            began = time.monotonic()
            wait_until(lambda: count() == 200, 2 * INTERVAL)
            assert time.monotonic() - began < 2 * INTERVAL
            answer = gateway.post("/v1/wordy/count", {"text": TEXT})
            assert answer.json()["words"] == 6
            assert answer.header("x-nexus-service") == "wordy"
            assert gateway.post("/v1/wordy/count", {"text": TEXT, "stream": True}).body.startswith(b"data: ")
            assert gateway.get("/v1/services/wordy").json()["state"] == "ready"
            process.kill()
            process.wait()
            # Nothing listens there any more: no call may wait for the prober to find out.
            refused = gateway.post("/v1/wordy/count", {"text": TEXT})
            assert refused.status in (404, 503)
            wait_until(lambda: gateway.get("/v1/services/wordy").status == 404, 3 * INTERVAL)
        after = len(traffic.answers)
        wait_until(lambda: len(traffic.answers) > after + 10)
    assert traffic.failed == []
