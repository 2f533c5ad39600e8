"""InvokeAI's HTTP API, call by call. Every failure is an ApiError."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from nexus.contract.errors import OVERLOADED, UPSTREAM_ERROR, ApiError
from nexus.sdk.upstream import Upstream
from nexus_invokeai.graphs import RESULT
from nexus_invokeai.refusals import AnsweredError
from nexus_invokeai.socket import Events, listening

QUEUE: Final = "default"
_MODELS: Final = "/api/v2/models"
_ITEMS: Final = f"/api/v1/queue/{QUEUE}"
_IMAGES: Final = "/api/v1/images"
_MOST_IMAGE_BYTES: Final = 128 * 1024 * 1024
_NO_SUCH: Final = 404


@dataclass(frozen=True, slots=True)
class Item:
    """How a queue item stands; `image` is the name of the picture that came out of it, None as long as none has."""

    status: str
    image: str | None = None
    error_type: str = ""
    error_message: str = ""


class Invoke:
    """One engine at `base_url`, http or https; `token` is for one with several users."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._token = token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = Upstream(self.base_url, headers=headers, explain=AnsweredError)

    async def close(self) -> None:
        await self._http.close()

    def listen(self) -> AbstractAsyncContextManager[Events | None]:
        """The queue's events, as `socket.listening` gives them."""
        return listening(self.base_url, QUEUE, self._token)

    async def models(self) -> list[Mapping[str, Any]]:
        """The records of the SDXL models that can paint."""
        told = await self._http.get_json(f"{_MODELS}/", base_models="sdxl", model_type="main")
        records = told.get("models") if isinstance(told, dict) else None
        if not isinstance(records, list):
            raise ApiError(UPSTREAM_ERROR, "the engine's list of models is none", retry_after=2)
        return [one for one in records if isinstance(one, dict) and one.get("key") and one.get("name")]

    async def model(self, key: str) -> Mapping[str, Any]:
        told = await self._http.get_json(f"{_MODELS}/i/{quote(key, safe='')}")
        return told if isinstance(told, dict) else {}

    async def remove(self, key: str) -> None:
        """Remove a model from the engine's disk."""
        await self._http.send_json("DELETE", f"{_MODELS}/i/{quote(key, safe='')}")

    async def free(self) -> None:
        """Empty the cache of models, which no running item's are taken from."""
        await self._http.send_json("POST", f"{_MODELS}/empty_model_cache")

    async def install(self, source: str) -> Mapping[str, Any]:
        """Begin to install a model; the job."""
        query = urlencode({"source": source, "inplace": "false"})
        return _job(await self._http.send_json("POST", f"{_MODELS}/install?{query}", json={}))

    async def installing(self, job_id: int) -> Mapping[str, Any]:
        return _job(await self._http.get_json(f"{_MODELS}/install/{job_id}"))

    async def stop_installing(self, job_id: int) -> None:
        await self._http.send_json("DELETE", f"{_MODELS}/install/{job_id}")

    async def enqueue(self, graph: Mapping[str, Any]) -> int:
        """Put a graph in the queue; the item's id. Raises ApiError (503) where the queue is full."""
        batch = {"graph": graph, "runs": 1, "data": None, "origin": "nexus", "destination": "nexus"}
        told = await self._http.send_json("POST", f"{_ITEMS}/enqueue_batch", json={"batch": batch, "prepend": False})
        if isinstance(told, dict) and told.get("enqueued") == 0:
            raise ApiError(OVERLOADED, "the engine's queue is full", retry_after=5)
        items = told.get("item_ids") if isinstance(told, dict) else None
        if not isinstance(items, list) or not items or not isinstance(items[0], int):
            raise ApiError(UPSTREAM_ERROR, "the engine took the graph and does not say as which item")
        return items[0]

    async def item(self, item_id: int) -> Item | None:
        """How an item stands; None where the engine does not know it."""
        try:
            told = await self._http.get_json(f"{_ITEMS}/i/{item_id}")
        except AnsweredError as error:
            if error.answered == _NO_SUCH:
                return None
            raise
        if not isinstance(told, dict) or not isinstance(told.get("status"), str):
            raise ApiError(UPSTREAM_ERROR, "the engine does not tell how the item stands")
        message = " ".join(str(told.get("error_message") or "").split())[:500]
        return Item(told["status"], _result(told.get("session")), str(told.get("error_type") or ""), message)

    async def cancel(self, item_id: int) -> None:
        """Have the engine give an item up, whether it waits or runs."""
        await self._http.send_json("PUT", f"{_ITEMS}/i/{item_id}/cancel")

    async def forget(self, item_id: int) -> None:
        """Take a finished item out of the queue's history."""
        await self._http.send_json("DELETE", f"{_ITEMS}/i/{item_id}")

    async def upload(self, body: bytes, category: str) -> str:
        """A PNG for a graph, `category` user or mask; the name to use it by."""
        files = {"file": ("nexus.png", body, "image/png")}
        path = f"{_IMAGES}/upload?image_category={category}&is_intermediate=true"
        told = await self._http.send_json("POST", path, files=files)
        if not isinstance(told, dict) or not isinstance(told.get("image_name"), str):
            raise ApiError(UPSTREAM_ERROR, "the engine does not say where it put the picture")
        return told["image_name"]

    async def image(self, name: str) -> bytes:
        """A picture's file."""
        body, _ = await self._http.get_bytes(f"{_IMAGES}/i/{quote(name, safe='')}/full", limit=_MOST_IMAGE_BYTES)
        return body

    async def drop(self, name: str) -> None:
        """Delete a picture at the engine."""
        await self._http.send_json("DELETE", f"{_IMAGES}/i/{quote(name, safe='')}")


def _result(session: Any) -> str | None:
    """The picture of `session.results[source_prepared_mapping[RESULT][0]]`; parts of it come late or are null."""
    try:
        prepared = session["source_prepared_mapping"][RESULT][0]
        name = session["results"][prepared]["image"]["image_name"]
    except (TypeError, KeyError, IndexError):
        return None
    return name if isinstance(name, str) else None


def _job(told: Any) -> Mapping[str, Any]:
    if not isinstance(told, dict) or not isinstance(told.get("id"), int) or not isinstance(told.get("status"), str):
        raise ApiError(UPSTREAM_ERROR, "the engine does not tell of the model's installation")
    return told
