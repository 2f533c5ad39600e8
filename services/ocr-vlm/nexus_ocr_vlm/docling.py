"""Reading pages by docling-serve (1.21.0): layout, tables and OCR by several small networks; its asynchronous API.

A page is a task of its own, so that it is known which text stands on which page. docling-serve has no way to end a
task: when the caller leaves, nothing more is asked of it, and the page that it is at runs to its end.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from nexus.contract.errors import UPSTREAM_ERROR, UPSTREAM_TIMEOUT, ApiError
from nexus.sdk.engine import Found, Model
from nexus.sdk.upstream import Upstream

NAME: Final = "docling"
_LONGEST_SIDE: Final = 3000
_WAIT_SECONDS: Final = 1
_FIELDS: Final = {
    "from_formats": "image",
    "to_formats": "md",
    "do_ocr": "true",
    "image_export_mode": "placeholder",
    "abort_on_error": "true",
}


class DoclingReader:
    """docling-serve at `upstream`; it has one pipeline, told as the one model `docling`."""

    def __init__(self, upstream: Upstream, page_seconds: float) -> None:
        self._upstream = upstream
        self._page_seconds = page_seconds

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        answer = await self._upstream.get_json("/health")
        if not isinstance(answer, dict) or answer.get("status") != "ok":
            raise ApiError(UPSTREAM_ERROR, "the engine's health is not docling-serve's")
        return [Found(Model(id=NAME))]

    def longest_side(self, model: Model) -> int:
        return _LONGEST_SIDE

    async def read(self, png: bytes, model: Model) -> str:
        """The page's Markdown. Raises ApiError: 504 where that takes too long, 502 where only part of it was read."""
        files = {"files": ("page.png", png, "image/png")}
        task = await self._upstream.send_json("POST", "/v1/convert/file/async", files=files, data=_FIELDS)
        try:
            async with asyncio.timeout(self._page_seconds):
                await self._ended(_text(task, "task_id"), _text(task, "task_status"))
        except TimeoutError as error:
            raise ApiError(UPSTREAM_TIMEOUT, f"a page took longer than {self._page_seconds:g} seconds") from error
        return markdown(await self._upstream.get_json(f"/v1/result/{_text(task, 'task_id')}"))

    async def close(self) -> None:
        await self._upstream.close()

    async def _ended(self, task: str, status: str) -> None:
        """Until the task has ended well: each look waits for a second at the server's side."""
        while status != "success":
            if status not in ("pending", "started"):
                raise ApiError(UPSTREAM_ERROR, f"docling could not read the page: its task ended as {status!r}")
            status = _text(await self._upstream.get_json(f"/v1/status/poll/{task}", wait=_WAIT_SECONDS), "task_status")


def markdown(result: Any) -> str:
    """The Markdown in a task's result. Raises ApiError (502) where it is not whole."""
    status = _text(result, "status")
    if status != "success":
        raise ApiError(UPSTREAM_ERROR, f"docling could not read the page ({status}): {_errors(result)}")
    return _text(result.get("document"), "md_content").strip()


def _errors(result: dict[str, Any]) -> str:
    told = [str(error.get("error_message", "")) for error in result.get("errors") or () if isinstance(error, dict)]
    return "; ".join(filter(None, told))[:500] or "it does not say why"


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise ApiError(UPSTREAM_ERROR, f"docling-serve's answer has no {key}")
    return found
