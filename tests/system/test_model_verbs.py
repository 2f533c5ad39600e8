"""A service's models are shown, loaded, unloaded, pulled and deleted through the gateway, under the service's name."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.servers.gateway import TOKEN, Gateway
from tests.servers.raw import Answer, RawClient, wait_until
from tests.servers.scripted import ScriptedUpstream
from tests.servers.sdk_service import SdkService

SERVERS = Path(__file__).parents[1] / "servers"
ID = "hf.co/org/small:Q4"


class Shelf(SdkService):
    """One with a folder of its own, in which `models` lie that are not loaded."""

    def __init__(self, folder: Path, models: Sequence[str] = (), **environment: str) -> None:
        folder.mkdir()
        self.folder = folder
        for name in models:
            (folder / f"{quote(name, safe='')}.model").touch()
        super().__init__(SERVERS / "shelf", folder, SHELF_FOLDER=str(folder), **environment)

    def models(self) -> dict[str, bool]:
        """Which there are, and whether each is loaded."""
        return {path.stem: path.read_text() == "loaded" for path in sorted(self.folder.glob("*.model"))}

    def pulls(self) -> list[str]:
        """Those that have ended, this way or that."""
        diary = self.folder / "pulls"
        return diary.read_text().splitlines() if diary.exists() else []


StartShelves = Callable[..., Gateway]


@pytest.fixture
def start(stack: ExitStack, tmp_path: Path) -> StartShelves:
    """Start a gateway before these services, all of them ready."""

    def begin(*services: Any, config: str = "") -> Gateway:
        (tmp_path / "nexus.yaml").write_text(config)
        for service in services:
            stack.enter_context(service)
        gateway = stack.enter_context(Gateway(tmp_path, [service.url for service in services]))
        for service in services:
            gateway.wait_for_state(service.url, "ready")
        return gateway

    return begin


def verb(gateway: Gateway, word: str, name: str = ID, **options: Any) -> Answer:
    return gateway.post(f"/v1/services/shelf/v1/models/{name}/{word}", {}, **options)


def show(gateway: Gateway, name: str = ID, **options: Any) -> Answer:
    return gateway.get(f"/v1/services/shelf/v1/models/{name}", **options)


def known(gateway: Gateway, name: str, within: float = 10.0) -> None:
    """Wait until the gateway offers the model."""
    wait_until(lambda: gateway.get(f"/v1/models/{name}").status == 200, within)


def events(answer: Answer) -> list[Any]:
    assert answer.header("content-type") == "text/event-stream"
    lines = [line.removeprefix("data: ") for line in answer.body.decode().split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_models_whole_life_through_the_gateway(start: StartShelves, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "a")
    gateway = start(shelf)
    assert show(gateway).status == 404
    told = events(verb(gateway, "pull"))
    assert [event if event == "[DONE]" else event["status"] for event in told] == ["pulling", "success", "[DONE]"]
    shown = show(gateway)
    assert (shown.status, shown.header("x-nexus-service")) == (200, "shelf")
    assert (shown.json()["id"], shown.json()["state"], shown.json()["details"]) == (ID, "unloaded", {"folder": "a"})
    assert verb(gateway, "load").json() == {"id": ID, "state": "ready"}
    assert shelf.models() == {quote(ID, safe=""): True}
    assert verb(gateway, "unload", quote(ID, safe="")).json() == {"id": ID, "state": "unloaded"}
    known(gateway, ID)
    assert gateway.post("/v1/moderations", {"model": ID, "input": "x"}).json()["model"] == ID
    deleted = show(gateway, method="DELETE")
    assert (deleted.status, deleted.json()) == (200, {"id": ID, "object": "model", "deleted": True})
    assert shelf.models() == {}
    assert verb(gateway, "load").error["code"] == "model_not_found"


def test_the_verbs_are_for_callers_with_a_key_and_their_errors_are_in_the_envelope(
    start: StartShelves, tmp_path: Path
) -> None:
    gateway = start(Shelf(tmp_path / "a", ["m"]))
    for word in ("load", "unload", "pull"):
        assert verb(gateway, word, "m", token=None).error["code"] == "invalid_api_key"
    assert show(gateway, "m", token=None).status == show(gateway, "m", token=None, method="DELETE").status == 401
    missing = verb(gateway, "pull", "none", headers={"x-request-id": "pull-1"})
    assert (missing.status, missing.error["param"]) == (404, "model")
    line = gateway.request_line("pull-1")
    assert (line["operation"], line["service"], line["status"]) == ("models.pull", "shelf", 404)
    assert gateway.post("/v1/services/shelf/v1/models/../../metrics/load", {}).status == 404
    assert gateway.post("/v1/services/nobody/v1/models/m/load", {}).status == 404


def test_a_service_whose_engine_has_no_such_verb_says_so(start: StartShelves, tmp_path: Path) -> None:
    gateway = start(SdkService(SERVERS / "studio", tmp_path))
    answer = gateway.post("/v1/services/studio/v1/models/m/pull", {})
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert answer.header("x-nexus-service") == "studio"


def test_a_pull_has_no_end_but_silence_and_ends_when_its_caller_leaves(start: StartShelves, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "a", ["m"])
    gateway = start(shelf, config="timeouts: {first_byte: 0.5, idle: 0.5, total: 1}")
    head = f"POST /v1/services/shelf/v1/models/slow/one/pull HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
    with RawClient(gateway.port) as client:
        client.send(f"{head}x-request-id: left\r\ncontent-length: 0\r\n\r\n".encode())
        assert client.read_head()[0] == 200
        began = time.monotonic()
        while time.monotonic() - began < 2:  # twice what any other call may take
            assert client.chunk().startswith(b'data: {"status":"pulling"')
        instance = gateway.instance(shelf.url)
        assert instance is not None
        assert instance["in_flight"] == 0  # it takes no place from the calls
        assert shelf.pulls() == []
    left = time.monotonic()
    wait_until(shelf.pulls, 1.0)
    assert time.monotonic() - left < 1
    assert gateway.request_line("left")["status"] == 499


def test_a_verb_said_again_reaches_the_next_instance(start: StartShelves, tmp_path: Path) -> None:
    shelves = [Shelf(tmp_path / name, ["m"]) for name in ("a", "b")]
    gateway = start(*shelves)
    for word, loaded in (("load", True), ("unload", False)):
        seen = set()
        for _ in shelves:
            answer = verb(gateway, word, "m")
            assert answer.status == 200
            seen.add(answer.header("x-nexus-instance"))
            time.sleep(0.6)  # three of the gateway's looks: it goes by the cards
        assert [shelf.models() for shelf in shelves] == [{"m": loaded}] * 2
        assert len(seen) == 2


def test_verbs_go_to_the_service_also_where_calls_go_to_the_engine_behind(start: StartShelves, tmp_path: Path) -> None:
    with ScriptedUpstream() as engine:
        shelf = Shelf(tmp_path / "a", ["m"], SHELF_DIRECT=engine.url)
        gateway = start(shelf)
        assert verb(gateway, "load", "m").json() == {"id": "m", "state": "ready"}
        assert gateway.get("/v1/services/shelf/v1/metadata").json()["service"]["name"] == "shelf"
        assert not engine.seen


def test_one_whose_engine_has_no_model_is_not_asked_while_another_can_answer(
    start: StartShelves, tmp_path: Path
) -> None:
    gateway = start(Shelf(tmp_path / "empty"), Shelf(tmp_path / "full", ["m"]))
    for _ in range(4):
        answer = gateway.post("/v1/moderations", {"input": "x"})
        assert (answer.status, answer.json()["id"]) == (200, "full")
    show(gateway, "m", method="DELETE")
    wait_until(lambda: gateway.get("/v1/models/m").status == 404)
    refused = gateway.post("/v1/moderations", {"input": "x"})
    assert (refused.status, refused.error["code"]) == (503, "no_ready_service")
    assert "shelf says 'no model that can answer is there'" in refused.error["message"]
