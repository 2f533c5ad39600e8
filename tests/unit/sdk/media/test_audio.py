"""Sound in every format: decoded again it has its length and its tone, and it leaves while more is still to come."""

import io
import struct
from typing import Any

import av
import numpy as np
import pytest

from nexus.sdk.media.audio import MEDIA_TYPES, AudioEncoder, Resampler, Tempo, encode_whole

SECONDS = 3
TONE = 440
CODED = ("mp3", "opus", "flac", "aac")
LOSSLESS = ("wav", "flac")
PADDING = {"mp3": 0.17, "opus": 0.01, "aac": 0.21}  # seconds at 8000 Hz, where frames are longest


def tone(rate: int, channels: int = 1, seconds: float = SECONDS) -> bytes:
    moments = np.arange(int(rate * seconds))
    wave = (np.sin(2 * np.pi * TONE * moments / rate) * 12_000).astype("<i2")
    return np.repeat(wave, channels).tobytes()


def pieces(pcm: bytes, length: int) -> list[bytes]:
    return [pcm[start : start + length] for start in range(0, len(pcm), length)]


def streamed(format: str, rate: int, channels: int, parts: list[bytes]) -> list[bytes]:
    encoder = AudioEncoder(format, rate, channels)
    return [*(encoder.feed(part) for part in parts), encoder.finish()]


def decoded(body: bytes) -> tuple[Any, int]:
    """The first channel from -1 to 1, and the rate."""
    with av.open(io.BytesIO(body), "r") as container:
        frames = list(container.decode(audio=0))
    resampler = av.AudioResampler("fltp", "mono", frames[0].sample_rate)
    out = [*(part for frame in frames for part in resampler.resample(frame)), *resampler.resample(None)]
    return np.concatenate([frame.to_ndarray()[0] for frame in out]), frames[0].sample_rate


def loudest_tone(samples: Any, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("format", [*CODED, "wav"])
def test_streamed_sound_decodes_to_its_length_and_tone(format: str, rate: int, channels: int) -> None:
    body = b"".join(streamed(format, rate, channels, pieces(tone(rate, channels), 5000)))
    samples, decoded_rate = decoded(body)
    assert len(samples) / decoded_rate == pytest.approx(SECONDS, abs=PADDING.get(format, 0) + 1e-3)
    assert loudest_tone(samples, decoded_rate) == pytest.approx(TONE, abs=2)
    assert 0.2 < np.sqrt(np.mean(np.square(samples))) < 0.4


@pytest.mark.parametrize("format", [*CODED, "wav"])
def test_a_whole_file_knows_its_length_where_its_header_can(format: str) -> None:
    body = encode_whole(format, 24000, 1, tone(24000))
    with av.open(io.BytesIO(body), "r") as container:
        duration = (container.duration or 0) / av.time_base
    assert duration == pytest.approx(SECONDS, abs=0.1 if format == "aac" else 0.01)
    samples, rate = decoded(body)
    assert loudest_tone(samples, rate) == pytest.approx(TONE, abs=2)


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_formats_give_the_samples_back(format: str, channels: int) -> None:
    pcm = tone(16000, channels)
    for body in (encode_whole(format, 16000, channels, pcm), b"".join(streamed(format, 16000, channels, [pcm]))):
        with av.open(io.BytesIO(body), "r") as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        assert np.concatenate(frames, axis=1).astype("<i2").tobytes() == pcm


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_most_of_it_leaves_before_the_end(format: str) -> None:
    parts = streamed(format, 24000, 1, pieces(tone(24000), 4800))
    assert sum(map(len, parts[:-1])) > 0.9 * sum(map(len, parts))
    assert sum(1 for part in parts if part) > 20  # of the 30 given
    assert any(parts[:3])


def test_pcm_is_the_samples_themselves() -> None:
    assert streamed("pcm", 24000, 1, [b"\1\2", b"\3\4"]) == [b"\1\2", b"\3\4", b""]
    assert encode_whole("pcm", 24000, 1, b"\1\2\3\4") == b"\1\2\3\4"


def test_wav_headers() -> None:
    parts = streamed("wav", 24000, 2, [b"\0" * 8])
    assert parts[0][:4] == b"RIFF"
    assert struct.unpack("<I", parts[0][4:8]) == struct.unpack("<I", parts[0][40:44]) == (0xFFFFFFFF,)
    whole = encode_whole("wav", 24000, 2, b"\0" * 8)
    assert struct.unpack("<I", whole[4:8]) == (len(whole) - 8,)
    assert struct.unpack("<HHIIHH", whole[20:36]) == (1, 2, 24000, 96000, 4, 16)
    assert struct.unpack("<I", whole[40:44]) == (8,)


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_samples_may_be_cut_anywhere(format: str) -> None:
    pcm = tone(24000, 2, 0.5)
    odd = b"".join(streamed(format, 24000, 2, pieces(pcm, 1999)))
    even = b"".join(streamed(format, 24000, 2, [pcm]))
    if format == "opus":  # its streams are numbered at random
        assert np.allclose(decoded(odd)[0], decoded(even)[0])
    else:
        assert odd == even


def test_what_is_left_of_a_sample_is_dropped() -> None:
    assert streamed("pcm", 24000, 2, [b"\1\2\3\4\5"]) == [b"\1\2\3\4", b""]
    assert encode_whole("pcm", 24000, 2, b"\1\2\3\4\5") == b"\1\2\3\4"


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_no_sound_is_no_error(format: str) -> None:
    empty = streamed(format, 24000, 1, [])
    assert len(empty[-1]) < 10_000
    assert len(encode_whole(format, 24000, 1, b"")) < 10_000
    assert (empty[-1][:4] == b"RIFF") == (format == "wav")


@pytest.mark.parametrize(
    ("format", "rate", "channels", "message"),
    [("ogg", 24000, 1, "formats"), ("mp3", 0, 1, "rate"), ("mp3", -1, 1, "rate"), ("wav", 8000, 3, "channels")],
)
def test_what_cannot_be_encoded_is_refused(format: str, rate: int, channels: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioEncoder(format, rate, channels)
    with pytest.raises(ValueError, match=message):
        encode_whole(format, rate, channels, b"")


@pytest.mark.parametrize(("rate", "wanted"), [(22050, 24000), (16000, 24000), (48000, 24000), (24000, 24000)])
@pytest.mark.parametrize("channels", [1, 2])
def test_resampled_sound_keeps_its_length_and_tone(rate: int, wanted: int, channels: int) -> None:
    resampler = Resampler(rate, wanted, channels)
    out = [*(resampler.feed(part) for part in pieces(tone(rate, channels), 4000)), resampler.finish()]
    samples = np.frombuffer(b"".join(out), "<i2")[::channels] / 32768
    assert len(samples) / wanted == pytest.approx(SECONDS, abs=0.002)
    assert loudest_tone(samples, wanted) == pytest.approx(TONE, abs=1)
    steps = np.abs(np.diff(samples[100:-100]))  # the tone begins and ends at once, which rings
    assert steps.max() < 1.05 * 12_000 / 32768 * 2 * np.pi * TONE / wanted  # no clicks where pieces meet
    assert all(out[1:-1])


def test_a_resampler_that_was_given_nothing_gives_nothing() -> None:
    resampler = Resampler(22050, 24000)
    assert resampler.feed(b"") + resampler.finish() == b""
    with pytest.raises(ValueError, match="rate"):
        Resampler(0, 24000)


@pytest.mark.parametrize("factor", [0.5, 1.25, 2, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_another_tempo_changes_the_length_and_not_the_tone(factor: float, channels: int) -> None:
    tempo = Tempo(22050, factor, channels)
    out = [*(tempo.feed(part) for part in pieces(tone(22050, channels), 20_000)), tempo.finish()]
    samples = np.frombuffer(b"".join(out), "<i2")[::channels] / 32768
    assert len(samples) / 22050 == pytest.approx(SECONDS / factor, abs=0.05)
    assert loudest_tone(samples, 22050) == pytest.approx(TONE, abs=3)
    assert np.sqrt(np.mean(np.square(samples))) > 0.2
    assert all(out[:-1])
    assert len(out[-1]) / (22050 * 2 * channels) < 0.25 / factor


def test_a_tempo_that_was_given_nothing_gives_nothing() -> None:
    tempo = Tempo(22050, 2)
    assert tempo.feed(b"") + tempo.finish() == b""


@pytest.mark.parametrize("factor", [0.4, 101, -1, float("nan")])
def test_no_tempo_is_out_of_bounds(factor: float) -> None:
    with pytest.raises(ValueError, match="tempo"):
        Tempo(22050, factor)
