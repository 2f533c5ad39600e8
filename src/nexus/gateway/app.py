"""The gateway as a process: reads what it is told, brings its parts to life, serves, and ends them in order."""

import asyncio
import gc
import logging
import secrets
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvloop

from nexus.gateway.api_key import ensure_api_key
from nexus.gateway.composition import STATE, Gateway, Given, compose
from nexus.gateway.config import CONFIG_FILE, ConfigFile
from nexus.gateway.edge.certificates import CertificateFiles
from nexus.gateway.edge.sweeper import Sweeper
from nexus.gateway.front import read_certificate
from nexus.gateway.log import JsonHandler, Log, json_log
from nexus.gateway.record.lines import LineWriter
from nexus.gateway.server import listen
from nexus.gateway.settings import Settings, later_variables
from nexus.gateway.workers import keep_workers
from nexus.process import lifeline

SHARED_SECONDS: Final = 0.25  # for so long the start waits for Redis, where limits are shared


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
    gateway = compose(Given(settings, configuration, key, certificate, own_url, lines, log, instance))
    host, port = listener.getsockname()[:2]

    def started() -> None:
        log("info", "gateway_started", host=host, port=port, tls=settings.tls_cert is not None, instance=instance)

    gateway.server.on_started = started
    if settings.lifeline_fd is not None:
        lifeline.watch(settings.lifeline_fd, lambda: gateway.server.handle_exit(signal.SIGTERM, None))
    async with _running(gateway):
        for variable in later_variables():
            log("warning", "variable_not_acted_on", variable=variable)
        _settle_memory()
        await gateway.server.serve(sockets=[listener])
    log("info", "gateway_stopped", instance=instance)


@asynccontextmanager
async def _running(gateway: Gateway) -> AsyncIterator[None]:
    """Everything but the server, alive inside the block and ended after it."""
    services, callers, bounds = gateway.services, gateway.callers, gateway.bounds
    sweeper = Sweeper(gateway.edge, asyncio.get_running_loop())
    watching = [asyncio.create_task(watch, name="watch") for watch in gateway.watches]
    services.upstreams.start()
    sweeper.start()
    await services.registry.start()
    callers.store.start()
    await gateway.siblings.start()
    if bounds.shared is not None:
        watching.append(asyncio.create_task(bounds.shared.run(), name="shared limits"))
        await bounds.shared.settled(SHARED_SECONDS)
    jobs = asyncio.create_task(gateway.background.runner.run(), name="jobs")
    tokens = asyncio.create_task(callers.tokens.run(), name="tokens")
    budgets = asyncio.create_task(bounds.budgets.run(), name="budgets")
    try:
        yield
    finally:
        for task in (*watching, jobs, tokens, budgets):
            task.cancel()
        sweeper.stop()
        await asyncio.wait((tokens, budgets), timeout=1)  # they may be in the middle of a transaction
        await gateway.siblings.close()
        await gateway.background.runner.close()
        await services.turns.close()
        await bounds.budgets.close()
        await services.registry.close()
        services.upstreams.close()
        await callers.store.close()


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
