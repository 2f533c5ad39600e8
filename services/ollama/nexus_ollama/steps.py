"""Ollama's lines read into steps, and counted."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from nexus.sdk.chat.steps import Step, new_call_id
from nexus_ollama.errors import broken, refusal


class Tally:
    """Counts tokens. Choices of one prompt count it once; what was generated besides adds up."""

    def __init__(self) -> None:
        self._prompts: dict[int, int] = {}
        self._completion = 0

    def take(self, last: Mapping[str, Any], prompt: int = 0) -> None:
        """Note what the last line of a generation tells; counts that are 0 are left out there."""
        self._prompts[prompt] = max(self._prompts.get(prompt, 0), _count(last, "prompt_eval_count"))
        self._completion += _count(last, "eval_count")

    def usage(self) -> dict[str, Any]:
        """OpenAI's `usage`."""
        prompt = sum(self._prompts.values())
        return {
            "prompt_tokens": prompt,
            "completion_tokens": self._completion,
            "total_tokens": prompt + self._completion,
        }


async def read_steps(lines: AsyncIterator[str], index: int, tally: Tally, prompt: int = 0) -> AsyncIterator[Step]:
    """The steps of one generation, chat's or generate's. Raises ApiError where it fails, breaks off before the line
    that says `done`, or is not Ollama's."""
    calls = 0
    async for line in lines:
        if not line.strip():
            continue
        value = read_line(line)
        message = _message(value)
        delta = {name: text for name, text in _texts(message).items() if text}
        if told := _listed(message, "tool_calls"):
            delta["tool_calls"] = [_call(call, calls + offset) for offset, call in enumerate(told)]
            calls += len(told)
        logprobs = tuple(_logprob(entry) for entry in _listed(value, "logprobs"))
        if delta or logprobs:
            yield Step(index, delta, None, logprobs)
        if value.get("done") is True:
            tally.take(value, prompt)
            yield Step(index, finish=_finish(str(value.get("done_reason") or "stop"), calls))
            return
    raise broken("it broke off before its end")


def read_line(line: str) -> dict[str, Any]:
    """The object of one line. Raises ApiError, also for an error that Ollama tells in it."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise broken("a line of it is not JSON") from error
    if not isinstance(value, dict):
        raise broken("a line of it is not a JSON object")
    if "error" in value:
        raise refusal(500, str(value["error"]))
    return value


def _message(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Chat's message; generate's fields in the same words."""
    message = value.get("message")
    if isinstance(message, Mapping):
        return message
    if isinstance(value.get("response"), str):
        return {"content": value["response"], "thinking": value.get("thinking")}
    raise broken("a line of it has neither a message nor a response")


def _texts(message: Mapping[str, Any]) -> dict[str, Any]:
    texts = {"reasoning_content": message.get("thinking"), "content": message.get("content")}
    for text in texts.values():
        if text is not None and not isinstance(text, str):
            raise broken("a piece of text is none")
    return texts


def _listed(value: Mapping[str, Any], name: str) -> list[Any]:
    """The field's items; none where it is absent or null."""
    items = value.get(name)
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise broken(f"its {name} are no list of objects")
    return items


def _logprob(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A token's entry in OpenAI's shape, which leaves out no field."""
    return {**_token(entry), "top_logprobs": [_token(top) for top in _listed(entry, "top_logprobs")]}


def _token(entry: Mapping[str, Any]) -> dict[str, Any]:
    token = str(entry.get("token", ""))
    return {
        "token": token,
        "logprob": entry.get("logprob", 0.0),
        "bytes": entry.get("bytes") or list(token.encode("utf-8", "replace")),
    }


def _call(call: Any, index: int) -> dict[str, Any]:
    """One whole call. Its index is counted here: Ollama's own has been 0 for each of several calls."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise broken("a tool call has no name")
    arguments = function.get("arguments")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return {
        "index": index,
        "id": str(call.get("id") or new_call_id()),
        "type": "function",
        "function": {"name": function["name"], "arguments": written},
    }


def _finish(reason: str, calls: int) -> str:
    if reason not in ("stop", "length"):
        raise broken(f"it ended with {reason!r} and no answer")
    return "tool_calls" if calls and reason == "stop" else reason


def _count(value: Mapping[str, Any], name: str) -> int:
    count = value.get(name, 0)
    return count if isinstance(count, int) and count > 0 else 0
