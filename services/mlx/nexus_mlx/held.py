"""Chat answers that take more than one generation: several choices, and texts that have to keep to a schema.

mlx_lm.server can hold no model to a grammar. So the model is told the schema, what it writes is held against it before
any of it goes out, and where it does not fit the model is told why and asked again, twice at most.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError
from nexus.contract.wire.chat import ChatRequest, JsonObjectFormat, JsonSchemaFormat
from nexus.contract.wire.tools import FunctionTool
from nexus.sdk.chat.answers import Steps
from nexus.sdk.chat.requests import offered_tools
from nexus.sdk.chat.schemas import Schema, checked, fitting, of_arguments
from nexus.sdk.chat.steps import Step, new_call_id
from nexus_mlx.answer import steps_of
from nexus_mlx.asked import Body
from nexus_mlx.pieces import Piece

Generate = Callable[[Body], AbstractAsyncContextManager[AsyncIterator[Piece]]]
_ATTEMPTS: Final = 3
_FORMAT: Final = "response_format"
_SCHEMA: Final = "response_format.json_schema.schema"
_FENCED: Final = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Task:
    """What the model has to write: `what` it is, in words for errors, the schema, and the part of the request that
    brought it."""

    what: str
    told: str
    schema: Schema
    param: str


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a task. `value` is of no use where `cut`: the answer came to its longest length."""

    text: str
    reasoning: str
    value: Any = None
    cut: bool = False


class Tally:
    """Counts tokens: the first prompt's, since what is asked besides is this service's doing, and all that was made."""

    def __init__(self) -> None:
        self._first: Mapping[str, Any] | None = None
        self._made = 0

    def take(self, usage: Mapping[str, Any]) -> None:
        """Note one generation's usage."""
        self._first = usage if self._first is None else self._first
        made = usage.get("completion_tokens")
        self._made += made if isinstance(made, int) else 0

    def usage(self) -> dict[str, Any]:
        """OpenAI's `usage`. Raises ApiError (502) where the server told none."""
        if self._first is None:
            raise ApiError(UPSTREAM_ERROR, "the engine's answer has no usage")
        prompt = self._first.get("prompt_tokens")
        whole = (prompt if isinstance(prompt, int) else 0) + self._made
        return {**self._first, "completion_tokens": self._made, "total_tokens": whole}


def takes_several(request: ChatRequest) -> bool:
    """Whether the request is one for `steps`: one generation, passed on as it comes, will not do."""
    return (request.n or 1) > 1 or _formatted(request) or _demands_call(request)


async def steps(request: ChatRequest, body: Body, generate: Generate, tally: Tally) -> Steps:
    """The answer's steps, its choices one after another. Raises ApiError; for a bad request before the first step."""
    tools = _tools(request)
    task = _task(request, tools)
    for index in range(request.n or 1):
        varied = {**body, "seed": body["seed"] + index} if body.get("seed") is not None else body
        if _demands_call(request):
            one = _called(varied, tools, generate, tally, index)
        elif task is not None:
            one = _text(varied, task, generate, tally, index)
        else:
            one = _plain(varied, generate, tally, index)
        async with aclosing(one):
            async for step in one:
                yield step


async def _plain(body: Body, generate: Generate, tally: Tally, index: int) -> Steps:
    async with generate(body) as pieces:
        async for piece in pieces:
            if piece.usage is not None:
                tally.take(piece.usage)
            for step in steps_of(piece, index):
                yield step


async def _text(body: Body, task: Task, generate: Generate, tally: Tally, index: int) -> Steps:
    """One choice whose text fits the format; as with OpenAI it is cut, and fits nothing, where it becomes too long."""
    written = await _held(body, task, generate, tally)
    if written.reasoning:
        yield Step(index, {"reasoning_content": written.reasoning})
    yield Step(index, {"content": written.text})
    yield Step(index, finish="length" if written.cut else "stop")


async def _called(body: Body, tools: Sequence[FunctionTool], generate: Generate, tally: Tally, index: int) -> Steps:
    """One choice that is one call; of several tools the model first names one."""
    asked = {key: value for key, value in body.items() if key not in ("tools", "stop")}
    tool: FunctionTool | None = tools[0]
    if len(tools) > 1:
        named = await _held(asked, _choice(tools), generate, tally)
        names = [one.function.name for one in tools]
        tool = None if named.cut else tools[names.index(named.value["tool"])]
    if tool is not None:
        written = await _held(asked, _arguments(tool), generate, tally)
        if written.reasoning:
            yield Step(index, {"reasoning_content": written.reasoning})
        if not written.cut:
            function = {"name": tool.function.name, "arguments": json.dumps(written.value, ensure_ascii=False)}
            call = {"index": 0, "id": new_call_id(), "type": "function", "function": function}
            yield Step(index, {"tool_calls": [call]})
            yield Step(index, finish="tool_calls")
            return
    yield Step(index, finish="length")


async def _held(body: Body, task: Task, generate: Generate, tally: Tally) -> Written:
    """What the model wrote for a task. Raises ApiError (502) where it fits at no attempt."""
    asked = {**body, "messages": _said(body["messages"], task.told)}
    for attempt in range(1, _ATTEMPTS + 1):
        written, problem = await _attempt(asked, task, generate, tally)
        if problem is None:
            return written
        if attempt == _ATTEMPTS or problem.kind is not UPSTREAM_ERROR:
            raise problem
        answered = [*asked["messages"], {"role": "assistant", "content": written.text}]
        asked = {**asked, "messages": _said(answered, f"This is not right: {problem.message}.\n{task.told}")}
    raise AssertionError("the last attempt returns or raises")


async def _attempt(body: Body, task: Task, generate: Generate, tally: Tally) -> tuple[Written, ApiError | None]:
    texts: list[str] = []
    thoughts: list[str] = []
    finish: str | None = None
    async with generate(body) as pieces:
        async for piece in pieces:
            texts.append(piece.text)
            thoughts.append(piece.reasoning)
            finish = piece.finish or finish
            if piece.usage is not None:
                tally.take(piece.usage)
    text = "".join(texts)
    fenced = _FENCED.fullmatch(text)
    text, reasoning = fenced.group(1) if fenced else text, "".join(thoughts)
    if finish == "length":
        return Written(text, reasoning, cut=True), None
    try:
        return Written(text, reasoning, fitting(text, task.schema, task.what, task.param)), None
    except ApiError as error:
        return Written(text, reasoning), error


def _tools(request: ChatRequest) -> tuple[FunctionTool, ...]:
    for position, tool in enumerate(request.tools or ()):
        if tool.function.parameters:
            checked(tool.function.parameters, f"tools[{position}].function.parameters")
    return offered_tools(request)


def _task(request: ChatRequest, tools: Sequence[FunctionTool]) -> Task | None:
    """The task of an answer with a format. Raises ApiError (400)."""
    if not _formatted(request):
        return None
    if tools:
        raise ApiError(INVALID_REQUEST, f"{_FORMAT}: a call of a tool or a format, not both", param=_FORMAT)
    wanted = request.response_format
    if not isinstance(wanted, JsonSchemaFormat):
        schema = {"type": "object"}
        return Task("the answer", _by_schema("Answer", schema), schema, _FORMAT)
    if wanted.json_schema.schema_ is None:
        raise ApiError(INVALID_REQUEST, f"{_SCHEMA}: json_schema needs a schema", param=_SCHEMA)
    schema = checked(wanted.json_schema.schema_, _SCHEMA)
    return Task("the answer", _by_schema("Answer", schema), schema, _SCHEMA)


def _choice(tools: Sequence[FunctionTool]) -> Task:
    names = [tool.function.name for tool in tools]
    schema = {"type": "object", "properties": {"tool": {"enum": names}}, "required": ["tool"]}
    told = "\n".join(json.dumps(tool.function.model_dump(exclude_none=True), ensure_ascii=False) for tool in tools)
    return Task(
        "the tool's name", f"These are tools:\n{told}\n{_by_schema('Name the one to call', schema)}", schema, "tools"
    )


def _arguments(tool: FunctionTool) -> Task:
    function = tool.function
    schema = of_arguments(function.parameters)
    asked = (
        f"The function {function.name} ({function.description or function.name}) is to be called. Give its arguments"
    )
    return Task("the call of the tool", _by_schema(asked, schema), schema, "tools")


def _by_schema(asked: str, schema: Schema) -> str:
    return f"{asked} as JSON that fits this JSON Schema, and nothing else:\n{json.dumps(schema, ensure_ascii=False)}"


def _said(messages: Sequence[Body], words: str) -> list[Body]:
    """The messages and these words of the user's: in the last one where that is the user's, since many templates want
    the roles to alternate."""
    last = messages[-1]
    if last["role"] != "user":
        return [*messages, {"role": "user", "content": words}]
    content = last["content"]
    more = f"{content}\n\n{words}" if isinstance(content, str) else [*content, {"type": "text", "text": words}]
    return [*messages[:-1], {"role": "user", "content": more}]


def _formatted(request: ChatRequest) -> bool:
    return isinstance(request.response_format, JsonObjectFormat | JsonSchemaFormat)


def _demands_call(request: ChatRequest) -> bool:
    return request.tool_choice not in (None, "none", "auto")
