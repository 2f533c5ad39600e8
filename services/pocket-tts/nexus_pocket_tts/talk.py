"""One call's speech: a text and a voice in, the bytes of a file out."""

import threading
from typing import TYPE_CHECKING, Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.speech import SpeechRequest, SpeechUsage
from nexus.sdk.engine import Call
from nexus.sdk.media.speech import RATE, Chunks, SpokenFile

if TYPE_CHECKING:  # torch may not be there
    from nexus_pocket_tts.pocket import Pocket, State

_FULL_SCALE: Final = 32767


class Talk:
    """The speech of one `text`, in the format and at the speed of the `request`; `chunks` makes it, once."""

    def __init__(self, pocket: "Pocket", text: str, state: "State", request: SpeechRequest, call: Call) -> None:
        self._pocket = pocket
        self._text = text
        self._state = state
        self._request = request
        self._call = call
        self._samples = 0

    @property
    def usage(self) -> SpeechUsage:
        """What the speech cost, once it is made: tokens of text, and frames of sound (80 ms)."""
        read = self._pocket.tokens(self._text)
        made = -(-int(self._samples * self._pocket.frames_a_second) // RATE)
        return SpeechUsage(input_tokens=read, output_tokens=made, total_tokens=read + made)

    def chunks(self) -> Chunks:
        """The file's bytes, as they are made. Raises ApiError when the call is cancelled."""
        stop = threading.Event()
        self._call.on_cancel(stop.set)
        file = SpokenFile(self._pocket.rate, self._request.response_format, self._request.speed)
        spoken = 0
        for samples in self._pocket.speak(self._text, self._state, stop):
            spoken += len(samples)
            self._call.report(0, f"{spoken / self._pocket.rate:.0f} seconds spoken")
            if chunk := file.feed((samples * _FULL_SCALE).astype("<i2").tobytes()):
                yield chunk
        self._call.go_on()  # what was cut short must not be made to look whole
        yield file.finish()
        self._samples = file.samples
        self._call.report(1, "spoken")


def speakable(text: str) -> str:
    """The text, if there is something in it to speak. Raises ApiError (400)."""
    if not any(character.isalnum() for character in text):
        raise ApiError(INVALID_REQUEST, "there is nothing in the text that can be spoken", param="input")
    return text.replace("\0", " ")
