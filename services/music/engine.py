"""The music service's engine: commissions played by the engine that each model's manifest entry names."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, Final

from nexus_music.engines import make_engine
from nexus_music.request import commission_of
from nexus_music.seam import Commission, MusicEngine, Watch

from nexus.contract.wire.music import MusicFormat, MusicRequest
from nexus.sdk.engine import Call, Content, Engine, Model
from nexus.sdk.loaded import Loaded
from nexus.sdk.media.audio import MEDIA_TYPES, AudioEncoder, encode_whole

_TELL_THEIR_LENGTH: Final = ("wav", "pcm", "flac")  # in their headers; these are quick to encode


class MusicService(Engine):
    """Each model of the manifest is one engine of `nexus_music.engines`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._engines = Loaded[MusicEngine]()

    def load(self, model: Model) -> None:
        """Make the engine that the entry names. Raises what that raises."""
        self._engines[model.id] = make_engine(model)

    def unload(self, model: Model) -> None:
        """Let the engine go; a call that still runs keeps it until it ends."""
        engine = self._engines.pop(model.id, None)
        if engine is not None:
            engine.close()

    def music_generations(self, request: MusicRequest, call: Call) -> Content | Iterator[Content]:
        """The piece as one file, or with `stream` as bytes while it is made."""
        engine = self._engines.of(call)
        pieces = _heard(engine, commission_of(request), call)
        if request.stream:
            return _streamed(engine, request.response_format, pieces)
        return _whole(engine, request.response_format, pieces)


def _heard(engine: MusicEngine, commission: Commission, call: Call) -> Generator[bytes, None, None]:
    """The engine's pieces; a piece that was broken off because the caller left is never taken for a whole one."""
    watch = Watch(report=call.report, cancelled=lambda: call.cancelled)
    with closing(engine.play(commission, watch)) as pieces:
        yield from pieces
    call.go_on()


def _whole(engine: MusicEngine, wanted: MusicFormat, pieces: Generator[bytes, None, None]) -> Content:
    """The piece as one file. What takes long to encode is encoded as it is made, so that cancelling stops that too."""
    if wanted in _TELL_THEIR_LENGTH:
        body = encode_whole(wanted, engine.rate, engine.channels, b"".join(pieces))
    else:
        body = b"".join(content.body for content in _streamed(engine, wanted, pieces))
    return Content(body, MEDIA_TYPES[wanted])


def _streamed(engine: MusicEngine, wanted: MusicFormat, pieces: Generator[bytes, None, None]) -> Iterator[Content]:
    """The encoded bytes as they are made; none of them is empty, so that an error before the first is a real answer."""
    encoder = AudioEncoder(wanted, engine.rate, engine.channels)
    with closing(pieces):
        for piece in pieces:
            if data := encoder.feed(piece):
                yield Content(data, MEDIA_TYPES[wanted])
    if data := encoder.finish():
        yield Content(data, MEDIA_TYPES[wanted])
