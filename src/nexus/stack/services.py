"""The services of a stack as they are found: which programs each folder becomes, and how such a program is started."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nexus.sdk.problems import ManifestError
from nexus.stack.config import Stack, StackError
from nexus.stack.environments import ensure_environment
from nexus.stack.listing import Listed, promised_card
from nexus.stack.ports import PortBook
from nexus.stack.probe import Endpoint
from nexus.stack.runner import Launch, LaunchError
from nexus.stack.state import StateFolder
from nexus.stack.uv import Progress, Uv, UvError

HOST: Final = "127.0.0.1"
# A service of this stack is listed in the stack file: it needs neither to announce itself nor the client's token.
_NOT_FOR_SERVICES: Final = ("NEXUS_GATEWAY_URL", "NEXUS_REGISTRATION_SECRET", "NEXUS_API_KEY")


@dataclass(frozen=True, slots=True)
class Program:
    """One instance to run: `name` is unique in the stack, `replica` counts from 0 within the service's folder."""

    name: str
    folder: Path
    replica: int

    @property
    def service(self) -> str:
        return self.folder.name


def programs(stack: Stack) -> tuple[Program, ...]:
    """The instances that the stack has now, by the folders that there are."""
    return tuple(program for folder in stack.folders() for program in _replicas(folder, stack))


def _replicas(folder: Path, stack: Stack) -> list[Program]:
    count = stack.override(folder.name).replicas
    names = [folder.name] if count == 1 else [f"{folder.name}-{number}" for number in range(1, count + 1)]
    return [Program(name, folder, replica) for replica, name in enumerate(names)]


def fingerprint(folder: Path) -> frozenset[tuple[str, int]]:
    """The files of a folder with their times of change: equal at two looks if nobody is writing there."""
    found = set()
    for path in folder.rglob("*"):
        if "__pycache__" not in path.parts:
            try:
                found.add((str(path), path.stat().st_mtime_ns))
            except FileNotFoundError:
                found.add((str(path), 0))
    return frozenset(found)


class ServiceStarter:
    """Makes services startable: environment, port, variables. Also says how they are listed for the gateway."""

    def __init__(
        self, stack: Stack, state: StateFolder, environ: Mapping[str, str], workdir: Path, installers: Executor
    ) -> None:
        self._stack = stack
        self._state = state
        self._environ = environ
        self._workdir = workdir
        self._installers = installers
        self._uv = Uv()
        self._ports = PortBook(state.ports)
        self._chosen: dict[str, int] = {}

    def assign_port(self, program: Program) -> int:
        """A port that is free now, for a program that does not run. Raises LaunchError."""
        wanted = self._stack.override(program.service).port
        try:
            port = self._ports.port_for(program.name, wanted + program.replica if wanted else None)
        except OSError as error:
            raise LaunchError(f"no port: {error}") from error
        self._chosen[program.name] = port
        return port

    def release(self, program: Program) -> None:
        """Give back the port of a program that is gone for good."""
        self._chosen.pop(program.name, None)
        self._ports.forget(program.name)

    def listed(self, program: Program) -> Listed | None:
        """How the gateway is told of a program; None while it has no port or a manifest that cannot be read."""
        port = self._chosen.get(program.name)
        if port is None:
            return None
        models_dir = self._environment(program).get("NEXUS_MODELS_DIR")
        try:
            card = promised_card(program.folder, self._workdir / models_dir if models_dir else None, program.name)
        except ManifestError as error:
            logging.getLogger(__name__).debug("not listed: %s", error)
            return None
        return Listed(f"http://{HOST}:{port}", card)

    async def prepare(self, program: Program, on_progress: Progress) -> Launch:
        """All that a start needs, the environment made if it is missing. Raises LaunchError."""
        loop = asyncio.get_running_loop()

        def tell(line: str) -> None:
            loop.call_soon_threadsafe(on_progress, line)

        def install() -> Path:
            promised_card(program.folder, None)
            extras = self._stack.override(program.service).extras
            return ensure_environment(program.folder, self._state.root, tell, uv=self._uv, extras=extras)

        try:
            python = await loop.run_in_executor(self._installers, install)
        except (ManifestError, StackError, UvError, OSError) as error:
            raise LaunchError(str(error)) from error
        port = self.assign_port(program)
        command = [str(python), "-m", "nexus.sdk.serve", str(program.folder), "--host", HOST, "--port", str(port)]
        variables = {
            "NEXUS_SERVICE_HOST": HOST,
            "NEXUS_SERVICE_PORT": str(port),
            "NEXUS_SERVICE_INSTANCE": program.name,
        }
        env = {**self._environment(program), **variables}
        return Launch(command, env, self._workdir, Endpoint(HOST, port), "/readyz")

    def stop_installing(self) -> None:
        """End the installations that run."""
        self._uv.stop()

    def _environment(self, program: Program) -> dict[str, str]:
        """The variables of a service: the operator's environment goes over the stack file."""
        env = {
            "NEXUS_MODELS_CACHE": str(self._state.models),
            "PYTHONUNBUFFERED": "1",
            **self._stack.override(program.service).env,
            **self._environ,
        }
        kept = {name for name in env if name.removesuffix("_FILE") not in _NOT_FOR_SERVICES}
        return {name: env[name] for name in kept}
