"""The control plane under a real uvicorn on loopback, with instances as a test wants them."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from nexus.contract.card import Card
from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.api.app import create_api
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.background.bell import Bell
from nexus.gateway.background.composition import base_url
from nexus.gateway.background.desk import Desk, Places
from nexus.gateway.config import Config
from nexus.gateway.edge.auth import Keyring, digest
from nexus.gateway.front import create_guard
from nexus.gateway.health.health import Health
from nexus.gateway.registry.index import build
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.snapshot import Instance, State
from nexus.gateway.registry.sources.announce import AnnounceSource
from nexus.gateway.registry.watcher import Registry
from nexus.gateway.settings import load_settings
from nexus.gateway.siblings import OnlyChild
from nexus.gateway.storage import Store, opening
from nexus.gateway.tokens import TokenBook
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.users.composition import create_people, create_visitors
from nexus.gateway.views import Views
from nexus.jobs.rules import JobRules
from nexus.policies.spending import Spendings
from nexus.policies.token import Token
from tests.servers.turns import make_turns

TOKEN = "sk-test"
OTHERS = {"sk-ada": "ada", "sk-bob": "bob"}
SECRET = "s3cret"


def make_instance(name: str, *, state: State = State.READY, at: str = "", reason: str = "", **card: Any) -> Instance:
    given: dict[str, Any] = {"schema_version": "v1", "service": {"name": name, "version": "1.2"}, **card}
    if "endpoints" not in card:
        given.setdefault("capabilities", {"operations": ["chat.completions"]})
    url = f"http://{at or name}:8000"
    return Instance(url, "static", state, Card.model_validate(given), reason, url)


@dataclass
class Gateway:
    """A running control plane. `client` sends the token; `records` and `logged` are what it told."""

    parts: ApiParts
    client: httpx.AsyncClient
    records: list[dict[str, Any]]
    logged: list[tuple[str, str, dict[str, object]]]
    config: Config = field(default_factory=Config)

    def show(self, *instances: Instance, settled: bool = True, **aliases: str) -> None:
        """Have these instances known."""
        self.config = Config(aliases=aliases)
        self.parts.registry.snapshot = build(instances, aliases, settled=settled)
        self.parts.registry.first_round_done = settled


@pytest.fixture
def instance() -> Callable[..., Instance]:
    return make_instance


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NEXUS_REGISTRATION_SECRET", SECRET)
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/nexus.db")
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    return monkeypatch


@pytest.fixture
async def start_gateway(environment: pytest.MonkeyPatch, upstreams: Upstreams) -> AsyncIterator[Callable[..., Any]]:
    """Starts a control plane with the environment as it is then; `routes` may add to the application."""
    started: list[tuple[uvicorn.Server, asyncio.Task[None], Gateway]] = []

    async def start(**changes: Any) -> Gateway:
        settings = load_settings()
        records: list[dict[str, Any]] = []

        def record(**fields: Any) -> None:
            records.append(fields)

        logged: list[tuple[str, str, dict[str, object]]] = []

        def log(level: str, event: str, **fields: object) -> None:
            logged.append((level, event, fields))

        async def metrics_text() -> bytes:
            return b"nexus_up 1\n"

        async def alone(_: bytes) -> None: ...

        tokens = tuple(Token(digest(token), name) for token, name in OTHERS.items())
        keyring = Keyring(required=settings.auth == "required")
        announce = AnnounceSource(15, time.monotonic)
        registry = Registry((announce,), resolver=Resolver(), discovery_interval=5, health_interval=2, log=log)
        routes = changes.pop("routes", None)
        store = Store(opening(settings), log)
        views = Views(lambda: registry.snapshot)
        visitors = create_visitors(settings, keyring)
        idle = settings.session_idle
        book = TokenBook(keyring, TOKEN, Config(tokens=tokens), store, {}, log, visitors, idle)
        gate = Gate(Slots(), views)
        parts = ApiParts(
            registry=registry,
            announce=announce,
            settings=settings,
            config=lambda: gateway.config,
            metrics_text=metrics_text,
            in_flight=len,  # a number that a test can tell from the URL
            health=Health(),
            turns=make_turns(upstreams, lambda: registry.snapshot),
            check_token=keyring.check_owner,
            guard=create_guard(settings, Config()),
            record=record,
            log=log,
            instance="gateway-1",
            started=1700000000.5,
            store=store,
            tokens=book,
            spendings=Spendings(),
            desk=Desk(store, Places(views.of, JobRules, time.time), Bell(), lambda _: None),
            gate=gate,
            counting=gate,
            views=views,
            base_url=base_url(settings),
            people=create_people(settings, visitors, store, book, alone, log),
            draining=lambda: False,
            pass_on=OnlyChild().tell,
        )
        parts = replace(parts, **changes)
        parts.store.start()
        app = create_api(parts)
        if routes:
            routes(app)
        server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none", proxy_headers=False)
        )
        task = asyncio.create_task(server.serve())
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False
        )
        gateway = Gateway(parts, client, records, logged)
        started.append((server, task, gateway))
        return gateway

    yield start
    for server, task, gateway in started:
        await gateway.client.aclose()
        await gateway.parts.registry.close()
        server.should_exit = True
        await task
        await gateway.parts.store.close()


@pytest.fixture
async def gateway(start_gateway: Callable[..., Any]) -> Gateway:
    gateway: Gateway = await start_gateway()
    return gateway


@pytest.fixture
async def people(environment: pytest.MonkeyPatch, start_gateway: Callable[..., Any]) -> Gateway:
    """A control plane with users."""
    environment.setenv("NEXUS_USERS", "on")
    gateway: Gateway = await start_gateway()
    return gateway
