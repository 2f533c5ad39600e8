"""Tool calls for a model whose chat template knows no tools: prompts in, constrained JSON out, read back into calls.

The model is asked for `[{"name": …, "arguments": {…}}, …]` under a grammar made of the offered tools' schemas.
With `tool_choice: "auto"` a short question, answered with a tool's name or "none", decides first whether to call.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from referencing.exceptions import Unresolvable

from nexus.contract.wire.tools import FunctionTool
from nexus.sdk.chat.schemas import validator
from nexus_llm.request import invalid
from nexus_llm.schema import Constraint, Limits, Schema, checked_grammar, checked_schema, constrain, rebased

NO_TOOL: Final = "none"
_QUESTION_CHARS: Final = 2000
_DESCRIPTION_CHARS: Final = 200
_SMALL_TALK: Final = ("Hello!", "Who was Mozart?", "Write a short poem about trees.", "Thank you, that is all.")
_NO_ARGUMENTS: Final[Schema] = {"type": "object", "properties": {}, "additionalProperties": False}
_CALL_HEAD: Final = re.compile(r'[\s\[\],}]*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)')


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools that may be called in one turn: their parameter schemas by name, as given, and what constrains the
    model. `exact` says that whatever the grammar lets through fits the schemas."""

    schemas: Mapping[str, Schema]
    constraint: Constraint
    exact: bool

    def fits(self, name: str, arguments: str) -> bool:
        """Whether the arguments parse and fit what the tool asks for."""
        try:
            value = json.loads(arguments)
            return bool(validator(self.schemas[name]).is_valid(value))
        except (ValueError, Unresolvable):
            return False


def offer(tools: Sequence[FunctionTool], limits: Limits, most: int) -> Offer:
    """What the model may write to call `tools`, up to `most` times in one turn. Raises ApiError (400)."""
    schemas: dict[str, Schema] = {}
    definitions: Schema = {}
    exact = True
    calls: list[Schema] = []
    for position, tool in enumerate(tools):
        function = tool.function
        param = f"tools[{position}].function.parameters"
        schemas[function.name] = checked_schema(_parameters(function.parameters), param)
        narrowed = constrain(schemas[function.name], limits)
        if narrowed.dropped and function.strict:
            raise invalid(f"strict cannot be kept: {narrowed.dropped[0]} is not enforced here", param)
        exact = exact and not narrowed.dropped
        place = f"parameters_{position}"
        definitions[place] = rebased(narrowed.schema, f"#/$defs/{place}")
        calls.append(_call_schema(function.name, place))
    whole = {
        "type": "array",
        "items": {"anyOf": calls},
        "minItems": 1,
        "maxItems": most,
        "$defs": definitions,
    }
    return Offer(schemas, Constraint(whole), exact)


def briefing(tools: Sequence[FunctionTool]) -> str:
    """The system text that tells the model of its tools."""
    listed = [tool.function.model_dump(mode="json", include={"name", "description", "parameters"}) for tool in tools]
    return (
        "You have these tools:\n"
        + "\n".join(json.dumps(entry, ensure_ascii=False) for entry in listed)
        + '\nTo call tools, answer only with JSON: [{"name": "…", "arguments": {…}}]'
    )


def without_tools(messages: Sequence[Mapping[str, Any]], system: str = "") -> list[dict[str, Any]]:
    """The conversation in words that every template knows: calls as the JSON they were made of, results as user
    messages; `system` joins the system message. Neighbours of one role become one message."""
    names: dict[str, str] = {}
    told: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for message in messages:
        role, content = message["role"], message["content"]
        if message.get("tool_calls"):
            calls = [call["function"] for call in message["tool_calls"]]
            names.update({call["id"]: call["function"]["name"] for call in message["tool_calls"]})
            content = "\n".join(filter(None, (content, _written(calls))))
        elif role == "tool":
            role, content = "user", f"The tool {names.get(message['tool_call_id'], '')} answered: {content}"
        if told and told[-1]["role"] == role != "assistant":
            told[-1] = {"role": role, "content": f"{told[-1]['content']}\n\n{content}"}
        else:
            told.append({"role": role, "content": content})
    return told


def deciding_messages(tools: Sequence[FunctionTool], question: str) -> list[dict[str, Any]]:
    """A short conversation whose next answer is the name of the tool that `question` needs, or "none": each tool's own
    description serves as an example of a request for it, small talk as examples of none."""
    talk = list(_SMALL_TALK)
    examples: list[tuple[str, str]] = []
    for tool in tools:
        about = (tool.function.description or tool.function.name.replace("_", " "))[:_DESCRIPTION_CHARS]
        asked = f"Please {about[:1].lower()}{about[1:]}"
        examples += [(about, tool.function.name), (asked, tool.function.name)]
        if talk:
            examples.append((talk.pop(0), NO_TOOL))
    examples.extend((line, NO_TOOL) for line in talk)
    messages = [{"role": "system", "content": "Name the tool that the request needs, or none."}]
    for said, answered in examples:
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answered}]
    return [*messages, {"role": "user", "content": question[:_QUESTION_CHARS]}]


def deciding_grammar(tools: Sequence[FunctionTool]) -> str:
    """The grammar of that answer."""
    names = [tool.function.name for tool in tools] + [NO_TOOL]
    alternatives = " | ".join(json.dumps(name) for name in dict.fromkeys(names))
    return checked_grammar(f"%llguidance {{}}\nstart: {alternatives}\n", "tools")


class CallReader:
    """Reads constrained calls as they are written: feed text in any cuts, get OpenAI's `tool_calls` deltas."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._pending = ""
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self._name = ""
        self._arguments: list[str] = []
        self._count = 0
        self.finished: list[tuple[str, str]] = []

    @property
    def complete(self) -> bool:
        """Whether at least one call is there and none is half written."""
        return bool(self.finished) and self._depth == 0 and len(self.finished) == self._count

    def feed(self, text: str) -> list[dict[str, Any]]:
        """The deltas that `text` brings: a call's first has its id and name, those after it pieces of arguments."""
        deltas: list[dict[str, Any]] = []
        self._pending += text
        while self._pending:
            if self._depth:
                piece = self._take_arguments()
                deltas.append({"index": self._count - 1, "function": {"arguments": piece}})
                continue
            head = _CALL_HEAD.match(self._pending)
            if head is None:
                break
            deltas.append(self._begin(json.loads(head.group(1))))
            piece, self._pending = "{", self._pending[head.end() + 1 :]
            self._depth = 1
            self._arguments = [piece]
            deltas.append({"index": self._count - 1, "function": {"arguments": piece}})
        return deltas

    def _begin(self, name: str) -> dict[str, Any]:
        self._name = name
        self._count += 1
        function = {"name": name, "arguments": ""}
        return {"index": self._count - 1, "id": self._new_id(), "type": "function", "function": function}

    def _take_arguments(self) -> str:
        """As much of the pending text as belongs to the arguments."""
        for position, character in enumerate(self._pending):
            self._look_at(character)
            if not self._depth:
                piece, self._pending = self._pending[: position + 1], self._pending[position + 1 :]
                self.finished.append((self._name, "".join([*self._arguments, piece])))
                return piece
        piece, self._pending = self._pending, ""
        self._arguments.append(piece)
        return piece

    def _look_at(self, character: str) -> None:
        if self._quoted:
            if self._escaped:
                self._escaped = False
            elif character == "\\":
                self._escaped = True
            elif character == '"':
                self._quoted = False
        elif character == '"':
            self._quoted = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1


def _parameters(parameters: Mapping[str, Any] | None) -> Schema:
    """The schema of a tool's arguments: always of an object, and of an empty one where nothing more is said."""
    if not parameters or (
        parameters.get("type", "object") == "object"
        and not parameters.keys() - {"type", "title", "description", "$schema"}
    ):
        return dict(_NO_ARGUMENTS)
    return {"type": "object", **parameters}


def _call_schema(name: str, place: str) -> Schema:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": {"$ref": f"#/$defs/{place}"}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _written(calls: Sequence[Mapping[str, Any]]) -> str:
    """Calls of the past as the model would have written them."""
    return json.dumps([{"name": call["name"], "arguments": _parsed(call["arguments"])} for call in calls])


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
