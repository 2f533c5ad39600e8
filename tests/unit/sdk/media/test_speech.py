"""Speech on its way out: its length at every speed, what is sent first, events, and an end that reaches the voice."""

import base64
import io
from collections.abc import Generator
from typing import Any

import av
import numpy as np
import pytest

from nexus.contract.wire.speech import SpeechAudioDelta, SpeechAudioDone, SpeechUsage
from nexus.sdk.engine import Content
from nexus.sdk.media.audio import MEDIA_TYPES
from nexus.sdk.media.speech import RATE, SpokenFile, spoken_body, spoken_events
from tests.recordings import tone


def written(rate: int, format: str, speed: float = 1.0, seconds: float = 2.0) -> tuple[bytes, int]:
    file = SpokenFile(rate, format, speed)
    pcm = tone(seconds, rate).astype("<i2").tobytes()
    body = b"".join(file.feed(pcm[at : at + 4000]) for at in range(0, len(pcm), 4000)) + file.finish()
    return body, file.samples


def decoded(body: bytes) -> Any:
    with av.open(io.BytesIO(body), "r") as container:
        frames = list(container.decode(audio=0))
    resampler = av.AudioResampler("fltp", "mono", RATE)
    parts = [part for frame in [*frames, None] for part in resampler.resample(frame)]
    return np.concatenate([part.to_ndarray()[0] for part in parts])


@pytest.mark.parametrize("speed", [0.25, 0.4, 0.5, 1, 1.5, 4])
def test_speed_changes_the_length_and_not_the_pitch(speed: float) -> None:
    body, samples = written(RATE, "pcm", speed)
    sound = np.frombuffer(body, "<i2")
    assert samples == len(sound)
    assert samples / RATE == pytest.approx(2 / speed, rel=0.05)
    middle = sound[len(sound) // 4 : len(sound) * 3 // 4]
    assert np.argmax(np.abs(np.fft.rfft(middle))) * RATE / len(middle) == pytest.approx(440, abs=8)


@pytest.mark.parametrize("format", sorted(MEDIA_TYPES.keys() - {"pcm"}))
@pytest.mark.parametrize("rate", [16_000, RATE])
def test_every_format_from_another_rate(format: str, rate: int) -> None:
    body, samples = written(rate, format)
    assert samples == pytest.approx(2 * RATE, abs=10)
    assert len(decoded(body)) / RATE == pytest.approx(2, abs=0.2)


def test_nothing_spoken_is_a_file_all_the_same() -> None:
    assert written(RATE, "wav", 0.25, 0)[0][:4] == b"RIFF"


class Voice:
    """Chunks that tell whether they were closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.ended = False

    def speak(self) -> Generator[bytes, None, None]:
        try:
            yield from self.chunks
        finally:
            self.ended = True


def test_the_first_bytes_say_what_they_are() -> None:
    assert list(spoken_body(Voice(b"a", b"b").speak(), "mp3")) == [Content(b"a", "audio/mpeg"), b"b"]
    assert list(spoken_body(Voice().speak(), "wav")) == [Content(b"", "audio/wav")]


def test_events_carry_what_is_not_empty_and_end_with_the_cost() -> None:
    usage = SpeechUsage(input_tokens=1, output_tokens=2, total_tokens=3)
    first, second, last = spoken_events(Voice(b"a", b"", b"bc").speak(), lambda: usage)
    assert isinstance(first, SpeechAudioDelta)
    assert isinstance(second, SpeechAudioDelta)
    assert base64.b64decode(first.audio) + base64.b64decode(second.audio) == b"abc"
    assert last == SpeechAudioDone(usage=usage)


@pytest.mark.parametrize("form", ["body", "events"])
def test_who_leaves_ends_the_voice(form: str) -> None:
    voice = Voice(b"a", b"b", b"c")
    usage = SpeechUsage(input_tokens=1, output_tokens=2, total_tokens=3)
    items: Any = spoken_body(voice.speak(), "pcm") if form == "body" else spoken_events(voice.speak(), lambda: usage)
    next(items)
    items.close()
    assert voice.ended
