"""What is measured: the embedded stack as a user starts it, and a gateway whose services cost nothing."""

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from bench.jobs.wishes import embedded_wishes, warming_wishes
from bench.jobs.work import Wish, finish
from bench.machine import Cores
from bench.processes import Child, Children, free_port
from bench.site import Ground
from bench.subjects.nexus import SUBJECT
from bench.subjects.subject import Site
from bench.upstream.answers import MODEL
from bench.workload import LIMITED_TOKEN, TOKEN

_UP_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 0.1
_SLOW: Final = Path(__file__).parents[1] / "upstream" / "slow"
_LOOP: Final = "import os\nos.nice(19)\nwhile True: pass"
_NEEDED: Final = frozenset(
    (
        "chat.completions",
        "music.generations",
        "images.generations",
        "ocr",
        "audio.transcriptions",
        "videos",
        "audio.speech",
    )
)


class NotUpError(RuntimeError):
    """A stack did not come up."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A started one: where it is asked, which model chats, and the ten jobs.

    `streams` are read for each one that is asked for: those that cost next to nothing need more of them. `awake`
    gives a context in which one core has something to do (nothing useful, at the least priority); None: the stack's
    own parts keep both busy.
    """

    name: str
    url: str
    token: str
    model: str
    http: httpx.Client
    wishes: Sequence[Wish]
    streams: int = 1
    awake: Callable[[], AbstractContextManager[object]] | None = None


@contextmanager
def embedded(state: Path, children: Children) -> Iterator[Stack]:
    """`nexus up` in `state`, whose environments stay; all engines are warm. Raises NotUpError, JobError."""
    state.mkdir(parents=True, exist_ok=True)
    (state / "up.log").unlink(missing_ok=True)
    child = children.start(
        "up", (sys.executable, "-m", "nexus.cli", "up"), core=None, env={"NEXUS_PORT": "0"}, folder=state.absolute()
    )
    url = _said(child, r"Nexus is at (\S+)")
    token = (state / ".nexus" / "api_key").read_text(encoding="ascii").strip()
    with _client(url, token) as http:
        _wait_for(http, _NEEDED, child)
        for wish in warming_wishes(http):
            finish(http, wish)
        yield Stack(
            "embedded", url, token, "smollm2", http, embedded_wishes(http), awake=lambda: _awake(state, children)
        )


@contextmanager
def _awake(folder: Path, children: Children) -> Iterator[None]:
    child = children.start("awake", (sys.executable, "-c", _LOOP), core=None, env={}, folder=folder)
    try:
        yield
    finally:
        children.end(child)


@contextmanager
def bare(folder: Path, cores: Cores, children: Children) -> Iterator[Stack]:
    """A gateway on a core of its own; on the other the fast upstream of `bench` for chat, and a service that waits."""
    chat = Ground(folder, cores, children).start_stream_upstream()
    slow, port = free_port(), free_port()
    argv = (sys.executable, "-m", "nexus.sdk.serve", str(_SLOW), "--port", str(slow))
    children.start("slow", argv, core=cores.load, env={}, folder=folder)
    launch = SUBJECT.launch(Path(sys.executable), Site(port, chat, MODEL, TOKEN, LIMITED_TOKEN, folder))
    services = f"http://127.0.0.1:{chat},http://127.0.0.1:{slow}"
    env = {**launch.env, "NEXUS_SERVICES": services}
    child = children.start("gateway", launch.argv, core=cores.subject, env=env, folder=folder)
    with _client(f"http://127.0.0.1:{port}", TOKEN) as http:
        _wait_for(http, {"chat.completions", "music.generations"}, child)
        wish = Wish("slow", "/v1/music/generations", {"seconds": 2, "megabytes": 4})
        finish(http, wish)
        yield Stack("gateway alone", f"http://127.0.0.1:{port}", TOKEN, MODEL, http, [wish] * 10, streams=10)


def _client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60)


def _said(child: Child, pattern: str) -> str:
    """What the pattern's group matches in a child's log. Raises NotUpError."""
    deadline = time.monotonic() + _UP_SECONDS
    while time.monotonic() < deadline and child.running:
        if found := re.search(pattern, _log(child)):
            return found[1]
        time.sleep(_POLL_SECONDS)
    raise NotUpError(f"{child.name} did not come up; the end of its log: {_log(child)[-600:]}")


def _wait_for(http: httpx.Client, operations: set[str] | frozenset[str], child: Child) -> None:
    """Until ready services do all of these. Raises NotUpError."""
    deadline = time.monotonic() + _UP_SECONDS
    ready: set[str] = set()
    while time.monotonic() < deadline and child.running:
        try:
            services = http.get("/v1/services").json()["data"]
        except httpx.TransportError:
            services = []
        ready = {name for one in services if one["state"] == "ready" for name in one["operations"]}
        if ready >= operations:
            return
        time.sleep(_POLL_SECONDS)
    raise NotUpError(f"{child.name}: not ready: {', '.join(sorted(operations - ready))}; its log: {_log(child)[-600:]}")


def _log(child: Child) -> str:
    return child.log.read_text(encoding="utf-8", errors="replace")
