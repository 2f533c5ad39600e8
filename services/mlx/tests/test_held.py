"""Answers that take several generations: asked of a model that does as it is told, sooner, later or never."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nexus_mlx.asked import Body, chat_body
from nexus_mlx.held import Tally, steps, takes_several
from nexus_mlx.pieces import Piece

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "g")]


class Model:
    """Writes these answers one after the other; `finish` is how each ends."""

    def __init__(self, *answers: str, finish: str = "stop") -> None:
        self.answers = list(answers)
        self.finish = finish
        self.asked: list[Body] = []

    @asynccontextmanager
    async def generate(self, body: Body) -> AsyncIterator[AsyncIterator[Piece]]:
        self.asked.append(body)
        yield self._pieces(self.answers.pop(0))

    async def _pieces(self, text: str) -> AsyncIterator[Piece]:
        yield Piece("c", 1, None, reasoning="Hm.")
        yield Piece("c", 1, None, text=text[:3])
        yield Piece("c", 1, None, text=text[3:], finish=self.finish)
        yield Piece("c", 1, None, usage={"prompt_tokens": 10 * len(self.asked), "completion_tokens": 2})


def request_of(**fields: Any) -> ChatRequest:
    asked = {"model": "m", "messages": [{"role": "user", "content": "How old?"}], **fields}
    return ChatRequest.model_validate_json(json.dumps(asked))


def run(model: Model, **fields: Any) -> tuple[list[Any], dict[str, Any]]:
    request, tally = request_of(**fields), Tally()
    assert takes_several(request)

    async def all_steps() -> list[Any]:
        return [step async for step in steps(request, chat_body(request, "m", 100), model.generate, tally)]

    return asyncio.run(all_steps()), tally.usage()


def text_of(found: Sequence[Any], index: int = 0) -> str:
    return "".join(step.text for step in found if step.index == index)


def test_one_plain_generation_is_none_of_this() -> None:
    assert not takes_several(request_of(n=1, response_format={"type": "text"}, tools=TOOLS, tool_choice="auto"))


def test_choices_have_seeds_of_their_own_and_one_prompt() -> None:
    model = Model("one", "two")
    found, usage = run(model, n=2, seed=5)
    assert [text_of(found, index) for index in (0, 1)] == ["one", "two"]
    assert [body["seed"] for body in model.asked] == [5, 6]
    assert usage == {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


def test_what_fits_at_once() -> None:
    model = Model('{"age": 36}')
    found, _ = run(model, response_format=FORMAT)
    assert (text_of(found), found[-1].finish) == ('{"age": 36}', "stop")
    assert found[0].delta == {"reasoning_content": "Hm."}
    (message,) = model.asked[0]["messages"]
    assert message["content"].startswith("How old?\n\n")
    assert message["content"].endswith(json.dumps(SCHEMA))


def test_what_fits_in_the_end_and_in_a_fence() -> None:
    model = Model("thirty-six", '{"age": "36"}', '```json\n{"age": 36}\n```')
    found, usage = run(model, response_format=FORMAT)
    assert text_of(found) == '{"age": 36}'
    told = [message["content"] for message in model.asked[-1]["messages"]]
    assert "is not JSON" in told[2]
    assert "'36' is not of type 'integer'" in told[4]
    assert usage["completion_tokens"] == 6


def test_what_never_fits_is_an_error_and_nothing_of_it_goes_out() -> None:
    with pytest.raises(ApiError, match="not JSON") as caught:
        run(Model("no", "no", "no"), response_format=FORMAT)
    assert caught.value.status == 502


def test_what_is_cut_is_told_as_cut() -> None:
    found, _ = run(Model('{"ag', finish="length"), response_format={"type": "json_object"})
    assert (text_of(found), found[-1].finish) == ('{"ag', "length")
    found, _ = run(Model('{"ag', finish="length"), tools=TOOLS, tool_choice="required")
    assert [step.finish for step in found] == ["length"]


def test_a_demanded_call_of_one_and_of_several_tools() -> None:
    model = Model('{"age": 1}')
    found, _ = run(model, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "g"}}, stop="}")
    call = found[-2].delta["tool_calls"][0]
    assert (call["index"], call["function"], found[-1].finish) == (
        0,
        {"name": "g", "arguments": '{"age": 1}'},
        "tool_calls",
    )
    assert not model.asked[0].keys() & {"tools", "stop"}
    model = Model('{"tool": "h"}', '{"tool": "g"}', '{"age": 2}')
    found, _ = run(model, tools=TOOLS, tool_choice="required")
    assert found[-2].delta["tool_calls"][0]["function"] == {"name": "g", "arguments": '{"age": 2}'}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "thing"}}}},
            "response_format.json_schema.schema",
        ),
        ({"response_format": FORMAT, "tools": TOOLS}, "response_format"),
        ({"n": 2, "tools": [*TOOLS, TOOLS[0]]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "h"}}}, "tool_choice"),
    ],
)
def test_bad_requests_come_before_any_generation(fields: Mapping[str, Any], param: str) -> None:
    model = Model()
    with pytest.raises(ApiError) as caught:
        run(model, **fields)
    assert (caught.value.status, caught.value.param, model.asked) == (400, param, [])


def test_words_of_its_own_where_the_last_message_is_a_tools() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "5", "tool_call_id": "c"},
    ]
    model = Model('{"age": 5}', '{"age": 5}')
    run(model, messages=messages, response_format=FORMAT)
    assert [message["role"] for message in model.asked[0]["messages"]] == ["user", "assistant", "tool", "user"]
    run(model, messages=messages[:1], response_format=FORMAT)
    assert [part["type"] for part in model.asked[1]["messages"][0]["content"]] == ["image_url", "text"]
