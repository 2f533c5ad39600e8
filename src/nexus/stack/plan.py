"""Everything that is settled before the first process starts: which stack, which gateway, which secrets and port."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from nexus.gateway.api_key import ensure_api_key
from nexus.gateway.settings import Settings
from nexus.stack.config import Stack, StackError
from nexus.stack.ports import PortBook, holder_of, is_free
from nexus.stack.state import StateFolder, ensure_secret
from nexus.stack.supervisor import GATEWAY, Address, GatewayPlan, StackPlan

GATEWAY_COMMAND: Final = (sys.executable, "-m", "nexus.cli", "gateway")
_DRAIN: Final = "NEXUS_DRAIN_SECONDS"
_DRAIN_SECONDS: Final = 10.0


def state_folder(workdir: Path) -> StateFolder:
    """Where a stack that is started in `workdir` keeps its state."""
    return StateFolder(workdir.resolve() / ".nexus")


def gateway_environment(stack: Stack, environ: Mapping[str, str], state: StateFolder) -> dict[str, str]:
    """The gateway's variables: the operator's environment over the stack file, and secrets made where none is given.

    Raises OSError where a secret cannot be kept, and SettingsError where the kept one cannot be used.
    """
    env = {"PYTHONUNBUFFERED": "1", **stack.gateway.env, **environ, "NEXUS_STACK_FILE": str(state.listing)}
    if not _given(env, "NEXUS_API_KEY") and env.get("NEXUS_AUTH") != "off":
        env["NEXUS_API_KEY"] = ensure_api_key(state.root)
    if not _given(env, "NEXUS_REGISTRATION_SECRET"):
        env["NEXUS_REGISTRATION_SECRET"] = ensure_secret(state.root / "registration_secret")
    if env.get("NEXUS_PORT") == "0":
        env["NEXUS_PORT"] = str(PortBook(state.ports).port_for(GATEWAY))
    return env


def make_plan(
    stack: Stack,
    state: StateFolder,
    workdir: Path,
    environ: Mapping[str, str],
    gateway: Settings,
    gateway_env: Mapping[str, str],
    command: Sequence[str] = GATEWAY_COMMAND,
) -> StackPlan:
    """The plan for a stack. `gateway` are the settings that the gateway will read from `gateway_env`.

    Raises StackError.
    """
    address = Address(gateway.host, gateway.port, "https" if gateway.tls_cert else "http")
    token = gateway.api_key.get_secret_value() if gateway.api_key and gateway.auth == "required" else None
    return StackPlan(
        stack=stack,
        state=state,
        workdir=workdir.resolve(),
        environ=environ,
        gateway=GatewayPlan(command, gateway_env, address, token),
        drain_seconds=_drain_seconds(environ),
    )


def refuse_taken_port(address: Address) -> None:
    """Raises StackError, naming who has the gateway's port, if it is taken."""
    if not is_free(address.host, address.port):
        holder = holder_of(address.port)
        by = f" by {holder}" if holder else ""
        raise StackError(f"port {address.port} on {address.host} is taken{by}; choose another one with NEXUS_PORT")


def _given(env: Mapping[str, str], name: str) -> bool:
    return bool(env.get(name) or env.get(f"{name}_FILE"))


def _drain_seconds(environ: Mapping[str, str]) -> float:
    """How long services may go on with running calls at the end; their own settings refuse a bad value."""
    try:
        return max(0.0, float(environ.get(_DRAIN, _DRAIN_SECONDS)))
    except ValueError as error:
        raise StackError(f"{_DRAIN}: {environ[_DRAIN]!r} is not a number of seconds") from error
