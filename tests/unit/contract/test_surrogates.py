"""Halves of surrogate pairs, wherever they stand in a value."""

from nexus.contract.surrogates import mended


def test_halves_are_joined_or_replaced() -> None:
    value = {"a\ud800": ["\ud83d\ude00", ("\udc00", 1)], "b": None, "c": {"d": "\u00e9\U0001f600"}}
    assert mended(value) == {"a\ufffd": ["\U0001f600", ["\ufffd", 1]], "b": None, "c": {"d": "\u00e9\U0001f600"}}
