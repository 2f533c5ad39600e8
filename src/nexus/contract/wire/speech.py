"""`/v1/audio/speech`: a text in, sound out, as bytes or as events."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nexus.contract.wire.base import ModelName, Number, Wire

AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
VoiceName = Annotated[str, Field(min_length=1, max_length=256)]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("there is nothing to speak but blanks")
    return text


class VoiceReference(Wire):
    id: VoiceName


class SpeechRequest(Wire):
    """A request to speak `input`. `speed` 2 takes half the time; without `voice` the model speaks with its own."""

    model: ModelName
    input: Annotated[
        str,
        Field(min_length=1, max_length=4096, examples=["The quick brown fox jumps over the lazy dog."]),
        AfterValidator(_not_blank),
    ]
    voice: VoiceName | VoiceReference | None = None
    instructions: Annotated[str, Field(max_length=4096)] | None = None
    response_format: AudioFormat = "mp3"
    speed: Annotated[Number, Field(ge=0.25, le=4)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"

    @property
    def voice_name(self) -> str | None:
        """The voice asked for, in whichever of its two ways it was written."""
        return self.voice.id if isinstance(self.voice, VoiceReference) else self.voice


class SpeechUsage(Wire):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class SpeechAudioDelta(Wire):
    """One event of a streamed answer; `audio` is base64 of the next bytes of the file."""

    type: Literal["speech.audio.delta"] = "speech.audio.delta"
    audio: str


class SpeechAudioDone(Wire):
    """The last event of a whole streamed answer."""

    type: Literal["speech.audio.done"] = "speech.audio.done"
    usage: SpeechUsage
