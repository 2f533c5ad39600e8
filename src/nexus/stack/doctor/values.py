"""What the checks are given and what they find."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nexus.gateway.settings import Settings
from nexus.sdk.manifest import ServiceManifest

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what is so, and, unless it is ok, one line of what to do about it. `check` is who found it."""

    level: Level
    what: str
    todo: str = ""
    check: str = ""


def ok(what: str) -> Finding:
    return Finding("ok", what)


def warning(what: str, todo: str) -> Finding:
    """Nexus runs, but not as it could."""
    return Finding("warning", what, todo)


def problem(what: str, todo: str) -> Finding:
    """Nexus does not start, or a service that is wanted cannot work."""
    return Finding("problem", what, todo)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A service that is to run here: `replicas` copies, the first on `port` where the operator chose one.

    `env` is the service's environment as far as the operator gives it. `in_stack`: `nexus up` would start it; the
    others were asked for by their profile, and are thought to run in containers, with their engines beside them.
    """

    manifest: ServiceManifest
    replicas: int = 1
    port: int | None = None
    extras: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    in_stack: bool = True

    @property
    def name(self) -> str:
        return self.manifest.folder.name


@dataclass(frozen=True, slots=True)
class Host:
    """All that the checks read beside the machine itself.

    `settings` are the gateway's, None where its variables cannot be used (which is a finding by itself). `services`
    are those that are to run, `others` those of profiles that nobody asked for. `given_database` says whether the
    operator named a database.
    """

    workdir: Path
    state: Path
    settings: Settings | None = None
    token: str | None = None
    given_database: bool = False
    services: tuple[Wanted, ...] = ()
    others: tuple[Wanted, ...] = ()
