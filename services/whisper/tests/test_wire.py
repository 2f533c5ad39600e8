"""whisper.cpp's shapes: what it is asked with, and what its answers mean."""

from typing import Any

import pytest
from nexus_whisper.wire import Manner, fields, read

from nexus.contract.errors import ApiError

SEGMENT = {"id": 0, "text": " Ten hertz.", "start": 0.5, "end": 1.5}


def answer(*segments: Any, language: str = "german", **more: Any) -> dict[str, Any]:
    return {"task": "transcribe", "language": language, "duration": 2.0, "text": "", "segments": segments, **more}


def test_what_the_server_would_assume_is_said() -> None:
    asked = fields(Manner(), None)
    assert (asked["response_format"], asked["language"], asked["translate"]) == ("verbose_json", "auto", "false")
    assert int(asked["max_len"]) > 60
    assert "prompt" not in asked
    assert "vad" not in asked


def test_what_is_wanted_is_asked_for() -> None:
    asked = fields(Manner("translate", "A visit.", 0.3, vad=True), "de")
    assert (asked["language"], asked["translate"], asked["temperature"]) == ("de", "true", "0.30")
    assert (asked["prompt"], asked["vad"]) == ("A visit.", "true")


def test_tokens_are_joined_to_words() -> None:
    tokens = [(" Ten", 0.5, 0.7), (" her", 0.8, 0.9), ("tz", 0.9, 1.2), (".", 1.2, 1.1)]
    words = [{"word": word, "start": start, "end": end, "probability": 0.5} for word, start, end in tokens]
    (segment,) = read(answer({**SEGMENT, "words": words, "tokens": [1, 2, 3, 4]})).segments
    assert [(word.text, word.start, word.end) for word in segment.words] == [(" Ten", 0.5, 0.7), (" hertz.", 0.8, 1.2)]
    assert segment.tokens == (1, 2, 3, 4)


def test_where_there_are_no_spaces_each_token_is_a_word() -> None:
    words = [{"word": word, "start": 0.0, "end": 1.0} for word in ("你", "好", " ")]
    (segment,) = read(answer({**SEGMENT, "text": "你好", "words": words}, language="chinese")).segments
    assert [word.text for word in segment.words] == ["你", "好"]


def test_what_is_missing_or_no_number_is_made_good() -> None:
    (segment,) = read(answer({**SEGMENT, "avg_logprob": None, "no_speech_prob": None})).segments
    assert (segment.avg_logprob, segment.no_speech_prob) == (0.0, 0.0)
    (repeated,) = read(answer({**SEGMENT, "text": " na" * 100})).segments
    assert segment.compression_ratio < 1 < repeated.compression_ratio


def test_silence_has_no_segments() -> None:
    heard = read(answer({**SEGMENT, "text": " [BLANK_AUDIO]"}, {**SEGMENT, "text": " "}))
    assert (heard.segments, heard.language) == ((), "de")


@pytest.mark.parametrize(("told", "code"), [("german", "de"), ("de", "de"), ("klingon", ""), ("haitian creole", "ht")])
def test_languages_are_told_by_their_names(told: str, code: str) -> None:
    assert read(answer(language=told)).language == code


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, "answer"),
        ([], "answer"),
        ({}, "task"),
        ({"text": "hello"}, "task"),
        (answer({"start": 1}), "text"),
        (answer({**SEGMENT, "start": "NaN"}), "start"),
        (answer({**SEGMENT, "end": float("inf")}), "end"),
    ],
)
def test_what_is_no_transcript(value: Any, where: str) -> None:
    with pytest.raises(ApiError, match=where) as caught:
        read(value)
    assert caught.value.status == 502
