"""One chat request answered: which generations it takes, in which order, and the steps that come of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.errors import INTERNAL_ERROR, UPSTREAM_ERROR, ApiError
from nexus.contract.wire.chat import ChatRequest, JsonObjectFormat, JsonSchemaFormat
from nexus.contract.wire.tools import FunctionTool
from nexus.sdk.chat.requests import offered_tools
from nexus.sdk.chat.steps import Step, new_call_id
from nexus.sdk.engine import Call
from nexus_llm.native import Native
from nexus_llm.request import chat_sampling, invalid, plain_messages
from nexus_llm.schema import Limits, checked_schema, constrain, grammar, json_object
from nexus_llm.steps import Tally, read_steps
from nexus_llm.tools import (
    NO_TOOL,
    CallReader,
    Offer,
    briefing,
    deciding_grammar,
    deciding_messages,
    offer,
    without_tools,
)

_ATTEMPTS: Final = 3
_SCHEMA_PARAM: Final = "response_format.json_schema.schema"


@dataclass(frozen=True, slots=True)
class Chat:
    """One request on its way to one model. `tally` counts the tokens of the generation that answers."""

    native: Native
    request: ChatRequest
    call: Call
    tally: Tally

    def steps(self) -> Iterator[Step]:
        """The answer. Raises ApiError, for a refused request before the first step."""
        body = chat_sampling(self.request, self.native.settings.parallel)
        messages = plain_messages(self.request.messages)
        tools = offered_tools(self.request)
        if self.native.knows_tools and self.request.tool_choice in (None, "auto", "none"):
            return self._text({**body, "messages": messages, **self._format(), **self._native_tools()})
        if tools and (picked := self._picked(tools)):
            return self._calls({**body, "messages": without_tools(messages, briefing(picked))}, picked)
        return self._text({**body, "messages": without_tools(messages), **self._format()})

    @property
    def _limits(self) -> Limits:
        options = self.native.settings.options
        return Limits(options.max_string_chars, options.max_array_items)

    @property
    def _choices(self) -> int:
        return self.request.n or 1

    def _text(self, body: dict[str, Any]) -> Iterator[Step]:
        return read_steps(self.native.chat(body, self.call), self.tally, self._choices)

    def _format(self) -> dict[str, Any]:
        """The engine's field that holds the answer to the format asked for."""
        wanted = self.request.response_format
        if isinstance(wanted, JsonObjectFormat):
            return {"grammar": grammar(json_object(self._limits), "response_format")}
        if not isinstance(wanted, JsonSchemaFormat):
            return {}
        if wanted.json_schema.schema_ is None:
            raise invalid("json_schema needs a schema", _SCHEMA_PARAM)
        narrowed = constrain(checked_schema(wanted.json_schema.schema_, _SCHEMA_PARAM), self._limits)
        if narrowed.dropped and wanted.json_schema.strict:
            raise invalid(f"strict cannot be kept: {narrowed.dropped[0]} is not enforced here", _SCHEMA_PARAM)
        return {"grammar": grammar(narrowed.schema, _SCHEMA_PARAM)}

    def _native_tools(self) -> dict[str, Any]:
        """The tools for a template that knows them: the engine renders them and reads the calls.

        A demanded call goes our own way with every template: the engine does not hold all of them to it.
        """
        if not self.request.tools:
            return {}
        if self.request.response_format and self.request.response_format.type != "text":
            raise invalid("this model takes tools or a response_format, not both", "response_format")
        return self.request.model_dump(
            mode="json", include={"tools", "tool_choice", "parallel_tool_calls"}, exclude_none=True
        )

    def _picked(self, tools: Sequence[FunctionTool]) -> tuple[FunctionTool, ...]:
        """The tools to call now: those on offer where a call is demanded, else the one that the model picks, if any.

        After a tool's answer the model speaks: whoever wants another call then demands it.
        """
        if self.request.tool_choice not in (None, "auto"):
            return tuple(tools)
        last = self.request.messages[-1]
        if last.role != "user":
            return ()
        question = plain_messages([last])[0]["content"]
        body = {
            "messages": deciding_messages(tools, question),
            "grammar": deciding_grammar(tools),
            "temperature": 0,
            "max_tokens": 64,
        }
        name = "".join(step.text for step in read_steps(self.native.chat(body, self.call), Tally()))
        return tuple(tool for tool in tools if tool.function.name == name != NO_TOOL)

    def _calls(self, body: dict[str, Any], tools: Sequence[FunctionTool]) -> Iterator[Step]:
        """Constrained calls as steps: at once as they are written where the grammar vouches for them, else after
        they were checked."""
        options = self.native.settings.options
        offered = offer(tools, self._limits, 1 if self.request.parallel_tool_calls is False else options.max_calls)
        cap = options.max_call_tokens
        body = {
            **{key: value for key, value in body.items() if key not in ("stop", "logprobs", "top_logprobs")},
            "max_tokens": min(body.get("max_tokens", cap), cap),
            "grammar": grammar(offered.constraint.schema, "tools"),
        }
        if offered.exact:
            return self._written_calls(body, offered)
        return self._checked_calls(body, offered)

    def _written_calls(self, body: dict[str, Any], offered: Offer) -> Iterator[Step]:
        readers = {index: CallReader(new_call_id) for index in range(self._choices)}
        for step in self._text(body):
            reader = readers[step.index]
            for delta in reader.feed(step.text):
                yield Step(step.index, {"tool_calls": [delta]})
            if step.finish:
                yield Step(step.index, finish=_finish(step.finish, reader, offered))

    def _checked_calls(self, body: dict[str, Any], offered: Offer) -> Iterator[Step]:
        for attempt in range(_ATTEMPTS):
            varied = {**body, "seed": body["seed"] + attempt} if "seed" in body else body
            try:
                steps = list(self._written_calls(varied, offered))
            except UnfitCallError:
                continue
            return iter(steps)
        raise UnfitCallError


class UnfitCallError(ApiError):
    """The model called a tool with arguments that do not fit its schema."""

    def __init__(self) -> None:
        super().__init__(UPSTREAM_ERROR, "the model's arguments do not fit the tool's schema", code="invalid_tool_call")


def _finish(reason: str, reader: CallReader, offered: Offer) -> str:
    """Why a choice of calls ended. Raises ApiError for calls that do not fit."""
    if not all(offered.fits(name, arguments) for name, arguments in reader.finished):
        raise UnfitCallError
    if reason == "length":
        return reason
    if not reader.complete:
        raise ApiError(INTERNAL_ERROR, "the engine did not keep to the grammar of the tool calls")
    return "tool_calls"
