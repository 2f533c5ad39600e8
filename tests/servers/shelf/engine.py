"""An engine whose models are files in a folder: what is in them says whether they are in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from nexus.contract.errors import MODEL_NOT_FOUND, ApiError
from nexus.sdk.engine import Call, Engine, Found, Model


class Shelf(Engine):
    """Pulling `slow/…` tells of itself every 0.1 s for ever; `none` does not exist."""

    async def open(self) -> None:
        self.base_url = self.config["SHELF_DIRECT"] or None

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        return [
            Found(Model(unquote(path.stem)), "ready" if path.read_text() == "loaded" else "unloaded")
            for path in sorted(self._folder.glob("*.model"))
        ]

    async def load(self, model: Model) -> None:
        self._path(model.id).write_text("loaded")

    async def unload(self, model: Model) -> None:
        if self._path(model.id).exists():  # one that was deleted while it was loaded is gone
            self._path(model.id).write_text("")

    async def pull(self, name: str, call: Call) -> AsyncIterator[dict[str, Any]]:
        if name == "none":
            raise ApiError(MODEL_NOT_FOUND, "there is no such model", param="model")
        try:
            yield {"status": "pulling", "completed": 1, "total": 2}
            while name.startswith("slow/"):
                await asyncio.sleep(0.1)
                yield {"status": "pulling", "completed": 1, "total": 2}
            self._path(name).write_text("")
            yield {"status": "success"}
        finally:
            (self._folder / "pulls").open("a").write(f"{name}\n")

    async def delete(self, model: Model) -> None:
        self._path(model.id).unlink()

    async def show(self, model: Model) -> dict[str, Any]:
        return {"details": {"folder": self._folder.name}}

    async def moderations(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"id": self._folder.name, "model": call.model.id, "results": []}

    @property
    def _folder(self) -> Path:
        return Path(self.config["SHELF_FOLDER"])

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}.model"
