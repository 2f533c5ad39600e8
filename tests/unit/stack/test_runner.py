"""A program kept alive: each phase is told, each end is followed by another start."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from nexus.stack.ports import PortBook
from nexus.stack.probe import Answer, Endpoint
from nexus.stack.progress import Phase
from nexus.stack.runner import Launch, LaunchError, Prepare, Runner, Surroundings, phase_of

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Told:
    """What a runner reports, and a runner that is ended with the test."""

    def __init__(self) -> None:
        self.changes: list[tuple[Phase, str]] = []
        self.said = bytearray()
        self._read, self._write = os.pipe()
        self.surroundings = Surroundings(self._read, drain_seconds=5, hurry=asyncio.Event())

    def runner(self, prepare: Prepare) -> Runner:
        return Runner(
            prepare,
            report=lambda phase, detail: self.changes.append((phase, detail)),
            on_output=self.said.extend,
            last_words=lambda: self.said.decode().strip().rpartition("\n")[2],
            surroundings=self.surroundings,
        )

    def phases(self) -> list[Phase]:
        return [phase for phase, _ in self.changes]

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    one = Told()
    yield one
    one.close()


def launch(*command: str, port: int = 1) -> Launch:
    return Launch((sys.executable, *command), dict(os.environ), Path.cwd(), Endpoint("127.0.0.1", port), "/readyz")


async def test_from_start_to_stop(told: Told, tmp_path: Path, until: Callable[..., object]) -> None:
    port = PortBook(tmp_path / "ports.json").port_for("alpha")

    async def prepare() -> Launch:
        return launch("-c", SERVER, str(port), port=port)

    runner = told.runner(prepare)
    runner.start()
    await until(lambda: told.phases() == [Phase.STARTING, Phase.READY])
    await runner.stop()
    await runner.stop()
    assert told.phases() == [Phase.STARTING, Phase.READY, Phase.STOPPED]


async def test_an_end_is_told_with_the_last_words(told: Told, until: Callable[..., object]) -> None:
    async def prepare() -> Launch:
        return launch("-c", "print('one'); print('no weights'); raise SystemExit(3)")

    runner = told.runner(prepare)
    runner.start()
    await until(lambda: len(told.changes) >= 4)
    assert told.changes[:4] == [
        (Phase.STARTING, ""),
        (Phase.RESTARTING, "exited with status 3: no weights; again in 0.5 s"),
        (Phase.STARTING, ""),
        (Phase.RESTARTING, "exited with status 3: no weights; again in 1 s"),
    ]
    await runner.stop()


async def test_the_third_failure_in_a_row_is_called_one(told: Told, until: Callable[..., object]) -> None:
    async def prepare() -> Launch:
        raise LaunchError("no such package")

    runner = told.runner(prepare)
    runner.start()
    await until(lambda: len(told.changes) == 3)
    assert told.phases() == [Phase.RESTARTING, Phase.RESTARTING, Phase.FAILED]
    assert told.changes[2][1] == "no such package; again in 2 s"
    await runner.stop()


async def test_a_command_that_is_not_there(told: Told, until: Callable[..., object]) -> None:
    async def prepare() -> Launch:
        return Launch(("/no/such/python",), {}, Path.cwd(), Endpoint("127.0.0.1", 1), "/readyz")

    runner = told.runner(prepare)
    runner.start()
    await until(lambda: Phase.RESTARTING in told.phases())
    assert told.changes[1][1].startswith("cannot start /no/such/python: No such file")
    await runner.stop()


@pytest.mark.parametrize(
    ("answer", "phase"),
    [
        (Answer(200, "ready"), (Phase.READY, "")),
        (Answer(503, "loading", "m: loading"), (Phase.LOADING, "m: loading")),
        (Answer(503, "failed", "m: broken"), (Phase.FAILED, "m: broken")),
        (Answer(404), (Phase.LOADING, "")),
    ],
)
def test_what_a_readiness_answer_stands_for(answer: Answer, phase: tuple[Phase, str]) -> None:
    assert phase_of(answer) == phase
