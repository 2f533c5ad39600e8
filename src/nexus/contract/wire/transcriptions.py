"""`/v1/audio/transcriptions` and `/translations`: the fields of their forms, and what is answered.

The recording itself is a file of the form and no field. `seconds`, `start`, `end` and `duration` are seconds.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from nexus.contract.wire.base import ModelName, Number, Wire

LONGEST_PROMPT = 32_000
Granularity = Literal["word", "segment"]


def _code(language: str) -> str:
    return language.strip().lower()


class TranslationRequest(Wire):
    """Speech in any language the model knows, to be written in English."""

    model: ModelName | None = None
    prompt: Annotated[str, Field(max_length=LONGEST_PROMPT)] | None = None
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: Annotated[Number, Field(ge=0, le=1)] = 0.0


class TranscriptionRequest(Wire):
    """Speech to be written in its own language; `language` is an ISO-639-1 code, found out where it is not given.

    Words and segments have times in verbose_json only, and only what has no times can be streamed.
    """

    model: ModelName | None = None
    language: Annotated[str, Field(max_length=32), AfterValidator(_code)] | None = None
    prompt: Annotated[str, Field(max_length=LONGEST_PROMPT)] | None = None
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] = "json"
    temperature: Annotated[Number, Field(ge=0, le=1)] = 0.0
    timestamp_granularities: tuple[Granularity, ...] = ()
    stream: bool = False
    include: tuple[str, ...] = ()
    chunking_strategy: str | dict[str, Any] | None = None

    @field_validator("timestamp_granularities")
    @classmethod
    def _have_a_place(cls, wanted: tuple[Granularity, ...], info: ValidationInfo) -> tuple[Granularity, ...]:
        if wanted and info.data.get("response_format", "verbose_json") != "verbose_json":
            raise ValueError("goes with response_format verbose_json only")
        return wanted

    @field_validator("stream")
    @classmethod
    def _is_plain(cls, stream: bool, info: ValidationInfo) -> bool:
        if stream and info.data.get("response_format") in ("srt", "vtt", "verbose_json"):
            raise ValueError("goes with response_format json or text only")
        return stream


class DurationUsage(Wire):
    type: Literal["duration"]
    seconds: Number


class Transcription(Wire):
    """The answer of response_format json, for both operations."""

    text: str
    usage: DurationUsage | None = None


class TranscribedWord(Wire):
    word: str
    start: Number
    end: Number


class TranscribedSegment(Wire):
    id: int
    seek: int
    start: Number
    end: Number
    text: str
    tokens: tuple[int, ...]
    temperature: Number
    avg_logprob: Number
    compression_ratio: Number
    no_speech_prob: Number


class VerboseTranscription(Wire):
    """The answer of response_format verbose_json. `language` is its English name in lower case, such as "german"."""

    task: Literal["transcribe", "translate"]
    language: str
    duration: Number
    text: str
    segments: tuple[TranscribedSegment, ...] | None = None
    words: tuple[TranscribedWord, ...] | None = None
    usage: DurationUsage | None = None
