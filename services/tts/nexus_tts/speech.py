"""One call's speech: a text in, the bytes of a file out."""

from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, OVERLOADED, ApiError
from nexus.contract.wire.speech import SpeechUsage
from nexus.sdk.engine import Call
from nexus.sdk.media.speech import RATE, Chunks, SpokenFile
from nexus_tts.pieces import Piece, cut
from nexus_tts.voice import Stop, StoppedError, Voice

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

    def chunks(self) -> Chunks:
        """The file's bytes, as the pieces are made. Raises ApiError when the call is cancelled."""
        self._call.on_cancel(self._stop.set)
        # The voice itself speaks slower when asked to, as people do; hurried it slurs, so its sound is made quicker.
        file = SpokenFile(self._voice.rate, self._manner.format, max(1.0, self._manner.speed))
        for number, piece in enumerate(self._pieces):
            self._call.report(number / len(self._pieces), f"speaking piece {number + 1} of {len(self._pieces)}")
            if chunk := file.feed(self._spoken(piece)):
                yield chunk
        yield file.finish()
        self._samples = file.samples
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
