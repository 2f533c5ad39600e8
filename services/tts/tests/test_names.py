"""Which voice a name means."""

import pytest
from nexus_tts.names import chosen_speaker

from nexus.contract.errors import ApiError
from nexus.sdk.media.speech import OPENAI_VOICES

SPEAKERS = {"anna": 0, "nova": 3}


def test_the_models_own_voice_and_openais_names() -> None:
    for name in (None, "joe", *OPENAI_VOICES):
        assert chosen_speaker(name, "joe", {}) is None
    assert len(OPENAI_VOICES) == 13


def test_a_speaker_goes_before_openais_name() -> None:
    assert chosen_speaker("anna", "joe", SPEAKERS) == 0
    assert chosen_speaker("nova", "joe", SPEAKERS) == 3
    assert chosen_speaker("alloy", "joe", SPEAKERS) is None


@pytest.mark.parametrize("name", ["", "Joe", "unheard-of", "x" * 5000])
def test_other_names_are_refused_with_those_known(name: str) -> None:
    with pytest.raises(ApiError, match="joe, anna, nova") as caught:
        chosen_speaker(name, "joe", SPEAKERS)
    assert (caught.value.status, caught.value.param) == (400, "voice")
    assert len(caught.value.message) < 300
