"""A model that tells one story: the same to everybody, all of it or the rest, whole or until something breaks."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.servers.scripted import Exchange

PROMPT_TOKENS = 7


def story(tokens: int, start: int = 0, word: str = "t") -> str:
    """The story's words from `start` to before `tokens`."""
    return "".join(f"{word}{number} " for number in range(start, tokens))


def begun(asked: dict[str, Any]) -> str:
    """What of the story the request already has: the assistant's own last words, or what follows the prompt's colon."""
    if "prompt" in asked:
        return str(asked["prompt"]).partition(":")[2]
    last = asked["messages"][-1]
    return str(last["content"]) if last["role"] == "assistant" else ""


async def tell(exchange: "Exchange", script: dict[str, Any]) -> None:
    """`of` tokens, `per` in a chunk, as far as `upto`; then the end that `end` names.

    `id` names the answer, `word` its words, `continues` has it go on from what the request has. Ends: `done`,
    `no_done`, `finished` (with its reason, but without [DONE]), `drop`, `hang`, `malformed`, `error` (as the field of
    that name says).
    """
    asked = exchange.json()
    of, name = script.get("of", 60), script.get("id", "one")
    start = len(begun(asked).split()) if script.get("continues") else 0
    upto = script.get("upto", of)
    exchange.head(200, {"content-type": "text/event-stream"})
    chunks = _Chunks(asked, name)
    if "messages" in asked:
        exchange.chunk(chunks.of({"delta": {"role": "assistant", "content": ""}}))
    per = script.get("per", 1)
    for number in range(start, upto, per):
        exchange.chunk(chunks.said(story(min(number + per, upto), number, script.get("word", "t"))))
        await exchange.drained()
    await _end(exchange, script, chunks, of, of - start)


async def _end(exchange: "Exchange", script: dict[str, Any], chunks: "_Chunks", of: int, told: int) -> None:
    end = script.get("end", "done")
    if end == "drop":
        exchange.close()
    elif end == "hang":
        await asyncio.Event().wait()
    elif end == "malformed":
        exchange.chunk(b'data: {"id": "one", "choices": [{"ind\n\n')
        await asyncio.Event().wait()
    elif end == "error":
        error = script.get("error", {"error": {"message": "out of memory", "type": "server_error", "code": 500}})
        exchange.chunk(b"data: " + json.dumps(error).encode() + b"\n\n")
        exchange.chunk(b"data: [DONE]\n\n")
        exchange.end()
    else:
        if end != "no_done":
            exchange.chunk(chunks.finished())
        if end == "done":
            for event in chunks.usage(PROMPT_TOKENS + of - told, told):
                exchange.chunk(event)
            exchange.chunk(b"data: [DONE]\n\n")
        exchange.end()


class _Chunks:
    """The chunks of one answer, as its endpoint has them."""

    def __init__(self, asked: dict[str, Any], name: str) -> None:
        self._asked = asked
        self._name = name
        self._chat = "messages" in asked

    def of(self, choice: dict[str, Any] | None, **fields: Any) -> bytes:
        choices = [] if choice is None else [{"index": 0, "finish_reason": None, **choice}]
        kind = "chat.completion.chunk" if self._chat else "text_completion"
        head = {"id": f"cmpl-{self._name}", "object": kind, "created": len(self._name), "model": self._asked["model"]}
        return b"data: " + json.dumps({**head, "choices": choices, **fields}).encode() + b"\n\n"

    def said(self, text: str) -> bytes:
        return self.of({"delta": {"content": text}} if self._chat else {"text": text})

    def finished(self) -> bytes:
        return self.of({"delta": {}, "finish_reason": "stop"} if self._chat else {"text": "", "finish_reason": "stop"})

    def usage(self, prompt: int, completion: int) -> list[bytes]:
        if not (self._asked.get("stream_options") or {}).get("include_usage"):
            return []
        counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        return [self.of(None, usage=counts)]
