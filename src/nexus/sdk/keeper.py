"""Keeps the models as the manifest folders say: loads what is new, reloads what changed, unloads what is gone.

Where the engine behind the service tells which models it has, they come and go as it says instead. One model is loaded
or unloaded at a time; files are found and fetched beside that. A model that is there on demand is loaded by its first
call and unloaded when it has been idle. Nothing that a model or its entry does wrong ends the service: it is told on
the roster.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.sdk import discovery
from nexus.sdk.discovery import Sight
from nexus.sdk.engine import Engine, Model
from nexus.sdk.memory import give_back
from nexus.sdk.problems import ManifestError, ServiceError
from nexus.sdk.roster import Resident, Roster
from nexus.sdk.sources import resolve, unresolved
from nexus.sdk.wishes import Wish, Wishes, scan_wishes

POLL_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 5.0
Folders = Callable[[], tuple[Path, ...]]
_VANISHED: Final = "the engine does not have it any more"
_log: Final = logging.getLogger(__name__)


class Keeper:
    """Brings the roster's models in line with what stands in the folders that `folders()` names.

    `implicit` is the id of the one model of a service whose folders are empty. `grace` is for how many seconds the
    calls on a model that goes may still run. `told` is whether the engine behind told its models at the last look.
    """

    def __init__(
        self, engine: Engine, roster: Roster, folders: Folders, *, implicit: str, cache: Path, grace: float
    ) -> None:
        self._engine = engine
        self._roster = roster
        self._folders = folders
        self._implicit = implicit
        self._cache = cache
        self._grace = grace
        self._wishes: Wishes = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loads: dict[Resident, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._looking = asyncio.Lock()
        self.told = False
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._finder = ThreadPoolExecutor(4, thread_name_prefix="find")

    async def run(self) -> None:
        """Look at the folders and at what is idle every POLL_SECONDS, until cancelled."""
        while True:
            self.tend()
            try:
                await self.look()
            except OSError as error:
                _log.warning("the model folders cannot be read", extra={"reason": str(error)})
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Look once at the folders and at what the engine behind has, and start what is to be done."""
        async with self._looking:
            wishes, problems = await asyncio.to_thread(self._scan)
            for problem in problems:
                if str(problem) not in map(str, self._roster.problems):
                    _log.error("a model entry cannot be used", extra={"reason": str(problem)})
            self._roster.problems = problems
            asked = time.monotonic()
            wanted = [unresolved(wish.entry) for wish in wishes.values() if wish.entry is not None]
            try:
                sight = await discovery.ask(self._engine, wanted, self._roster.operations)
            except ApiError as error:
                self._lose(error, wishes)
                return
            if self._roster.outage is not None:
                _log.info("the engine can be reached again")
            self._roster.outage = None
            self._settle(wishes, sight, asked)

    def _lose(self, error: ApiError, wishes: Wishes) -> None:
        """The engine behind cannot be asked: what it had stays known, for it may be back in a moment."""
        if self._roster.outage is None or self._roster.outage.message != error.message:
            _log.error("the engine cannot be asked", extra={"reason": error.message})
        self._roster.outage = error
        if not self._roster.residents:
            self._wishes = {name: wish for name, wish in wishes.items() if wish.entry is not None}
            self._roster.residents = {name: self._new(name, wish) for name, wish in self._wishes.items()}

    def _settle(self, wishes: Wishes, sight: Sight | None, asked: float) -> None:
        """Make the roster what the entries say or, where the engine behind tells its models, what it says."""
        before = self._roster.residents
        self.told = sight is not None
        if sight is None:
            after = {name: self._kept(before.get(name), name, wish) for name, wish in wishes.items()}
        else:
            wishes = {name: wish for name, wish in wishes.items() if wish.entry is not None}
            after = {}
            for found in sight.found:
                name = found.model.id
                after[name] = self._kept(before.get(name), name, wishes.get(name))
                after[name].follow(found, asked)
            self._roster.refused = self._told_refused(sight)
        changed = {name for name in before.keys() | wishes.keys() if self._wishes.get(name) != wishes.get(name)}
        self._wishes, self._roster.residents = wishes, after
        for name in before.keys() | after.keys():
            old, new = before.get(name), after.get(name)
            if old is not None and old is not new and old.told is not None and name not in changed:
                old.gone.set()
                old.turn("failed", _VANISHED)
                self._start(self._let_go(old))
            elif old is not new:
                self._start(self._replace(old, new))

    def _told_refused(self, sight: Sight) -> Mapping[str, str]:
        for name, reason in sight.refused.items():
            if self._roster.refused.get(name) != reason:
                _log.warning("a model of the engine cannot be offered", extra={"model": name, "reason": reason})
        return sight.refused

    def tend(self) -> None:
        """Of the models that are there on demand: start to unload the idle ones, and let those that could not be
        loaded RETRY_SECONDS ago be asked for again."""
        for resident in self._roster.residents.values():
            paused = time.monotonic() - resident.since >= RETRY_SECONDS
            if resident.idle:
                self._start(self._down_if_idle(resident))
            elif resident.on_demand and resident.failed_here and paused:
                resident.turn("unloaded", resident.reason)

    async def load(self, resident: Resident) -> None:
        """Make a model ready that is not; how that went is on the resident.

        Whoever asks while it is being loaded waits for that one load, and may leave without harm to the others.
        """
        task = self._loads.get(resident)
        if task is None:
            task = self._loads[resident] = self._start(self._up(resident))
            task.add_done_callback(lambda _: self._loads.pop(resident))
        await asyncio.shield(task)

    async def unload(self, resident: Resident) -> None:
        """Unload a model once its running calls have ended (after the grace they are stopped)."""
        await asyncio.shield(self._start(self._down(resident, "asked to")))

    async def close(self) -> None:
        """Unload every model, so that the engine gives back what it holds. One that tells its models itself serves
        others as well, or ends now: its models stay as they are."""
        residents = [one for one in self._roster.residents.values() if one.told is None]
        for resident in residents:
            resident.gone.set()
        await asyncio.gather(*(self._down(resident, "the service ends") for resident in residents))
        self._loader.shutdown(wait=False)
        self._finder.shutdown(wait=False)

    def _scan(self) -> tuple[Wishes, tuple[ManifestError, ...]]:
        return scan_wishes(self._folders(), self._roster.operations, self._wishes, self._implicit)

    def _kept(self, resident: Resident | None, name: str, wish: Wish | None) -> Resident:
        """The resident that there is, if it is still what is wished for, else a new one."""
        if resident is not None and self._wishes.get(name) == wish:
            return resident
        return self._new(name, wish)

    def _new(self, name: str, wish: Wish | None) -> Resident:
        if wish is None or wish.entry is None:
            return Resident(Model(id=name), None)
        return Resident(unresolved(wish.entry), wish.entry, wish.entry.first_state)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _replace(self, old: Resident | None, new: Resident | None) -> None:
        if old is not None:
            old.gone.set()
            await self._down(old, "its entry is gone or has changed")
        if new is not None and not new.on_demand:
            await self._up(new)

    async def _up(self, resident: Resident) -> None:
        async with resident.busy:
            there = resident.loaded and resident.state != "failed"
            if there or resident.gone.is_set() or (resident.told is not None and resident.state == "ready"):
                return
            resident.turn("loading")
            _log.info("a model is loading", extra={"model": resident.id})
            started = time.perf_counter()
            try:
                await self._find(resident)
                await self._call_engine(self._engine.load, resident)
            except Exception as error:  # noqa: BLE001 - whatever a model does wrong is its own failure, not the service's
                resident.turn("failed", _one_line(error))
                _log.error(
                    "a model cannot be loaded",
                    extra={"model": resident.id, "reason": resident.reason},
                    exc_info=None if isinstance(error, ServiceError) else error,
                )
                return
            resident.turn("ready")
            resident.loaded = True
            seconds = round(time.perf_counter() - started, 3)
            _log.info("a model is ready", extra={"model": resident.id, "seconds": seconds})

    async def _down(self, resident: Resident, reason: str) -> None:
        held = resident.held
        if resident.state != "failed":
            resident.turn("unloaded")
        async with resident.busy:
            if resident.loaded or held:
                await self._give_up(resident, reason)

    async def _down_if_idle(self, resident: Resident) -> None:
        async with resident.busy:
            if resident.idle:  # a call may have come before the lock was had
                await self._give_up(resident, f"idle for {time.monotonic() - resident.since:.0f} s")

    async def _let_go(self, resident: Resident) -> None:
        """Unload a model that was loaded here and that the engine behind has no more, once its last call has ended."""
        async with resident.busy:
            if resident.loaded:
                resident.turn("failed", _VANISHED)  # it may have become ready while the lock was waited for
                await self._wait_for_calls(resident, None)
                await self._unload(resident, _VANISHED)

    async def _give_up(self, resident: Resident, reason: str) -> None:
        """Unload what is loaded; the resident's lock is held, so that who asks for the model loads it anew."""
        resident.turn("unloaded")  # it may have become ready while the lock was waited for
        await self._wait_for_calls(resident, self._grace)
        await self._unload(resident, reason)

    async def _unload(self, resident: Resident, reason: str) -> None:
        resident.loaded = False
        try:
            await self._call_engine(self._engine.unload, resident)
        except Exception as error:  # noqa: BLE001 - the model is given up either way
            if resident.told is not None:  # the engine still has it, perhaps: the next look tells
                resident.turn("failed", _one_line(error))
            _log.exception("a model cannot be unloaded", extra={"model": resident.id})
        else:
            _log.info("a model is unloaded", extra={"model": resident.id, "reason": reason})
        await asyncio.get_running_loop().run_in_executor(self._loader, give_back)

    async def _find(self, resident: Resident) -> None:
        if resident.entry is None or resident.entry.source is None:
            return
        search = partial(resolve, resident.entry, self._cache, resident.gone)
        path, digest = await asyncio.get_running_loop().run_in_executor(self._finder, search)
        resident.model = replace(resident.model, path=path, digest=digest)

    async def _call_engine(self, method: Callable[[Model], Any], resident: Resident) -> None:
        if resident.told is not None and inspect.iscoroutinefunction(method):
            await method(resident.model)  # the engine behind has an order of its own
            return
        async with self._one_at_a_time:
            if inspect.iscoroutinefunction(method):
                await method(resident.model)
            else:
                await asyncio.get_running_loop().run_in_executor(self._loader, method, resident.model)

    async def _wait_for_calls(self, resident: Resident, timeout: float | None) -> None:
        """Wait until no call runs on the model; those that still run after the timeout (None: there is none) are
        stopped."""
        error = ApiError(NO_READY_SERVICE, f"the model {resident.id!r} was unloaded", retry_after=2)
        while tasks := [running.task for running in resident.calls if running.task is not None]:
            done, _ = await asyncio.wait(tasks, timeout=timeout)
            if not done:
                timeout = None
                for running in list(resident.calls):
                    running.stop(error)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, ServiceError | ApiError) else f"{type(error).__name__}: {text}"
