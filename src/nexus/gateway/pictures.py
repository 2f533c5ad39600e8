"""Makes URLs of the pictures in an answer, where the client asked for URLs: services answer in base64 alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (b"GIF8", "image/gif", "gif"),
)

Publish = Callable[[str, str | None, str, str, bytes], Awaitable[str]]
"""Token, job (None: no job's run), media type, filename and bytes → the path under which they are served."""


class Pictures:
    """Called with an answer's body, the caller's token, the job that it is of and how clients reach the gateway."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    async def __call__(self, body: bytes, token: str, job: str | None, base_url: str) -> bytes:
        """The body with `url` in the place of each `b64_json`; one that holds none stays as it is."""
        answer = await asyncio.to_thread(_read, body)
        if answer is None:
            return body
        for number, item in enumerate(answer["data"], 1):
            encoded = item.get("b64_json")
            if not isinstance(encoded, str):
                continue
            try:
                picture = await asyncio.to_thread(msgspec.convert, encoded, bytes)
            except msgspec.ValidationError:  # no base64
                continue
            media_type, ending = kind_of(picture)
            path = await self._publish(token, job, media_type, f"image-{number}.{ending}", picture)
            item["url"] = base_url + path
            del item["b64_json"]
        return msgspec.json.encode(answer)


def kind_of(picture: bytes) -> tuple[str, str]:
    """Media type and the ending of a filename, by the first bytes."""
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp", "webp"
    for magic, media_type, ending in _MAGIC:
        if picture.startswith(magic):
            return media_type, ending
    return "application/octet-stream", "bin"


def _read(body: bytes) -> dict[str, Any] | None:
    """The answer, if it is a list of things in `data`."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        return None
    return answer if all(isinstance(item, dict) for item in answer["data"]) else None
