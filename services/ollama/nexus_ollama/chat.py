"""One chat request answered: which of Ollama's generations it takes, and the steps that come of them."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest, JsonObjectFormat, JsonSchemaFormat
from nexus.contract.wire.tools import FunctionTool
from nexus.sdk.chat.answers import Steps
from nexus.sdk.chat.requests import answer_limit, offered_tools
from nexus.sdk.chat.schemas import checked, fitting, of_arguments
from nexus.sdk.chat.steps import Step, new_call_id
from nexus.sdk.upstream import Upstream
from nexus_ollama.errors import invalid
from nexus_ollama.known import Known
from nexus_ollama.messages import FetchImage, engine_messages
from nexus_ollama.sampling import engine_options, refuse_unsupported, thinking
from nexus_ollama.steps import Tally, read_steps

PATH: Final = "/api/chat"
_SCHEMA_PARAM: Final = "response_format.json_schema.schema"
_NAME_TOKENS: Final = 128
_ARGUMENTS: Final = "the call of a tool"


@dataclass(frozen=True, slots=True)
class Chat:
    """One request on its way to one model. `tally` counts its tokens, all generations together."""

    upstream: Upstream
    request: ChatRequest
    known: Known
    tally: Tally
    fetch: FetchImage | None
    most_context: int

    async def steps(self) -> Steps:
        """The answer, its choices one after another. Raises ApiError; for a refused request before the first step."""
        body = await self._body()
        tools = chosen(self.request)
        demanded = self.request.tool_choice not in (None, "auto", "none")
        for index in range(self.request.n or 1):
            varied = _varied(body, index)
            steps = self._demanded(varied, tools, index) if demanded else self._plain(varied, tools, index)
            async with aclosing(steps):
                async for step in steps:
                    yield step

    async def _body(self) -> dict[str, Any]:
        request = self.request
        refuse_unsupported(request)
        if request.top_logprobs and not request.logprobs:
            raise invalid("top_logprobs needs logprobs to be true", "top_logprobs")
        logprobs = {"logprobs": True, "top_logprobs": request.top_logprobs or 0} if request.logprobs else {}
        return {
            **self.known.body(),
            "messages": await engine_messages(request.messages, self.known, self.fetch),
            "stream": True,
            # Else Ollama drops messages, or what was said first, without a word when the context is full.
            "truncate": self.known.truncate,
            "shift": self.known.truncate,
            "options": engine_options(request, self.known, answer_limit(request), self.most_context),
            **thinking(request, self.known),
            **logprobs,
        }

    async def _plain(self, body: dict[str, Any], tools: Sequence[FunctionTool], index: int) -> Steps:
        """Text, or calls where the model decides for them."""
        wanted = response_format(self.request)
        if tools:
            self.known.need("tools", "does not support tools", "tools")
            if wanted:
                raise invalid("Ollama takes tools or a response_format, not both", "response_format")
            body = {**body, "tools": [_told(tool) for tool in tools]}
        one_call = self.request.parallel_tool_calls is False
        async with aclosing(self._generate({**body, **wanted}, index)) as steps:
            async for step in steps:
                if not (one_call and _is_further_call(step)):
                    yield step if not one_call else _first_call_only(step)

    async def _demanded(self, body: dict[str, Any], tools: Sequence[FunctionTool], index: int) -> Steps:
        """One call, written under the schema of its tool: Ollama itself knows no `tool_choice`.

        Where there are several tools, the model first names one, under a schema of their names.
        """
        if response_format(self.request):
            raise invalid("tool_choice demands a call, so there is no text to have a format", "response_format")
        body = {key: value for key, value in body.items() if key not in ("logprobs", "top_logprobs")}
        body["messages"] = briefed(body["messages"], tools)
        body["options"] = {key: value for key, value in body["options"].items() if key != "stop"}
        tool = tools[0] if len(tools) == 1 else await self._picked(body, tools)
        schema = of_arguments(tool.function.parameters)
        told = f"Now write the arguments for {tool.function.name}, as JSON and nothing else."
        written: list[str] = []
        async with aclosing(self._generate(_asked(body, told, schema), index)) as steps:
            async for step in steps:
                written.append(step.text)
                if thought := step.delta.get("reasoning_content"):
                    yield Step(index, {"reasoning_content": thought})
                if step.finish == "length":
                    yield step
                    return
        arguments = json.dumps(fitting("".join(written), schema, _ARGUMENTS, "tools"), ensure_ascii=False)
        call = {"index": 0, "id": new_call_id(), "type": "function"}
        call["function"] = {"name": tool.function.name, "arguments": arguments}
        yield Step(index, {"tool_calls": [call]})
        yield Step(index, finish="tool_calls")

    async def _picked(self, body: dict[str, Any], tools: Sequence[FunctionTool]) -> FunctionTool:
        names = [tool.function.name for tool in tools]
        schema = {"type": "object", "properties": {"tool": {"enum": names}}, "required": ["tool"]}
        asked = _asked(body, 'Now name the tool to call, as {"tool": "its name"} and nothing else.', schema)
        asked["options"] = {**asked["options"], "temperature": 0, "num_predict": _NAME_TOKENS}
        if self.known.can("thinking") and self.known.capabilities is not None:
            asked["think"] = False
        async with aclosing(self._generate(asked, 0)) as steps:
            written = "".join([step.text async for step in steps])
        name = fitting(written, schema, "the tool's name", "tools")["tool"]
        return tools[names.index(name)]

    async def _generate(self, body: dict[str, Any], index: int) -> Steps:
        async with AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(self.upstream.stream("POST", PATH, json=body))
            except ApiError as error:
                if error.param != "reasoning_effort" or not isinstance(body.get("think"), str):
                    raise
                # Most models that think know no levels of it: then it is thinking itself that is asked for.
                body = {**body, "think": True}
                response = await stack.enter_async_context(self.upstream.stream("POST", PATH, json=body))
            async for step in read_steps(response.lines(), index, self.tally):
                yield step


def chosen(request: ChatRequest) -> tuple[FunctionTool, ...]:
    """The tools that `tool_choice` leaves on offer, their schemas looked at. Raises ApiError (400)."""
    for position, tool in enumerate(request.tools or ()):
        if tool.function.parameters:
            checked(tool.function.parameters, f"tools[{position}].function.parameters")
    return offered_tools(request)


def response_format(request: ChatRequest) -> dict[str, Any]:
    """Ollama's `format` for the format asked for. Raises ApiError (400)."""
    wanted = request.response_format
    if isinstance(wanted, JsonObjectFormat):
        return {"format": "json"}
    if not isinstance(wanted, JsonSchemaFormat):
        return {}
    if wanted.json_schema.schema_ is None:
        raise invalid("json_schema needs a schema", _SCHEMA_PARAM)
    return {"format": checked(wanted.json_schema.schema_, _SCHEMA_PARAM)}


def briefed(messages: Sequence[Mapping[str, Any]], tools: Sequence[FunctionTool]) -> list[dict[str, Any]]:
    """The messages, the tools told in the system's: a template that knows tools may write them in a form of its own,
    which would be at odds with the schema."""
    lines = [json.dumps(_told(tool)["function"], ensure_ascii=False) for tool in tools]
    briefing = "You have these tools:\n" + "\n".join(lines)
    if messages and messages[0]["role"] == "system":
        first = {**messages[0], "content": f"{messages[0]['content']}\n\n{briefing}"}
        return [first, *(dict(message) for message in messages[1:])]
    return [{"role": "system", "content": briefing}, *(dict(message) for message in messages)]


def _asked(body: Mapping[str, Any], told: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "messages": [*body["messages"], {"role": "system", "content": told}], "format": schema}


def _told(tool: FunctionTool) -> dict[str, Any]:
    """The tool as Ollama reads it; one without parameters has an empty object of them."""
    function = tool.function
    parameters = function.parameters or {"type": "object", "properties": {}}
    told = {"name": function.name, "description": function.description or "", "parameters": parameters}
    return {"type": "function", "function": told}


def _varied(body: dict[str, Any], index: int) -> dict[str, Any]:
    """The same with another seed for each choice, where there is one: else all of them would be alike."""
    seed = body["options"].get("seed")
    if seed is None or not index:
        return body
    return {**body, "options": {**body["options"], "seed": seed + index}}


def _is_further_call(step: Step) -> bool:
    calls = step.delta.get("tool_calls") or ()
    return any(call["index"] > 0 for call in calls[:1])


def _first_call_only(step: Step) -> Step:
    calls = step.delta.get("tool_calls")
    return Step(step.index, {**step.delta, "tool_calls": calls[:1]}, None, step.logprobs) if calls else step
