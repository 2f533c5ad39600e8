"""Which tools are on a card, and why others are not."""

import pytest

from nexus.contract.card import Endpoint, Tool
from nexus.sdk import tools
from nexus.sdk.tools import collect

RUN = Endpoint(operation="s.run", path="/v1/s/run", request_schema={"type": "object", "required": ["inputs"]})
SEEN = Endpoint(operation="s.seen", method="GET", path="/v1/s/seen")


def tool(name: str, path: str = "/v1/s/run", **schema: object) -> Tool:
    return Tool(name=name, path=path, description=name, input_schema=schema)


def test_the_manifests_come_first_and_the_first_of_a_name_has_it() -> None:
    brought = [("m", tool("b", type="object")), ("n", tool("a")), ("o", tool("b")), ("o", tool("c"))]
    box = collect([tool("a")], brought, [RUN])
    assert [one.name for one in box.tools] == ["a", "b", "c"]
    assert box.refused == {
        "a": "the model n brings it, and the service has it already",
        "b": "the model o brings it, and the model m has it already",
    }
    assert box.tools[1].input_schema == {"type": "object"}
    assert box.tools[2].input_schema == RUN.request_schema


def test_a_tool_calls_an_endpoint_of_the_service() -> None:
    brought = [("m", tool("a", "/v1/elsewhere")), ("m", tool("b", "/v1/s/seen")), ("n", tool("a"))]
    box = collect([], brought, [RUN, SEEN])
    assert [one.name for one in box.tools] == ["a"]
    assert box.refused == {
        "a": "the model m has it call /v1/elsewhere, which the service has no POST to",
        "b": "the model m has it call /v1/s/seen, which the service has no POST to",
    }


def test_there_are_no_more_tools_than_a_card_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "MOST_TOOLS", 2)
    box = collect([tool("a")], [("m", tool("b")), ("m", tool("c"))], [RUN])
    assert [one.name for one in box.tools] == ["a", "b"]
    assert box.refused == {"c": "there are more than 2 tools"}
