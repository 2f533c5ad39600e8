"""What a body holds: tools, pictures, a conversation; in every shape, however it is spelt."""

import json
from typing import Any

import pytest

from nexus.gateway.routing.content import conversation, form_has_images, has_images, has_tools

URL = {"url": "data:image/png;base64,AAAA"}


def said(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


@pytest.mark.parametrize(
    ("body", "has"),
    [
        ({"tools": [{"type": "function"}]}, True),
        ({"functions": [{"name": "f"}]}, True),
        ({"tools": []}, False),
        ({"tools": None}, False),
        (said("tools"), False),
    ],
)
def test_tools(body: dict[str, Any], has: bool) -> None:
    assert has_tools(json.dumps(body).encode()) is has


@pytest.mark.parametrize(
    ("body", "has"),
    [
        (said({"type": "image_url", "image_url": URL}), True),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}]}, True),
        (said({"type": "tool_result", "content": [{"type": "image", "source": {}}]}), True),
        ({"document": {"type": "image_url", "image_url": "u"}}, True),
        ({"image": "AAAA"}, True),
        ({"images": [URL]}, True),
        (said({"type": "text", "text": "an image_url"}), False),
        (said({"type": ["image"], "text": "x"}), False),
        ({"image": ""}, False),
        (said(), False),
    ],
)
def test_pictures(body: dict[str, Any], has: bool) -> None:
    assert has_images(json.dumps(body).encode()) is has


def test_letters_that_are_spelt_out_hide_nothing() -> None:
    assert has_tools(rb'{"\u0074ools":[1]}')
    assert has_images(rb'{"messages":[{"content":[{"type":"\u0069mage_url"}]}]}')


@pytest.mark.parametrize("body", [b"", b"tools image", b'["tools","image"]', b'{"tools": \xff, "image": 1}'])
def test_what_is_no_object_has_nothing(body: bytes) -> None:
    assert not has_tools(body)
    assert not has_images(body)
    assert conversation(body) is None


def test_a_form_has_pictures_by_the_names_of_its_parts() -> None:
    assert form_has_images(b'Content-Disposition: form-data; name="image[]"; filename="a.png"')
    assert not form_has_images(b'Content-Disposition: form-data; name="file"; filename="image.wav"')


def talk(*texts: str) -> list[dict[str, str]]:
    speakers = ("user", "assistant") * len(texts)
    return [{"role": role, "content": text} for role, text in zip(speakers, texts, strict=False)]


def known_by(**body: Any) -> bytes | None:
    return conversation(json.dumps(body).encode())


def test_a_conversation_is_known_by_its_beginning_once_there_is_an_answer() -> None:
    assert known_by(messages=talk("hello")) is None
    second = known_by(messages=talk("hello", "yes?", "why"))
    assert second is not None
    assert known_by(messages=talk("hello", "yes?", "why", "because", "how")) == second
    assert known_by(messages=talk("hello", "no.", "why")) != second


def test_or_by_what_its_client_says() -> None:
    assert known_by(messages=talk("hello"), user="ada") == b"ada"
    assert known_by(messages=talk("hello", "a", "b"), user="ada", prompt_cache_key="k") == b"k"
    assert known_by(messages=5, user=7) is None
