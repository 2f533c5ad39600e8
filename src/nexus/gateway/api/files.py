"""/v1/files: what clients upload, in OpenAI's shape. Each token sees its own files, the administrator all."""

import secrets
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile

from nexus.contract.errors import INVALID_REQUEST, NOT_FOUND, ApiError
from nexus.gateway.api.answers import json_answer, page_of
from nexus.gateway.api.content import file_answer
from nexus.gateway.api.middleware import bearer_of, caller, whose
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.uploads import Upload, uploaded
from nexus.gateway.names import sane_filename, sane_media_type
from nexus.gateway.storage import Opened
from nexus.policies.policy import Policy
from nexus.store.rows import KeptFile

FILES: Final = "/v1/files"
FILE_UPLOADS: Final = "files"
"""The operation that a policy must allow for files to be uploaded."""

_PIECE: Final = 1024 * 1024


def file_routes(parts: ApiParts) -> APIRouter:
    """Upload, list, look at, read and delete."""
    router = APIRouter()

    async def find(request: Request, identity: str) -> tuple[Opened, KeptFile]:
        opened = await parts.store.opened()
        file = await opened.files.find(identity, "file", whose(request))
        if file is None:
            raise ApiError(NOT_FOUND, f"There is no file {identity[:100]!r}.", param="file_id")
        return opened, file

    @router.post(FILES)
    async def create_file(request: Request) -> Response:
        bearer = bearer_of(request)
        await parts.counting.count(bearer, FILE_UPLOADS)
        opened = await parts.store.opened()  # before the body is read: there may be nowhere to keep it
        async with uploaded(request, _largest(bearer.policy, parts.settings.max_file_bytes)) as upload:
            file = _new(caller(request), upload)
            kept = await opened.files.keep(file, _pieces(upload.file))
        return json_answer(_shown(kept))

    @router.get(FILES)
    async def list_files(
        request: Request,
        purpose: str | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
        order: Literal["asc", "desc"] = "desc",
        after: str | None = None,
    ) -> Response:
        opened = await parts.store.opened()
        newest_first = order == "desc"
        page = await opened.files.page(
            whose(request), purpose=purpose, limit=limit, newest_first=newest_first, after=after
        )
        if page is None:
            raise ApiError(INVALID_REQUEST, f"There is no file {str(after)[:100]!r}.", param="after")
        return json_answer(page_of([_shown(file) for file in page.files], page.has_more))

    @router.get(FILES + "/{file_id}")
    async def get_file(request: Request, file_id: str) -> Response:
        _, file = await find(request, file_id)
        return json_answer(_shown(file))

    @router.get(FILES + "/{file_id}/content")
    async def get_content(request: Request, file_id: str) -> Response:
        opened, file = await find(request, file_id)
        return await file_answer(request, opened, file, inline=False)

    @router.delete(FILES + "/{file_id}")
    async def delete_file(request: Request, file_id: str) -> Response:
        opened, file = await find(request, file_id)
        await opened.files.remove(file)
        return json_answer({"id": file.id, "object": "file", "deleted": True})

    return router


def _largest(policy: Policy | None, most: int) -> int:
    """How many bytes a file may have."""
    return min(most, policy.max_request_bytes or most) if policy else most


def _new(token: str, upload: Upload) -> KeptFile:
    now = time.time()
    return KeptFile(
        id=f"file-{secrets.token_hex(16)}",
        kind="file",
        token=token,
        filename=sane_filename(upload.file.filename),
        media_type=sane_media_type(upload.file.content_type),
        created_at=now,
        expires_at=None if upload.seconds is None else now + upload.seconds,
        purpose=upload.purpose,
    )


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_PIECE):
        yield piece


def _shown(file: KeptFile) -> dict[str, Any]:
    """OpenAI's `file`; one that never expires does not say when."""
    expiry = {} if file.expires_at is None else {"expires_at": int(file.expires_at)}
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at),
        **expiry,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }
