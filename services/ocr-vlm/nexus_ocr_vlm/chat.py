"""Reading pages by a vision-language model behind OpenAI's chat completions: vLLM, llama.cpp, or another.

One picture a call, as models for OCR are trained. The answer is asked for as a stream: so a server that is stuck is
found out, and one whose caller has left stops at its next token.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.sdk.engine import Found, Model
from nexus.sdk.upstream import EngineResponse, Upstream

_DONE: Final = "[DONE]"
_FENCED: Final = re.compile(r"\s*```(?:markdown|md)?[ \t]*\n(.*?)\n?```\s*", re.DOTALL)


class Options(BaseModel):
    """A manifest entry's `[options]`: `model` is the engine's name for it (the entry's id where it is not given). What
    is not said is as LightOnOCR wants it; `prompt` is the text beside the picture, for models that are asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: Annotated[str, Field(max_length=256)] = ""
    prompt: Annotated[str, Field(max_length=8192)] = ""
    max_tokens: Annotated[int, Field(ge=1, le=131_072)] = 4096
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.2
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    longest_side: Annotated[int, Field(ge=64, le=8192)] = 1540


class ChatReader:
    """An engine at `upstream`, which serves one model or more."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """Entries whose models are served, why the others cannot be used, and what is served beside them."""
        served = _served(await self._upstream.get_json("/v1/models"))
        found = [_found(model, served) for model in wanted]
        named = {_name(one.model) for one in found if one.state == "ready"}
        return [*found, *(Found(Model(id=name)) for name in served if name not in named)]

    def longest_side(self, model: Model) -> int:
        return _options(model).longest_side

    async def read(self, png: bytes, model: Model) -> str:
        """The page's Markdown. Raises ApiError, 502 where the model did not come to an end: half a page is none."""
        async with self._upstream.stream("POST", "/v1/chat/completions", json=body(png, model)) as response:
            return unfenced(await _said(response))

    async def close(self) -> None:
        await self._upstream.close()


def body(png: bytes, model: Model) -> dict[str, Any]:
    """The request for one page."""
    options = _options(model)
    url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    content: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}}]
    if options.prompt:
        content.append({"type": "text", "text": options.prompt})
    return {
        "model": _name(model),
        "messages": [{"role": "user", "content": content}],
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stream": True,
    }


def unfenced(text: str) -> str:
    """The text without the code fence that some models put around a whole page."""
    fenced = _FENCED.fullmatch(text)
    return (fenced[1] if fenced and "```" not in fenced[1] else text).strip()


async def _said(response: EngineResponse) -> str:
    pieces: list[str] = []
    finish = None
    async with aclosing(response.events()) as events:
        async for event in events:
            if event.data == _DONE:
                break
            piece, end = read_chunk(event.data)
            pieces.append(piece)
            finish = end or finish
    if finish == "length":
        raise ApiError(UPSTREAM_ERROR, "the model did not come to the page's end within max_tokens")
    if finish != "stop":
        raise ApiError(UPSTREAM_ERROR, f"the engine ended before the page was read ({finish or 'it broke off'})")
    return "".join(pieces)


def read_chunk(data: str) -> tuple[str, str | None]:
    """One chunk's text, and how it ends the answer. Raises ApiError (502) for an error in mid-stream and nonsense."""
    try:
        chunk = msgspec.json.decode(data)
        if error := chunk.get("error"):
            message = error.get("message") if isinstance(error, dict) else error
            raise ApiError(UPSTREAM_ERROR, f"the engine failed: {str(message)[:500]}")
        if not chunk["choices"]:
            return "", None
        choice = chunk["choices"][0]
        text = choice["delta"].get("content") or ""
        if not isinstance(text, str):
            raise TypeError("content")
        return text, choice.get("finish_reason")
    except (
        msgspec.MsgspecError,
        UnicodeError,
        RecursionError,
        AttributeError,
        KeyError,
        IndexError,
        TypeError,
    ) as error:
        raise ApiError(UPSTREAM_ERROR, "the engine's answer is no chat completion") from error


def _served(answer: Any) -> tuple[str, ...]:
    try:
        return tuple(str(model["id"]) for model in answer["data"])
    except (KeyError, TypeError) as error:
        raise ApiError(UPSTREAM_ERROR, "the engine's list of models is not one") from error


def _found(model: Model, served: Sequence[str]) -> Found:
    try:
        name = _name(model)
    except ValidationError as error:
        first: Mapping[str, Any] = error.errors()[0]
        return Found(model, "failed", f"options.{'.'.join(map(str, first['loc']))}: {first['msg']}")
    if name not in served:
        return Found(model, "failed", f"the engine serves {', '.join(served)[:300] or 'nothing'}, and not {name}")
    return Found(model)


def _options(model: Model) -> Options:
    return Options.model_validate(dict(model.options))


def _name(model: Model) -> str:
    return _options(model).model or model.id
