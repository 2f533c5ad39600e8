"""The real package with random weights: it speaks noise, by the code that speaks words."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.speech import SpeechAudioDelta, SpeechAudioDone
from nexus.sdk.engine import Call, Model
from tests.recordings import encoded, tone

Speak = Callable[..., Iterator[Any]]
TEXT = "The quick brown fox jumps over the lazy dog."
LONG = (TEXT + " ") * 40


def same(one: bytes, other: bytes) -> bool:
    """Whether two sounds are the same but for rounding: how many frames are decoded at once is a matter of timing."""
    if len(one) != len(other):
        return False
    difference = np.frombuffer(one, "<i2").astype(int) - np.frombuffer(other, "<i2")
    return int(np.abs(difference).max()) <= 8


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav"])
def test_every_format(speak: Speak, whole: Any, seconds_of: Callable[[bytes], float], format: str) -> None:
    pcm = whole(speak(TEXT, response_format="pcm"))
    assert seconds_of(whole(speak(TEXT, response_format=format))) == pytest.approx(len(pcm) / 48_000, abs=0.25)
    assert np.abs(np.frombuffer(pcm, "<i2")).max() > 10


def test_the_first_bytes_leave_before_the_rest_is_made(speak: Speak, engine: Any) -> None:
    items = speak(LONG, response_format="pcm")
    started = time.monotonic()
    first = next(items)
    to_first = time.monotonic() - started
    rest = list(items)
    assert first.media_type == "audio/pcm"
    assert len(rest) > 10
    assert to_first < (time.monotonic() - started) / 5


def test_events(speak: Speak, whole: Any) -> None:
    *deltas, done = speak(TEXT, response_format="pcm", stream_format="sse")
    assert all(isinstance(delta, SpeechAudioDelta) for delta in deltas)
    pcm = b"".join(base64.b64decode(delta.audio) for delta in deltas)
    assert same(pcm, whole(speak(TEXT, response_format="pcm")))
    assert isinstance(done, SpeechAudioDone)
    assert done.usage.output_tokens == pytest.approx(len(pcm) / 48_000 * 12.5, abs=1)
    assert done.usage.input_tokens == len(TEXT) + 1  # this tokenizer's are letters, and a space in front


def test_speed(speak: Speak, whole: Any) -> None:
    usual, quick = (len(whole(speak(TEXT, response_format="pcm", speed=speed))) for speed in (1, 2))
    assert quick == pytest.approx(usual / 2, rel=0.1)


def test_two_at_once_say_what_each_says_alone(speak: Speak, model: Model, whole: Any) -> None:
    texts = [TEXT, "Something else altogether is said here, and at the same time."] * 2

    def ask(text: str) -> bytes:
        return bytes(whole(speak(text, Call("test", model, {}), response_format="pcm")))

    alone = [ask(text) for text in texts]
    with ThreadPoolExecutor(2) as pool:
        assert all(map(same, pool.map(ask, texts), alone))
    assert not same(alone[0], alone[1])


def test_copies_share_the_weights(engine: Any, model: Model) -> None:
    pocket = engine._models[model.id].pocket
    with pocket._copies.borrowed() as one, pocket._copies.borrowed() as other:
        assert one is not other
        mine, theirs = dict(one.named_parameters()), dict(other.named_parameters())
        assert mine
        assert all(tensor is theirs[name] for name, tensor in mine.items())


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_the_package_stops_within_a_second(speak: Speak, call: Call, how: str) -> None:
    before = threading.active_count()
    items = speak(LONG, response_format="pcm")
    next(items)
    assert threading.active_count() > before
    left = time.monotonic()
    if how == "closed":
        items.close()  # type: ignore[attr-defined]
    else:
        call.cancel()
        with pytest.raises(ApiError, match="cancelled"):
            list(items)
    assert time.monotonic() - left < 1
    while threading.active_count() > before:  # its threads see it at their next frame
        assert time.monotonic() - left < 1


def test_progress_is_told(speak: Speak, call: Call) -> None:
    list(speak(TEXT))
    assert (call.progress.fraction, call.progress.message) == (1, "spoken")


@pytest.mark.parametrize("voice", ["unheard-of", "alba", "http://127.0.0.1:9/x.wav", "hf://a/b/c.wav", "/etc/passwd"])
def test_other_voices_are_refused(speak: Speak, voice: str) -> None:
    with pytest.raises(ApiError, match="hum") as caught:
        speak(TEXT, voice=voice)
    assert (caught.value.status, caught.value.param) == (400, "voice")


def test_a_broken_voice_is_an_outage(speak: Speak, tiny_file: Path) -> None:
    broken = tiny_file.parent / "voices" / "broken.safetensors"
    broken.write_bytes(b"not tensors")
    try:
        with pytest.raises(ApiError, match="the voice 'broken' cannot be read") as caught:
            speak(TEXT, voice="broken")
        assert caught.value.status == 503
    finally:
        broken.unlink()


def test_a_cloned_voice_is_another(speak: Speak, clone: Speak, whole: Any) -> None:
    body = encoded(tone(3), 48_000, "mp3")
    heard = whole(clone(body, TEXT, response_format="pcm"))
    assert len(heard) > 24_000
    assert not same(heard, whole(speak(TEXT, response_format="pcm")))
    assert same(heard, whole(clone(body, TEXT, response_format="pcm")))


@pytest.mark.parametrize(
    ("body", "fields", "param"),
    [
        (None, {}, "file"),
        (b"", {}, "file"),
        (b"no recording", {}, "file"),
        (encoded(tone(0.3), 48_000, "wav"), {}, "file"),
        (encoded(tone(16), 48_000, "flac"), {}, "file"),
        (encoded(tone(4), 48_000, "wav")[:50_000], {}, "file"),
        (encoded(tone(2), 48_000, "wav"), {"voice": "hum"}, "voice"),
        (encoded(tone(2), 48_000, "wav"), {"input": "..."}, "input"),
        (encoded(tone(2), 48_000, "wav"), {"speed": "9"}, "speed"),
    ],
    ids=["none", "empty", "noise", "short", "long", "truncated", "both", "nothing said", "too quick"],
)
def test_bad_samples_are_refused_by_name(clone: Speak, body: bytes | None, fields: dict[str, str], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        clone(body, **{"text": fields.pop("input", TEXT), **fields})
    assert (caught.value.status, caught.value.param) == (400, param)


def test_cloning_has_to_be_allowed_and_possible(
    engine: Any, model: Model, clone: Speak, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = encoded(tone(2), 48_000, "wav")
    monkeypatch.setattr(engine._models[model.id].pocket, "can_clone", False)
    with pytest.raises(ApiError, match="gated weights") as caught:
        clone(body)
    assert caught.value.status == 403
    monkeypatch.setitem(engine.config, "NEXUS_POCKET_TTS_CLONING", False)
    with pytest.raises(ApiError, match="NEXUS_POCKET_TTS_CLONING") as caught:
        clone(body)
    assert caught.value.status == 403


def test_weights_that_cannot_be_fetched_fail_in_plain_words(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises((OSError, ValueError, RuntimeError)) as caught:
        engine.load(Model(id="english", options={"language": "english"}))
    assert str(caught.value)
