"""A real storage in a folder, a clock that only the test moves, and a runner before a service that the test plays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nexus.contract.operations import BY_NAME
from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.background.bell import Bell
from nexus.gateway.background.desk import Desk, Places
from nexus.gateway.background.runner import Runner
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.edge.auth import ADMINISTRATOR, Keyring, digest
from nexus.gateway.endpoints import standard
from nexus.gateway.inference import Inference
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.index import build
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.snapshot import Instance, Snapshot
from nexus.gateway.settings import load_settings
from nexus.gateway.storage import Opened, Store, opening
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, Outcome, Timeouts
from nexus.gateway.views import Views
from nexus.jobs.ledger import Ledger
from nexus.jobs.rules import JobRules
from nexus.jobs.values import Job
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.blobs import Blobs
from nexus.store.errors import DatabaseError
from tests.servers.calls import make_call, make_instance
from tests.servers.clock import Clock
from tests.servers.peer import Peer
from tests.servers.turns import make_turns

MUSIC = standard(BY_NAME["music.generations"])


class FailingLedger(Ledger):
    """A real ledger whose database fails as often as `failures` says, if `written` only after it has written."""

    failures = 0
    written = False
    failed = 0

    async def _count(self, statement: Any) -> int:
        if self.written and self.failures:
            await super()._count(statement)
        self._perhaps_fail()
        return await super()._count(statement)

    async def get(self, identity: str, token: str | None = None) -> Job | None:
        if not self.written:
            self._perhaps_fail()
        return await super().get(identity, token)

    def _perhaps_fail(self) -> None:
        if self.failures:
            self.failures -= 1
            self.failed += 1
            raise DatabaseError("the database is away")


class GatedBlobs(Blobs):
    """Real blobs; a put waits until `gate` is open, and `putting` says that one does."""

    def gated(self) -> None:
        self.gate = asyncio.Event()
        self.putting = asyncio.Event()

    async def put(self, key: str, data: bytes) -> None:
        if hasattr(self, "gate"):
            self.putting.set()
            await self.gate.wait()
        await super().put(key, data)


class Office:
    """Desk, runner and storage, joined as the gateway joins them; `snapshot` and `rules` are the test's."""

    def __init__(self, store: Store, opened: Opened, clock: Clock, upstreams: Upstreams) -> None:
        self.store, self.opened, self.clock, self.upstreams = store, opened, clock, upstreams
        self.ledger = opened.ledger
        self.snapshot: Snapshot = build([], {})
        self.rules = JobRules()
        self.keyring = Keyring([Token(digest("sk-admin"), ADMINISTRATOR)])
        self.bell = Bell()
        self.recorded: list[Outcome] = []
        self.runners: list[tuple[Runner, asyncio.Task[None]]] = []
        self.desk = Desk(store, Places(self.view, lambda: self.rules, clock), self.bell, self.stop)
        self.stopped: list[str] = []
        self.turns = make_turns(upstreams, lambda: self.snapshot)

    def stop(self, identity: str) -> None:
        self.stopped.append(identity)
        for runner, _ in self.runners:
            runner.stop(identity)

    def view(self, policy: Policy | None = None) -> Snapshot:
        return self.snapshot

    def show(self, *instances: Instance, **aliases: str) -> None:
        self.snapshot = build(instances, aliases)

    async def accept(self, body: bytes = b'{"prompt":"x"}', model: str | None = None, **fields: Any) -> Job:
        given = {"at": MUSIC, **fields}
        base_url, details, prefix = (
            given.pop("base_url", "http://gw"),
            given.pop("details", None),
            given.pop("prefix", ""),
        )
        call: Call = make_call(model, body, **given)
        return await self.desk.accept(call, base_url, details, *([prefix] if prefix else []))

    def runner(self, timeouts: Timeouts | None = None, siding: Any = None) -> Runner:
        """A runner that is not running yet."""
        inference = Inference(
            there=self,
            view=self.view,
            timeouts=lambda operation, model: timeouts or Timeouts(),
            in_flight=self.upstreams.in_flight,
            gate=Gate(Slots(), Views(lambda: self.snapshot)),
            dispatcher=Dispatcher(self.upstreams, lambda url, reason: None),
            record=self.recorded.append,
            siding=siding,
            turns=self.turns,
        )
        return Runner(
            self.store,
            lambda: self.snapshot,
            self.upstreams.in_flight,
            self.turns,
            lambda: self.rules,
            inference.serve,
            self.keyring.bearer,
            Fetcher(Resolver()),
            self.bell,
        )

    def start(self, timeouts: Timeouts | None = None, siding: Any = None) -> Runner:
        runner = self.runner(timeouts, siding)
        self.runners.append((runner, asyncio.create_task(runner.run())))
        return runner

    async def state(self, job: Job) -> Job:
        found = await self.ledger.get(job.id)
        assert found is not None
        return found

    async def until(self, job: Job, condition: Callable[[Job], bool]) -> Job:
        """The job once it is so; the runner is woken meanwhile, as its own looks are a second apart."""
        async with asyncio.timeout(15):
            while not condition(found := await self.state(job)):
                self.bell.ring()
                await asyncio.sleep(0.01)
        return found

    async def names(self) -> list[str]:
        """The keys of all blobs."""
        folder = Path(self.folder)
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    folder: Path


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.0)


@pytest.fixture
async def office(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, upstreams: Upstreams
) -> AsyncIterator[Office]:
    monkeypatch.setenv("NEXUS_DATABASE_URL", f"sqlite:///{tmp_path}/nexus.db")
    monkeypatch.setenv("NEXUS_FILES_URL", str(tmp_path / "files"))
    settings = load_settings()

    async def start() -> Opened:
        opened = await opening(settings)()
        blobs = GatedBlobs(settings.files_url)
        await blobs.open()
        return replace(opened, blobs=blobs, ledger=FailingLedger(opened.database, clock))

    store = Store(start, lambda *_, **__: None)
    store.start()
    office = Office(store, await store.opened(), clock, upstreams)
    office.folder = tmp_path / "files"
    yield office
    for runner, task in office.runners:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await runner.close()
    await store.close()


@pytest.fixture
def music(office: Office, peer: Peer) -> Callable[..., None]:
    """Have the peer known as a service that makes music, `places` songs at once."""

    def show(places: int = 1, **fields: Any) -> None:
        office.show(
            make_instance(
                "music", url=peer.url, **{"operations": ("music.generations",), "models": (), **fields}, places=places
            )
        )

    return show
