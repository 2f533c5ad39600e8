"""Pieces by the real engine: length, sound, seeds, formats, words that change it, bad input, cancelling."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sound import RATE, heard, loudness

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Call, Content, Model

Ask = Callable[..., Any]
SILENCE = 0.004


@pytest.mark.parametrize("seconds", [1, 2.34, 7.77, 30, 61.5])
def test_the_length_is_the_asked_one_and_all_of_it_sounds(play: Ask, seconds: float) -> None:
    samples = play(prompt="happy folk", duration=seconds)
    assert len(samples) / RATE == pytest.approx(seconds, abs=0.001)
    assert (loudness(samples) > SILENCE).all()
    assert np.abs(samples).max() < 0.98


@pytest.mark.parametrize(
    "prompt",
    ["", "calm solo piano", "techno", "jazz trio", "sad violin waltz", "epic battle", "ambient", "metal", "march"],
)
def test_every_kind_sounds_to_its_end(play: Ask, prompt: str) -> None:
    samples = play(prompt=prompt, tags="music", duration=20)
    assert (loudness(samples) > SILENCE).all()
    assert 0.05 < np.sqrt(np.mean(samples**2)) < 0.3
    assert np.abs(samples).max() < 0.98
    assert np.mean(np.abs(samples) > 0.95) < 0.001
    assert np.abs(samples[-20:]).max() < 0.01  # the end is a fade, not a cut
    assert not np.allclose(samples[:, 0], samples[:, 1])


def test_the_same_seed_makes_the_same_piece_and_another_another(ask: Ask) -> None:
    first, again, other = (ask(prompt="jazz", seed=seed, duration=5).body for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert ask(prompt="jazz", duration=2).body != ask(prompt="jazz", duration=2).body


@pytest.mark.parametrize(
    ("format", "media_type", "rate", "slack"),
    [
        ("wav", "audio/wav", 44100, 0),
        ("flac", "audio/flac", 44100, 0),
        ("mp3", "audio/mpeg", 44100, 0.05),
        ("opus", "audio/ogg", 48000, 0.05),
        ("aac", "audio/aac", 44100, 0.08),
    ],
)
def test_formats_decode_to_the_same_music(ask: Ask, format: str, media_type: str, rate: int, slack: float) -> None:
    answer = ask(prompt="pop", seed=1, duration=4, response_format=format)
    sound = heard(answer.body)
    assert answer.media_type == media_type
    assert (sound.rate, sound.samples.shape[1]) == (rate, 2)
    assert sound.seconds == pytest.approx(4, abs=slack)
    wave = heard(ask(prompt="pop", seed=1, duration=4).body)
    assert loudness(sound.samples, rate)[:4] == pytest.approx(loudness(wave.samples)[:4], rel=0.1)


def test_pcm_is_the_bare_samples(ask: Ask) -> None:
    wave, bare = (ask(prompt="pop", seed=1, duration=2, response_format=format) for format in ("wav", "pcm"))
    assert bare.media_type == "audio/pcm"
    assert wave.body.endswith(bare.body)
    assert len(bare.body) == 2 * RATE * 4


@pytest.mark.parametrize("bpm", [104, 120, 150])
def test_the_asked_tempo_is_heard(play: Ask, bpm: int) -> None:
    assert _beat_seconds(play(prompt="techno", duration=15, bpm=bpm)) == pytest.approx(60 / bpm, abs=0.02)


def test_words_change_what_is_heard(play: Ask) -> None:
    with_drums, without = (play(tags=tags, duration=15) for tags in (["techno"], ["techno", "no drums"]))
    assert 0.42 <= _beat_seconds(with_drums) <= 0.49
    assert _hiss(with_drums) > 2 * _hiss(without)


def test_a_stream_is_the_piece_second_by_second(ask: Ask, call: Call) -> None:
    items = ask(prompt="rock", seed=3, duration=6.5, response_format="pcm", stream=True)
    first = next(items)
    assert isinstance(first, Content)
    assert first.media_type == "audio/pcm"
    assert call.progress.fraction < 0.5
    rest = list(items)
    assert len(rest) == 6
    whole = ask(prompt="rock", seed=3, duration=6.5, response_format="pcm").body
    assert b"".join(item.body for item in (first, *rest)) == whole


def test_progress_is_told(ask: Ask, call: Call) -> None:
    told: list[float] = []
    call.report = lambda fraction, message="": told.append(fraction)  # type: ignore[method-assign]
    ask(prompt="pop", duration=5)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    assert len(told) >= 6


@pytest.mark.parametrize("format", ["wav", "mp3"])
def test_a_cancelled_piece_stops(ask: Ask, call: Call, format: str) -> None:
    def cancel(fraction: float, message: str = "") -> None:
        if fraction > 0.02:
            call.cancel()

    call.report = cancel  # type: ignore[method-assign]
    began = time.monotonic()
    with pytest.raises(ApiError, match="cancelled"):
        ask(prompt="pop", duration=300, response_format=format)
    assert time.monotonic() - began < 1


def test_a_stream_can_be_closed(ask: Ask) -> None:
    items = ask(prompt="pop", duration=300, stream=True)
    assert next(items).body.startswith(b"RIFF")
    items.close()
    assert list(items) == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "  ", "tags": " , ", "lyrics": "\n"}, "prompt"),
        ({"prompt": "x", "key": "H major"}, "key"),
        ({"prompt": "x", "bpm": 100, "tempo": 90}, "bpm"),
    ],
)
def test_bad_input_is_refused_by_name(ask: Ask, fields: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        ask(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize("fields", [{"duration": -1}, {"duration": 0}, {"duration": 1e9}, {"tags": 5}, {"seed": -1}])
def test_bad_values_are_refused(ask: Ask, fields: Any) -> None:
    with pytest.raises(ValidationError):
        ask(prompt="x", **fields)


def test_an_entry_that_cannot_be_used_says_why(engine: Any, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="none of the engines symbolic"):
        engine.load(Model(id="other", options={"engine": "heartmula"}))
    with pytest.raises(RuntimeError, match="gives no soundfont"):
        engine.load(Model(id="other"))
    noise = tmp_path / "noise.sf2"
    noise.write_bytes(b"noise" * 100)
    with pytest.raises(RuntimeError):
        engine.load(Model(id="other", path=noise))


def test_an_unloaded_model_is_not_ready(engine: Any) -> None:
    from nexus.contract.wire.music import MusicRequest

    with pytest.raises(ApiError) as caught:
        engine.music_generations(MusicRequest(prompt="x"), Call("test", Model(id="other"), {}))
    assert caught.value.status == 503


def _beat_seconds(samples: Any) -> float:
    """The time, of those between 0.35 and 0.7 seconds, after which what is struck is most like itself."""
    block = RATE // 100
    power = np.square(samples[: len(samples) // block * block].mean(axis=1)).reshape(-1, block).mean(axis=1)
    struck = np.maximum(0, np.diff(np.log10(power + 1e-6)))
    likeness = [float(np.dot(struck[:-lag], struck[lag:])) for lag in range(35, 71)]
    return (35 + int(np.argmax(likeness))) / 100


def _hiss(samples: Any) -> float:
    """The share of what lies above 7 kHz, where little but cymbals is."""
    power = np.square(np.abs(np.fft.rfft(samples.mean(axis=1))))
    return float(power[np.fft.rfftfreq(len(samples), 1 / RATE) > 7000].sum() / power.sum())
