"""An engine whose models are files in a folder, each with a tool of its own; those whose content is `spoilt` failed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nexus.sdk.engine import Call, Engine, Found, Model, Tool

PATH = "/v1/cookery/cook"


class Cookery(Engine):
    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        return [self._found(file) for file in sorted(Path(self.config["COOKERY_FOLDER"]).glob("*.recipe"))]

    async def cookery_cook(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"cooked": call.model.id, "inputs": request.get("inputs")}

    def _found(self, file: Path) -> Found:
        spoilt = file.read_text() == "spoilt"
        properties = {"model": {"const": file.stem}, "inputs": {"type": "object"}}
        schema = {"type": "object", "required": ["model", "inputs"], "properties": properties}
        tool = Tool(name=f"cook_{file.stem}", description=f"Cook {file.stem}", path=PATH, input_schema=schema)
        return Found(Model(file.stem), "failed" if spoilt else "ready", tools=(tool,))
