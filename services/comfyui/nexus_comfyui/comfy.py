"""ComfyUI's HTTP API, call by call. Every failure is an ApiError."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from urllib.parse import urlencode

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.sdk.upstream import Upstream
from nexus_comfyui.outputs import AnsweredError, SavedFile, from_history, refused
from nexus_comfyui.socket import Messages, listening
from nexus_comfyui.workflow import FOLDER, Graph, Workflow

MOST_FILE_BYTES: Final = 512 * 1024 * 1024
_NO_SUCH: Final = 404
_BAD_PROMPT: Final = 400
_NO_ROUTE: Final = (404, 405)


class Comfy:
    """One engine at `base_url`, http or https and without a path."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = Upstream(self.base_url, explain=AnsweredError)

    async def close(self) -> None:
        await self._http.close()

    def listen(self, client_id: str) -> AbstractAsyncContextManager[Messages | None]:
        """The messages to a client, as `socket.listening` gives them."""
        return listening(self.base_url, client_id)

    async def checkpoints(self) -> tuple[str, ...]:
        """The checkpoints' files."""
        found = await self._http.get_json("/models/checkpoints")
        if not isinstance(found, list):
            raise ApiError(UPSTREAM_ERROR, "the engine's list of checkpoints is none", retry_after=2)
        return tuple(name for name in found if isinstance(name, str))

    async def node(self, kind: str) -> Mapping[str, Any] | None:
        """What the engine says of a kind of node; None where it has none such."""
        found = await self._http.get_json(f"/object_info/{kind}")
        node = found.get(kind) if isinstance(found, dict) else None
        return node if isinstance(node, dict) else None

    async def waiting(self) -> int:
        """How many prompts run or wait."""
        found = await self._http.get_json("/prompt")
        try:
            return int(found["exec_info"]["queue_remaining"])
        except (TypeError, KeyError, ValueError) as error:
            raise ApiError(UPSTREAM_ERROR, "the engine does not tell how many prompts wait") from error

    async def upload(self, body: bytes) -> str:
        """A PNG for LoadImage and its like; the name to load it by, which tells the same content again."""
        name = f"{hashlib.sha256(body).hexdigest()[:32]}.png"
        files = {"image": (name, body, "image/png")}
        fields = {"subfolder": FOLDER, "overwrite": "true", "type": "input"}
        told = await self._http.send_json("POST", "/upload/image", files=files, data=fields)
        if not isinstance(told, dict) or not isinstance(told.get("name"), str):
            raise ApiError(UPSTREAM_ERROR, "the engine does not say where it put the picture")
        return f"{told['subfolder']}/{told['name']}" if told.get("subfolder") else told["name"]

    async def submit(self, prompt_id: str, client_id: str, graph: Graph, workflow: Workflow, *, previews: bool) -> None:
        """Put a prompt in the queue. Raises ApiError (400, 404, 502) by the engine's own reason."""
        extra = {"preview_method": "auto" if previews else "none"}
        body = {"prompt": graph, "client_id": client_id, "prompt_id": prompt_id, "extra_data": extra}
        try:
            told = await self._http.send_json("POST", "/prompt", json=body)
        except AnsweredError as error:
            raise refused(error.engine_body, workflow) if error.answered == _BAD_PROMPT else error from error
        if not isinstance(told, dict) or told.get("prompt_id") != prompt_id:
            raise ApiError(UPSTREAM_ERROR, "the engine took the prompt by another id than it was given")

    async def job(self, prompt_id: str) -> Mapping[str, Any] | None:
        """What has become of a prompt: its `status` (pending, in_progress, completed, failed, cancelled), `outputs` and
        `execution_error`. None where the engine does not know it. One without /api/jobs is asked for its history."""
        try:
            told = await self._http.get_json(f"/api/jobs/{prompt_id}")
        except AnsweredError as error:
            if error.answered != _NO_SUCH:
                raise
            return await self._remembered(prompt_id)
        if not isinstance(told, dict) or not isinstance(told.get("status"), str):
            raise ApiError(UPSTREAM_ERROR, "the engine does not tell how the prompt stands")
        return told

    async def _remembered(self, prompt_id: str) -> Mapping[str, Any] | None:
        """The same from the queue, and from the history, which is {} until a prompt is done. In this order: a prompt
        that ends between the two looks is found by the second."""
        queue = await self._http.get_json("/queue")
        for status, key in (("in_progress", "queue_running"), ("pending", "queue_pending")):
            items = queue.get(key) if isinstance(queue, dict) else None
            if isinstance(items, list) and any(isinstance(item, list) and prompt_id in item[1:2] for item in items):
                return {"status": status}
        history = await self._http.get_json(f"/history/{prompt_id}")
        entry = history.get(prompt_id) if isinstance(history, dict) else None
        return from_history(entry) if isinstance(entry, dict) else None

    async def cancel(self, prompt_id: str) -> None:
        """Have the engine give a prompt up, whether it waits or runs; no other one is touched."""
        try:
            await self._http.send_json("POST", f"/api/jobs/{prompt_id}/cancel", json={})
        except AnsweredError as error:
            if error.answered not in _NO_ROUTE:
                raise
            await self._http.send_json("POST", "/queue", {"delete": [prompt_id]})
            await self._http.send_json("POST", "/interrupt", {"prompt_id": prompt_id})

    async def forget(self, prompt_id: str) -> None:
        """Take a finished prompt out of the history."""
        await self._http.send_json("POST", "/history", {"delete": [prompt_id]})

    async def free(self) -> None:
        """Unload all models and give their memory back, as soon as the running prompt is through."""
        await self._http.send_json("POST", "/free", {"unload_models": True, "free_memory": True})

    async def file(self, saved: SavedFile) -> tuple[bytes, str]:
        """A file that a prompt saved, and its media type."""
        return await self._http.get_bytes(f"/view?{urlencode(saved.query)}", limit=MOST_FILE_BYTES)
