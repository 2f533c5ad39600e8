"""The HeartMuLa service's engine: songs made by a worker process that holds the model."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from sys import executable
from threading import Lock
from typing import Any, Final

from nexus_heartmula.checkpoint import checked
from nexus_heartmula.process import Settings, Watch, Worker, unavailable
from nexus_heartmula.song import RATE, song_of

from nexus.contract.wire.music import MusicRequest
from nexus.sdk.engine import Call, Content, Engine, Model
from nexus.sdk.loaded import Loaded
from nexus.sdk.media.audio import MEDIA_TYPES, AudioEncoder, encode_whole

_VERSION: Final = "3B"
_CHANNELS: Final = 2
_SECOND: Final = RATE * _CHANNELS * 2  # bytes


class HeartMulaEngine(Engine):
    """Each model of the manifest is one worker. One that died, or had to be killed, is started for the next song."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._checkpoint = Path(config["NEXUS_HEARTMULA_CHECKPOINT"] or "")
        self._workers = Loaded[Worker]()
        self._starting = Lock()

    async def open(self) -> None:
        """Look at the folder of weights, where one is given. Raises FileNotFoundError where it is not whole."""
        if self.config["NEXUS_HEARTMULA_CHECKPOINT"]:
            checked(self._checkpoint, _VERSION)

    def load(self, model: Model) -> None:
        """Start the worker and have it read the model. Raises RuntimeError or FileNotFoundError when it cannot."""
        self._workers[model.id] = Worker(self._settings(model))

    def unload(self, model: Model) -> None:
        """End the worker: nothing else gives a GPU's memory back for certain."""
        worker = self._workers.pop(model.id, None)
        if worker is not None:
            worker.close()

    def music_generations(self, request: MusicRequest, call: Call) -> Content | Iterator[Content]:
        """The song as one file. With `stream` the same in pieces: the model has no sound before its last frame."""
        song = song_of(request)
        pcm = self._worker(call).sing(song, Watch(call.report, lambda: call.cancelled))
        wanted = request.response_format
        if request.stream:
            return _streamed(wanted, pcm)
        return Content(encode_whole(wanted, RATE, _CHANNELS, pcm), MEDIA_TYPES[wanted])

    def _worker(self, call: Call) -> Worker:
        """The model's worker, a new one where the last has ended. Raises ApiError (503) where it cannot be started."""
        worker = self._workers.of(call)
        if worker.alive:
            return worker
        call.report(0, "the worker had ended; a new one reads the model")
        try:
            with self._starting:
                worker = self._workers[call.model.id] = Worker(self._settings(call.model))
        except (RuntimeError, FileNotFoundError) as error:
            raise unavailable(f"the worker cannot be started again: {error}") from error
        call.go_on()
        return worker

    def _settings(self, model: Model) -> Settings:
        config = self.config
        version = str(model.options.get("version", _VERSION))
        device = config["NEXUS_HEARTMULA_DEVICE"]
        return Settings(
            python=config["NEXUS_HEARTMULA_PYTHON"] or executable,
            checkpoint=checked(model.path or self._checkpoint, version),
            version=version,
            device=device,
            codec_device=config["NEXUS_HEARTMULA_CODEC_DEVICE"] or device,
            lazy_load=config["NEXUS_HEARTMULA_LAZY_LOAD"],
            load_seconds=config["NEXUS_HEARTMULA_LOAD_SECONDS"],
        )


def _streamed(wanted: str, pcm: bytes) -> Iterator[Content]:
    encoder = AudioEncoder(wanted, RATE, _CHANNELS)
    for at in range(0, len(pcm), _SECOND):
        if data := encoder.feed(pcm[at : at + _SECOND]):
            yield Content(data, MEDIA_TYPES[wanted])
    if data := encoder.finish():
        yield Content(data, MEDIA_TYPES[wanted])
