import openai
import pytest


async def test_the_list_is_in_openais_shape(gateway, instance) -> None:
    gateway.show(instance("llm", models=[{"id": "org/qwen", "context_length": 4096}]), gpt="org/qwen")
    answer = await gateway.client.get("/v1/models")
    assert answer.json()["object"] == "list"
    qwen, gpt = answer.json()["data"]
    assert qwen == {
        "id": "org/qwen",
        "object": "model",
        "created": 1700000000,
        "owned_by": "llm",
        "nexus": {
            "state": "ready",
            "on_demand": False,
            "operations": ["chat.completions"],
            "context_length": 4096,
            "services": ["llm"],
            "aliases": [],
            "alias_of": None,
        },
    }
    assert (gpt["id"], gpt["nexus"]["alias_of"]) == ("gpt", "org/qwen")


async def test_a_model_on_demand_is_told_with_its_state(gateway, instance) -> None:
    gateway.show(
        instance("a", models=[{"id": "m", "state": "unloaded", "on_demand": True}]),
        instance("b", models=[{"id": "m", "state": "failed"}]),
    )
    told = (await gateway.client.get("/v1/models/m")).json()["nexus"]
    assert (told["state"], told["on_demand"]) == ("unloaded", True)
    (model,) = (await gateway.client.get("/v1/metadata")).json()["models"]
    assert (model["state"], model["on_demand"]) == ("unloaded", True)


async def test_one_model_is_found_by_any_of_its_names(gateway, instance) -> None:
    gateway.show(instance("llm", models=[{"id": "org/qwen"}]), gpt="org/qwen")
    assert (await gateway.client.get("/v1/models/org/qwen")).json()["id"] == "org/qwen"
    assert (await gateway.client.get("/v1/models/org%2Fqwen")).json()["id"] == "org/qwen"
    assert (await gateway.client.get("/v1/models/gpt")).json()["id"] == "gpt"


async def test_an_unknown_model_names_the_near_misses(gateway, instance) -> None:
    gateway.show(instance("llm", models=[{"id": "qwen2.5-0.5b"}]))
    answer = await gateway.client.get("/v1/models/qwen2.5-0.5")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert "'qwen2.5-0.5b'" in answer.json()["error"]["message"]


async def test_the_official_client_reads_them(gateway, instance) -> None:
    gateway.show(instance("llm", models=[{"id": "qwen"}]))
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=f"{gateway.client.base_url}/v1") as client:
        models = [model async for model in client.models.list()]
        assert [model.id for model in models] == ["qwen"]
        assert (await client.models.retrieve("qwen")).owned_by == "llm"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("unknown")
        assert caught.value.code == "model_not_found"
