"""One running service, put together: its parts, whether it is ready, and how it starts and ends."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nexus.contract.card import Card
from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.sdk.admission import Admission
from nexus.sdk.asking import Asker
from nexus.sdk.binding import BoundOperation, bind, import_engine, make_engine
from nexus.sdk.calls import RunningCalls
from nexus.sdk.card import live_card
from nexus.sdk.engine import Call, Engine, Progress
from nexus.sdk.environment import ServiceSettings
from nexus.sdk.keeper import Keeper
from nexus.sdk.manifest import ServiceManifest, provisional_card
from nexus.sdk.metrics import Levels, Metrics
from nexus.sdk.models import manifest_folders, read_entries
from nexus.sdk.problems import ServiceError
from nexus.sdk.roster import Resident, Roster
from nexus.sdk.tools import collect
from nexus.sdk.workers import Workers

STOP_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 5.0
NOTICE_SECONDS: Final = 3.0
_ARRIVING_SECONDS: Final = 0.2
_MAX_PROBERS: Final = 64
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests should come, and what was looked at; `reason` is one line, empty when ready."""

    status: str
    reason: str
    checks: Mapping[str, str]

    @property
    def ready(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Prober:
    """Somebody that asks whether the service is ready: when `last`, by the loop's clock, and how long after the time
    before that (0 when it is the first)."""

    last: float
    gap: float

    @property
    def due(self) -> float:
        """By when it has asked again, if it still asks."""
        return self.last + 2 * self.gap


class Service:
    """The parts of one service process. Make it on the event loop; `start` it, serve `app.build_app(it)`, `drain` it.

    `engine_class` gives the engine's class when it is called in a thread; by default the manifest's is imported.
    """

    def __init__(
        self,
        manifest: ServiceManifest,
        settings: ServiceSettings,
        engine_class: Callable[[], type[Engine]] | None = None,
    ) -> None:
        self.manifest = manifest
        self.settings = settings
        self._engine_class = engine_class or (lambda: import_engine(manifest))
        self.roster = Roster(manifest.operations)
        self.admission = Admission(manifest.capabilities.max_concurrency, manifest.capabilities.max_queue)
        self.workers = Workers(manifest.capabilities.max_concurrency)
        self.calls = RunningCalls()
        self.asker = Asker(manifest.service.uses, manifest.limits.timeout_seconds, settings.ca_cert)
        self.metrics = Metrics(self._levels)
        self.keeper: Keeper | None = None
        self.engine: Engine | None = None
        self._bound: Mapping[str, BoundOperation] = MappingProxyType({})
        promised = provisional_card(manifest, read_entries(self._folders()), settings.instance)
        self._promised = promised.model_copy(update={"region": settings.region})
        self._draining_since: float | None = None
        self._probers: dict[str, Prober] = {}
        self._told = asyncio.Condition()

    async def run(self) -> None:
        """Bring the engine up and keep the models, until cancelled. Raises ServiceError when there is no engine."""
        engine, bound = await asyncio.to_thread(self._make_engine)
        self.engine = engine
        try:
            await engine.open()
        except Exception as error:  # an author's `open` may raise anything
            reason = " ".join(str(error).split())
            told = reason if isinstance(error, ApiError) else f"{type(error).__name__}: {reason}"
            raise ServiceError(f"the engine cannot be opened: {told}") from error
        self._bound = bound
        keeper = Keeper(
            engine,
            self.roster,
            self._folders,
            implicit=self.manifest.name,
            cache=self.settings.models_cache,
            grace=self.manifest.limits.timeout_seconds,
        )
        await keeper.look()
        self.keeper = keeper
        _log.info("the engine is up", extra={"models": len(self.roster.residents)})
        await keeper.run()

    async def drain(self) -> None:
        """Let the running calls end, for at most the drain seconds; then stop those that are left and unload."""
        self._draining_since = asyncio.get_running_loop().time()
        await self._give_notice()
        if not await self.calls.ended(self.settings.drain_seconds):
            _log.warning("calls are cut off at the end of the drain", extra={"calls": len(self.calls)})
            self.calls.stop_all(ApiError(NO_READY_SERVICE, "the service has ended", retry_after=1))
            await self.calls.ended(STOP_SECONDS)
        if self.keeper is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self.keeper.close()
        if self.engine is not None:
            await self._close(self.engine)
        self.workers.close()
        await self.asker.close()

    async def probed(self, by: str) -> None:
        """Remember that `by` has just asked whether the service is ready."""
        now = asyncio.get_running_loop().time()
        before = self._probers.get(by)
        if before is None and len(self._probers) >= _MAX_PROBERS:
            self._probers.clear()
        self._probers[by] = Prober(now, now - before.last if before else 0)
        async with self._told:
            self._told.notify_all()

    async def _give_notice(self) -> None:
        """Wait until all that ask for the readiness again and again have asked once more, so that they send no calls
        any more, and until what they have sent already is here; at most NOTICE_SECONDS."""
        since = asyncio.get_running_loop().time()
        waiting = {by: prober.due for by, prober in self._probers.items() if prober.due > since}
        if not waiting:
            return
        with suppress(TimeoutError):
            patience = min(max(waiting.values()) - since, NOTICE_SECONDS - _ARRIVING_SECONDS)
            async with asyncio.timeout(patience), self._told:
                await self._told.wait_for(lambda: all(self._probers[by].last > since for by in waiting))
        await asyncio.sleep(_ARRIVING_SECONDS)

    def bound(self, operation: str) -> BoundOperation:
        """The operation with the engine's method for it. Raises ApiError (503) while starting and when draining.

        For the first NOTICE_SECONDS of a drain calls are still taken: whoever routes them cannot know yet.
        """
        since = self._draining_since
        if since is not None and asyncio.get_running_loop().time() - since > NOTICE_SECONDS:
            raise ApiError(NO_READY_SERVICE, "the service is about to end", retry_after=1)
        if operation not in self._bound:
            raise ApiError(NO_READY_SERVICE, "the service is starting", retry_after=2)
        return self._bound[operation]

    async def prepare(self, call: Call, resident: Resident) -> None:
        """Have the model of `call` in memory, where the first call is to load it; the call's progress says so.

        How that went is on the resident.
        """
        if self.keeper is not None and resident.on_demand and resident.state in ("unloaded", "loading"):
            call.progress = Progress(message=f"loading {resident.id}")
            await self.keeper.load(resident)
            call.progress = Progress()
        call.model = resident.model

    async def look(self) -> None:
        """Look at the models now, because something was just done to them."""
        if self.keeper is not None:
            with suppress(OSError):  # folders that cannot be read now are told at the next regular look
                await self.keeper.look()

    def card(self) -> Card:
        """The card as it is now."""
        if self.keeper is None:
            return self._promised
        base_url = self.engine.base_url if self.engine else None
        models, told = self.roster.on_card(), self.keeper.told
        brought = self.roster.tools()
        return live_card(self._promised, self._bound, models, base_url, brought=brought, needs_models=told)

    def readiness(self) -> Readiness:
        """Ready: not draining, and at least one model can answer, be it that the first call loads it. Models that still
        load or have failed are told in the checks; they do not keep the others from answering. A service whose engine
        tells its models is ready without any, so that one can be pulled; it is not while that engine is out of reach.
        """
        residents = self.roster.residents.values()
        outage = self.roster.outage
        checks = {"engine": outage.message if outage else "ready" if self.keeper else "loading"}
        checks |= {f"model {one.id}": f"{one.state}: {one.reason}" if one.reason else one.state for one in residents}
        checks |= {f"model {name}": reason for name, reason in self.roster.refused.items()}
        tools = collect(self._promised.tools, self.roster.tools(), self._promised.endpoints)
        checks |= {f"tool {name}": reason for name, reason in tools.refused.items()}
        checks |= {f"entry {problem.file.name}": f"{problem.key}: {problem.reason}" for problem in self.roster.problems}
        status, reason = self._status()
        return Readiness(status, reason, checks)

    def _status(self) -> tuple[str, str]:
        """In a word whether requests should come, and in a line why not."""
        residents = self.roster.residents.values()
        if self._draining_since is not None:
            return "draining", "the service is about to end"
        if self.roster.outage is not None:
            return "failed", self.roster.outage.message
        if any(one.can_answer for one in residents):
            return "ready", ""
        failed = next((f"{one.id}: {one.reason}" for one in residents if one.state == "failed"), "")
        if self.keeper is None or any(one.state == "loading" for one in residents):
            return "loading", "models are loading"
        if failed or self.roster.problems:
            return "failed", failed or str(self.roster.problems[0])
        return ("ready", "") if self.keeper.told else ("loading", "no model is loaded")

    async def _close(self, engine: Engine) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await engine.close()
        except Exception:  # noqa: BLE001 - an author's `close` may raise anything, and the service ends all the same
            if self._bound:  # else `open` failed and is told; what it left half open need not be told as well
                _log.exception("the engine cannot be closed")

    def _make_engine(self) -> tuple[Engine, Mapping[str, BoundOperation]]:
        engine = make_engine(self._engine_class(), self.settings.config)
        return engine, MappingProxyType(bind(self.manifest, engine))

    def _folders(self) -> tuple[Path, ...]:
        return manifest_folders(self.manifest.folder, self.manifest.name, self.settings.models_dir)

    def _levels(self) -> Levels:
        return Levels(self.admission.in_flight, self.admission.queued, self.roster.on_card())
