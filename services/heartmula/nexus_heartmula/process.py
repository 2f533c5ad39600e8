"""The worker seen from the service: a process that holds the model, asked for one song at a time."""

import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nexus.contract.errors import NO_READY_SERVICE, OVERLOADED, UPSTREAM_ERROR, ApiError
from nexus_heartmula.progress import StderrReader, Step
from nexus_heartmula.song import RATE, Song

_WORKER: Final = Path(__file__).parent / "worker.py"
_POLL_SECONDS: Final = 0.1
_INTERRUPT_SECONDS: Final = 0.6
"""How long the worker may take to break a song off; then it is killed, and a new one reads the model again."""
_OUT_OF_MEMORY: Final = ("OutOfMemoryError", "MemoryError")
_SINGING: Final = 0.95
"""The share of the work that the bar tells of; turning the frames into sound is the rest."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run the worker. `python` has heartlib; devices are in torch's words; `load_seconds` bounds `Worker()`."""

    python: str
    checkpoint: Path
    version: str
    device: str
    codec_device: str
    lazy_load: bool
    load_seconds: float


@dataclass(frozen=True, slots=True)
class Watch:
    """How to tell how far a song is, and to learn that nobody waits for it any more."""

    report: Callable[[float, str], None]
    cancelled: Callable[[], bool]


class Worker:
    """One process with one model. For one thread at a time, but for `close`."""

    def __init__(self, settings: Settings) -> None:
        """Start the process and wait until the model is read. Raises RuntimeError where it cannot be."""
        self._settings = settings
        self._events: queue.Queue[Step | dict[str, Any]] = queue.Queue()
        self._stderr = StderrReader()
        self._process = _started(settings.python)
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_messages, self._read_bars)]
        for reader in self._readers:
            reader.start()
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def sing(self, song: Song, watch: Watch) -> bytes:
        """The song as signed 16-bit samples, two channels side by side (a mono one twice), `RATE` a second.

        Ends within a second once `watch.cancelled()`. Raises ApiError.
        """
        with tempfile.TemporaryDirectory(prefix="nexus-heartmula-") as folder:
            wav = Path(folder) / "song.wav"
            self._send({"song": _message(song, Path(folder), wav)})
            self._wait(song, watch)
            return _read(wav)

    def close(self) -> None:
        """End the process, at once."""
        if self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for reader in self._readers:
            reader.join(_POLL_SECONDS)  # at once, unless a process of its own has left one behind
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):  # what was to be sent to it is lost
                    pipe.close()

    def _load(self) -> None:
        settings = self._settings
        self._send(
            {
                "load": {
                    "checkpoint": str(settings.checkpoint),
                    "version": settings.version,
                    "device": settings.device,
                    "codec_device": settings.codec_device,
                    "lazy_load": settings.lazy_load,
                }
            }
        )
        deadline = time.monotonic() + settings.load_seconds
        while (event := self._next()) is None or isinstance(event, Step):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the model was not read within {settings.load_seconds:g} s")
        if event["event"] != "ready":
            raise RuntimeError(_told(event))

    def _wait(self, song: Song, watch: Watch) -> None:
        """Until the song is made. Raises ApiError where it is not."""
        watch.report(0, "reading the words")
        while not watch.cancelled():
            event = self._next()
            if isinstance(event, Step) and event.total == song.frames:
                watch.report(*_progress(event))
            elif isinstance(event, dict):
                if event["event"] != "done":
                    raise _failed(event)
                return watch.report(1, "the song is made")
        self._interrupt()
        raise ApiError(OVERLOADED, "the call was cancelled before its song was made")

    def _interrupt(self) -> None:
        """Break the song off; a worker that does not heed it in time is killed."""
        deadline = time.monotonic() + _INTERRUPT_SECONDS
        if self.alive:
            self._process.send_signal(signal.SIGINT)
        while time.monotonic() < deadline:
            if isinstance(self._next(), dict):
                return
        self.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it was opened as a pipe
        try:
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()
        except OSError as error:  # it has just died
            raise ApiError(UPSTREAM_ERROR, f"the worker has ended: {self._last_words()}") from error

    def _next(self) -> Step | dict[str, Any] | None:
        """The next event; None where none came for a moment. A process that died is an event too."""
        try:
            return self._events.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            if self.alive:
                return None
        try:  # what it said last may have come just now
            return self._events.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            return {"event": "failed", "kind": "Died", "error": self._last_words()}

    def _read_messages(self) -> None:
        for line in self._process.stdout or ():
            self._events.put(json.loads(line))

    def _read_bars(self) -> None:
        pipe = self._process.stderr
        while pipe is not None and (data := os.read(pipe.fileno(), 65536)):
            for step in self._stderr.feed(data):
                self._events.put(step)

    def _last_words(self) -> str:
        code = self._process.poll()
        return " / ".join([f"exit status {code}", *list(self._stderr.tail)[-3:]])


def _started(python: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - the operator says which interpreter
        [python, str(_WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _message(song: Song, folder: Path, wav: Path) -> dict[str, Any]:
    """The song as the worker is told. Texts go in files of their own: heartlib opens any text that names a file."""
    lyrics, tags = folder / "lyrics.txt", folder / "tags.txt"
    lyrics.write_text(song.lyrics, encoding="utf-8")
    tags.write_text(song.tags, encoding="utf-8")
    return {
        "lyrics_file": str(lyrics),
        "tags_file": str(tags),
        "wav_file": str(wav),
        "milliseconds": song.milliseconds,
        "seed": song.seed,
        "temperature": song.temperature,
        "top_k": song.top_k,
        "cfg_scale": song.cfg_scale,
    }


def _progress(step: Step) -> tuple[float, str]:
    fraction = _SINGING * step.done / max(1, step.total)
    return fraction, f"second {step.done * 80 // 1000} of at most {step.total * 80 // 1000}"


def _failed(event: Mapping[str, Any]) -> ApiError:
    if event.get("kind") in _OUT_OF_MEMORY:
        return ApiError(OVERLOADED, f"there is not enough memory for this song: {event.get('error')}", retry_after=30)
    return ApiError(UPSTREAM_ERROR, _told(event))


def _told(event: Mapping[str, Any]) -> str:
    if event["event"] == "interrupted":
        return "the song was interrupted from outside"
    if event.get("kind") == "Died":
        return f"the worker has died: {event.get('error')}"
    return f"heartlib failed: {event.get('kind')}: {event.get('error')}"


def _read(file: Path) -> bytes:
    """The samples of a WAV that the worker wrote. Raises ApiError (502) where it is none."""
    try:
        with wave.open(str(file), "rb") as sound:
            shape = (sound.getsampwidth(), sound.getframerate())
            channels, pcm = sound.getnchannels(), sound.readframes(sound.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise ApiError(UPSTREAM_ERROR, "heartlib ended without a song") from error
    if shape != (2, RATE) or channels not in (1, 2) or not pcm:
        raise ApiError(UPSTREAM_ERROR, f"heartlib wrote {channels} channels at {shape[1]} Hz, {len(pcm)} bytes")
    if channels == 2:
        return pcm
    return b"".join(pcm[at : at + 2] * 2 for at in range(0, len(pcm), 2))


def unavailable(reason: str) -> ApiError:
    """The error of a worker that cannot be started."""
    return ApiError(NO_READY_SERVICE, reason, retry_after=5)
