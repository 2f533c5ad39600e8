"""The server that misbehaves does so to the byte, and counts what it is asked."""

import json
from collections.abc import Iterator

import pytest

from tests.chaos.answers import SPEECH, TEXT
from tests.chaos.expected import SETTINGS, TABLE, cells
from tests.chaos.faults import FAULTS
from tests.chaos.fleet import Fleet
from tests.chaos.proxy import Link
from tests.servers.raw import ClosedError, MalformedError, RawClient, fetch, request


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet() as fleet:
        yield fleet


def chat(port: int, model: str, *, stream: bool = False) -> bytes:
    """Everything that is said to one chat, until the other side closes or stops for long."""
    asked = {"model": model, "messages": [{"role": "user", "content": "x"}], "stream": stream}
    with RawClient(port, 1.0) as client:
        client.send(request("/v1/chat/completions", asked, headers={"x-request-id": f"r-{model}"}))
        data = b""
        try:
            while part := client._receive():
                data += part
        except TimeoutError:
            pass
        return data


def test_it_speaks_the_service_contract_and_answers_well(fleet: Fleet) -> None:
    port = fleet.add("svc", ["sound", "cut-goes-on--x"], places=4).port
    assert fetch(port, "/health").json()["status"] == "ok"
    assert fetch(port, "/readyz").json()["status"] == "ready"
    card = fetch(port, "/v1/metadata").json()
    assert fetch(port, "/metadata").json() == card
    assert card["capabilities"]["max_concurrency"] == 4
    assert [model["continuation"] for model in card["models"]] == [False, True]
    answer = fetch(port, "/v1/chat/completions", {"model": "sound", "messages": []})
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    assert fetch(port, "/v1/audio/speech", {"model": "sound", "input": "x"}).body == SPEECH
    assert fetch(port, "/nothing").status == 404
    assert fetch(port, "/attempts").json()["models"] == {"sound": 2}


def test_whoever_is_asked_first_misbehaves_and_the_other_one_does_not(fleet: Fleet) -> None:
    first, second = (fleet.add("svc", ["503-forever--x"]).port for _ in range(2))
    asked = {"model": "503-forever--x", "messages": []}
    statuses = [fetch(port, "/v1/chat/completions", asked).status for port in (second, first, second)]
    assert statuses == [503, 200, 503]
    larger = {"model": "503-forever--x--larger", "messages": []}
    assert fetch(first, "/v1/chat/completions", larger).status == 200
    assert fleet.book.attempts == {"503-forever--x": 3, "503-forever--x--larger": 1}


def test_what_is_done_once_is_done_once(fleet: Fleet) -> None:
    port = fleet.add("svc", ["429-once--x"]).port
    first, second = (fetch(port, "/v1/chat/completions", {"model": "429-once--x", "messages": []}) for _ in range(2))
    assert (first.status, first.header("retry-after"), second.status) == (429, "1", 200)


@pytest.mark.parametrize("fault", ["cut", "half-close", "reset-in-chunk", "stalls", "malformed-framing"])
def test_a_stream_that_is_cut_says_forty_tokens_and_never_that_it_is_done(fleet: Fleet, fault: str) -> None:
    said = chat(fleet.add("svc", [fault]).port, fault, stream=True)
    assert said.count(b'"content"') in (40, 41)  # one of them broken off in the middle
    assert b"w39 " in said
    assert b"[DONE]" not in said
    assert not said.endswith(b"0\r\n\r\n") or fault == "malformed-framing"


def test_a_body_is_shorter_than_its_length(fleet: Fleet) -> None:
    port = fleet.add("svc", ["length-longer"]).port
    with pytest.raises(ClosedError):
        fetch(port, "/v1/chat/completions", {"model": "length-longer", "messages": []})


def test_a_chunk_has_no_size(fleet: Fleet) -> None:
    port = fleet.add("svc", ["malformed-framing"]).port
    with pytest.raises(MalformedError):
        fetch(port, "/v1/chat/completions", {"model": "malformed-framing", "messages": []})


def test_a_body_that_is_no_json_says_it_is(fleet: Fleet) -> None:
    port = fleet.add("svc", ["malformed-event"]).port
    answer = fetch(port, "/v1/chat/completions", {"model": "malformed-event", "messages": []})
    assert answer.header("content-type") == "application/json"
    with pytest.raises(ValueError):
        answer.json()


def test_a_link_half_closes_after_so_many_bytes(fleet: Fleet) -> None:
    server = fleet.add("svc", ["sound"])
    said = chat(fleet.behind(server, Link(half_close_after=300)).port, "sound", stream=True)
    assert len(said) == 300


def test_a_link_resets_and_a_black_hole_says_nothing_until_it_is_none(fleet: Fleet) -> None:
    server = fleet.add("svc", ["sound"])
    assert chat(fleet.behind(server, Link(resets=1.0)).port, "sound") == b""
    proxy = fleet.behind(server, Link(black_hole=True))
    with RawClient(proxy.port, 0.2) as client:
        client.send(request("/health"))
        with pytest.raises(TimeoutError):
            client.answer()
        fleet.run(proxy.change(Link()))
        assert client.answer().json() == {"status": "ok", "checks": {}}


def test_every_fault_is_in_the_table_for_every_setting_that_could_rescue_it() -> None:
    assert {row[0] for row in TABLE} == set(FAULTS)
    found = [(cell.fault, cell.setting, cell.operation) for setting in SETTINGS for cell in cells(setting)]
    assert len(found) == len(set(found))
    for fault in FAULTS:
        settings = {setting for name, setting, _ in found if name == fault}
        assert {"second", "fallback"} <= settings, fault
    assert json.dumps(found)
