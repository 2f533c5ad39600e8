"""Keeps the snapshot true: asks the sources who should be there, probes everyone, swaps the whole snapshot."""

import asyncio
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from nexus.gateway.config import Config
from nexus.gateway.log import Log
from nexus.gateway.registry.fetch import Fetcher
from nexus.gateway.registry.findings import Broken, Finding, decide, listed, refused, relisted
from nexus.gateway.registry.index import build
from nexus.gateway.registry.prober import Prober
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.snapshot import Instance, Snapshot, State
from nexus.gateway.registry.sources.listing import Listing, Source

_PROBE_TIMEOUT: Final = (0.5, 2.0)  # seconds, least and most: about a health interval
_GATHER: Final = 0.01  # seconds in which changes are gathered into one new snapshot
_SOON: Final = 0.1  # seconds until an instance that refused is asked again


class _Member:
    """One instance that a source lists, and the task that probes it."""

    def __init__(self, listing: Listing, prober: Prober, since: float) -> None:
        self.listing = listing
        self.prober = prober
        self.instance = listed(listing)
        self.since = since
        self.failed = 0  # how often requests were refused: a probe begun before the last one says nothing any more
        self.nudge = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Registry:
    """Who is out there. `snapshot` is the whole answer, a plain attribute that is only ever replaced; `on_change` is
    called after that.

    `discovery_interval` and `health_interval` are in seconds. `clock` is monotonic, `wall` seconds since the
    epoch.
    """

    def __init__(
        self,
        sources: tuple[Source, ...],
        *,
        resolver: Resolver,
        discovery_interval: float,
        health_interval: float,
        log: Log,
        config: Config | None = None,
        own_instance: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.snapshot = Snapshot(settled=not sources)
        self.first_round_done = not sources
        self.on_change: Callable[[], None] = lambda: None
        self._sources = sources
        self._fetcher = Fetcher(resolver)
        self._discovery_interval = discovery_interval
        self._health_interval = health_interval
        self._log = log
        self._aliases = (config or Config()).aliases
        self._own_instance = own_instance
        self._clock = clock
        self._wall = wall
        self._members: dict[str, _Member] = {}
        self._answers: dict[str, tuple[Listing, ...]] = {}
        self._wakes = {source.name: asyncio.Event() for source in sources}
        self._tasks: list[asyncio.Task[None]] = []
        self._publishing: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to ask; returns at once. `snapshot.settled` tells when everyone was asked."""
        self._tasks = [
            asyncio.create_task(self._follow(source), name=f"source {source.name}") for source in self._sources
        ]

    async def close(self) -> None:
        """Stop asking. The last snapshot stays."""
        members = [member.task for member in self._members.values() if member.task]
        tasks = [*self._tasks, *members]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._publishing is not None:
            self._publishing.cancel()

    def since(self, url: str) -> float:
        """When the instance came into its present state, in seconds since the epoch."""
        member = self._members.get(url)
        return member.since if member else self._wall()

    def report_refused(self, url: str, reason: str) -> None:
        """A request could not be brought to this instance: it is out of the snapshot when this returns."""
        member = self._members.get(url)
        if member is None:
            return
        member.failed += 1
        if member.instance.state is State.READY:
            self._note(member, refused(member.instance, reason))
            self._publish()
            asyncio.get_running_loop().call_later(_SOON, member.nudge.set)

    def announced(self, url: str, source: str) -> None:
        """An instance said that it is there: look at once, unless it is known to be ready."""
        member = self._members.get(url)
        if member is None:
            self.wake(source)
        elif member.instance.state is not State.READY:
            member.nudge.set()

    def card_changed(self, url: str) -> None:
        """Something was done to this instance that its card tells of: look at once."""
        member = self._members.get(url)
        if member is not None:
            member.prober.distrust_card()
            member.nudge.set()

    def wake(self, source: str) -> None:
        """Ask a source now instead of at the next interval."""
        self._wakes[source].set()

    def apply_config(self, config: Config) -> None:
        """Use the aliases of this configuration from now on."""
        self._aliases = config.aliases
        self._publish()

    # The sources

    async def _follow(self, source: Source) -> None:
        wake = self._wakes[source.name]
        while True:
            wake.clear()
            try:
                self._answers[source.name] = await source.listings()
            except Exception as error:  # noqa: BLE001 - one source's fault must not end discovery
                self._log("error", "source_failed", source=source.name, reason=f"{type(error).__name__}: {error}")
                self._answers.setdefault(source.name, ())
            self._reconcile()
            await _within(wake, self._discovery_interval)

    def _reconcile(self) -> None:
        """Bring the members in line with what the sources list; the first source that lists a URL has it."""
        wanted: dict[str, Listing] = {}
        for source in self._sources:
            for listing in self._answers.get(source.name, ()):
                wanted.setdefault(listing.url, listing)
        for url in [url for url in self._members if url not in wanted]:
            self._drop(self._members.pop(url))
        for url, listing in wanted.items():
            member = self._members.get(url)
            if member is None:
                self._members[url] = self._join(listing)
            elif member.listing is not listing and member.listing != listing:
                member.instance = relisted(member.instance, member.listing, listing)
                member.listing = listing
                member.nudge.set()
                self._publish_soon()
        self._members = {url: self._members[url] for url in wanted}
        if not self.snapshot.settled:
            self._publish_soon()

    def _join(self, listing: Listing) -> _Member:
        least, most = _PROBE_TIMEOUT
        prober = Prober(
            self._fetcher,
            timeout=min(max(self._health_interval, least), most),
            card_interval=self._discovery_interval,
            own_instance=self._own_instance,
            clock=self._clock,
        )
        member = _Member(listing, prober, self._wall())
        member.task = asyncio.create_task(self._watch(member), name=f"probe {listing.url}")
        self._publish_soon()
        return member

    def _drop(self, member: _Member) -> None:
        if member.task:
            member.task.cancel()
        self._tell("instance_left", member.instance, was=member.instance.state)
        self._publish_soon()

    # The instances

    async def _watch(self, member: _Member) -> None:
        # Probes of many instances are spread over the interval, each at its own point of it.
        pause = self._health_interval * (0.5 + zlib.crc32(member.listing.url.encode()) / 2**33)
        while True:
            member.nudge.clear()
            failed = member.failed
            finding: Finding
            try:
                finding = await member.prober.probe(member.listing)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the watch over an instance
                finding = Broken(f"probing it failed: {type(error).__name__}: {error}")
            if member.failed == failed:
                self._note(member, decide(member.instance, finding, member.listing))
            else:
                member.nudge.set()
            await _within(member.nudge, pause)
            pause = self._health_interval

    def _note(self, member: _Member, now: Instance) -> None:
        was = member.instance
        if now is was:
            return
        if now.state is not was.state:
            now = replace(now, since=self._clock())
            member.since = self._wall()
        member.instance = now
        if now.state is not was.state:
            self._tell("instance_state", now, was=was.state)
        elif now.card is not was.card:
            self._tell("instance_card_changed", now, was=was.state)
        self._publish_soon()

    def _tell(self, event: str, instance: Instance, *, was: State) -> None:
        level = "warning" if instance.state in (State.UNREACHABLE, State.INVALID) else "info"
        self._log(
            level,
            event,
            service=instance.service,
            url=instance.url,
            source=instance.source,
            state=instance.state.value,
            was=was.value,
            reason=instance.reason,
        )

    # The snapshot

    def _publish_soon(self) -> None:
        if self._publishing is None:
            self._publishing = asyncio.get_running_loop().call_later(_GATHER, self._publish)

    def _publish(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None
        instances = tuple(member.instance for member in self._members.values())
        everyone_asked = all(instance.state is not State.UNKNOWN for instance in instances)
        settled = everyone_asked and len(self._answers) == len(self._sources)
        self.snapshot = build(instances, self._aliases, settled=settled, version=self.snapshot.version + 1)
        if settled and not self.first_round_done:
            self.first_round_done = True
            ready = sum(instance.state is State.READY for instance in instances)
            self._log("info", "first_round_done", instances=len(instances), ready=ready)
        self.on_change()


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
