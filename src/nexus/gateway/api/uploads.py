"""Reads the form of an uploaded file. Starlette keeps what is large on disk while it comes in."""

import errno
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from nexus.contract.errors import (
    INSUFFICIENT_STORAGE,
    INVALID_REQUEST,
    REQUEST_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    ApiError,
)

PURPOSES: Final = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals", "ocr")
_NUMBER: Final = re.compile(r"[0-9]{1,8}")
_SHORTEST, _LONGEST = 3_600, 2_592_000  # seconds that a file may be kept


@dataclass(frozen=True, slots=True)
class Upload:
    """What the form says; `seconds` is how long to keep the file, None for ever."""

    file: UploadFile
    purpose: str
    seconds: int | None


@asynccontextmanager
async def uploaded(request: Request, max_bytes: int) -> AsyncIterator[Upload]:
    """The upload, whose file is open inside the block. Raises ApiError: 400, 413, 415, 507."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise ApiError(UNSUPPORTED_MEDIA_TYPE, "A file is uploaded as multipart/form-data.")
    try:
        async with request.form(max_files=1, max_fields=16) as form:
            yield _read(form, max_bytes)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise ApiError(INSUFFICIENT_STORAGE, "There is no room left for the upload.") from error


def _read(form: FormData, max_bytes: int) -> Upload:
    file, purpose = form.get("file"), form.get("purpose")
    if not isinstance(file, UploadFile):
        raise ApiError(INVALID_REQUEST, "file: the form has no file of this name.", param="file")
    if (file.size or 0) > max_bytes:
        raise ApiError(REQUEST_TOO_LARGE, f"A file has at most {max_bytes} bytes.", param="file")
    if not isinstance(purpose, str) or purpose not in PURPOSES:
        raise ApiError(INVALID_REQUEST, f"purpose: it must be one of {', '.join(PURPOSES)}.", param="purpose")
    return Upload(file, purpose, _seconds(form))


def _seconds(form: FormData) -> int | None:
    anchor, seconds = form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise ApiError(INVALID_REQUEST, "expires_after[anchor]: it must be created_at.", param="expires_after[anchor]")
    if not isinstance(seconds, str) or not _NUMBER.fullmatch(seconds) or not _SHORTEST <= int(seconds) <= _LONGEST:
        message = f"expires_after[seconds]: it must be a whole number from {_SHORTEST} to {_LONGEST}."
        raise ApiError(INVALID_REQUEST, message, param="expires_after[seconds]")
    return int(seconds)
