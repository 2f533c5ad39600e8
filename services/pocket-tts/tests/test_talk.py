"""Texts that have nothing in them to speak."""

import pytest
from nexus_pocket_tts.talk import speakable

from nexus.contract.errors import ApiError


@pytest.mark.parametrize("text", ["...", "—", "\0", "( )", "😀"])
def test_nothing_to_speak(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        speakable(text)
    assert (caught.value.status, caught.value.param) == (400, "input")


@pytest.mark.parametrize(("text", "spoken"), [("a", "a"), ("7!", "7!"), ("a\0b", "a b"), ("Привет", "Привет")])
def test_something_to_speak(text: str, spoken: str) -> None:
    assert speakable(text) == spoken
