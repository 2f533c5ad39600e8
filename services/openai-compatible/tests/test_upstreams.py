"""Upstreams found, probed, renamed and lost."""

import time
from typing import Any

import pytest
from openai_upstream import Upstream, serving

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Model


async def test_models_and_the_routes_that_are_there(relayed: Any, upstream: Upstream) -> None:
    operations = relayed.found["small"].model.operations
    assert set(operations) == {
        "chat.completions",
        "completions",
        "responses",
        "embeddings",
        "images.generations",
        "images.edits",
        "audio.speech",
        "audio.transcriptions",
    }
    assert upstream.asked == []  # nothing that could be a call was asked
    assert len(upstream.probes) == len(operations)
    assert relayed.engine.base_url == upstream.url.removesuffix("/v1")


async def test_names_patterns_and_what_upstreams_say(engine: Any, upstream: Upstream, describe: Any) -> None:
    upstream.models = [{"id": "small", "max_model_len": 4096}, {"id": "e", "type": "embeddings"}, {"id": "secret"}]
    found = await engine.look(describe(upstream, prefix="lab/", deny=["secret"], aliases={"gpt-4o-mini": "small"}))
    assert set(found) == {"lab/small", "lab/e"}
    assert found["lab/small"].model.aliases == ("gpt-4o-mini",)
    assert found["lab/small"].model.context_length == 4096
    assert found["lab/e"].model.operations == ("embeddings",)
    await engine.ask("chat.completions", {"messages": [{"role": "user", "content": "x"}]}, model="lab/small")
    assert upstream.last.body["model"] == "small"


async def test_declared_operations_are_not_probed(engine: Any, upstream: Upstream, describe: Any) -> None:
    entry = describe(upstream, models=["given"], only={"given": ["chat.completions"]})
    found = await engine.look(Model(id="up", operations=("chat.completions", "embeddings"), options=entry.options))
    assert found["given"].model.operations == ("chat.completions",)
    assert upstream.probes == []


async def test_who_cannot_be_probed_says_what_to_do(engine: Any, upstream: Upstream, describe: Any) -> None:
    upstream.routes, upstream.catch_all = (), 400
    with pytest.raises(ApiError, match="name its operations"):
        await engine.look(describe(upstream))


async def test_keys_are_sent_and_never_told(
    engine: Any, upstream: Upstream, describe: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    upstream.key = "sk-good"
    monkeypatch.setenv("UP_KEY", "sk-wrong-1234")
    with pytest.raises(ApiError, match="does not take the key") as caught:
        await engine.look(describe(upstream, key_env="UP_KEY"))
    assert "1234" not in caught.value.message
    monkeypatch.setenv("UP_KEY", "sk-good")  # a new key is a new start
    assert "small" in await engine.look(describe(upstream, key_env="UP_KEY"))
    await engine.ask("chat.completions", {"messages": [{"role": "user", "content": "x"}]})
    assert upstream.last.headers["authorization"] == "Bearer sk-good"
    assert engine.engine.base_url is None
    assert "sk-good" not in caplog.text
    monkeypatch.delenv("UP_KEY")
    found = await engine.look(describe(upstream, key_env="UP_KEY"))
    assert found["up"].reason == "options.key_env: the variable UP_KEY is not set"


async def test_one_that_dies_does_not_take_the_others_along(engine: Any, upstream: Upstream, describe: Any) -> None:
    other = Upstream(models=[{"id": "other"}])
    with serving(other):
        entries = (describe(upstream, refresh_seconds=2), describe(other, "two", refresh_seconds=2))
        assert set(await engine.look(*entries)) == {"small", "text-embedding-x", "other"}
        assert engine.engine.base_url is None
    with pytest.raises(ApiError) as caught:
        await engine.ask("chat.completions", {"messages": []}, model="other")
    assert (caught.value.status, caught.value.code) == (503, "no_ready_service")
    found = await engine.look(*entries)  # the failed call has it looked at again
    assert (found["other"].state, found["small"].state) == ("failed", "ready")
    assert "cannot be reached" in found["other"].reason
    with serving(other):
        assert (await engine.look(*entries))["other"].state == "ready"


async def test_the_only_one_that_dies_is_an_outage(engine: Any, describe: Any) -> None:
    with pytest.raises(ApiError, match=r"up: the engine at http://127\.0\.0\.1:9 cannot be reached") as caught:
        await engine.look(Model(id="up", options={"url": "http://127.0.0.1:9/v1"}))
    assert caught.value.status == 503
    with pytest.raises(ApiError, match="no upstream is described"):
        await engine.look()


async def test_lists_are_believed_for_a_while(engine: Any, upstream: Upstream, describe: Any) -> None:
    entry = describe(upstream, refresh_seconds=3600)
    await engine.look(entry)
    upstream.models.append({"id": "new"})
    assert "new" not in await engine.look(entry)
    fresh = describe(upstream, refresh_seconds=7200)  # the entry has changed
    assert "new" in await engine.look(fresh)


@pytest.mark.parametrize("listing", [b"{", b'{"data": 3}', b"<html>"])
async def test_a_list_that_is_none(engine: Any, upstream: Upstream, describe: Any, listing: bytes) -> None:
    upstream.listing = listing
    with pytest.raises(ApiError) as caught:
        await engine.look(describe(upstream))
    assert caught.value.status == 503
    upstream.listing = None
    assert "small" in await engine.look(describe(upstream))


async def test_an_empty_body_is_an_empty_list(engine: Any, upstream: Upstream, describe: Any) -> None:
    upstream.listing = b""
    assert await engine.look(describe(upstream)) == {}


async def test_calls_go_on_when_their_entry_goes(engine: Any, upstream: Upstream, describe: Any) -> None:
    await engine.look(describe(upstream))
    request = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "slowly"}]}
    stream = await engine.engine.chat_completions(request, engine.call("small"))
    await anext(stream)
    with serving(Upstream(models=[{"id": "other"}])) as other:
        await engine.look(describe(other, "two"))
        begun = time.monotonic()
        for _ in range(3):
            assert b"w" in await anext(stream)
        assert time.monotonic() - begun < 5
        upstream.left.clear()
        await stream.aclose()
    assert upstream.left.wait(1)
