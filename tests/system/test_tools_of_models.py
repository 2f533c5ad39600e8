"""A model that brings a tool: the gateway's cards tell of it while the model is there, with no restart."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.servers.gateway import Gateway
from tests.servers.raw import wait_until
from tests.servers.sdk_service import SdkService

FOLDER = Path(__file__).parents[1] / "servers" / "cookery"


def tools(gateway: Gateway, path: str) -> dict[str, Any]:
    told = gateway.get(path).json()
    return {tool["name"]: tool for tool in (told.get("card") or told)["tools"]}


def test_a_tool_appears_and_vanishes_with_its_model(
    start_gateway: Callable[..., Gateway], stack: ExitStack, tmp_path: Path
) -> None:
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    service = stack.enter_context(SdkService(FOLDER, tmp_path, COOKERY_FOLDER=str(recipes)))
    gateway = start_gateway(service)
    assert set(tools(gateway, "/v1/services/cookery")) == {"cook"}
    (recipes / "soup.recipe").touch()
    (recipes / "old.recipe").write_text("spoilt")
    wait_until(lambda: set(tools(gateway, "/v1/services/cookery")) == {"cook", "cook_soup"}, 10)
    soup = tools(gateway, "/v1/metadata")["cook_soup"]
    assert soup["input_schema"]["properties"]["model"] == {"const": "soup"}
    answer = gateway.post(soup["path"], {"model": "soup", "inputs": {"salt": 1}})
    assert (answer.status, answer.json()) == (200, {"cooked": "soup", "inputs": {"salt": 1}})
    (recipes / "soup.recipe").unlink()
    wait_until(lambda: set(tools(gateway, "/v1/services/cookery")) == {"cook"}, 10)
    assert set(tools(gateway, "/v1/metadata")) == {"cook"}
