"""The engines that services stand in front of: whether they answer where the services will look for them.

Which engines there are is read from the manifests: a variable that ends in _URL is the address of one.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from nexus.stack.doctor.http import Answer, get
from nexus.stack.doctor.values import Finding, Host, Wanted, ok, problem, warning

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where a service looks for its engine. `image` is the engine's container, empty where the manifest names none;
    `comes`: it will be started with the service."""

    service: str
    variable: str
    url: str
    path: str = "/"
    image: str = ""
    asked_for: bool = True
    comes: bool = False

    @property
    def place(self) -> str:
        """Scheme, host and port: what may be shown of a URL that may have a password in it."""
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"


def addresses(wanted: Wanted, *, asked_for: bool = True) -> Iterator[EngineAddress]:
    """The engines of one service, where their addresses are given or have a default."""
    engine = wanted.manifest.deploy.engine
    for entry in wanted.manifest.config:
        url = wanted.env.get(entry.env, entry.default)
        if entry.secret or not entry.env.endswith("_URL") or not isinstance(url, str) or not _is_http(url):
            continue
        mine = engine is not None and engine.url_env == entry.env
        path, image = (engine.health, engine.image) if engine is not None and mine else ("/", "")
        yield EngineAddress(wanted.name, entry.env, url, path, image, asked_for, bool(image) and not wanted.in_stack)


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket too few
        return False


def engines(host: Host, ask: Callable[[str], Answer | str] = get) -> list[Finding]:
    """Ask all at once; engines of services that nobody asked for are told only where they answer."""
    there = [address for wanted in host.services for address in addresses(wanted)]
    there += [address for wanted in host.others for address in addresses(wanted, asked_for=False)]
    if not there:
        return [ok("no service needs an engine of its own")]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = threads.map(lambda address: ask(address.url.rstrip("/") + address.path), there)
        found = [judge_engine(address, answer) for address, answer in zip(there, answers, strict=True)]
    told = [finding for finding in found if finding is not None]
    return told or [ok("no service that is to run needs an engine of its own, and none answers here")]


def judge_engine(address: EngineAddress, answer: Answer | str) -> Finding | None:
    """What an answer, or its absence, means; None where there is nothing to tell."""
    what = f"the engine of {address.service} at {address.place}"
    if isinstance(answer, str):
        if not address.asked_for:
            return None
        if address.comes:
            return ok(f"nothing answers at {address.place}: {address.service} brings its engine as {address.image}")
        todo = f"start it, or give its address in {address.variable}"
        return problem(f"{what} cannot be reached: {answer}", todo)
    if address.image and not 200 <= answer.status < 300:
        told = f"something answers where {what} should be, but GET {address.path} is {answer.status}"
        return warning(told, f"look at what listens there, or change {address.variable}") if address.asked_for else None
    if not address.asked_for:
        return ok(f"{what} answers; to use it, name the profile (docs/migration.md)")
    return ok(f"{what} answers")
