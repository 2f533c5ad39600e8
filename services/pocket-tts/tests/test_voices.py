"""Voices: which one a name means, and that nothing but a name is taken."""

from pathlib import Path

import pytest
from nexus_pocket_tts.voices import BUILT_IN, Voices, native_voice, own_voices

from nexus.contract.errors import ApiError


@pytest.fixture
def voices(tmp_path: Path) -> Voices:
    (tmp_path / "narrator.safetensors").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("no voice")
    return Voices(BUILT_IN, "alba", tmp_path)


def test_there_are_as_many_as_the_package_has() -> None:
    assert len(BUILT_IN) == len(set(BUILT_IN)) == 27
    assert list(BUILT_IN) == sorted(BUILT_IN)


@pytest.mark.parametrize(
    ("language", "voice"),
    [("english", "alba"), ("english_2m_2026-10", "alba"), ("german_24l", "juergen"), ("french", "estelle")],
)
def test_each_language_has_its_own(language: str, voice: str) -> None:
    assert native_voice(language) == voice


@pytest.mark.parametrize(("name", "meant"), [(None, "alba"), ("alloy", "alba"), ("marin", "alba"), ("eve", "eve")])
def test_names(voices: Voices, name: str | None, meant: str) -> None:
    assert voices.chosen(name) == meant


def test_the_operators_voices(voices: Voices, tmp_path: Path) -> None:
    assert list(own_voices(tmp_path)) == ["narrator"]
    assert voices.chosen("narrator") == tmp_path / "narrator.safetensors"
    (tmp_path / "alloy.safetensors").write_bytes(b"x")
    assert voices.chosen("alloy") == tmp_path / "alloy.safetensors"
    assert own_voices(tmp_path / "nowhere") == own_voices(None) == {}


@pytest.mark.parametrize(
    "name",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://example.com/voice.wav",
        "hf://kyutai/tts-voices/alba-mackenna/casual.wav",
        "file:///etc/passwd",
        "/etc/passwd",
        "../voices/narrator",
        "narrator.safetensors",
        "unheard-of",
        "",
    ],
)
def test_anything_else_is_refused_by_its_name(voices: Voices, name: str) -> None:
    with pytest.raises(ApiError, match="narrator, alba") as caught:
        voices.chosen(name)
    assert (caught.value.status, caught.value.param) == (400, "voice")
    if ":" in name or "/" in name:
        assert "not addressed" in caught.value.message


def test_a_model_without_a_voice_of_its_own_wants_one_named() -> None:
    with pytest.raises(ApiError, match="no default; there are none") as caught:
        Voices((), None, None).chosen("alloy")
    assert caught.value.param == "voice"
