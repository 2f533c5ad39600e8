"""Stored bytes as an answer: whole or a range of them, a piece at a time."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from nexus.contract.errors import NOT_FOUND, ApiError
from nexus.gateway.api.answers import error_answer
from nexus.gateway.api.middleware import is_head
from nexus.gateway.api.ranges import parse_range
from nexus.gateway.names import content_disposition
from nexus.gateway.storage import Opened
from nexus.store.errors import BlobMissingError
from nexus.store.rows import KeptFile

if TYPE_CHECKING:
    from nexus.store.blobs import Blobs

_CACHED_SECONDS: Final = 3600


async def file_answer(request: Request, opened: Opened, file: KeptFile, *, inline: bool) -> Response:
    """The bytes of a kept file, which never change: its id is their ETag. Raises ApiError, StoreError."""
    age = _CACHED_SECONDS if file.expires_at is None else min(_CACHED_SECONDS, int(file.expires_at - time.time()))
    return await content_answer(
        opened.blobs,
        file.key,
        file.bytes,
        file.media_type,
        request.headers,
        etag=f'"{file.id}"',
        head=is_head(request),
        further={
            "cache-control": f"private, max-age={max(0, age)}",
            "content-disposition": content_disposition(file.filename, inline=inline),
        },
    )


async def content_answer(
    blobs: "Blobs",
    key: str,
    size: int,
    media_type: str,
    asked: Mapping[str, str],
    *,
    etag: str,
    head: bool,
    further: Mapping[str, str] | None = None,
) -> Response:
    """200, 206, 304 or 416, as the request's headers `asked` say; `further` are headers of the answer.

    Raises ApiError (404) where the bytes are gone, and BlobError.
    """
    headers = {
        "accept-ranges": "bytes",
        "cache-control": "private",
        "etag": etag,
        "x-content-type-options": "nosniff",
        **(further or {}),
    }
    if _matches(asked.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    wanted = asked.get("range") if asked.get("if-range", etag) == etag else None
    try:
        span = parse_range(wanted, size)
    except ApiError as error:
        answer = error_answer(error)
        answer.headers["content-range"] = f"bytes */{size}"
        return answer
    start, end = (span.start, span.end) if span else (0, size)
    headers["content-length"] = str(end - start)
    if span:
        headers["content-range"] = span.content_range
    status = 206 if span else 200
    if head:
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(await _begun(blobs, key, start, end), status, headers, media_type)


async def _begun(blobs: "Blobs", key: str, start: int, end: int) -> AsyncIterator[bytes]:
    """The pieces, the first of which is there: bytes that cannot be had are told before the answer has begun."""
    pieces = blobs.read(key, start, end)
    try:
        first = await anext(pieces, b"")
    except BlobMissingError:
        raise ApiError(NOT_FOUND, "These bytes are gone.") from None

    async def go_on() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return go_on()


def _matches(header: str, etag: str) -> bool:
    return any(one.strip().removeprefix("W/") in {etag, "*"} for one in header.split(","))
