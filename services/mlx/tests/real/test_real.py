"""The real mlx_lm.server of mlx-lm, on this machine's processor, supervised by the service."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

FOLDER = Path(__file__).parents[2]
ENDS_SOON: Any = {"logit_bias": {"2": 6.0}, "seed": 1}  # 2 is the token that ends an answer
HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def url(serve: Any, models: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    one, two = models
    entries = tmp_path_factory.mktemp("entries")
    (entries / "two.toml").write_text(f'id = "two"\n[options]\nmodel = "{two}"\n')
    (entries / "gone.toml").write_text('id = "gone"\n[options]\nmodel = "org/that-is-not-here"\n')
    home = tmp_path_factory.mktemp("home")  # without a cache folder, /v1/models has an empty body
    with serve(FOLDER, NEXUS_MLX_MODEL=str(one), NEXUS_MODELS_DIR=str(entries), HF_HOME=str(home)) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def server() -> psutil.Process:
    """The process of mlx_lm.server."""
    for process in psutil.Process().children(recursive=True):
        if "mlx_lm" in process.cmdline() and "leash" not in " ".join(process.cmdline()):
            return process
    raise AssertionError("mlx_lm.server does not run")


def busy(seconds: float = 0.3) -> bool:
    return server().cpu_percent(seconds) > 20


def test_models(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"tiny-one", "two", "gone"}


def test_chat_whole_and_streamed(client: openai.OpenAI) -> None:
    asked: Any = {"model": "tiny-one", "messages": HELLO, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    assert whole.choices[0].finish_reason in ("length", "stop")
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices].count("assistant") == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[-1].usage
    assert whole.usage
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens > 0
    assert chunks[-1].model == "tiny-one"


def test_choices_and_a_schema_that_random_weights_do_not_keep_to(client: openai.OpenAI) -> None:
    two = client.chat.completions.create(model="tiny-one", messages=HELLO, max_tokens=8, n=2, seed=3, temperature=1)
    assert [choice.index for choice in two.choices] == [0, 1]
    assert two.choices[0].message.content != two.choices[1].message.content
    with pytest.raises(openai.InternalServerError, match="that the model wrote is not JSON") as caught:
        client.chat.completions.create(
            model="tiny-one", messages=HELLO, response_format={"type": "json_object"}, extra_body=ENDS_SOON
        )
    assert caught.value.status_code == 502


def test_completions(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="tiny-one", prompt="Once upon", max_tokens=5, temperature=0)
    assert answer.choices[0].text
    stream = client.completions.create(model="tiny-one", prompt="Once upon", max_tokens=5, temperature=0, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == answer.choices[0].text


def test_the_other_model_is_swapped_in_and_answers_otherwise(client: openai.OpenAI) -> None:
    said = {}
    for model in ("tiny-one", "two", "tiny-one", "two"):
        answer = client.chat.completions.create(model=model, messages=HELLO, max_tokens=12, temperature=0)
        assert said.setdefault(model, answer.choices[0].message.content) == answer.choices[0].message.content
    assert said["tiny-one"] != said["two"]


def test_a_model_that_cannot_be_had(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="gone", messages=HELLO)
    assert caught.value.status_code == 503
    assert client.chat.completions.create(model="tiny-one", messages=HELLO, max_tokens=2).choices


def test_a_template_that_refuses_is_a_bad_request(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="tiny-one", messages=HELLO, max_tokens=2)
    tool: Any = [{"role": "tool", "content": "5", "tool_call_id": "c"}]
    with pytest.raises(openai.BadRequestError, match="knows no tools"):
        client.chat.completions.create(model="tiny-one", messages=tool)
    picture: Any = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    with pytest.raises(openai.BadRequestError, match="Only 'text' content type"):
        client.chat.completions.create(model="tiny-one", messages=[{"role": "user", "content": picture}])


def test_leaving_stops_the_generation(client: openai.OpenAI, url: str) -> None:
    for stream in ("true", "false"):
        body = (
            '{"model": "tiny-one", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1000000, '
            f'"logit_bias": {{"2": -100}}, "stream": {stream}}}'
        )
        host, port = url.removeprefix("http://").split(":")
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"{head}{len(body)}\r\n\r\n{body}".encode())
            while not busy():
                pass
        time.sleep(0.7)
        assert not busy()
    assert client.chat.completions.create(model="tiny-one", messages=HELLO, max_tokens=2).choices


def test_a_killed_server_comes_back(url: str) -> None:
    os.kill(server().pid, signal.SIGKILL)
    deadline = time.monotonic() + 40
    body = {"model": "tiny-one", "messages": HELLO, "max_tokens": 2}
    while (answer := httpx.post(f"{url}/v1/chat/completions", json=body, trust_env=False)).status_code != 200:
        assert answer.status_code in (502, 503)
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
