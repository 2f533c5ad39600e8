"""The service as its clients see it: served in a process of its own before simulated upstreams, asked by the official
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
from openai_upstream import EVERY_JSON_ROUTE, FORM_ROUTES, WAV, Upstream, serving

from nexus.sdk.conformance.run import run_checks

FOLDER = Path(__file__).parents[1]
HELLO: Any = [{"role": "user", "content": "hello"}]


def _said(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with serving(Upstream(routes=EVERY_JSON_ROUTE + FORM_ROUTES, key="sk-upstream")) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Path:
    """The folder of entries: one with a key, one for an upstream that is not there yet."""
    folder = tmp_path_factory.mktemp("entries")
    (folder / "lab.toml").write_text(
        f'id = "lab"\n[options]\nurl = "{upstream.url}"\nkey_env = "LAB_KEY"\nprefix = "lab/"\nrefresh_seconds = 2\n'
    )
    return folder


@pytest.fixture(scope="module")
def url(serve: Any, entries: Path) -> Iterator[str]:
    with serve(FOLDER, NEXUS_MODELS_DIR=str(entries), LAB_KEY="sk-upstream") as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_contract_is_kept(url: str) -> None:
    results = run_checks(url)
    assert [f"{one.check.name}: {one.reason}" for one in results if one.status == "fail"] == []
    passed = {one.check.name for one in results if one.status == "pass"}
    assert {"streams-end", "leavers-free-their-places", "models-listed", "endpoints-exist"} <= passed


def test_models_and_their_key(client: openai.OpenAI, url: str) -> None:
    assert [model.id for model in client.models.list()] == ["lab/small", "lab/text-embedding-x"]
    card = _get(f"{url}/v1/metadata")[1]
    assert b"sk-upstream" not in card
    assert json.loads(card)["backend"]["base_url"] is None


def test_chat_embeddings_and_sound(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="lab/small", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "w0 w1 w2 w3 "
    assert chunks[-1].usage
    assert client.embeddings.create(model="lab/small", input="x", encoding_format="float").data[0].embedding == [
        0.1,
        0.2,
    ]
    assert client.audio.speech.create(model="lab/small", voice="v", input="x").content == WAV * 3
    assert client.audio.transcriptions.create(model="lab/small", file=("a.wav", WAV)).text == "hello"


def test_leaving_reaches_the_upstream_within_a_second(client: openai.OpenAI, upstream: Upstream) -> None:
    with client.chat.completions.create(model="lab/small", messages=_said("slowly"), stream=True) as stream:
        next(iter(stream))
        upstream.left.clear()
    assert upstream.left.wait(1)


@pytest.mark.parametrize("said", ["fail midway", "break off", "end early", "garbage"])
def test_a_failure_in_mid_stream_is_an_error_in_band(client: openai.OpenAI, said: str) -> None:
    chunks: list[Any] = []
    with pytest.raises(openai.APIError) as caught:
        chunks.extend(client.chat.completions.create(model="lab/small", messages=_said(said), stream=True))
    assert caught.value.code == "upstream_error"
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["w0 ", "w1 "]


def test_an_upstreams_refusals(client: openai.OpenAI, upstream: Upstream) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="lab/small", messages=openai.NOT_GIVEN)  # type: ignore[arg-type]
    assert bad.value.param == "messages"
    upstream.failure = (503, {"error": {"message": "the queue is full"}}, {"retry-after": "3"})
    with pytest.raises(openai.InternalServerError) as full:
        client.chat.completions.create(model="lab/small", messages=HELLO)
    upstream.failure = None
    assert (full.value.code, full.value.response.headers["retry-after"]) == ("overloaded", "3")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="small", messages=HELLO)


def test_upstreams_come_and_go(url: str, entries: Path, client: openai.OpenAI) -> None:
    other = Upstream(models=[{"id": "other"}])
    with serving(other):
        address = other.url
    (entries / "other.toml").write_text(f'id = "other-up"\n[options]\nurl = "{address}"\nrefresh_seconds = 2\n')
    _until(lambda: "cannot be reached" in _readyz(url)[1])
    assert _readyz(url)[0] == 200  # the first one answers
    with serving(other):
        _until(lambda: "other" in [model.id for model in client.models.list() if model.id == "other"])
        assert client.chat.completions.create(model="other", messages=HELLO).choices
    with pytest.raises(openai.InternalServerError) as gone:
        client.chat.completions.create(model="other", messages=HELLO)
    assert gone.value.status_code == 503
    (entries / "other.toml").unlink()
    _until(lambda: [model.id for model in client.models.list()] == ["lab/small", "lab/text-embedding-x"])


def _until(holds: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(0.1)


def _get(url: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def _readyz(url: str) -> tuple[int, str]:
    status, body = _get(f"{url}/readyz")
    return status, body.decode()
