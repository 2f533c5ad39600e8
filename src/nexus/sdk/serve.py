"""A service's process: `python -m nexus.sdk.serve FOLDER [--host H] [--port P]`.

The port is bound and the card served at once; the engine and its models come up beside that. SIGTERM, SIGINT and the
end of the lifeline drain the service; a second signal ends it on the spot.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.process import lifeline
from nexus.sdk import logs
from nexus.sdk.announce import announcer
from nexus.sdk.app import build_app
from nexus.sdk.environment import ServiceSettings, read_settings
from nexus.sdk.manifest import ServiceManifest, read_manifest
from nexus.sdk.priority import be_nice
from nexus.sdk.problems import ServiceError
from nexus.sdk.service import Service

KEEP_ALIVE_SECONDS: Final = 75
BACKLOG: Final = 1024
_log: Final = logging.getLogger("nexus.sdk.serve")  # not "__main__"


class Protocol(HttpToolsProtocol):
    """uvicorn's, with the error envelope for what is not HTTP."""

    def send_400_response(self, msg: str) -> None:
        body = ApiError(INVALID_REQUEST, msg).body()
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's, leaving the signals to this file."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the folder until told to end; the exit status. What cannot be used is told in one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m nexus.sdk.serve", description="Serve one service folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", help="address to listen on (else NEXUS_SERVICE_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for a free one (else NEXUS_SERVICE_PORT)")
    given = parser.parse_args(arguments)
    try:
        manifest = read_manifest(given.folder)
        settings = read_settings(manifest)
        settings = replace(
            settings,
            host=given.host or settings.host,
            port=settings.port if given.port is None else given.port,
        )
        listener = bind(settings.host, settings.port)
    except ServiceError as error:
        sys.stderr.write(f"nexus: {error}\n")
        return 2
    be_nice(manifest.process.nice)
    logs.configure()
    config = uvicorn.Config("", log_config=None)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        status = runner.run(serve(manifest, settings, listener))
        sys.stdout.flush()
        os._exit(status)  # an engine's thread that does not heed its call's end must not keep the process


async def serve(manifest: ServiceManifest, settings: ServiceSettings, listener: socket.socket) -> int:
    """Serve on `listener` until a signal or the lifeline ends it; the exit status."""
    service = Service(manifest, settings)
    port = listener.getsockname()[1]
    server = Server(server_config(service))
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end_or_quit, ending, number)
    if settings.lifeline_fd is not None:
        lifeline.watch(settings.lifeline_fd, ending.set)
    serving = asyncio.create_task(server.serve([listener]))
    url = f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{port}"
    _log.info("listening", extra={"service": manifest.name, "instance": settings.instance, "url": url})
    status = await _until_ended(service, ending, port)
    server.should_exit = True
    await serving
    return status


def server_config(service: Service) -> uvicorn.Config:
    """How uvicorn serves a service."""
    return uvicorn.Config(
        build_app(service),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        backlog=BACKLOG,
    )


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises ServiceError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0  # below zero: a look-up that failed, with words of its own
        reason = os.strerror(number) if number > 0 else error.strerror
        raise ServiceError(f"cannot listen on {host} port {port}: {reason}") from error


async def _until_ended(service: Service, ending: asyncio.Event, port: int) -> int:
    """Run the service until it is to end, and drain it; 1 when its engine cannot be brought up."""
    running = asyncio.create_task(service.run())
    ended = asyncio.create_task(ending.wait())
    speaker = announcer(service.settings, port)
    announcing = asyncio.create_task(speaker.run()) if speaker else None
    await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
    failure = running.exception() if running.done() else None
    if failure is not None:
        _log.error("the service cannot start", extra={"reason": str(failure)})
    else:
        _log.info("draining", extra={"seconds": service.settings.drain_seconds})
    if speaker is not None and announcing is not None:
        announcing.cancel()
        await asyncio.gather(service.drain(), speaker.leave())
    else:
        await service.drain()
    running.cancel()
    return 1 if failure is not None else 0


def _end_or_quit(ending: asyncio.Event, number: int) -> None:
    if ending.is_set():
        os._exit(128 + number)
    ending.set()


if __name__ == "__main__":
    sys.exit(main())
