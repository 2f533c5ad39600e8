"""A service's environment: the standard variables and its own `[[config]]` ones, read once, validated, frozen.

Every variable NAME may be given as NAME_FILE instead, naming a file that holds the value (Docker secrets). A value
that cannot be used is a SettingError: one line that names the variable and never shows a secret.
"""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from nexus.sdk.manifest import ConfigEntry, ServiceManifest
from nexus.sdk.problems import SettingError
from nexus.sdk.trust import trusting

STANDARD: Final = (
    ConfigEntry(env="NEXUS_SERVICE_HOST", default="127.0.0.1", description="address to listen on"),
    ConfigEntry(
        env="NEXUS_SERVICE_PORT",
        type="int",
        default=8000,
        minimum=0,
        maximum=65535,
        description="port to listen on; 0 takes a free one",
    ),
    ConfigEntry(env="NEXUS_SERVICE_INSTANCE", description="this copy's name; else <service>-<4 hex digits>"),
    ConfigEntry(env="NEXUS_REGION", description="where this copy stands, for the gateway's routes"),
    ConfigEntry(env="NEXUS_MODELS_DIR", description="a further folder of model manifest entries"),
    ConfigEntry(env="NEXUS_MODELS_CACHE", default=".nexus/models", description="where fetched models are kept"),
    ConfigEntry(env="NEXUS_GATEWAY_URL", description="gateway to announce this service to"),
    ConfigEntry(env="NEXUS_CA_CERT", description="an authority that the gateway's certificate may be by"),
    ConfigEntry(env="NEXUS_REGISTRATION_SECRET", secret=True, description="the gateway's registration secret"),
    ConfigEntry(
        env="NEXUS_DRAIN_SECONDS",
        type="float",
        default=10.0,
        minimum=0,
        maximum=3600,
        description="how long running calls may go on after SIGTERM",
    ),
    ConfigEntry(env="NEXUS_LIFELINE_FD", type="int", minimum=0, description="pipe whose end means: the parent is gone"),
)
T = TypeVar("T", int, float)
_TRUE: Final = ("1", "true", "yes", "on")
_FALSE: Final = ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The validated environment. `config` holds the service's own variables by name, defaults filled in."""

    host: str
    port: int
    instance: str
    models_cache: Path
    drain_seconds: float
    region: str = ""
    models_dir: Path | None = None
    gateway_url: str | None = None
    ca_cert: Path | None = None
    registration_secret: str | None = field(default=None, repr=False)
    lifeline_fd: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read_settings(manifest: ServiceManifest, environ: Mapping[str, str] | None = None) -> ServiceSettings:
    """The settings of one service process, from `environ` (the process's own by default). Raises SettingError."""
    given = os.environ if environ is None else environ
    value = {entry.env: read_variable(entry, given) for entry in STANDARD}
    gateway = value["NEXUS_GATEWAY_URL"]
    if gateway is not None and not gateway.startswith(("http://", "https://")):
        raise SettingError(f"NEXUS_GATEWAY_URL: {gateway!r} does not start with http:// or https://")
    authority = Path(value["NEXUS_CA_CERT"]) if value["NEXUS_CA_CERT"] else None
    if authority is not None:
        trusting(authority)  # a mistake is told at the start, not by the first question
    return ServiceSettings(
        host=value["NEXUS_SERVICE_HOST"],
        port=value["NEXUS_SERVICE_PORT"],
        instance=value["NEXUS_SERVICE_INSTANCE"] or f"{manifest.name}-{secrets.token_hex(2)}",
        region=value["NEXUS_REGION"] or "",
        models_dir=Path(value["NEXUS_MODELS_DIR"]) if value["NEXUS_MODELS_DIR"] else None,
        models_cache=Path(value["NEXUS_MODELS_CACHE"]),
        gateway_url=gateway.rstrip("/") if gateway else None,
        ca_cert=authority,
        registration_secret=value["NEXUS_REGISTRATION_SECRET"],
        drain_seconds=value["NEXUS_DRAIN_SECONDS"],
        lifeline_fd=value["NEXUS_LIFELINE_FD"],
        config=MappingProxyType({entry.env: read_variable(entry, given) for entry in manifest.config}),
    )


def read_variable(entry: ConfigEntry, environ: Mapping[str, str]) -> Any:
    """One variable's value in its type; its default where it is not given or empty. Raises SettingError."""
    text = _given(entry.env, environ)
    if text is None:
        return entry.default
    value = _in_type(entry, text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if entry.minimum is not None and value < entry.minimum:
            raise SettingError(f"{entry.env}: {_shown(entry, text)} is below {entry.minimum:g}")
        if entry.maximum is not None and value > entry.maximum:
            raise SettingError(f"{entry.env}: {_shown(entry, text)} is above {entry.maximum:g}")
    return value


def _given(name: str, environ: Mapping[str, str]) -> str | None:
    """The variable's text, from itself or from the file that NAME_FILE names; None where neither gives any."""
    text, file = environ.get(name, "").strip(), environ.get(f"{name}_FILE", "").strip()
    if text and file:
        raise SettingError(f"{name}: also given as {name}_FILE; set one of the two")
    if file:
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"{name}_FILE: {file!r} cannot be read") from error
    return text or None


def _in_type(entry: ConfigEntry, text: str) -> str | int | float | bool:
    match entry.type:
        case "int":
            return _number(entry, text, int, "a whole number")
        case "float":
            number = _number(entry, text, float, "a number")
            if number - number != 0:  # infinite or not a number
                raise SettingError(f"{entry.env}: {_shown(entry, text)} is not a finite number")
            return number
        case "bool":
            if text.lower() not in _TRUE + _FALSE:
                raise SettingError(f"{entry.env}: {_shown(entry, text)} is neither true nor false")
            return text.lower() in _TRUE
        case "enum" if text not in entry.values:
            raise SettingError(f"{entry.env}: {_shown(entry, text)} is not one of {', '.join(entry.values)}")
    return text


def _number(entry: ConfigEntry, text: str, kind: Callable[[str], T], words: str) -> T:
    try:
        return kind(text)
    except ValueError:
        raise SettingError(f"{entry.env}: {_shown(entry, text)} is not {words}") from None


def _shown(entry: ConfigEntry, text: str) -> str:
    return "the value given" if entry.secret else repr(text)


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with some variables changed, for a process that it starts."""
    return {**os.environ, **changes}
