"""Speech on its way out: samples made quicker or slower, encoded, and sent as an answer's body or as events."""

import base64
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Final

from nexus.contract.wire.speech import SpeechAudioDelta, SpeechAudioDone, SpeechUsage
from nexus.sdk.engine import Content
from nexus.sdk.media.audio import MEDIA_TYPES, AudioEncoder, Resampler, Tempo

RATE: Final = 24_000  # samples a second of every answer, as OpenAI's
OPENAI_VOICES: Final = frozenset(
    "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split()  # noqa: SIM905 - it reads better
)
_SLOWEST: Final = 0.5  # what one tempo can do

Chunks = Generator[bytes, None, None]


class SpokenFile:
    """A voice's samples on their way into a file: `rate` is theirs, `samples` counts those of the file, at RATE.

    `speed` 2 takes half the time, from 0.25 to 4; the pitch stays as it is. Samples are signed 16-bit, mono.
    """

    def __init__(self, rate: int, format: str, speed: float = 1.0) -> None:
        """Raises ValueError for a format that the SDK does not know."""
        self.samples = 0
        self._tempos = [Tempo(rate, factor) for factor in _factors(speed)]
        self._resampler = Resampler(rate, RATE)
        self._encoder = AudioEncoder(format, RATE)

    def feed(self, pcm: bytes) -> bytes:
        """What of the file can be sent now, which may be nothing."""
        for tempo in self._tempos:
            pcm = tempo.feed(pcm)
        return self._encoded(self._resampler.feed(pcm))

    def finish(self) -> bytes:
        """The last bytes; the file takes nothing more."""
        last = b""
        for tempo in self._tempos:
            last = tempo.feed(last) + tempo.finish()
        return self._encoded(self._resampler.feed(last) + self._resampler.finish()) + self._encoder.finish()

    def _encoded(self, pcm: bytes) -> bytes:
        self.samples += len(pcm) // 2
        return self._encoder.feed(pcm)


def spoken_body(chunks: Chunks, format: str) -> Iterator[Content | bytes]:
    """The file's `chunks` as an answer's body; its first bytes say what it is."""
    with closing(chunks):
        yield Content(next(chunks, b""), MEDIA_TYPES[format])
        yield from chunks


def spoken_events(chunks: Chunks, usage: Callable[[], SpeechUsage]) -> Iterator[SpeechAudioDelta | SpeechAudioDone]:
    """The file's `chunks` as events, the last of which tells what the speech cost: `usage` is asked at the end."""
    with closing(chunks):
        for chunk in chunks:
            if chunk:
                yield SpeechAudioDelta(audio=base64.b64encode(chunk).decode("ascii"))
    yield SpeechAudioDone(usage=usage())


def _factors(speed: float) -> list[float]:
    """The tempos that make a speed, one after the other."""
    if speed == 1:
        return []
    return [_SLOWEST, speed / _SLOWEST] if speed < _SLOWEST else [speed]
