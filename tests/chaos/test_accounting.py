"""Accounting after failover: the answer names the model that gave it, and what failed is billed to nobody."""

import asyncio
import json

import pytest

from tests.chaos.answers import PROMPT_TOKENS, TOKENS
from tests.chaos.asking import Asker, Came
from tests.chaos.conftest import StartGateway
from tests.chaos.fleet import Fleet
from tests.chaos.scenario import body
from tests.servers.gateway import TOKEN, Gateway


def ask(gateway: Gateway, operation: str, model: str) -> Came:
    async def run() -> Came:
        async with Asker(gateway.url, TOKEN) as asker:
            return await asker.ask(operation, model, f"one-{operation}")

    return asyncio.run(run())


def tokens_of(gateway: Gateway, model: str) -> dict[str, int]:
    """Prompt and completion tokens that the metrics count for a model."""
    lines = gateway.get("/metrics").body.decode().splitlines()
    counted = [line for line in lines if line.startswith("nexus_tokens_total{") and f'model="{model}"' in line]
    found = {"prompt": 0, "completion": 0}
    for line in counted:
        kind = "prompt" if 'kind="prompt"' in line else "completion"
        found[kind] += int(float(line.rpartition(" ")[2]))
    return found


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_a_refused_attempt_is_not_billed_and_the_answer_names_who_gave_it(
    fleet: Fleet, start_gateway: StartGateway, operation: str
) -> None:
    bad = fleet.add("primary", ["503-forever--x"])
    good = fleet.add("spare", ["503-forever--x--larger"])
    gateway = start_gateway(bad.url, good.url, fallbacks={"503-forever--x": ["503-forever--x--larger"]})
    came = ask(gateway, operation, "503-forever--x")
    assert came.kind == "whole", came
    assert came.served == "503-forever--x--larger"
    assert came.headers["x-nexus-service"] == "spare"
    assert int(came.headers["x-nexus-attempts"]) >= 2
    line = gateway.request_line(f"one-{operation}")
    assert (line["model"], line["service"]) == ("503-forever--x--larger", "spare")
    assert line["usage"]["completion_tokens"] == len(TOKENS)
    assert tokens_of(gateway, "503-forever--x") == {"prompt": 0, "completion": 0}
    assert tokens_of(gateway, "503-forever--x--larger") == {"prompt": PROMPT_TOKENS, "completion": len(TOKENS)}


def test_a_stream_that_went_on_elsewhere_is_billed_once_and_says_who_went_on(
    fleet: Fleet, start_gateway: StartGateway
) -> None:
    bad, good = fleet.add("primary", ["cut--x"]), fleet.add("spare", ["cut--x--larger"])
    gateway = start_gateway(bad.url, good.url, fallbacks={"cut--x": ["cut--x--larger"]})
    asked = body("cut--x", stream=True) | {"stream_options": {"include_usage": True}}
    answer = gateway.post("/v1/chat/completions", asked, headers={"x-request-id": "one-cut"})
    events = [line[6:] for line in answer.body.split(b"\n") if line.startswith(b"data: ")]
    assert events[-1] == b"[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert chunks[0]["model"] == "cut--x"
    assert [chunk for chunk in chunks if chunk["choices"]][-1]["model"] == "cut--x--larger"
    (usage,) = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert usage["completion_tokens"] == len(TOKENS)
    line = gateway.request_line("one-cut")
    assert line["attempts"] == 2
    assert line["usage"]["completion_tokens"] == len(TOKENS)
    both = [tokens_of(gateway, model)["completion"] for model in ("cut--x", "cut--x--larger")]
    assert sum(both) == len(TOKENS)
