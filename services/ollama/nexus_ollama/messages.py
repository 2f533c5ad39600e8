"""OpenAI's messages as Ollama's: text as one string, pictures and sound as base64 beside it, calls with objects."""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from nexus.contract.wire.messages import (
    AssistantMessage,
    AudioPart,
    Content,
    ImagePart,
    Message,
    RefusalPart,
    TextPart,
    ToolMessage,
)
from nexus.sdk.media.data_urls import read_base64, read_data_url
from nexus_ollama.errors import invalid
from nexus_ollama.known import Known

FetchImage = Callable[[str, str], Awaitable[bytes]]
"""Given an address and the place in the request that names it, the picture there. Raises ApiError (400)."""
_WEB: Final = ("http://", "https://")


async def engine_messages(messages: Sequence[Message], known: Known, fetch: FetchImage | None) -> list[dict[str, Any]]:
    """The messages as /api/chat takes them. Raises ApiError (400); without `fetch`, for every http(s) address."""
    called = {
        call.id: call.function.name
        for message in messages
        if isinstance(message, AssistantMessage)
        for call in message.tool_calls or ()
    }
    return [
        await _message(message, f"messages[{position}]", known, fetch, called)
        for position, message in enumerate(messages)
    ]


async def _message(
    message: Message, where: str, known: Known, fetch: FetchImage | None, called: Mapping[str, str]
) -> dict[str, Any]:
    content, media = await _content(message.content, where, known, fetch)
    told: dict[str, Any] = {"role": "system" if message.role == "developer" else message.role, "content": content}
    if media:
        told["images"] = media  # Ollama's field for sound as well
    if isinstance(message, AssistantMessage):
        thought = (message.model_extra or {}).get("reasoning_content")
        if isinstance(thought, str) and thought:
            told["thinking"] = thought
        if message.tool_calls:
            told["tool_calls"] = [
                _call(call.id, call.function.name, call.function.arguments, f"{where}.tool_calls[{index}]")
                for index, call in enumerate(message.tool_calls)
            ]
    if isinstance(message, ToolMessage):
        told["tool_call_id"] = message.tool_call_id
        if message.tool_call_id in called:
            told["tool_name"] = called[message.tool_call_id]
    return told


async def _content(
    content: Content | None, where: str, known: Known, fetch: FetchImage | None
) -> tuple[str, list[str]]:
    if content is None or isinstance(content, str):
        return content or "", []
    texts: list[str] = []
    media: list[str] = []
    for position, part in enumerate(content):
        place = f"{where}.content[{position}]"
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, RefusalPart):
            texts.append(part.refusal)
        elif isinstance(part, ImagePart):
            known.need("vision", "does not see pictures", f"{place}.type")
            media.append(_written(await _image(part.image_url.url, f"{place}.image_url.url", fetch)))
        elif isinstance(part, AudioPart):
            known.need("audio", "does not hear sound", f"{place}.type")
            media.append(_written(read_base64(part.input_audio.data, f"{place}.input_audio.data")))
        else:
            raise invalid("Ollama reads text, pictures and sound, not files", f"{place}.type")
    return "".join(texts), media


async def _image(url: str, param: str, fetch: FetchImage | None) -> bytes:
    if fetch is not None and url.strip().lower().startswith(_WEB):
        return await fetch(url.strip(), param)
    return read_data_url(url, param).body


def _written(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")


def _call(call_id: str, name: str, arguments: str, where: str) -> dict[str, Any]:
    param = f"{where}.function.arguments"
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise invalid("the arguments are not JSON", param) from error
    if not isinstance(value, dict):
        raise invalid("the arguments are not a JSON object", param)
    return {"id": call_id, "function": {"name": name, "arguments": value}}
