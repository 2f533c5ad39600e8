"""Fallbacks under every name that a caller may use."""

import pytest

from nexus.gateway.shapes.retries import FallbackMistakeError, RetriesShape, fallbacks_of
from nexus.gateway.values import Retries


def test_the_defaults_are_those_of_the_values() -> None:
    assert Retries(**RetriesShape().model_dump()) == Retries()


def test_aliases_are_followed_on_both_sides() -> None:
    aliases = {"gpt": "big", "mini": "small"}
    assert fallbacks_of({"big": ["mini", "small", "other"]}, aliases) == {
        "big": ("small", "other"),
        "gpt": ("small", "other"),
    }
    assert fallbacks_of({"gpt": ["x"], "big": ["y"]}, aliases) == {"gpt": ("x",), "big": ("y",)}


def test_two_models_may_stand_in_for_each_other_but_none_for_itself() -> None:
    assert fallbacks_of({"a": ["b"], "b": ["a"]}, {}) == {"a": ("b",), "b": ("a",)}
    for given, aliases in (({"a": ["b", "a"]}, {}), ({"a": ["b", "x"]}, {"x": "a"}), ({"x": ["b", "a"]}, {"x": "a"})):
        with pytest.raises(FallbackMistakeError) as caught:
            fallbacks_of(given, aliases)
        assert caught.value.index == 1
