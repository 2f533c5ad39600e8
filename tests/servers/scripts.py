"""What a scripted upstream can be told to do with a request: one coroutine a kind, one visible table.

A request says what it wants in a field `script` of its JSON body: `{"kind": "sse", "tokens": 3}`; without one it gets
the plain JSON answer of its path. Waiting is done at gates that the test opens, or for the seconds it asks for.
"""

import asyncio
import base64
import json
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tests.servers.tellers import tell

if TYPE_CHECKING:
    from tests.servers.scripted import Exchange

Script = dict[str, Any]
Behaviour = Callable[["Exchange", Script], Awaitable[None]]

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
VECTOR = [0.25, -0.5, 1.0]


def chat_answer(model: str, **message: Any) -> dict[str, Any]:
    """A whole chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello.", **message}, "finish_reason": "stop"}
        ],
        "usage": USAGE,
    }


def chunk(model: str, delta: dict[str, Any], finish: str | None = None, **fields: Any) -> bytes:
    """One event of a streamed chat completion."""
    value = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **fields,
    }
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def embeddings_answer(request: dict[str, Any]) -> dict[str, Any]:
    """One vector a text, as floats or base64 of little-endian 32-bit floats, as asked."""
    texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
    packed = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    vector = packed if request.get("encoding_format") == "base64" else VECTOR
    return {
        "object": "list",
        "model": request["model"],
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


async def answer_json(exchange: "Exchange", script: Script) -> None:
    """The plain answer of the path; `body`, `status` and `headers` replace parts of it, `delay` are seconds."""
    asked = exchange.json()
    name = str(asked.get("model", ""))
    if "body" in script:
        body = script["body"]
    elif exchange.path == "/v1/embeddings":
        body = embeddings_answer(asked)
    elif exchange.path == "/v1/chat/completions":
        body = chat_answer(name)
    else:
        body = {"path": exchange.path, "method": exchange.method, "echo": asked}
    await exchange.gate(script)
    if "delay" in script:
        await asyncio.sleep(script["delay"])
    exchange.whole(script.get("status", 200), json.dumps(body).encode(), script.get("headers", {}))


async def answer_tools(exchange: "Exchange", script: Script) -> None:
    """Calls the first tool that was offered."""
    asked = exchange.json()
    name = asked["tools"][0]["function"]["name"]
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"city": "Oslo"}'}}
    body = chat_answer(asked["model"], content=None, tool_calls=[call])
    body["choices"][0]["finish_reason"] = "tool_calls"
    exchange.whole(200, json.dumps(body).encode())


async def stream(exchange: "Exchange", script: Script) -> None:
    """`tokens` events, `before` seconds after the head, `interval` seconds or one opening of `gate` apart, then an end.

    The end that `end` names: `done` (finish, usage if asked for, [DONE]), `no_done`, `cut` (in the middle of an event,
    chunking whole), `drop` (in the middle of an event, connection closed), `reset` (the same with RST), `hang`.
    """
    asked = exchange.json()
    name = str(asked.get("model", ""))
    exchange.head(200, {"content-type": "text/event-stream"})
    await asyncio.sleep(script.get("before", 0))
    for number in range(script.get("tokens", 3)):
        if number:
            await exchange.gate(script)
            await asyncio.sleep(script.get("interval", 0))
        exchange.chunk(chunk(name, {"content": f"t{number} " + "x" * script.get("padding", 0)}))
        await exchange.drained()
    await exchange.gate(script)
    await _ENDS[script.get("end", "done")](exchange, asked)


async def _end_done(exchange: "Exchange", asked: dict[str, Any]) -> None:
    exchange.chunk(chunk(asked["model"], {}, "stop"))
    if (asked.get("stream_options") or {}).get("include_usage"):
        exchange.chunk(chunk(asked["model"], {}, usage=USAGE).replace(_ONE_CHOICE, b'"choices": []'))
    exchange.chunk(b"data: [DONE]\n\n")
    exchange.end()


_ONE_CHOICE = b'"choices": [{"index": 0, "delta": {}, "finish_reason": null}]'


async def _end_without_done(exchange: "Exchange", asked: dict[str, Any]) -> None:
    exchange.end()


async def _end_cut(exchange: "Exchange", asked: dict[str, Any]) -> None:
    exchange.chunk(chunk(asked["model"], {"content": "never whole"})[:-20])
    exchange.end()


async def _end_drop(exchange: "Exchange", asked: dict[str, Any]) -> None:
    exchange.chunk(chunk(asked["model"], {"content": "never whole"})[:-20])
    await exchange.drained()
    exchange.close()


async def _end_reset(exchange: "Exchange", asked: dict[str, Any]) -> None:
    exchange.chunk(chunk(asked["model"], {"content": "never whole"})[:-20])
    await exchange.drained()
    exchange.reset()


async def _end_hang(exchange: "Exchange", asked: dict[str, Any]) -> None:
    await asyncio.Event().wait()


_ENDS: dict[str, Callable[["Exchange", dict[str, Any]], Awaitable[None]]] = {
    "done": _end_done,
    "no_done": _end_without_done,
    "cut": _end_cut,
    "drop": _end_drop,
    "reset": _end_reset,
    "hang": _end_hang,
}


async def flood(exchange: "Exchange", script: Script) -> None:
    """Events without end, as fast as they are taken."""
    exchange.head(200, {"content-type": "text/event-stream"})
    event = chunk("scripted", {"content": "y" * 16_000})
    while True:
        exchange.chunk(event)
        await exchange.drained()
        await asyncio.sleep(0)


def _type(script: Script) -> bytes:
    media_type: str = script.get("type", "application/json")
    return media_type.encode()


async def hang(exchange: "Exchange", script: Script) -> None:
    """No answer at all."""
    await asyncio.Event().wait()


async def head_then_hang(exchange: "Exchange", script: Script) -> None:
    """A head, with a content-length unless `chunked`, and nothing of its body; `first` bytes of it where given.

    Its content type is JSON, unless `type` says otherwise.
    """
    if script.get("chunked"):
        exchange.head(200, {"content-type": "text/event-stream"})
    else:
        exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: 5000\r\n\r\n" % _type(script))
        exchange.raw(b"z" * script.get("first", 0))
    await asyncio.Event().wait()


async def close(exchange: "Exchange", script: Script) -> None:
    """The connection is closed without an answer."""
    exchange.close()


async def reset(exchange: "Exchange", script: Script) -> None:
    """The connection is reset without an answer."""
    exchange.reset()


async def short(exchange: "Exchange", script: Script) -> None:
    """Fewer bytes than the content-length says, then the connection is closed; JSON, unless `type` says otherwise."""
    exchange.raw(b'HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: 500\r\n\r\n{"half":' % _type(script))
    await exchange.drained()
    exchange.close()


async def error(exchange: "Exchange", script: Script) -> None:
    """An error of `status` in OpenAI's envelope, with `retry_after` seconds where given."""
    envelope = {"message": "the engine says no", "type": "engine_error", "param": None, "code": script.get("code")}
    headers = {"retry-after": str(script["retry_after"])} if "retry_after" in script else {}
    exchange.whole(script["status"], json.dumps({"error": envelope}).encode(), headers)


async def http10(exchange: "Exchange", script: Script) -> None:
    """An answer whose end is the end of the connection."""
    exchange.raw(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n")
    exchange.raw(json.dumps(chat_answer(exchange.json()["model"])).encode())
    exchange.close()


async def trailers(exchange: "Exchange", script: Script) -> None:
    """A chunked answer with trailer fields after it."""
    body = json.dumps(chat_answer(exchange.json()["model"])).encode()
    exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    exchange.raw(b"%x;name=value\r\n%b\r\n0\r\nx-checksum: 1\r\nx-other: 2\r\n\r\n" % (len(body), body))
    exchange.finished()


async def interim(exchange: "Exchange", script: Script) -> None:
    """Two interim answers before the real one."""
    exchange.raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n")
    await asyncio.sleep(0)
    exchange.whole(200, json.dumps(chat_answer(exchange.json()["model"])).encode())


async def big(exchange: "Exchange", script: Script) -> None:
    """A body of `bytes` bytes, in pieces as they are taken; one byte in a thousand is told apart."""
    left = script["bytes"]
    exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n" % left)
    piece = (b"b" * 999 + b"\n") * 64
    while left:
        part = piece[:left]
        exchange.raw(part)
        left -= len(part)
        await exchange.drained()
    exchange.finished()


async def slow(exchange: "Exchange", script: Script) -> None:
    """A body of four bytes, one at each opening of `gate`."""
    exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\n")
    for letter in (b"s", b"l", b"o", b"w"):
        await exchange.gate(script)
        exchange.raw(letter)
    exchange.finished()


async def garbage(exchange: "Exchange", script: Script) -> None:
    """Bytes that are not HTTP."""
    exchange.raw(b"\x16\x03\x01 this is not HTTP\r\n\r\n" * 3)
    await exchange.drained()
    exchange.close()


BEHAVIOURS: dict[str, Behaviour] = {
    "json": answer_json,
    "tools": answer_tools,
    "sse": stream,
    "flood": flood,
    "hang": hang,
    "head_then_hang": head_then_hang,
    "close": close,
    "reset": reset,
    "short": short,
    "error": error,
    "http10": http10,
    "trailers": trailers,
    "interim": interim,
    "big": big,
    "slow": slow,
    "garbage": garbage,
    "tell": tell,
}
