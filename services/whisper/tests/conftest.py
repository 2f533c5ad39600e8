"""whisper.cpp's server simulated, in a process of its own that can be ended and started again on its port."""

import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))

from tests.recordings import encoded  # noqa: E402 - the service's folder has to be on the path


class WhisperCpp:
    """The process. `wait_for` reads what it logs."""

    def __init__(self, control: Path, *arguments: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.control = control
        self._arguments = arguments
        self._lines: queue.Queue[str] = queue.Queue()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        script = str(Path(__file__).with_name("whisper_cpp.py"))
        command = [sys.executable, script, "--port", str(self.port), "--control", str(self.control), *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, args=(self._process,))
        self._reader.start()
        self.wait_for("listening", 20)

    def kill(self) -> None:
        if self._process is None or self._reader is None:
            return
        self._process.kill()
        self._process.wait(10)
        self._reader.join(10)
        self._process = self._reader = None

    def wait_for(self, words: str, seconds: float) -> str:
        """The next line with these words. Raises queue.Empty when it does not come in time."""
        while True:
            line = self._lines.get(timeout=seconds)
            if words in line:
                return line

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._lines.put(line)


@pytest.fixture
def whisper_cpp(tmp_path: Path) -> Iterator[Callable[..., WhisperCpp]]:
    """Starts a server with the given arguments."""
    started: list[WhisperCpp] = []

    def start(*arguments: str) -> WhisperCpp:
        server = WhisperCpp(tmp_path, *arguments)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def tones() -> Callable[..., bytes]:
    """A recording of tones (hertz; 0 is silence), a second each, in a container of tests/recordings.py."""

    def make(*hertz: int, kind: str = "wav") -> bytes:
        moments = np.arange(48_000) / 48_000
        sound = np.concatenate([np.sin(2 * np.pi * tone * moments) * 12_000 for tone in hertz])
        return encoded(sound, 48_000, kind)

    return make


@pytest.fixture
def samples() -> Callable[..., Any]:
    """The same as samples for the server."""

    def make(*hertz: int) -> Any:
        moments = np.arange(16_000) / 16_000
        return np.concatenate([np.sin(2 * np.pi * tone * moments) * 0.4 for tone in hertz]).astype(np.float32)

    return make


@pytest.fixture(scope="module")
def one(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, openai.OpenAI]]:
    """One service, which takes a minute of sound, in front of one server: its URL and a client."""
    running = WhisperCpp(tmp_path_factory.mktemp("control"))
    running.start()
    try:
        with (
            serve(FOLDER, NEXUS_WHISPER_URL=running.url, NEXUS_WHISPER_MAX_SECONDS="60") as url,
            openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
        ):
            yield url, client
    finally:
        running.kill()
