"""OpenAI's messages as Ollama's."""

import json
from typing import Any

import pytest
from nexus_ollama.known import Known
from nexus_ollama.messages import engine_messages

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest

SEER = Known("x", frozenset({"completion", "vision", "audio"}))
BLIND = Known("x", frozenset({"completion"}))
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
SOUND = {"type": "input_audio", "input_audio": {"data": "d2F2", "format": "wav"}}


async def _told(*messages: Any, known: Known = SEER, fetch: Any = None) -> list[dict[str, Any]]:
    body = json.dumps({"model": "x", "messages": messages})
    return await engine_messages(ChatRequest.model_validate_json(body).messages, known, fetch)


async def test_text_pictures_and_sound() -> None:
    parts = [{"type": "text", "text": "What is"}, PIXEL, {"type": "text", "text": " this?"}, SOUND]
    assert await _told({"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this?", "images": ["aGk=", "d2F2"]},
    ]


async def test_calls_of_the_past_and_their_results() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    told = await _told(
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
        {"role": "tool", "tool_call_id": "other", "content": "3"},
    )
    assert told[1] == {
        "role": "assistant",
        "content": "",
        "thinking": "hm",
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}],
    }
    assert told[2] == {"role": "tool", "content": "2", "tool_call_id": "c1", "tool_name": "f"}
    assert told[3] == {"role": "tool", "content": "3", "tool_call_id": "other"}


@pytest.mark.parametrize(
    ("part", "known", "param"),
    [
        (PIXEL, BLIND, "messages[0].content[0].type"),
        (SOUND, BLIND, "messages[0].content[0].type"),
        ({"type": "file", "file": {"file_id": "f"}}, SEER, "messages[0].content[0].type"),
        (
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            SEER,
            "messages[0].content[0].image_url.url",
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}},
            SEER,
            "messages[0].content[0].image_url.url",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "*", "format": "wav"}},
            SEER,
            "messages[0].content[0].input_audio.data",
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_by_its_place(part: Any, known: Known, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        await _told({"role": "user", "content": [part]}, known=known)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize("arguments", ["{", "[1]", '"text"'])
async def test_arguments_have_to_be_an_object(arguments: str) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(ApiError) as caught:
        await _told({"role": "assistant", "tool_calls": [call]})
    assert caught.value.param == "messages[0].tool_calls[0].function.arguments"


async def test_addresses_are_fetched_only_where_that_is_on() -> None:
    async def fetch(url: str, param: str) -> bytes:
        return f"{url} {param}".encode()

    part = {"type": "image_url", "image_url": {"url": "HTTPS://example.org/a.png"}}
    (told,) = await _told({"role": "user", "content": [part]}, fetch=fetch)
    assert told["images"] == ["SFRUUFM6Ly9leGFtcGxlLm9yZy9hLnBuZyBtZXNzYWdlc1swXS5jb250ZW50WzBdLmltYWdlX3VybC51cmw="]
