"""Keeps the models as the manifest folders say: loads what is new, reloads what changed, unloads what is gone.

One model is loaded or unloaded at a time; files are found and fetched beside that. A model that is there on demand is
loaded by its first call and unloaded when it has been idle. Nothing that a model or its entry does wrong ends the
service: it is told on the roster.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.sdk.engine import Engine, Model
from nexus.sdk.memory import give_back
from nexus.sdk.models import ModelEntry, scan_entries
from nexus.sdk.problems import ManifestError, ServiceError
from nexus.sdk.roster import Resident, Roster
from nexus.sdk.sources import local_path, resolve, unresolved

POLL_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 5.0
Folders = Callable[[], tuple[Path, ...]]
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """One model that the folders ask for: its entry (None for the implicit model) and, for a local file, that file's
    size and time of change."""

    entry: ModelEntry | None = None
    stamp: tuple[int, int] | None = None


class Keeper:
    """Brings the roster's models in line with what stands in the folders that `folders()` names.

    `implicit` is the id of the one model of a service whose folders are empty. `grace` is for how many seconds the
    calls on a model that goes may still run.
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
        self._wishes: dict[str, Wish] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loads: dict[Resident, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Lock()
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
        """Look at the folders once, and start what is to be done."""
        wishes, problems = await asyncio.to_thread(self._scan)
        for problem in problems:
            if str(problem) not in map(str, self._roster.problems):
                _log.error("a model entry cannot be used", extra={"reason": str(problem)})
        self._roster.problems = problems
        before = self._roster.residents
        after = {name: self._kept(before.get(name), name, wish) for name, wish in wishes.items()}
        self._wishes, self._roster.residents = wishes, after
        for name in before.keys() | after.keys():
            old, new = before.get(name), after.get(name)
            if old is not new:
                self._start(self._replace(old, new))

    def tend(self) -> None:
        """Of the models that are there on demand: start to unload the idle ones, and let those that could not be
        loaded RETRY_SECONDS ago be asked for again."""
        for resident in self._roster.residents.values():
            paused = time.monotonic() - resident.since >= RETRY_SECONDS
            if resident.idle:
                self._start(self._down_if_idle(resident))
            elif resident.on_demand and resident.state == "failed" and paused:
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
        """Unload every model, so that the engine gives back what it holds."""
        residents = list(self._roster.residents.values())
        for resident in residents:
            resident.gone.set()
        await asyncio.gather(*(self._down(resident, "the service ends") for resident in residents))
        self._loader.shutdown(wait=False)
        self._finder.shutdown(wait=False)

    def _scan(self) -> tuple[dict[str, Wish], tuple[ManifestError, ...]]:
        folders = self._folders()
        scan = scan_entries(folders, {wish.entry.file for wish in self._wishes.values() if wish.entry})
        operations = self._roster.operations
        wishes = {entry.id: Wish(entry, _stamp(entry)) for entry in scan.entries if entry.serves(operations)}
        strays = tuple(
            ManifestError(entry.file, "operations", f"the service has none of {', '.join(entry.operations)}")
            for entry in scan.entries
            if entry.file.parent == folders[0] and not entry.serves(operations)
        )
        if not wishes and not scan.problems and not strays:
            wishes = {self._implicit: Wish()}
        return wishes, scan.problems + strays

    def _kept(self, resident: Resident | None, name: str, wish: Wish) -> Resident:
        """The resident that there is, if it is still what is wished for, else a new one."""
        if resident is not None and self._wishes.get(name) == wish:
            return resident
        if wish.entry is None:
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
            if resident.loaded or resident.gone.is_set():
                return
            resident.turn("loading")
            _log.info("a model is loading", extra={"model": resident.id})
            started = time.perf_counter()
            try:
                await self._find(resident)
                await self._call_engine(self._engine.load, resident.model)
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
        if resident.state != "failed":
            resident.turn("unloaded")
        async with resident.busy:
            if resident.loaded:
                await self._give_up(resident, reason)

    async def _down_if_idle(self, resident: Resident) -> None:
        async with resident.busy:
            if resident.idle:  # a call may have come before the lock was had
                await self._give_up(resident, f"idle for {time.monotonic() - resident.since:.0f} s")

    async def _give_up(self, resident: Resident, reason: str) -> None:
        """Unload what is loaded; the resident's lock is held, so that who asks for the model loads it anew."""
        resident.turn("unloaded")  # it may have become ready while the lock was waited for
        await self._wait_for_calls(resident)
        resident.loaded = False
        try:
            await self._call_engine(self._engine.unload, resident.model)
        except Exception:  # noqa: BLE001 - the model is given up either way
            _log.exception("a model cannot be unloaded", extra={"model": resident.id})
        else:
            _log.info("a model is unloaded", extra={"model": resident.id, "reason": reason})
        await asyncio.get_running_loop().run_in_executor(self._loader, give_back)

    async def _find(self, resident: Resident) -> None:
        if resident.entry is None:
            return
        search = partial(resolve, resident.entry, self._cache, resident.gone)
        path, digest = await asyncio.get_running_loop().run_in_executor(self._finder, search)
        resident.model = replace(resident.model, path=path, digest=digest)

    async def _call_engine(self, method: Callable[[Model], Any], model: Model) -> None:
        async with self._one_at_a_time:
            if inspect.iscoroutinefunction(method):
                await method(model)
            else:
                await asyncio.get_running_loop().run_in_executor(self._loader, method, model)

    async def _wait_for_calls(self, resident: Resident) -> None:
        """Wait until no call runs on the model; those that still run after the grace are stopped."""
        error = ApiError(NO_READY_SERVICE, f"the model {resident.id!r} was unloaded", retry_after=2)
        timeout: float | None = self._grace
        while tasks := [running.task for running in resident.calls if running.task is not None]:
            done, _ = await asyncio.wait(tasks, timeout=timeout)
            if not done:
                timeout = None
                for running in list(resident.calls):
                    running.stop(error)


def _stamp(entry: ModelEntry) -> tuple[int, int] | None:
    path = local_path(entry)
    try:
        stat = path.stat() if path else None
    except OSError:
        return None
    return (stat.st_size, stat.st_mtime_ns) if stat else None


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, ServiceError | ApiError) else f"{type(error).__name__}: {text}"
