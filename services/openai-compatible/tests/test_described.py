"""Entries: what they may say, what is wrong with them, and where keys are."""

import re
from pathlib import Path
from typing import Any

import pytest
from nexus_openai_compatible.described import Options, read_described
from nexus_openai_compatible.keys import read_key, without

from nexus.sdk.engine import Model

URL = "http://vllm:8000/v1"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://vllm:8000", URL),
        ("http://vllm:8000/", URL),
        ("http://vllm:8000/v1/", URL),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
    ],
)
def test_base_urls(given: str, meant: str) -> None:
    assert Options(url=given).url == meant


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "options.url"),
        ({"url": "vllm:8000"}, "options.url: it is to be an http"),
        ({"url": "http://me:secret@vllm/v1"}, "options.url: a password"),
        ({"url": URL, "api_key": "sk-1"}, "options.api_key"),
        ({"url": URL, "key_env": "A", "key_file": "/b"}, "one of key_env and key_file"),
        ({"url": URL, "headers": {"Authorization": "Bearer x"}}, "options.headers: Authorization"),
        ({"url": URL, "only": {"*": ["chatting"]}}, "options.only: 'chatting'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        read_described(Model(id="up", options=options))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_entry_is_no_model() -> None:
    with pytest.raises(ValueError, match=r"options\.aliases"):
        read_described(Model(id="up", aliases=("x",), options={"url": URL}))


def test_patterns() -> None:
    options = {"url": URL, "allow": ["qwen*", "text-*"], "deny": ["*-old"], "only": {"text-*": ["embeddings"]}}
    described = read_described(Model(id="up", options=options))
    assert [described.offers(name) for name in ("qwen3", "qwen3-old", "llama")] == [True, False, False]
    assert described.narrowed("text-x", ("chat.completions", "embeddings")) == ("embeddings",)
    assert described.narrowed("qwen3", ("chat.completions",)) == ("chat.completions",)


@pytest.mark.parametrize(
    ("options", "direct"),
    [
        ({}, "http://vllm:8000"),
        ({"url": "http://vllm:8000/other/v1"}, None),
        ({"url": "http://vllm:8000/api"}, None),
        ({"key_env": "KEY"}, None),
        ({"prefix": "v/"}, None),
        ({"deny": ["x"]}, None),
        ({"aliases": {"a": "b"}}, None),
        ({"headers": {"x-title": "me"}}, None),
        ({"direct": False}, None),
    ],
)
def test_the_direct_way_is_free_only_where_nothing_would_be_left_out(options: Any, direct: str | None) -> None:
    assert read_described(Model(id="up", options={"url": URL, **options})).direct_url == direct


def test_keys(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-file\n")
    assert read_key(Options(url=URL), {}) is None
    assert read_key(Options(url=URL, key_env="K"), {"K": " sk-env "}) == "sk-env"
    assert read_key(Options(url=URL, key_file=file), {}) == "sk-file"
    for options, environ in (
        (Options(url=URL, key_env="K"), {}),
        (Options(url=URL, key_file=tmp_path / "none"), {}),
        (Options(url=URL, key_env="K"), {"K": "two words"}),
    ):
        with pytest.raises(ValueError, match="key"):
            read_key(options, environ)


def test_a_key_is_taken_out_of_what_is_told() -> None:
    assert without("your key sk-1 is bad", "sk-1") == "your key *** is bad"
    assert without("plain", None) == "plain"
