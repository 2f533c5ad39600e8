"""The stack while it runs: the gateway and every service that there is, from the first start to the last exit."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from nexus.process import lifeline
from nexus.stack.config import Stack
from nexus.stack.greeting import greeting
from nexus.stack.journal import Journal
from nexus.stack.listing import Listed, ListingFile
from nexus.stack.probe import Endpoint, ready_instances
from nexus.stack.progress import Phase
from nexus.stack.runner import Launch, LaunchError, Prepare, Runner, Surroundings
from nexus.stack.services import Program, ServiceStarter, fingerprint, programs
from nexus.stack.state import StateFolder
from nexus.stack.terminal import Terminal

GATEWAY: Final = "gateway"
_SCAN_SECONDS: Final = 1.0
_HEAD_START_SECONDS: Final = 2.0
_KNOWN_SECONDS: Final = 10.0
_DRAW_SECONDS: Final = 0.125
_INSTALLERS: Final = 8
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the gateway listens, and where on this machine it can be reached."""

    host: str
    port: int
    scheme: str = "http"

    @property
    def endpoint(self) -> Endpoint:
        """Where it can be asked from this machine."""
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return Endpoint(reachable, self.port, tls=self.scheme == "https")

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.endpoint.authority}"


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """How the gateway is started. `token` is what clients need, None where they need none."""

    command: Sequence[str]
    env: Mapping[str, str]
    address: Address
    token: str | None


@dataclass(frozen=True, slots=True)
class StackPlan:
    """All that is decided before a stack starts. `drain_seconds` is how long running calls may go on at the end."""

    stack: Stack
    state: StateFolder
    workdir: Path
    environ: Mapping[str, str]
    gateway: GatewayPlan
    drain_seconds: float


class Supervisor:
    """Runs one stack. Made and run within the working folder's lock."""

    def __init__(self, plan: StackPlan, terminal: Terminal, lifeline: int) -> None:
        self._plan = plan
        self._terminal = terminal
        self._journal = Journal(terminal, plan.state.logs)
        self._installers = ThreadPoolExecutor(_INSTALLERS, thread_name_prefix="install")
        self._starter = ServiceStarter(plan.stack, plan.state, plan.environ, plan.workdir, self._installers)
        self._listing = ListingFile(plan.state.listing)
        self._stop = asyncio.Event()
        self._surroundings = Surroundings(lifeline, plan.drain_seconds, asyncio.Event())
        self._gateway_answers = asyncio.Event()
        self._gateway = self._runner(GATEWAY, self._prepare_gateway)
        self._services: dict[Program, Runner] = {}
        self._seen: dict[Path, frozenset[tuple[str, int]]] = {}

    async def run(self) -> None:
        """Run until a signal asks to end, then leave nothing behind."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._asked_to_end)
        try:
            await self._gateway_first()
            await asyncio.gather(self._scan(), self._draw())
        finally:
            await self._end()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _asked_to_end(self) -> None:
        """The first signal ends the stack in peace, the second at once."""
        if self._stop.is_set():
            self._surroundings.hurry.set()
        self._stop.set()

    async def _gateway_first(self) -> None:
        """The stack file is there before the gateway starts, and the gateway before what keeps the machine busy."""
        new = self._take_up(programs(self._plan.stack))
        self._gateway.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gateway_answers.wait(), _HEAD_START_SECONDS)
        for program in new:
            self._services[program].start()

    async def _end(self) -> None:
        self._terminal.follow()
        self._terminal.text("Ending … (Ctrl-C once more ends it at once)")
        self._starter.stop_installing()
        await asyncio.gather(*(runner.stop() for runner in self._services.values()))
        await self._gateway.stop()
        self._installers.shutdown(wait=True)
        self._journal.close()

    async def _scan(self) -> None:
        """Look again and again which service folders there are."""
        while not await self._stopped_within(_SCAN_SECONDS):
            found = programs(self._plan.stack)
            for program in set(self._services) - set(found):
                await self._drop(program)
            at_rest = [program for program in found if program in self._services or self._is_at_rest(program)]
            for program in self._take_up(at_rest):
                self._services[program].start()

    async def _draw(self) -> None:
        greeted = False
        while not await self._stopped_within(_DRAW_SECONDS):
            self._terminal.tick()
            if not greeted and await self._is_up():
                self._greet()
                greeted = True

    async def _is_up(self) -> bool:
        """Whether nothing is on its way any more, and what is ready can be reached through the gateway."""
        if not self._journal.settled or self._journal.phase(GATEWAY) is not Phase.READY:
            return False
        gateway = self._plan.gateway
        known = await ready_instances(gateway.address.endpoint, gateway.token)
        waited = time.monotonic() - self._journal.last_change
        return {one.url for one in self._ready()} <= known or waited > _KNOWN_SECONDS

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _greet(self) -> None:
        gateway = self._plan.gateway
        self._terminal.follow()
        self._terminal.text(greeting(gateway.address.url, gateway.token, [one.card for one in self._ready()]))

    def _ready(self) -> list[Listed]:
        ready = [program for program in self._services if self._journal.phase(program.name) is Phase.READY]
        return [one for program in ready if (one := self._starter.listed(program))]

    def _is_at_rest(self, program: Program) -> bool:
        """Whether a new folder has not changed since the last look: whoever makes it has then finished."""
        before, now = self._seen.get(program.folder), fingerprint(program.folder)
        self._seen[program.folder] = now
        return before == now

    def _take_up(self, found: Sequence[Program]) -> list[Program]:
        """The programs that were not known yet; the gateway is told of them, and they can be started."""
        new = [program for program in found if program not in self._services]
        for program in new:
            with contextlib.suppress(LaunchError):  # told when it is started
                self._starter.assign_port(program)
            self._services[program] = self._runner(program.name, partial(self._prepare, program))
        self._list()
        return new

    async def _drop(self, program: Program) -> None:
        """End a program whose folder is gone; the gateway is told first."""
        runner = self._services.pop(program)
        self._starter.release(program)
        self._seen.pop(program.folder, None)
        self._list()
        await runner.stop()
        self._journal.remove(program.name)

    def _list(self) -> None:
        listed = [one for program in self._services if (one := self._starter.listed(program))]
        try:
            self._listing.write(listed)
        except OSError as error:
            self._terminal.text(f"nexus: {self._plan.state.listing} cannot be written: {error.strerror or error}")

    async def _prepare(self, program: Program) -> Launch:
        report = partial(self._report, program.name)
        report(Phase.INSTALLING)
        launch = await self._starter.prepare(program, partial(report, Phase.INSTALLING))
        self._list()
        return launch

    async def _prepare_gateway(self) -> Launch:
        gateway = self._plan.gateway
        return Launch(gateway.command, gateway.env, self._plan.workdir, gateway.address.endpoint, "/health")

    def _runner(self, name: str, prepare: Prepare) -> Runner:
        return Runner(
            prepare,
            report=partial(self._report, name),
            on_output=self._journal.output(name),
            last_words=partial(self._journal.last_words, name),
            surroundings=self._surroundings,
        )

    def _report(self, name: str, phase: Phase, detail: str = "") -> None:
        if name == GATEWAY and phase is Phase.READY:
            self._gateway_answers.set()
        self._journal.report(name, phase, detail)


def run_stack(plan: StackPlan, terminal: Terminal) -> None:
    """Run a stack until a signal asks to end."""

    async def main(read_end: int) -> None:
        await Supervisor(plan, terminal, read_end).run()

    with lifeline.held() as read_end:
        asyncio.run(main(read_end))
