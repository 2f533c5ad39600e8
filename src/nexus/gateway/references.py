"""Puts the bytes of uploaded files into a body that names them: a service never sees an id, and keeps no key."""

import asyncio
import base64
from typing import Any, Final

import msgspec

from nexus.contract.errors import INVALID_REQUEST, NOT_FOUND, REQUEST_TOO_LARGE, ApiError
from nexus.gateway.intake.body import decoded
from nexus.gateway.storage import Store, refusal
from nexus.store.errors import StoreError

LARGEST: Final = 48 * 1024 * 1024  # bytes of files in one request
MOST: Final = 100  # files in one request: each is looked up, also where it is empty
_DEEPEST: Final = 32
_decoder: Final = msgspec.json.Decoder(Any)


class References:
    """Called with a JSON body and the caller's token; `everyone` is the token that sees all files."""

    def __init__(self, store: Store, everyone: str) -> None:
        self._store = store
        self._everyone = everyone

    async def __call__(self, body: bytes, token: str) -> bytes:
        """The body with a data URL for each `{"file_id": …}`. Raises ApiError: 404 for a file that is not there,
        400 and 413 for too many."""
        value = decoded(body, _decoder)
        places = [place for place in _places(value, 0) if isinstance(place.get("file_id"), str)]
        if len(places) > MOST:
            raise ApiError(INVALID_REQUEST, f"One request may name {MOST} files, not {len(places)}.", param="file_id")
        size = 0
        for place in places:
            size += await self._fill(place, token, LARGEST - size)
        return await asyncio.to_thread(msgspec.json.encode, value)

    async def _fill(self, place: dict[str, Any], token: str, most: int) -> int:
        identity = place.pop("file_id")
        try:
            opened = await self._store.opened()
            file = await opened.files.find(identity, "file", None if token == self._everyone else token)
            if file is None:
                raise ApiError(NOT_FOUND, f"There is no file {identity!r}.", param="file_id")
            if file.bytes > most:
                raise ApiError(
                    REQUEST_TOO_LARGE, f"The files of one request may have {LARGEST} bytes.", param="file_id"
                )
            content = await opened.blobs.get(file.key)
        except StoreError as error:
            raise refusal(error) from error
        url = f"data:{file.media_type};base64,{(await asyncio.to_thread(base64.b64encode, content)).decode()}"
        is_picture = file.media_type.startswith("image/")
        if place.get("type") == "file":
            place["type"] = "image_url" if is_picture else "document_url"
        place["document_url" if place.get("type") == "document_url" else "image_url"] = url
        return file.bytes


def _places(value: Any, depth: int) -> list[dict[str, Any]]:
    """Every object in a JSON value, however deep within reason."""
    if depth > _DEEPEST:
        return []
    if isinstance(value, dict):
        return [value, *(place for item in value.values() for place in _places(item, depth + 1))]
    if isinstance(value, list):
        return [place for item in value for place in _places(item, depth + 1)]
    return []
