"""Speech: the two ways of naming a voice, the bounds of a request, and the events of an answer."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.speech import SpeechAudioDelta, SpeechAudioDone, SpeechRequest, SpeechUsage


def request(**fields: Any) -> SpeechRequest:
    return SpeechRequest.model_validate_json(json.dumps({"model": "m", "input": "Hi.", **fields}))


def test_what_is_not_said() -> None:
    plain = request()
    assert (plain.response_format, plain.speed, plain.stream_format) == ("mp3", 1, "audio")
    assert plain.voice_name is None
    assert plain.instructions is None


@pytest.mark.parametrize("voice", ["alloy", {"id": "alloy"}])
def test_the_two_ways_of_naming_a_voice(voice: Any) -> None:
    assert request(voice=voice).voice_name == "alloy"


def test_unknown_fields_are_let_be() -> None:
    assert request(language="en").input == "Hi."


@pytest.mark.parametrize("length", [1, 4096])
def test_the_lengths_of_an_input(length: int) -> None:
    assert len(request(input="a" * length).input) == length


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"input": ""}, "input"),
        ({"input": " \n\u3000"}, "input"),
        ({"input": "a" * 4097}, "input"),
        ({"input": ["a"]}, "input"),
        ({"voice": ""}, "voice"),
        ({"voice": {}}, "voice"),
        ({"voice": 1}, "voice"),
        ({"response_format": "ogg"}, "response_format"),
        ({"response_format": None}, "response_format"),
        ({"speed": 0.2}, "speed"),
        ({"speed": 4.01}, "speed"),
        ({"speed": "1"}, "speed"),
        ({"speed": True}, "speed"),
        ({"stream_format": "json"}, "stream_format"),
        ({"instructions": "a" * 4097}, "instructions"),
        ({"model": ""}, "model"),
    ],
)
def test_bounds(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        request(**fields)
    assert caught.value.errors()[0]["loc"][0] == name


def test_the_events_as_they_are_sent() -> None:
    assert json.loads(SpeechAudioDelta(audio="AAA=").model_dump_json()) == {
        "type": "speech.audio.delta",
        "audio": "AAA=",
    }
    done = SpeechAudioDone(usage=SpeechUsage(input_tokens=1, output_tokens=2, total_tokens=3))
    assert json.loads(done.model_dump_json())["usage"]["total_tokens"] == 3
    assert done.type == "speech.audio.done"
