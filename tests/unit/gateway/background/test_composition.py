"""The parts as the gateway joins them: a call is put off, run by the same stages and answered to who waited."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nexus.contract.operations import BY_NAME
from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.artifacts import JOB_SECONDS
from nexus.gateway.background.composition import Background, RequestPath, base_url, create_background
from nexus.gateway.config import ConfigFile
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.endpoints import standard
from nexus.gateway.health.health import Health
from nexus.gateway.inference import Inference
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.settings import load_settings
from nexus.gateway.storage import Store, opening
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Head, Outcome, Request
from nexus.gateway.views import Views
from nexus.policies.token import Bearer
from tests.servers.caller import Caller
from tests.servers.calls import make_instance
from tests.servers.peer import Peer
from tests.servers.turns import make_turns


@dataclass
class Gateway:
    background: Background
    inference: Inference
    recorded: list[Outcome]
    store: Store

    def ask(self, operation: str, body: dict[str, Any], prefer: bytes = b"respond-async, wait=60") -> Caller:
        head = Head(
            standard(BY_NAME[operation]),
            BY_NAME[operation].path,
            b"content-type: application/json\r\n",
            b"application/json",
            Bearer("ada"),
            prefer=prefer,
            host=b"gw.test:8800",
        )
        caller = Caller()
        caller.start(self.inference.serve(Request(head, json.dumps(body).encode(), "req-9", 0.0, 0.0), caller))
        return caller


@pytest.fixture
async def gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: Peer, upstreams: Upstreams
) -> AsyncIterator[Gateway]:
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/nexus.db")
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    settings = load_settings()
    (tmp_path / "nexus.yaml").write_text("jobs: {timeout: 0.2, keep: 7200}\n")
    configuration = ConfigFile(tmp_path / "nexus.yaml", lambda *_, **__: None)
    configuration.load()
    operations = ("images.generations", "music.generations")
    snapshot: Snapshot = build([make_instance("studio", url=peer.url, operations=operations, models=())], {})
    recorded: list[Outcome] = []
    dispatcher = Dispatcher(upstreams, lambda url, reason: None)
    views, there = Views(lambda: snapshot), SimpleNamespace(snapshot=snapshot)
    gate, turns = Gate(Slots(), views), make_turns(upstreams, lambda: snapshot)
    record, health = recorded.append, Health()
    path = RequestPath(views, upstreams.in_flight, gate, dispatcher, record, there, configuration, health, turns)
    store = Store(opening(settings), lambda *_, **__: None)
    store.start()
    background = create_background(path, store, configuration, settings, Bearer)
    inference = path.story(configuration.timeouts_for, background.siding)
    running = asyncio.create_task(background.runner.run())
    yield Gateway(background, inference, recorded, store)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await background.runner.close()
    await store.close()


async def test_who_waits_for_a_job_gets_its_answer(gateway: Gateway, peer: Peer) -> None:
    caller = gateway.ask("music.generations", {"prompt": "x"})
    side = await peer.called()
    side.answer(b"sound", b"content-type: audio/wav")
    await caller.result()
    assert (caller.status, caller.body) == (200, b"sound")
    assert {b"content-type: audio/wav", b"x-request-id: req-9"} <= set(caller.lines())
    names = [line.partition(b": ")[2] for line in caller.lines() if line.startswith(b"x-nexus-job: ")]
    assert [outcome.request_id for outcome in gateway.recorded] == [names[0].decode(), "req-9"]


async def test_who_does_not_wait_gets_the_job(gateway: Gateway, peer: Peer) -> None:
    caller = gateway.ask("music.generations", {"prompt": "x", "background": True}, prefer=b"")
    await caller.result()
    job = json.loads(caller.body)
    assert (caller.status, job["status"]) == (202, "queued")
    assert b"location: /v1/jobs/" + job["id"].encode() in caller.lines()


async def test_a_run_is_bounded_by_the_jobs_own_time(gateway: Gateway, peer: Peer) -> None:
    caller = gateway.ask("music.generations", {"prompt": "x"})
    await peer.called()
    await caller.result()
    assert (caller.status, json.loads(caller.body)["error"]["code"]) == (504, "upstream_timeout")


async def test_pictures_of_a_job_have_urls_at_the_gateway_that_its_client_knows(gateway: Gateway, peer: Peer) -> None:
    caller = gateway.ask("images.generations", {"prompt": "x", "response_format": "url"})
    side = await peer.called()
    side.answer(b'{"created":1,"data":[{"b64_json":"iVBORw0KGgo="}]}', b"content-type: application/json")
    await caller.result()
    ((item,),) = [json.loads(caller.body)["data"]]
    assert item["url"].startswith("http://gw.test:8800/v1/artifacts/")
    assert item["url"].endswith("/image-1.png")
    made = await (await gateway.store.opened()).files.find(item["url"].split("/")[-2], "artifact")
    assert made is not None
    assert made.job == gateway.recorded[0].request_id
    assert made.expires_at == pytest.approx(time.time() + 7200 + JOB_SECONDS, abs=60)
    job = await gateway.background.desk.find(made.job, "ada")
    await gateway.background.desk.forget(job)
    assert await (await gateway.store.opened()).files.find(made.id, "artifact") is None


async def test_calling_off_at_the_desk_ends_the_run(gateway: Gateway, peer: Peer) -> None:
    caller = gateway.ask("music.generations", {"prompt": "x", "background": True}, prefer=b"")
    await caller.result()
    side = await peer.called()
    job = await gateway.background.desk.find(json.loads(caller.body)["id"], "ada")
    await gateway.background.desk.cancel(job)
    await side.closed()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "http://host:1"),
        ({"NEXUS_PUBLIC_URL": "https://ai.example.org"}, "https://ai.example.org"),
    ],
)
def test_how_clients_reach_the_gateway(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert base_url(load_settings())(b"host:1") == told


def test_over_tls_the_url_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CERT", "KEY"):
        (tmp_path / name).write_text("")
        monkeypatch.setenv(f"NEXUS_TLS_{name}", str(tmp_path / name))
    assert base_url(load_settings())(b"h\xf6st") == "https://höst"
