"""Transcriptions: the fields as a form writes them, their bounds, and which of them go together."""

import json
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel, ValidationError

from nexus.contract.wire.transcriptions import TranscriptionRequest, TranslationRequest, VerboseTranscription

Request = TypeVar("Request", bound=BaseModel)


def read(kind: type[Request], fields: dict[str, Any]) -> Request:
    """The fields of a form, which are strings, read as their types."""
    return kind.model_validate(fields, strict=False)


def test_a_forms_strings_are_read_in_their_types() -> None:
    request = read(
        TranscriptionRequest,
        {
            "model": "whisper-1",
            "language": " DE ",
            "temperature": "0.4",
            "response_format": "verbose_json",
            "timestamp_granularities": ("word", "segment"),
            "include": ("logprobs",),
            "chunking_strategy": "auto",
            "known_speaker_names": "ada",
        },
    )
    assert (request.language, request.temperature) == ("de", 0.4)
    assert request.timestamp_granularities == ("word", "segment")
    assert read(TranscriptionRequest, {"stream": "true"}).stream is True


def test_what_is_not_given() -> None:
    request = read(TranscriptionRequest, {})
    assert (request.response_format, request.temperature, request.stream) == ("json", 0.0, False)
    assert (request.model, request.language, request.timestamp_granularities) == (None, None, ())


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"temperature": "1.1"}, "temperature"),
        ({"temperature": "-0.1"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"response_format": "docx"}, "response_format"),
        ({"stream": "perhaps"}, "stream"),
        ({"stream": "true", "response_format": "srt"}, "stream"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"model": ""}, "model"),
        ({"timestamp_granularities": ("word",)}, "timestamp_granularities"),
        ({"timestamp_granularities": ("letter",), "response_format": "verbose_json"}, "timestamp_granularities"),
    ],
)
def test_bounds(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(TranscriptionRequest, fields)
    assert caught.value.errors()[0]["loc"][0] == place


def test_a_translation_has_no_diarisation() -> None:
    assert read(TranslationRequest, {"temperature": "1"}).temperature == 1
    with pytest.raises(ValidationError):
        read(TranslationRequest, {"response_format": "diarized_json"})


def test_a_verbose_answer() -> None:
    numbers = {"temperature": 0.0, "avg_logprob": -0.2, "compression_ratio": 0.9, "no_speech_prob": 0.01}
    segment = {"id": 0, "seek": 0, "start": 0.0, "end": 1.5, "text": " Hi.", "tokens": [1, 2], **numbers}
    fields = {"task": "transcribe", "language": "english", "duration": 1.5, "text": "Hi."}
    answer = VerboseTranscription.model_validate_json(json.dumps({**fields, "segments": [segment]}))
    assert answer.segments is not None
    assert answer.segments[0].tokens == (1, 2)
    assert VerboseTranscription.model_validate_json(json.dumps(fields)).segments is None
