"""The service as its clients see it: served in a process of its own before a simulated Ollama, asked by the official
client, and held to the contract."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from ollama_simulator import SimModel, Simulator, stocked

from nexus.sdk.conformance.run import run_checks
from tests.servers.openai_script import run_chat_script

FOLDER = Path(__file__).parents[1]
MODEL = "qwen3:4b"
SLOW: Any = [{"role": "user", "content": "count 400 slowly"}]


@pytest.fixture(scope="module")
def ollama() -> Iterator[Simulator]:
    simulator = stocked()
    yield simulator
    simulator.wire.close()


@pytest.fixture(scope="module")
def url(serve: Any, ollama: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    entries = tmp_path_factory.mktemp("entries")
    (entries / "llama.toml").write_text('id = "llama3.2"\n')
    with serve(FOLDER, NEXUS_OLLAMA_URL=ollama.wire.url, NEXUS_MODELS_DIR=str(entries)) as url:
        yield url


@pytest.fixture
def client(url: str, ollama: Simulator) -> Iterator[openai.OpenAI]:
    """The official client; the simulator is as it was at first."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client
    ollama.queue_full = False
    ollama.models[MODEL] = SimModel()


def test_the_script_of_every_chat_service(client: openai.OpenAI) -> None:
    run_chat_script(client, MODEL)


def test_the_contract_is_kept(url: str) -> None:
    results = run_checks(url)
    assert [f"{one.check.name}: {one.reason}" for one in results if one.status == "fail"] == []
    passed = {one.check.name for one in results if one.status == "pass"}
    assert {"samples-succeed", "streams-end", "leavers-free-their-places", "models-listed"} <= passed


def test_embeddings_and_completions(client: openai.OpenAI) -> None:
    plain = client.embeddings.create(model="nomic-embed-text", input="hello", encoding_format="float")
    packed = client.embeddings.create(model="nomic-embed-text", input="hello")  # the client asks for base64
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding, abs=1e-6)
    assert client.completions.create(model=MODEL, prompt="Once", max_tokens=2).choices[0].text == "w0 w1"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nomic-embed-text", messages=SLOW)


def test_a_picture_and_a_thought(client: openai.OpenAI, ollama: Simulator) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    client.chat.completions.create(
        model="gemma3",
        messages=[{"role": "user", "content": [{"type": "text", "text": "What?"}, picture]}],  # type: ignore[list-item]
    )
    assert ollama.bodies("/api/chat")[-1]["messages"][0]["images"] == ["aGk="]
    answer = client.chat.completions.create(
        model="deepseek-r1:8b", messages=[{"role": "user", "content": "x"}], reasoning_effort="medium"
    )
    assert answer.choices[0].message.model_dump()["reasoning_content"] == "Let me see."


def test_an_address_is_refused_where_fetching_is_off(client: openai.OpenAI) -> None:
    picture = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gemma3", messages=[{"role": "user", "content": [picture]}])  # type: ignore[list-item]
    assert caught.value.param == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_reaches_ollama_within_a_second(client: openai.OpenAI, ollama: Simulator, stream: bool) -> None:
    ollama.wire.left.clear()
    before = len(ollama.wire.aborted)
    if stream:
        with client.chat.completions.create(model=MODEL, messages=SLOW, stream=True) as answer:
            next(iter(answer))
    else:
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.5).chat.completions.create(model=MODEL, messages=SLOW)
    assert ollama.wire.left.wait(1)
    assert ollama.wire.aborted[before].path == "/api/chat"


@pytest.mark.parametrize("said", ["fail midway", "break off", "garbage", "end early"])
def test_a_failure_in_mid_stream_is_an_error_in_band(client: openai.OpenAI, said: str) -> None:
    asked: Any = [{"role": "user", "content": f"count 5 {said}"}]
    stream = client.chat.completions.create(model=MODEL, messages=asked, stream=True)
    chunks: list[Any] = []
    with pytest.raises(openai.APIError) as caught:
        chunks.extend(stream)
    assert caught.value.code == "upstream_error"
    assert [chunk.choices[0].delta.content for chunk in chunks][:3] == ["", "w0", " w1"]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * len(chunks)


def test_a_full_queue(client: openai.OpenAI, ollama: Simulator) -> None:
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}])  # it is in memory now
    ollama.queue_full = True
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}])
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
    assert caught.value.response.headers["retry-after"] == "2"
    ollama.queue_full = False
    assert client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}]).choices


def test_a_model_that_is_half_there(client: openai.OpenAI, ollama: Simulator, url: str) -> None:
    """The entry's model is not there, is pulled by half, is there; then its file turns out to be broken."""
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="llama3.2", messages=[{"role": "user", "content": "x"}])
    assert caught.value.status_code == 503
    assert "pull it" in caught.value.message
    events = _pulled(url, "llama3.2")
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["status"] == "success"
    _until(lambda: _state(url, "llama3.2") == "unloaded")
    answer = client.chat.completions.create(model="llama3.2", messages=[{"role": "user", "content": "x"}])
    assert answer.model == "llama3.2"
    ollama.models["llama3.2:latest"].broken = True
    with pytest.raises(openai.InternalServerError, match="unable to load model") as caught:
        client.chat.completions.create(model="llama3.2", messages=[{"role": "user", "content": "x"}])
    assert caught.value.status_code == 502


def test_a_pull_that_fails_says_so_in_its_stream(url: str) -> None:
    events = _pulled(url, "nosuch")
    assert "file does not exist" in json.loads(events[-1])["error"]["message"]


def test_load_show_unload_delete(url: str, ollama: Simulator) -> None:
    assert _asked("POST", f"{url}/v1/models/gemma3/load")["state"] == "ready"
    _until(lambda: _card_model(url, "gemma3:latest")["resources"]["vram_mb"] == 2048)
    assert _asked("GET", f"{url}/v1/models/gemma3")["ollama"]["details"]["family"] == "gemma3"
    assert _asked("POST", f"{url}/v1/models/gemma3/unload")["state"] == "unloaded"
    assert "gemma3:latest" not in ollama.running
    ollama.models["old:latest"] = SimModel()
    _until(lambda: _state(url, "old:latest") == "unloaded")
    assert _asked("DELETE", f"{url}/v1/models/old")["deleted"] is True
    assert "old:latest" not in ollama.models
    _until(lambda: _state(url, "old:latest") == "")


def test_ollama_dies_and_comes_back(client: openai.OpenAI, ollama: Simulator, url: str) -> None:
    stream = iter(client.chat.completions.create(model=MODEL, messages=SLOW, stream=True))
    next(stream)
    ollama.wire.stop()
    try:
        with pytest.raises(openai.APIError) as caught:
            list(stream)
        assert caught.value.code == "upstream_error"
        with pytest.raises(openai.InternalServerError) as refused:
            client.chat.completions.create(model=MODEL, messages=SLOW)
        assert (refused.value.status_code, refused.value.code) == (503, "no_ready_service")
        _until(lambda: "cannot be reached" in _readyz(url)[1])
        assert _readyz(url)[0] == 503
    finally:
        ollama.wire.start()
    _until(lambda: _readyz(url)[0] == 200)
    assert client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}]).choices


def _until(holds: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(0.1)


def _open(method: str, url: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def _asked(method: str, url: str) -> Any:
    status, body = _open(method, url)
    assert status == 200, body
    return json.loads(body)


def _readyz(url: str) -> tuple[int, str]:
    status, body = _open("GET", f"{url}/readyz")
    return status, body.decode()


def _card_model(url: str, name: str) -> Any:
    return next((one for one in _asked("GET", f"{url}/v1/metadata")["models"] if one["id"] == name), {"state": ""})


def _state(url: str, name: str) -> Any:
    return _card_model(url, name)["state"]


def _pulled(url: str, name: str) -> list[str]:
    status, body = _open("POST", f"{url}/v1/models/{name}/pull")
    assert status == 200
    return [line.removeprefix("data: ") for line in body.decode().splitlines() if line.startswith("data: ")]
