"""One call's speech: pieces in, the bytes of a file out, as the answer's body or as its events."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, OVERLOADED, ApiError
from nexus.contract.wire.speech import SpeechAudioDelta, SpeechAudioDone, SpeechUsage
from nexus.sdk.engine import Call, Content
from nexus.sdk.media.audio import MEDIA_TYPES, AudioEncoder, Resampler, Tempo
from nexus_tts.pieces import Piece, cut
from nexus_tts.voice import Stop, StoppedError, Voice

RATE: Final = 24000  # of every answer, as OpenAI's
_FULL_SCALE: Final = 32767
_SAMPLES_A_TOKEN: Final = RATE // 20  # a token of sound is 50 ms; a token of text is a phoneme


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text is spoken, and in which format the sound is sent."""

    speaker: int | None
    speed: float
    format: str


class Speech:
    """The speech of one text by one voice; `chunks` makes it, once."""

    def __init__(self, voice: Voice, text: str, manner: Manner, call: Call) -> None:
        """Raises ApiError (400) for a text that has nothing to speak in it."""
        self._voice = voice
        self._manner = manner
        self._call = call
        self._stop = Stop()
        self._pieces = cut(voice.phonemes(text), manner.speed)
        if not self._pieces:
            raise ApiError(INVALID_REQUEST, "there is nothing in the text that can be spoken", param="input")
        self._samples = 0

    @property
    def usage(self) -> SpeechUsage:
        """What the speech cost, once it is made."""
        read = sum(len(piece.phonemes) for piece in self._pieces)
        made = -(-self._samples // _SAMPLES_A_TOKEN)
        return SpeechUsage(input_tokens=read, output_tokens=made, total_tokens=read + made)

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes, as the pieces are made. Raises ApiError when the call is cancelled."""
        self._call.on_cancel(self._stop.set)
        sound = _Sound(self._voice.rate, self._manner)
        for number, piece in enumerate(self._pieces):
            self._call.report(number / len(self._pieces), f"speaking piece {number + 1} of {len(self._pieces)}")
            if chunk := sound.feed(self._spoken(piece)):
                yield chunk
        yield sound.finish()
        self._samples = sound.samples
        self._call.report(1, "spoken")

    def _spoken(self, piece: Piece) -> bytes:
        try:
            slowness = max(1.0, 1 / self._manner.speed)
            samples = self._voice.speak(piece.phonemes, slowness, self._manner.speaker, self._stop)
        except StoppedError as error:
            raise ApiError(OVERLOADED, "the call was cancelled before its answer was complete") from error
        if piece.runs_on:
            samples = self._voice.shortened(samples)
        return (samples * _FULL_SCALE).astype("<i2").tobytes()


class _Sound:
    """The voice's samples made quicker where that was asked for, resampled, and encoded; `samples` counts them.

    The voice itself speaks slower when asked to, as people do, but hurried it slurs: so quickness is made here.
    """

    def __init__(self, rate: int, manner: Manner) -> None:
        self.samples = 0
        self._tempo = Tempo(rate, manner.speed) if manner.speed > 1 else None
        self._resampler = Resampler(rate, RATE)
        self._encoder = AudioEncoder(manner.format, RATE)

    def feed(self, pcm: bytes) -> bytes:
        return self._encoded(self._resampler.feed(self._tempo.feed(pcm) if self._tempo else pcm))

    def finish(self) -> bytes:
        last = self._resampler.feed(self._tempo.finish()) if self._tempo else b""
        return self._encoded(last + self._resampler.finish()) + self._encoder.finish()

    def _encoded(self, pcm: bytes) -> bytes:
        self.samples += len(pcm) // 2
        return self._encoder.feed(pcm)


def body(speech: Speech, format: str) -> Iterator[Content | bytes]:
    """The speech as an answer's body; its first bytes say what it is."""
    chunks = speech.chunks()
    yield Content(next(chunks), MEDIA_TYPES[format])
    yield from chunks


def events(speech: Speech) -> Iterator[SpeechAudioDelta | SpeechAudioDone]:
    """The speech as events, the last of which tells what it cost."""
    for chunk in speech.chunks():
        if chunk:
            yield SpeechAudioDelta(audio=base64.b64encode(chunk).decode("ascii"))
    yield SpeechAudioDone(usage=speech.usage)
