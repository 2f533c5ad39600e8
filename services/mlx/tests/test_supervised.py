"""The service with a server of its own, which dies in every way it knows; the simulator takes the server's place."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus.sdk.conformance.run import run_checks

FOLDER = Path(__file__).parents[1]
SIMULATOR = Path(__file__).parent / "simulator.py"
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def client(serve: Any) -> Iterator[httpx.Client]:
    with (
        serve(
            FOLDER,
            NEXUS_MLX_COMMAND=f"{sys.executable} {SIMULATOR}",
            NEXUS_MLX_MODEL="org/own",
            NEXUS_MLX_FIRST_BYTE_SECONDS="2",
        ) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as client,
    ):
        yield client


def say(client: httpx.Client, words: str, **fields: Any) -> httpx.Response:
    return client.post(CHAT, json={"model": "own", "messages": [{"role": "user", "content": words}], **fields})


def comes_back(client: httpx.Client, within: float = 15) -> None:
    """Until it answers as if nothing had been."""
    deadline = time.monotonic() + within
    while (answer := say(client, "Hello")).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        assert answer.status_code in (502, 503)
        time.sleep(0.1)
    assert answer.json()["choices"][0]["message"]["content"] == "One fine answer. Done."


def until(holds: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_answers(client: httpx.Client) -> None:
    comes_back(client)
    card = client.get("/v1/metadata").json()
    assert [(model["id"], model["state"]) for model in card["models"]] == [("own", "ready")]


def test_it_keeps_the_contract(client: httpx.Client) -> None:
    failed = [(one.check.name, one.reason) for one in run_checks(str(client.base_url)) if one.status == "fail"]
    assert failed == []


def test_a_killed_server_is_started_again(client: httpx.Client) -> None:
    assert say(client, "kill").status_code == 502
    comes_back(client)


def test_a_dead_generation_thread_ends_in_a_new_server(client: httpx.Client) -> None:
    answer = say(client, "thread")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "generation_thread_died")
    assert int(answer.headers["retry-after"]) > 0
    comes_back(client)


def test_a_wedged_server_is_replaced(client: httpx.Client) -> None:
    answer = say(client, "wedge")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    comes_back(client)


def test_a_server_that_cannot_be_started_ends_the_service() -> None:
    with _process(NEXUS_MLX_COMMAND=f"{sys.executable} -c exit(3)") as process:
        out, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "mlx_lm.server cannot be started" in out
    assert "Traceback" not in out


def test_a_server_of_somebody_elses_that_is_away(simulate: Any, serve: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with simulate(port, "org/own") as url, _started(serve, url) as client:
        comes_back(client)
        pid = httpx.get(f"{url}/seen", trust_env=False).json()["pid"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: client.get("/readyz").status_code == 503)
        told = client.get("/readyz").json()
        assert "cannot be reached" in told["checks"]["engine"]
        answer = say(client, "Hello")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_ready_service")
        with simulate(port, "org/own"):
            until(lambda: client.get("/readyz").status_code == 200)
            comes_back(client)


@contextmanager
def _started(serve: Any, server: str) -> Iterator[httpx.Client]:
    with (
        serve(FOLDER, NEXUS_MLX_URL=server, NEXUS_MLX_MODEL="org/own") as url,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as client,
    ):
        yield client


def _process(**environment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "nexus.sdk.serve", str(FOLDER), "--port", "0"]
    whole = {**os.environ, **environment}
    return subprocess.Popen(command, env=whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
