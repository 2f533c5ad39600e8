"""The real engine with the real voice: every format, pieces in their order, events, cancellation, bad texts."""

import base64
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.speech import SpeechAudioDelta, SpeechAudioDone, SpeechRequest
from nexus.sdk.engine import Call, Content, Model

Speak = Callable[..., Iterator[Any]]
FOX = "The quick brown fox jumps over the lazy dog."
SIXTY_WORDS = (
    "On a cold and foggy morning in the middle of November the old fisherman walked slowly down to the harbour where "
    "his boat had been waiting since the summer and he wondered whether the engine would start at all because nobody "
    "had looked after it for months while he was lying ill in bed with a broken leg and a bad cough."
)


def whole(items: Iterator[Any]) -> bytes:
    return b"".join(item.body if isinstance(item, Content) else item for item in items)


@pytest.mark.parametrize(
    ("format", "media_type", "codec"),
    [
        ("mp3", "audio/mpeg", "mp3"),
        ("opus", "audio/ogg", "opus"),
        ("aac", "audio/aac", "aac"),
        ("flac", "audio/flac", "flac"),
        ("wav", "audio/wav", "pcm_s16le"),
    ],
)
def test_every_format_is_speech_of_a_plausible_length(
    speak: Speak, hear: Callable[[bytes], Any], format: str, media_type: str, codec: str
) -> None:
    items = list(speak(FOX, response_format=format))
    assert items[0].media_type == media_type
    sound = hear(whole(iter(items)))
    assert sound.codec.startswith(codec)
    assert sound.channels == 1
    assert sound.rate == (48000 if format == "opus" else 24000)
    assert 1.8 < sound.seconds < 4.5
    assert sound.loudness > 0.03
    assert np.abs(sound.samples).max() <= 1.05


def test_pcm_is_24_khz_16_bit_mono(speak: Speak) -> None:
    first, *rest = speak(FOX, response_format="pcm")
    assert first.media_type == "audio/pcm"
    samples = np.frombuffer(first.body + b"".join(rest), "<i2")
    assert 1.8 < len(samples) / 24000 < 4.5
    assert np.abs(samples).max() > 5000


def test_speed_two_takes_half_as_long(speak: Speak, hear: Callable[[bytes], Any]) -> None:
    lengths = {speed: hear(whole(speak(FOX * 2, speed=speed))).seconds for speed in (0.5, 1, 2, 4)}
    assert lengths[2] / lengths[1] == pytest.approx(0.5, abs=0.05)
    assert lengths[4] / lengths[1] == pytest.approx(0.25, abs=0.05)
    assert lengths[0.5] / lengths[1] == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_the_first_bytes_of_a_sentence_leave_before_most_of_it_is_computed(
    speak: Speak, engine: Any, model: Model, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    voice = engine._models[model.id].voice
    computed: list[int] = []
    real = type(voice).speak

    def watched(self: Any, phonemes: Any, *rest: Any) -> Any:
        computed.append(len(phonemes))
        return real(self, phonemes, *rest)

    monkeypatch.setattr(type(voice), "speak", watched)
    (sentence,) = voice.phonemes(SIXTY_WORDS)
    items = speak(SIXTY_WORDS, response_format=format)
    assert next(items).body
    assert len(computed) == 1
    assert computed[0] < len(sentence) / 5
    at_each = [len(computed) for _item in items]
    assert at_each == sorted(at_each)
    assert len(set(at_each)) >= 3
    assert sum(computed) > 0.95 * len(sentence)


def test_quick_speech_begins_as_early(speak: Speak, call: Call) -> None:
    assert len(next(speak(SIXTY_WORDS, response_format="pcm", speed=4)).body) > 10_000
    assert call.progress.message.startswith("speaking piece 1 of")


def test_pieces_join_without_long_silence(speak: Speak) -> None:
    pcm = np.frombuffer(whole(speak(SIXTY_WORDS, response_format="pcm")), "<i2") / 32768
    assert 12 < len(pcm) / 24000 < 25
    loud = np.flatnonzero(np.abs(pcm) > 0.02)
    assert np.diff(loud).max() / 24000 < 0.5  # no comma in it, so no rest


def test_events(speak: Speak, hear: Callable[[bytes], Any], conforms: Callable[[str, Any], None]) -> None:
    *deltas, done = speak(SIXTY_WORDS, response_format="flac", stream_format="sse")
    assert len(deltas) > 3
    assert all(isinstance(delta, SpeechAudioDelta) and delta.audio for delta in deltas)
    conforms("SpeechAudioDeltaEvent", deltas[0].model_dump())
    assert isinstance(done, SpeechAudioDone)
    conforms("SpeechAudioDoneEvent", done.model_dump())
    sound = hear(b"".join(base64.b64decode(delta.audio) for delta in deltas))
    assert done.usage.output_tokens == pytest.approx(sound.seconds * 20, abs=1)
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
    assert 250 < done.usage.input_tokens < 400


def test_progress_is_told(speak: Speak, call: Call) -> None:
    told = [call.progress.fraction for _item in speak(SIXTY_WORDS)]
    assert told == sorted(told)
    assert 0 < told[1] < 1
    assert call.progress.fraction == 1


@pytest.mark.parametrize("voice", [None, "joe", "alloy", "marin", {"id": "joe"}])
def test_voices(speak: Speak, voice: Any) -> None:
    assert len(whole(speak("Hi.", voice=voice))) > 1000


@pytest.mark.parametrize("voice", ["unheard-of", {"id": "voice_1234"}])
def test_an_unknown_voice_is_refused_before_anything_is_sent(speak: Speak, voice: Any) -> None:
    with pytest.raises(ApiError, match="joe") as caught:
        speak("Hi.", voice=voice)
    assert (caught.value.status, caught.value.param) == (400, "voice")


@pytest.mark.parametrize("text", ["...", "—", "«»", "\u200b", "\0", "( )", "\N{ZERO WIDTH JOINER}."])
def test_a_text_without_anything_to_speak_is_refused(speak: Speak, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        speak(text)
    assert (caught.value.status, caught.value.param) == (400, "input")


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "I",
        "7",
        "😀🎉",
        "你好",
        "Привет, мир",
        "👩‍👩‍👧",
        "x" * 40,
        "$1,234.56 & 3.5%",
        "<b>bold</b> [[x]] \\ ` {}",
        "a\n\nb",
    ],
)
def test_odd_texts_are_spoken(speak: Speak, text: str) -> None:
    assert len(whole(speak(text, response_format="pcm"))) > 4000


def test_the_longest_input_is_spoken(speak: Speak) -> None:
    text = (FOX + " ") * 91
    seconds = len(whole(speak(text[:4096], speed=4, response_format="pcm"))) / 48000
    assert 40 < seconds < 90


def test_two_callers_at_once_get_their_own(engine: Any, model: Model, hear: Callable[[bytes], Any]) -> None:
    def ask(text: str) -> float:
        request = SpeechRequest(model="piper-joe", input=text)
        return float(hear(whole(iter(engine.audio_speech(request, Call("test", model, {}))))).seconds)

    with ThreadPoolExecutor(2) as pool:
        short, long = pool.map(ask, ["Hi there.", SIXTY_WORDS])
    assert short < 2
    assert 12 < long < 25


def test_work_stops_when_the_caller_leaves(speak: Speak, call: Call) -> None:
    items = speak((SIXTY_WORDS + " ") * 12, speed=0.25)
    next(items)
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, items)
        call.cancel()
        left = time.monotonic()
        with pytest.raises(ApiError, match="cancelled"):
            rest.result()
    assert time.monotonic() - left < 1


def test_a_call_that_was_cancelled_before_it_began_computes_nothing(speak: Speak, call: Call) -> None:
    call.cancel()
    with pytest.raises(ApiError, match="cancelled"):
        list(speak(FOX))


def test_a_further_voice_is_one_more_entry(engine: Any, model: Model, tmp_path: Path) -> None:
    assert model.path
    path = tmp_path / "en_US-amy-medium.onnx"
    path.symlink_to(model.path)
    path.with_name(path.name + ".json").symlink_to(model.path.with_name(model.path.name + ".json"))
    amy = Model(id="amy", path=path, options={"voice": "amy"})
    engine.load(amy)
    try:
        request = SpeechRequest(model="amy", input="Hi.", voice="amy")
        assert whole(iter(engine.audio_speech(request, Call("test", amy, {}))))
        with pytest.raises(ApiError, match="amy"):
            engine.audio_speech(SpeechRequest(model="amy", input="Hi.", voice="joe"), Call("test", amy, {}))
    finally:
        engine.unload(amy)
    with pytest.raises(ApiError) as caught:
        engine.audio_speech(request, Call("test", amy, {}))
    assert caught.value.status == 503


def test_an_entry_without_a_file_cannot_be_loaded(engine: Any) -> None:
    with pytest.raises(RuntimeError, match="gives no file"):
        engine.load(Model(id="nothing"))
