"""What a measured program is to the harness: how to find it and how to start it before one upstream."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PEERS_FOLDER = Path(".bench") / "peers"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a subject is to listen and whom it is to forward to. `folder` is its own, empty and writable."""

    port: int
    upstream_port: int
    model: str
    token: str
    limited_token: str
    folder: Path

    @property
    def upstream_url(self) -> str:
        return f"http://127.0.0.1:{self.upstream_port}"


@dataclass(frozen=True, slots=True)
class Launch:
    """The command line and the extra environment that start a subject at its site."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """One program. `find` gives its executable or None; `get` is the line that tells how to have it.

    `limits`: `Site.limited_token` is let in as well, and what it asks for is counted against limits out of reach.
    """

    name: str
    get: str
    find: Callable[[], Path | None]
    launch: Callable[[Path, Site], Launch]
    limits: bool = False


def find_program(peer: str, program: str) -> Path | None:
    """`program` in .bench/peers/<peer>/bin of the working directory, else on the PATH or in /usr/sbin."""
    own = PEERS_FOLDER / peer / "bin" / program
    if own.exists():
        return own.absolute()
    found = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    return Path(found).absolute() if found else None
