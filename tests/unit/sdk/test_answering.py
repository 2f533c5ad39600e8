"""The four ways of writing a method become a value or an async iterator; values and items become bytes."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from nexus.sdk.answering import answer, closed, encode_item, encode_json, encode_value, stream_type
from nexus.sdk.engine import Call, Content, Event, Model
from nexus.sdk.workers import Workers


class Word(BaseModel):
    word: str = Field(serialization_alias="Word")


class Ways:
    async def value(self, request: Any, call: Call) -> Any:
        return request

    async def items(self, request: Any, call: Call) -> AsyncIterator[Any]:
        yield request

    async def either(self, request: Any, call: Call) -> Any:
        return self.items(request, call)

    def blocking_value(self, request: Any, call: Call) -> Any:
        return request

    def blocking_items(self, request: Any, call: Call) -> Iterator[Any]:
        yield request

    def blocking_either(self, request: Any, call: Call) -> Any:
        return iter([request])


@pytest.mark.parametrize("way", ["value", "blocking_value"])
async def test_values(way: str) -> None:
    assert await answer(getattr(Ways(), way), 1, Call("", Model("m"), {}), Workers(1)) == 1


@pytest.mark.parametrize("way", ["items", "either", "blocking_items", "blocking_either"])
async def test_items(way: str) -> None:
    items = await answer(getattr(Ways(), way), 1, Call("", Model("m"), {}), Workers(1))
    assert [item async for item in items] == [1]
    await closed(items)


def test_values_are_json_or_content() -> None:
    assert encode_value({"a": [Word(word="x")]}) == Content(b'{"a":[{"Word":"x"}]}', "application/json")
    assert encode_value(Content(b"x", "image/png")).media_type == "image/png"
    assert encode_json(Word(word="x")) == b'{"Word":"x"}'
    with pytest.raises(TypeError):
        encode_value(object())


def test_half_characters_of_an_engines_do_not_break_an_answer() -> None:
    halves = "\ud83d\ude00 and \ud800"
    for value in ({"a": [halves]}, {"a": (Word(word=halves),)}, Word(word=halves)):
        told = encode_json(value).decode()
        assert "\U0001f600 and \ufffd" in told
        assert json.loads(told)
    assert encode_item({halves: 1}) == 'data: {"\U0001f600 and \ufffd":1}\n\n'.encode()


def test_items_are_events_or_bytes() -> None:
    assert encode_item({"a": 1}) == b'data: {"a":1}\n\n'
    assert encode_item(Event("image.done", {"a": 1})) == b'event: image.done\ndata: {"a":1}\n\n'
    assert encode_item(bytearray(b"x")) == b"x"
    assert encode_item(Content(b"x", "audio/wav")) == b"x"


@pytest.mark.parametrize(
    ("first", "streaming", "types", "found"),
    [
        ({}, "sse", (), "text/event-stream"),
        ({}, "bytes", ("audio/wav",), "text/event-stream"),
        (b"", "sse", ("audio/wav",), "text/event-stream"),
        (Event("a", {}), "bytes", ("audio/wav",), "text/event-stream"),
        (b"", "bytes", ("application/json", "audio/wav"), "audio/wav"),
        (b"", "bytes", (), "application/octet-stream"),
        (Content(b"", "audio/mpeg"), "bytes", ("audio/wav",), "audio/mpeg"),
    ],
)
def test_a_streams_type_follows_from_its_first_item(
    first: Any, streaming: str, types: tuple[str, ...], found: str
) -> None:
    assert stream_type(first, streaming, types) == found
