"""Languages: the codes that Whisper knows, and what callers may name."""

import pytest

from nexus.contract.errors import ApiError
from nexus.sdk.media.languages import CODES, NAMES, asked_language, whisper_code


def test_languages() -> None:
    assert len(NAMES) == 100
    assert (NAMES["en"], NAMES["ht"], NAMES["zh"]) == ("english", "haitian creole", "chinese")
    assert (whisper_code("jv"), whisper_code("de"), whisper_code("xx"), whisper_code("english")) == (
        "jw",
        "de",
        None,
        None,
    )


def test_names_lead_back_to_their_codes() -> None:
    assert (CODES["german"], CODES["haitian creole"]) == ("de", "ht")
    assert {CODES[name] for name in NAMES.values()} == set(NAMES)


def test_the_language_that_a_caller_names() -> None:
    assert (asked_language(None), asked_language("jv"), asked_language("de")) == (None, "jw", "de")
    with pytest.raises(ApiError, match="klingon") as caught:
        asked_language("klingon")
    assert (caught.value.status, caught.value.param) == (400, "language")
