"""The composition root: makes the gateway's parts and joins them, all at rest; `app` brings them to life."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Final

from fastapi import FastAPI

from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.together import Together
from nexus.gateway.admit.treasurer import Treasurer
from nexus.gateway.api.app import create_api
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.background.composition import Background, RequestPath, base_url, create_background
from nexus.gateway.budgets import BudgetBook
from nexus.gateway.config import Config, ConfigFile
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.edge.auth import Keyring
from nexus.gateway.edge.certificates import CertificateFiles
from nexus.gateway.edge.context import Edge, Limits
from nexus.gateway.edge.guard import Guard
from nexus.gateway.edge.loans import Lender
from nexus.gateway.edge.shared_loans import SharedLoans
from nexus.gateway.edge.visitors import Visitors
from nexus.gateway.edits import EditLog
from nexus.gateway.endpoints import find
from nexus.gateway.front import allowlist, create_guard
from nexus.gateway.health.health import Health
from nexus.gateway.log import Log
from nexus.gateway.queue.turns import Turns
from nexus.gateway.record.lines import LineWriter
from nexus.gateway.record.metrics import Metrics
from nexus.gateway.record.recorder import Recorder
from nexus.gateway.registry.composition import create_registry
from nexus.gateway.registry.sources.announce import AnnounceSource
from nexus.gateway.registry.told import listeners
from nexus.gateway.registry.watcher import Registry
from nexus.gateway.routing.router import Router
from nexus.gateway.server import Server, create_server
from nexus.gateway.settings import Settings
from nexus.gateway.shared.composition import create_shared
from nexus.gateway.shared.limits import SharedLimits
from nexus.gateway.siblings import Answer, OnlyChild, Siblings
from nexus.gateway.storage import Store, opening
from nexus.gateway.tokens import TokenBook
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.users.composition import LOOK, create_people, create_visitors
from nexus.gateway.views import Views
from nexus.gateway.waiting import create_turns
from nexus.policies.spending import Spendings

STATE: Final = Path(".nexus")
FORM_BYTES: Final = 131_072  # what a form with a file has besides the file
CONFIG_INTERVAL: Final = 1.0  # seconds between two looks at nexus.yaml, and at the certificate


@dataclass(frozen=True, slots=True)
class Given:
    """What is there before any part: `key` is the administrator's token, `own_url` where services reach the gateway."""

    settings: Settings
    configuration: ConfigFile
    key: str
    certificate: CertificateFiles | None
    own_url: str
    lines: LineWriter
    log: Log
    instance: str


@dataclass(frozen=True, slots=True)
class Services:
    """Who is out there, how they do, and who waits for them."""

    registry: Registry
    announce: AnnounceSource | None
    upstreams: Upstreams
    health: Health
    views: Views
    turns: Turns


@dataclass(frozen=True, slots=True)
class Callers:
    """Who may come in, as what is kept of them says; `used` are the moments at which tokens were."""

    store: Store
    keyring: Keyring
    guard: Guard
    visitors: Visitors | None
    tokens: TokenBook
    used: dict[str, float]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What callers may do and how much; `together` where gateways count with one another."""

    spendings: Spendings
    budgets: BudgetBook
    router: Router
    gate: Gate
    shared: SharedLimits | None
    together: Together | None


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts that are started and ended; they hold all the others. `watches` look at files for ever."""

    watches: Sequence[Coroutine[None, None, None]]
    services: Services
    callers: Callers
    bounds: Bounds
    background: Background
    edge: Edge
    server: Server
    siblings: Siblings | OnlyChild


def compose(given: Given) -> Gateway:
    """All parts, joined and at rest. Call it on the event loop."""
    settings, configuration = given.settings, given.configuration
    services = _services(given)
    callers = _callers(given)
    bounds = _bounds(given, services, callers)
    shared = bounds.shared
    metrics = Metrics(
        services.upstreams.loads,
        lambda: background.tally.queue,
        services.health.tripped,
        services.turns.counts,
        None if shared is None else lambda: shared.up,
        lambda: path.dispatcher.hedged,
    )
    recorder = Recorder(metrics, given.lines, callers.used)
    path = _path(given, services, callers, bounds, recorder)
    background = create_background(path, callers.store, configuration, settings, callers.keyring.bearer)
    edge = Edge(
        limits=_limits(settings),
        keyring=callers.keyring,
        guard=callers.guard,
        find=lambda method, path: find(method, path, services.registry.snapshot),
        story=path.story(configuration.timeouts_for, background.siding).serve,
        record=recorder.record,
        visitors=callers.visitors,
    )
    siblings = _siblings(services, callers, settings, background, metrics)
    api = _api(given, services, callers, bounds, background, edge, siblings, metrics, recorder)
    server = create_server(api, edge, settings, given.certificate)
    watches = _watches(given, services, callers, bounds)
    return Gateway(watches, services, callers, bounds, background, edge, server, siblings)


def _services(given: Given) -> Services:
    configuration = given.configuration
    registry, announce = create_registry(given.settings, configuration.config, given.log, instance=given.instance)
    upstreams = Upstreams(asyncio.get_running_loop())
    views = Views(lambda: registry.snapshot)
    turns = create_turns(
        registry,
        upstreams,
        views,
        rules=lambda: configuration.config.queue,
        load_seconds=lambda model: configuration.timeouts_for("models.load", model).first_byte,
        log=given.log,
    )
    return Services(registry, announce, upstreams, Health(), views, turns)


def _callers(given: Given) -> Callers:
    settings, config, log = given.settings, given.configuration.config, given.log
    loans = SharedLoans(given.key) if settings.worker is not None else None
    keyring = Keyring(required=settings.auth == "required", loans=loans)
    store = Store(opening(settings), log)
    visitors = create_visitors(settings, keyring)
    used: dict[str, float] = {}
    tokens = TokenBook(keyring, given.key, config, store, used, log, visitors, settings.session_idle)
    return Callers(store, keyring, create_guard(settings, config), visitors, tokens, used)


def _bounds(given: Given, services: Services, callers: Callers) -> Bounds:
    config = given.configuration.config
    spendings = Spendings()
    budgets = BudgetBook(spendings, config, callers.store, given.log)
    router = Router(services.views, given.settings.region)
    router.hold(config.routes, config.aliases)
    gate = Gate(Slots(), services.views, router=router, treasurer=Treasurer(spendings))
    shared = create_shared(given.settings, given.log)
    return Bounds(spendings, budgets, router, gate, shared, None if shared is None else Together(gate, shared))


def _path(given: Given, services: Services, callers: Callers, bounds: Bounds, recorder: Recorder) -> RequestPath:
    lend = Lender(callers.keyring, given.own_url).lend
    refused = services.registry.report_refused
    return RequestPath(
        views=services.views,
        in_flight=services.upstreams.in_flight,
        gate=bounds.gate,
        dispatcher=Dispatcher(services.upstreams, refused, lend, health=services.health, log=given.log),
        record=recorder.record,
        there=services.registry,
        ruled=given.configuration,
        health=services.health,
        turns=services.turns,
        together=bounds.together,
    )


def _siblings(
    services: Services, callers: Callers, settings: Settings, background: Background, metrics: Metrics
) -> Siblings | OnlyChild:
    """How this worker speaks with the others, if there are any."""
    if settings.worker is None:
        return OnlyChild()

    async def own_metrics(_: bytes) -> bytes:
        await background.tally.look()
        return metrics.text()

    async def look(_: bytes) -> bytes:
        await callers.tokens.look()
        return b""

    heard = listeners(services.registry, services.announce)
    answers: Mapping[bytes, Answer] = {b"metrics": own_metrics, LOOK: look, **heard}
    return Siblings(settings.worker, STATE / "workers", answers)


def _api(
    given: Given,
    services: Services,
    callers: Callers,
    bounds: Bounds,
    background: Background,
    edge: Edge,
    siblings: Siblings | OnlyChild,
    metrics: Metrics,
    recorder: Recorder,
) -> FastAPI:
    async def metrics_text() -> bytes:
        await background.tally.look()
        return await siblings.metrics(metrics.text())

    settings = given.settings
    people = create_people(settings, callers.visitors, callers.store, callers.tokens, siblings.tell, given.log)
    return create_api(
        ApiParts(
            registry=services.registry,
            announce=services.announce,
            settings=settings,
            config=lambda: given.configuration.config,
            metrics_text=metrics_text,
            in_flight=services.upstreams.in_flight,
            health=services.health,
            turns=services.turns,
            check_token=callers.keyring.check_owner,
            guard=callers.guard,
            record=recorder.record_control,
            log=given.log,
            instance=given.instance,
            started=time(),
            store=callers.store,
            tokens=callers.tokens,
            spendings=bounds.spendings,
            desk=background.desk,
            gate=bounds.gate,
            counting=bounds.together or bounds.gate,
            views=services.views,
            base_url=base_url(settings),
            people=people,
            draining=lambda: edge.draining,
            pass_on=siblings.tell,
        )
    )


def _watches(given: Given, services: Services, callers: Callers, bounds: Bounds) -> list[Coroutine[None, None, None]]:
    """What looks at files, and hands on what has changed in them."""
    settings = given.settings
    edited = EditLog(given.configuration.config, callers.store, given.log)
    audits = settings.worker is None or settings.worker.number == 1  # the others read the same file

    def configure(config: Config) -> None:
        callers.guard.allowlist = allowlist(settings, config)
        callers.keyring.void()
        bounds.router.hold(config.routes, config.aliases)
        callers.tokens.apply_config(config)
        bounds.budgets.apply_config(config)
        if audits:
            edited.apply_config(config)
        services.registry.apply_config(config)

    watches = [given.configuration.watch(CONFIG_INTERVAL, configure)]
    if audits:
        watches.append(edited.run())
    if given.certificate is not None:
        watches.append(given.certificate.watch(CONFIG_INTERVAL))
    return watches


def _limits(settings: Settings) -> Limits:
    return Limits(
        body_bytes=settings.max_request_bytes,
        upload_bytes=max(settings.max_request_bytes, settings.max_file_bytes + FORM_BYTES),
        head_seconds=settings.head_timeout,
    )
