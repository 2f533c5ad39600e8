"""A model fetched to the engine: what may be asked for, and how far its installation is."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError
from nexus_invokeai.invoke import Invoke
from nexus_invokeai.refusals import AnsweredError
from nexus_invokeai.run import bounded

_REPOSITORY: Final = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]*(:[\w./+-]+)?)?")
_POLL_SECONDS: Final = 0.5
_THERE_ALREADY: Final = 409
_REFUSED: Final = (415, 424)
_OVER: Final = ("completed", "error", "cancelled")


async def installed(invoke: Invoke, source: str, *, urls: bool) -> AsyncGenerator[Mapping[str, Any], None]:
    """The progress of an installation, in bytes; given up at the engine when nobody waits for it. Raises ApiError.

    `source` is a repository of Hugging Face, `owner/name[:variant[:folder]]`, or, where `urls` allows it, an https
    URL. The engine's own files are nobody's to name.
    """
    if not (_REPOSITORY.fullmatch(source) or (urls and source.startswith("https://"))):
        raise ApiError(INVALID_REQUEST, "model: name a repository, owner/name[:variant[:folder]]", param="model")
    try:
        job = await invoke.install(source)
    except AnsweredError as error:
        if error.answered == _THERE_ALREADY:
            yield _told("success")
            return
        raise _refusal(error) from error
    try:
        while job["status"] not in _OVER:
            yield _told(job["status"], job)
            await asyncio.sleep(_POLL_SECONDS)
            job = await invoke.installing(job["id"])
    finally:
        if job["status"] not in _OVER:
            await bounded(invoke.stop_installing(job["id"]))
    if job["status"] != "completed":
        reason = job.get("error") or job.get("error_reason") or job["status"]
        raise ApiError(UPSTREAM_ERROR, f"the engine did not install {source}: {reason}")
    yield _told("success", job)


def _refusal(error: AnsweredError) -> ApiError:
    if error.answered in _REFUSED:
        return ApiError(INVALID_REQUEST, f"model: {error.message}", param="model")
    return error


def _told(status: str, job: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Bytes are told late, and as 0 where they are not known."""
    numbers = {name: (job or {}).get(name) or None for name in ("bytes", "total_bytes")}
    return {"status": status, "completed": numbers["bytes"], "total": numbers["total_bytes"], "digest": None}
