"""The composition root: makes the gateway's parts, joins them, runs them under uvicorn and ends them."""

import asyncio
import gc
import logging
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Final

import uvloop

from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.together import Together
from nexus.gateway.admit.treasurer import Treasurer
from nexus.gateway.api.app import create_api
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.background.composition import RequestPath, base_url, create_background
from nexus.gateway.background.runner import Runner
from nexus.gateway.budgets import BudgetBook
from nexus.gateway.config import CONFIG_FILE, Config, ConfigFile
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.edge.auth import Keyring
from nexus.gateway.edge.certificates import CertificateFiles
from nexus.gateway.edge.context import Edge, Limits
from nexus.gateway.edge.loans import Lender
from nexus.gateway.edge.shared_loans import SharedLoans
from nexus.gateway.edge.sweeper import Sweeper
from nexus.gateway.edits import EditLog
from nexus.gateway.endpoints import find
from nexus.gateway.front import allowlist, create_guard, read_certificate
from nexus.gateway.health.health import Health
from nexus.gateway.log import JsonHandler, Log, json_log
from nexus.gateway.queue.turns import Turns
from nexus.gateway.record.lines import LineWriter
from nexus.gateway.record.metrics import Metrics
from nexus.gateway.record.recorder import Recorder
from nexus.gateway.registry.composition import create_registry
from nexus.gateway.registry.told import listeners
from nexus.gateway.registry.watcher import Registry
from nexus.gateway.routing.router import Router
from nexus.gateway.server import Server, create_server, listen
from nexus.gateway.settings import Settings, ensure_api_key, later_variables
from nexus.gateway.shared.composition import create_shared
from nexus.gateway.shared.limits import SharedLimits
from nexus.gateway.siblings import Answer, OnlyChild, Siblings
from nexus.gateway.storage import Store, opening
from nexus.gateway.tokens import TokenBook
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.users.composition import LOOK, create_people, create_visitors
from nexus.gateway.views import Views
from nexus.gateway.waiting import create_turns
from nexus.gateway.workers import keep_workers
from nexus.policies.spending import Spendings
from nexus.process import lifeline

STATE: Final = Path(".nexus")
FORM_BYTES: Final = 131_072  # what a form with a file has besides the file
SHARED_SECONDS: Final = 0.25  # for so long the start waits for Redis, where limits are shared
CONFIG_INTERVAL: Final = 1.0  # seconds between two looks at nexus.yaml, and at the certificate


def run(settings: Settings) -> int:
    """Run the gateway until SIGINT or SIGTERM; the exit status.

    Raises SettingsError and ConfigError before it listens.
    """
    key = settings.api_key.get_secret_value() if settings.api_key else ensure_api_key(STATE)
    lines = LineWriter()
    log = json_log(lines.write)
    configuration = ConfigFile(settings.config or Path(CONFIG_FILE), log)
    configuration.load()
    certificate = read_certificate(settings, log)
    listener = listen(settings)
    if settings.workers > 1:
        return keep_workers(settings, listener, lines, log)
    logging.basicConfig(handlers=[JsonHandler(log)], level=logging.WARNING, force=True)
    lines.start()
    try:
        uvloop.run(_serve(settings, configuration, key, certificate, listener, lines, log))
    finally:
        lines.close()
    return 0


@dataclass(frozen=True, slots=True)
class _Gateway:
    """The parts that are started and ended; they hold all the others. `watches` look at files for ever."""

    watches: Sequence[Coroutine[None, None, None]]
    registry: Registry
    upstreams: Upstreams
    store: Store
    runner: Runner
    turns: Turns
    tokens: TokenBook
    budgets: BudgetBook
    shared: SharedLimits | None
    edge: Edge
    server: Server
    siblings: Siblings | OnlyChild


async def _serve(
    settings: Settings,
    configuration: ConfigFile,
    key: str,
    certificate: CertificateFiles | None,
    listener: socket.socket,
    lines: LineWriter,
    log: Log,
) -> None:
    instance = f"gateway-{settings.worker.family if settings.worker else secrets.token_hex(2)}"
    own_url = _own_url(settings, listener)
    gateway = _compose(settings, configuration, key, certificate, own_url, lines, log, instance)
    if settings.lifeline_fd is not None:
        lifeline.watch(settings.lifeline_fd, lambda: gateway.server.handle_exit(signal.SIGTERM, None))
    async with _running(gateway):
        host, port = listener.getsockname()[:2]
        log("info", "gateway_started", host=host, port=port, tls=settings.tls_cert is not None, instance=instance)
        for variable in later_variables():
            log("warning", "variable_not_acted_on", variable=variable)
        _settle_memory()
        await gateway.server.serve(sockets=[listener])
    log("info", "gateway_stopped", instance=instance)


def _compose(
    settings: Settings,
    configuration: ConfigFile,
    key: str,
    certificate: CertificateFiles | None,
    own_url: str,
    lines: LineWriter,
    log: Log,
    instance: str,
) -> _Gateway:
    """All parts, joined and at rest."""
    registry, announce = create_registry(settings, configuration.config, log, instance=instance)
    upstreams = Upstreams(asyncio.get_running_loop())
    health = Health()
    views = Views(lambda: registry.snapshot)
    turns = create_turns(
        registry,
        upstreams,
        views,
        rules=lambda: configuration.config.queue,
        load_seconds=lambda model: configuration.timeouts_for("models.load", model).first_byte,
        log=log,
    )
    shared = create_shared(settings, log)
    is_shared = None if shared is None else lambda: shared.up
    metrics = Metrics(upstreams.loads, lambda: background.tally.queue, health.tripped, turns.counts, is_shared)
    used: dict[str, float] = {}
    recorder = Recorder(metrics, lines, used)
    loans = SharedLoans(key) if settings.worker is not None else None
    keyring = Keyring(required=settings.auth == "required", loans=loans)
    guard = create_guard(settings, configuration.config)
    spendings = Spendings()
    router = Router(views, settings.region)
    gate = Gate(Slots(), views, router=router, treasurer=Treasurer(spendings))
    together = None if shared is None else Together(gate, shared)
    path = RequestPath(
        views=views,
        in_flight=upstreams.in_flight,
        gate=gate,
        dispatcher=Dispatcher(
            upstreams, registry.report_refused, Lender(keyring, own_url).lend, health=health, log=log
        ),
        record=recorder.record,
        rules=lambda: configuration.config.rules,
        health=health,
        turns=turns,
        together=together,
    )
    store = Store(opening(settings), log)
    visitors = create_visitors(settings, keyring)
    tokens = TokenBook(keyring, key, configuration.config, store, used, log, visitors, settings.session_idle)
    budgets = BudgetBook(spendings, configuration.config, store, log)
    router.hold(configuration.config.routes, configuration.config.aliases)
    background = create_background(path, store, configuration, settings, keyring.bearer)
    edge = Edge(
        limits=_limits(settings),
        keyring=keyring,
        guard=guard,
        find=lambda method, path: find(method, path, registry.snapshot),
        story=path.story(configuration.timeouts_for, background.siding).serve,
        record=recorder.record,
        visitors=visitors,
    )

    edited = EditLog(configuration.config, store, log)
    audits = settings.worker is None or settings.worker.number == 1  # the others read the same file

    def configure(config: Config) -> None:
        guard.allowlist = allowlist(settings, config)
        keyring.void()
        router.hold(config.routes, config.aliases)
        tokens.apply_config(config)
        budgets.apply_config(config)
        if audits:
            edited.apply_config(config)
        registry.apply_config(config)

    async def own_metrics(_: bytes = b"") -> bytes:
        await background.tally.look()
        return metrics.text()

    async def look(_: bytes) -> bytes:
        await tokens.look()
        return b""

    siblings = _siblings(settings, {b"metrics": own_metrics, LOOK: look, **listeners(registry, announce)})

    async def metrics_text() -> bytes:
        return await siblings.metrics(await own_metrics())

    api = create_api(
        ApiParts(
            registry=registry,
            announce=announce,
            settings=settings,
            config=lambda: configuration.config,
            metrics_text=metrics_text,
            in_flight=upstreams.in_flight,
            health=health,
            turns=turns,
            check_token=keyring.check_owner,
            guard=guard,
            record=recorder.record_control,
            log=log,
            instance=instance,
            started=time(),
            store=store,
            tokens=tokens,
            spendings=spendings,
            desk=background.desk,
            gate=gate,
            counting=together or gate,
            views=views,
            base_url=base_url(settings),
            people=create_people(settings, visitors, store, tokens, siblings.tell, log),
            draining=lambda: edge.draining,
            pass_on=siblings.tell,
        )
    )
    server = create_server(api, edge, settings, certificate)
    watches = [configuration.watch(CONFIG_INTERVAL, configure)]
    if audits:
        watches.append(edited.run())
    if certificate is not None:
        watches.append(certificate.watch(CONFIG_INTERVAL))
    return _Gateway(
        watches,
        registry,
        upstreams,
        store,
        background.runner,
        turns,
        tokens,
        budgets,
        shared,
        edge,
        server,
        siblings,
    )


@asynccontextmanager
async def _running(gateway: _Gateway) -> AsyncIterator[None]:
    """Everything but the server, alive inside the block and ended after it."""
    sweeper = Sweeper(gateway.edge, asyncio.get_running_loop())
    watching = [asyncio.create_task(watch, name="watch") for watch in gateway.watches]
    gateway.upstreams.start()
    sweeper.start()
    await gateway.registry.start()
    gateway.store.start()
    await gateway.siblings.start()
    if gateway.shared is not None:
        watching.append(asyncio.create_task(gateway.shared.run(), name="shared limits"))
        await gateway.shared.settled(SHARED_SECONDS)
    jobs = asyncio.create_task(gateway.runner.run(), name="jobs")
    tokens = asyncio.create_task(gateway.tokens.run(), name="tokens")
    budgets = asyncio.create_task(gateway.budgets.run(), name="budgets")
    try:
        yield
    finally:
        for task in (*watching, jobs, tokens, budgets):
            task.cancel()
        sweeper.stop()
        await asyncio.wait((tokens, budgets), timeout=1)  # they may be in the middle of a transaction
        await gateway.siblings.close()
        await gateway.runner.close()
        await gateway.turns.close()
        await gateway.budgets.close()
        await gateway.registry.close()
        gateway.upstreams.close()
        await gateway.store.close()


def _siblings(settings: Settings, answers: Mapping[bytes, Answer]) -> Siblings | OnlyChild:
    """How this worker speaks with the others, if there are any."""
    return OnlyChild() if settings.worker is None else Siblings(settings.worker, STATE / "workers", answers)


def _limits(settings: Settings) -> Limits:
    return Limits(
        body_bytes=settings.max_request_bytes,
        upload_bytes=max(settings.max_request_bytes, settings.max_file_bytes + FORM_BYTES),
        head_seconds=settings.head_timeout,
    )


def _own_url(settings: Settings, listener: socket.socket) -> str:
    """Where services reach this gateway: as it was told, else where it listens (on this machine, if everywhere)."""
    if settings.advertised_url:
        return settings.advertised_url
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"{'https' if settings.tls_cert else 'http'}://{host}:{port}"


def _settle_memory() -> None:
    """What was made at the start stays: the collector need not walk over it again and again.

    Finished requests are freed by their reference counts; the collector is there for the control plane's cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
