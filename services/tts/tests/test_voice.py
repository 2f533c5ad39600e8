"""The real voice: phonemes, samples, stopping, and files that are no voice."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nexus_tts.voice import Options, Stop, StoppedError, Voice
from pydantic import ValidationError

from nexus.sdk.engine import Model


@pytest.fixture(scope="module")
def voice(model: Model) -> Voice:
    assert model.path
    return Voice(model.path, 1, Options())


def test_text_becomes_sentences_of_phonemes(voice: Voice) -> None:
    first, second = voice.phonemes("Hello world. It is 5 o'clock!")
    assert "".join(filter(str.isalpha, first)).startswith("həl")
    assert first[-1] == "."
    assert second[-1] == "!"


@pytest.mark.parametrize("text", ["...", "\n\n", "«»", "\0", "\x07\t", "\ud800"])
def test_what_cannot_be_read_is_no_phonemes(voice: Voice, text: str) -> None:
    assert not any(phoneme.isalpha() for sentence in voice.phonemes(text) for phoneme in sentence)


def test_brackets_do_not_hide_phonemes(voice: Voice) -> None:
    assert voice.phonemes("see [[həloʊ]] there") != voice.phonemes("see həloʊ there")
    assert voice.phonemes("[[page]]") == voice.phonemes("page")


def test_letters_between_unreadable_ones_are_read(voice: Voice) -> None:
    assert voice.phonemes("hello\0world\ud800") == voice.phonemes("hello world")


def test_slowness_changes_the_length(voice: Voice) -> None:
    (phonemes,) = voice.phonemes("The quick brown fox jumps over the lazy dog.")
    normal, slow, slowest = (voice.speak(phonemes, slowness, None, Stop()) for slowness in (1, 2, 4))
    assert len(slow) / len(normal) == pytest.approx(2, abs=0.2)
    assert len(slowest) / len(normal) == pytest.approx(4, abs=0.4)
    assert 1.5 < len(normal) / voice.rate < 4
    assert np.abs(normal).max() > 0.1


def test_gain_makes_it_louder_within_full_scale(model: Model, voice: Voice) -> None:
    assert model.path
    loud = Voice(model.path, 1, Options(gain=10))
    samples = loud.speak(voice.phonemes("hello")[0], 1, None, Stop())
    assert np.abs(samples).max() == 1.0
    assert np.mean(np.abs(samples) == 1.0) > 0.001


def test_the_end_is_shortened_to_a_short_silence(voice: Voice) -> None:
    samples = np.concatenate([np.zeros(1000), np.full(1000, 0.5), np.zeros(9000)]).astype(np.float32)
    assert len(voice.shortened(samples)) == 2000 + int(0.03 * voice.rate)
    assert len(voice.shortened(np.zeros(9000, np.float32))) == int(0.03 * voice.rate)
    assert len(voice.shortened(samples[:2000])) == 2000


def test_a_stopped_voice_says_nothing_more(voice: Voice) -> None:
    stop = Stop()
    stop.set()
    with pytest.raises(StoppedError):
        voice.speak(voice.phonemes("hello")[0], 1, None, stop)


def test_a_long_computation_stops_at_once(voice: Voice) -> None:
    (phonemes,) = voice.phonemes("word " * 400)
    stop = Stop()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(StoppedError):
        voice.speak(phonemes, 4, None, stop)  # about eight minutes of speech
    begun = time.monotonic()
    assert len(voice.speak(phonemes[:20], 1, None, Stop()))
    assert time.monotonic() - begun < 5


def _beside(model: Model, folder: Path, **changes: Any) -> Path:
    """The voice's file again, its description changed."""
    assert model.path
    path = folder / "voice.onnx"
    path.symlink_to(model.path)
    description = json.loads(model.path.with_name(model.path.name + ".json").read_bytes())
    path.with_name("voice.onnx.json").write_text(json.dumps({**description, **changes}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": {}}, "does not describe"),
        ({"phoneme_type": "pinyin"}, "pinyin need packages"),
        ({"phoneme_type": "runes"}, "does not describe"),
        ({"espeak": {"voice": "unheard-of"}}, "unheard-of"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(
    model: Model, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(RuntimeError, match=message):
        Voice(_beside(model, tmp_path, **changes), 1, Options())


def test_a_missing_description_and_a_file_that_is_no_network(model: Model, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Voice(tmp_path / "none.onnx", 1, Options())
    path = _beside(model, tmp_path)
    path.unlink()
    path.write_bytes(b"not a network")
    with pytest.raises(Exception, match=r"Protobuf|INVALID"):
        Voice(path, 1, Options())


def test_a_speaker_that_is_not_there(model: Model, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no speaker 'anna'"):
        Voice(_beside(model, tmp_path), 1, Options(speaker="anna"))


@pytest.mark.parametrize("options", [{"gain": 0}, {"voice": ""}, {"pitch": 2}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(options)
