"""A real server as the upstream: the chat service of this repository, its engine and model in its own environment."""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from nexus.sdk.conformance.launch import launched
from nexus.sdk.conformance.run import wait_until_ready
from nexus.sdk.conformance.target import Target
from nexus.stack.environments import ensure_environment
from tests.servers.openai_script import run_chat_script

FOLDER = Path(__file__).parents[1]
CHAT = FOLDER.parent / "llm"
ROOT = FOLDER.parents[1]
MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def chat_url() -> Iterator[str]:
    if not CHAT.is_dir():
        pytest.skip("the chat service is not in this checkout")
    tools = ROOT / "requirements" / "service-tests.lock"
    python = ensure_environment(CHAT, ROOT / ".nexus" / "tests", extra=tools)
    with launched(CHAT, python) as url:
        target = Target(url)
        ready = wait_until_ready(target, 90)
        target.close()
        assert ready
        yield url


@pytest.fixture(scope="module")
def url(serve: Any, chat_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    entries = tmp_path_factory.mktemp("entries")
    (entries / "chat.toml").write_text(f'id = "chat"\n[options]\nurl = "{chat_url}"\n')
    with serve(FOLDER, NEXUS_MODELS_DIR=str(entries)) as url:
        yield url


@pytest.mark.timeout(300)
@pytest.mark.parametrize("direct", [True, False], ids=["straight", "through this service"])
def test_the_script_of_every_chat_service(url: str, chat_url: str, direct: bool) -> None:
    base = chat_url if direct else url
    with openai.OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0, timeout=120) as client:
        run_chat_script(client, MODEL)


def test_its_routes_are_told_without_a_call(url: str, chat_url: str) -> None:
    card = _card(url)
    assert [model["operations"] for model in card["models"]] == [["chat.completions", "completions"]]
    assert card["models"][0]["context_length"] == 8192
    assert card["backend"]["base_url"] == chat_url


def test_one_unasked_usage(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        begun = time.monotonic()
        hello: Any = [{"role": "user", "content": "Say hello."}]
        chunks = list(client.chat.completions.create(model=MODEL, messages=hello, max_tokens=4, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 4
    assert time.monotonic() - begun < 60


def _card(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/v1/metadata", timeout=10) as answer:
        return json.load(answer)
