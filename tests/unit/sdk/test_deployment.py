"""The `[deploy]` table: what it may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from nexus.sdk.deployment import DeployTable

ENGINE = {"image": "ollama/ollama:0.33.0", "port": 11434, "url_env": "NEXUS_OLLAMA_URL", "memory_mb": 8192}


def test_a_service_belongs_to_every_stack_by_default() -> None:
    assert DeployTable() == DeployTable(profile=None, host_engine=False, engine=None)


def test_an_engine_beside_the_service_has_images_for_other_gpus_and_volumes() -> None:
    more = {"images": {"rocm": "ollama/ollama:0.33.0-rocm"}, "volumes": {"models": "/root/.ollama"}}
    engine = DeployTable.model_validate({"profile": "ollama", "engine": {**ENGINE, **more}}).engine
    assert engine is not None
    assert (engine.images["rocm"], engine.health, engine.gpu.required) == ("ollama/ollama:0.33.0-rocm", "/", False)


@pytest.mark.parametrize(
    "table",
    [
        {"profile": "With Space"},
        {"engine": {**ENGINE, "image": "no spaces here"}},
        {"engine": {**ENGINE, "port": 0}},
        {"engine": {**ENGINE, "volumes": {"a": "/x", "b": "/x"}}},
        {"engine": {**ENGINE, "volumes": {"a": "relative"}}},
        {"engine": {**ENGINE, "url_env": "lower"}},
        {"volumes": {"models": "models"}},
        {"extras": ["../b"]},
        {"unknown": 1},
    ],
)
def test_mistakes_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DeployTable.model_validate(table)
