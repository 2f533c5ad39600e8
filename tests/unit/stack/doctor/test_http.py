"""Real listeners: one that answers, one that is silent, one that is gone."""

import time

import pytest

from nexus.stack.doctor.http import Answer, get
from tests.servers.gateway import free_port
from tests.servers.listeners import full_listener
from tests.servers.scripted import ScriptedUpstream


def test_json_is_read_and_other_bodies_are_not() -> None:
    with ScriptedUpstream() as upstream:
        assert get(f"{upstream.url}/health") == Answer(200, {"status": "ok"})
        answer = get(f"{upstream.url}/metrics")
        assert isinstance(answer, Answer)
        assert answer.status >= 200


def test_nobody_listens() -> None:
    answer = get(f"http://127.0.0.1:{free_port()}/")
    assert isinstance(answer, str)
    assert "refused" in answer


def test_somebody_listens_and_says_nothing(taken: int) -> None:
    began = time.monotonic()
    answer = get(f"http://127.0.0.1:{taken}/", seconds=0.2)
    assert answer == "it takes the connection, but does not answer within 0.2 s"
    assert time.monotonic() - began < 5


def test_nobody_takes_the_connection() -> None:
    with full_listener() as port:
        assert get(f"http://127.0.0.1:{port}/", seconds=0.2) == "no connection within 0.2 s"


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:x/"])
def test_no_address(url: str) -> None:
    assert isinstance(get(url), str)
