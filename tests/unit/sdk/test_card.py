"""The live card: the promise with the engine's schemas and the models' states."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nexus.contract.card import Model, Tool, read_card
from nexus.sdk.binding import bind
from nexus.sdk.card import live_card
from nexus.sdk.engine import Call, Engine
from nexus.sdk.manifest import ServiceManifest, provisional_card


class Ask(BaseModel):
    n: int


class Counts(Engine):
    async def own_do(self, request: Ask, call: Call) -> dict[str, Any]:
        return {}


def test_schemas_and_states_are_live() -> None:
    manifest = ServiceManifest.model_validate(
        {
            "folder": Path("/"),
            "service": {"name": "s", "engine": "engine:E"},
            "endpoints": [{"operation": "own.do", "path": "/v1/own/do"}],
            "tools": [
                {"name": "do", "operation": "own.do"},
                {"name": "other", "operation": "own.do", "input_schema": {"type": "object"}},
            ],
        }
    )
    promised = provisional_card(manifest, (), "s-1")
    brought = [("m", Tool(name="more", path="/v1/own/do")), ("m", Tool(name="do", path="/v1/own/do"))]
    card = live_card(promised, bind(manifest, Counts({})), (Model(id="m", state="failed"),), brought=brought)
    assert read_card(card.model_dump_json().encode()).models[0].state == "failed"
    assert card.endpoints[0].request_schema["required"] == ["n"]
    assert card.tools[0].input_schema == card.endpoints[0].request_schema
    assert card.tools[1].input_schema == {"type": "object"}
    assert [tool.name for tool in card.tools] == ["do", "other", "more"]
    assert promised.endpoints[0].request_schema == {}
    assert not card.capabilities.needs_models
    assert live_card(promised, {}, (), needs_models=True).capabilities.needs_models
