"""The place of a measurement: both upstreams, and subjects that are started before one of them."""

import http.client
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import Cores
from bench.processes import Child, Children, free_port
from bench.subjects import Site, Subject
from bench.subjects.subject import find_program
from bench.upstream.answers import ANSWER, MODEL
from bench.upstream.static import static_argv
from bench.workload import LIMITED_TOKEN, PATH, TOKEN, chat_body

_READY_SECONDS = 90.0
_POLL_SECONDS = 0.01


class NotReadyError(RuntimeError):
    """A program was started and did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Running:
    """A started subject that has given its first good answer, `start_seconds` after its start."""

    subject: Subject
    child: Child
    port: int
    start_seconds: float

    @property
    def name(self) -> str:
        return self.subject.name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"


class Ground:
    """Starts upstreams and subjects in folders of their own under `folder`."""

    def __init__(self, folder: Path, cores: Cores, children: Children) -> None:
        self._folder = folder
        self._cores = cores
        self._children = children
        self._count = 0
        self.notes: list[str] = []

    def start_static_upstream(self) -> int:
        """The upstream for small answers; returns its port."""
        nginx = find_program("nginx", "nginx")
        if nginx is None:
            self.notes.append("no nginx: the upstream is the slower asyncio one, and the subjects may not be the limit")
            return self.start_stream_upstream()
        port, folder = free_port(), self._new_folder("static")
        argv = static_argv(nginx, folder, port)
        child = self._children.start("static", argv, core=self._cores.load, env={}, folder=folder)
        _wait_for_answer(child, port)
        return port

    def start_stream_upstream(self) -> int:
        """The upstream for streams; returns its port."""
        port, folder = free_port(), self._new_folder("streaming")
        argv = (sys.executable, "-m", "bench.upstream.streaming", str(port))
        env = {"PYTHONPATH": str(Path.cwd())}
        child = self._children.start("streaming", argv, core=self._cores.load, env=env, folder=folder)
        _wait_for_answer(child, port)
        return port

    def start(self, subject: Subject, program: Path, upstream_port: int) -> Running:
        """Start `subject` before the upstream and wait for its first good answer. Raises NotReadyError."""
        port, folder = free_port(), self._new_folder(subject.name)
        site = Site(
            port=port, upstream_port=upstream_port, model=MODEL, token=TOKEN, limited_token=LIMITED_TOKEN, folder=folder
        )
        launch = subject.launch(program, site)
        began = time.perf_counter()
        child = self._children.start(subject.name, launch.argv, core=self._cores.subject, env=launch.env, folder=folder)
        try:
            _wait_for_answer(child, port)
        except NotReadyError:
            self._children.end(child)
            raise
        return Running(subject, child, port, time.perf_counter() - began)

    @contextmanager
    def all_of(self, found: Sequence[tuple[Subject, Path]], upstream_port: int) -> Iterator[list[Running]]:
        """Every subject at once, for interleaved rounds; one that does not come up is noted and left out."""
        with ExitStack() as stack:
            running: list[Running] = []
            for subject, program in found:
                try:
                    one = self.start(subject, program, upstream_port)
                except NotReadyError as error:
                    self.notes.append(str(error))
                    continue
                stack.callback(self._children.end, one.child)
                running.append(one)
            yield running

    def one_by_one(self, found: Sequence[tuple[Subject, Path]], upstream_port: int) -> Iterator[Running]:
        """Each subject alone, ended before the next is started; one that does not come up is noted and left out."""
        for one in found:
            with self.all_of([one], upstream_port) as running:
                yield from running

    def _new_folder(self, name: str) -> Path:
        self._count += 1
        folder = self._folder / f"{self._count:03d}-{name}"
        folder.mkdir(parents=True)
        return folder


def _wait_for_answer(child: Child, port: int) -> None:
    """Ask until the small chat answer comes, whole and right. Raises NotReadyError."""
    deadline = time.monotonic() + _READY_SECONDS
    seen = "no answer"
    while time.monotonic() < deadline:
        if not child.running:
            break
        try:
            status, body = ask(port, chat_body())
        except (OSError, http.client.HTTPException):
            pass
        else:
            if status == 200 and ANSWER in body:
                return
            seen = f"status {status}: {body[:200]!r}"
        time.sleep(_POLL_SECONDS)
    log = child.log.read_text(encoding="utf-8", errors="replace").strip()
    raise NotReadyError(f"{child.name} did not answer ({seen}); the end of its log: {log[-400:]}")


def ask(port: int, body: bytes) -> tuple[int, bytes]:
    """One chat request on a connection of its own: status and body. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
        connection.request("POST", PATH, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
