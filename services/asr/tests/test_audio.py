"""Recordings: every common container is read to its right length, and what is none of them is refused by name."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from nexus_asr.audio import RATE, measured, pieces

from nexus.contract.errors import ApiError

KINDS = ["wav", "mp3", "ogg", "flac", "m4a", "aac", "webm", "mp4", "mkv", "aiff"]


def nothing() -> None:
    return None


def tone(seconds: float, rate: int = 48000) -> np.ndarray:
    return (np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate) * 16000).astype(np.int16)


def refusal(body: bytes, longest: float = 60) -> ApiError:
    with pytest.raises(ApiError) as caught:
        measured(body, longest, nothing)
    assert (caught.value.status, caught.value.param) == (400, "file")
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_is_read(encode: Callable[..., bytes], kind: str) -> None:
    recording = measured(encode(tone(3), 48000, kind), 60, nothing)
    assert recording.seconds == pytest.approx(3, abs=0.2)
    samples = np.concatenate(list(pieces(recording, nothing)))
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(3 * RATE, abs=0.2 * RATE)
    middle = samples[RATE : 2 * RATE]
    assert np.abs(middle).max() == pytest.approx(16000 / 32768, rel=0.1)
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac", "m4a", "webm", "mp4"])
def test_what_breaks_off_is_refused(encode: Callable[..., bytes], kind: str) -> None:
    body = encode(tone(6), 48000, kind)
    assert "file:" in refusal(body[: len(body) // 2]).message


def test_a_streamed_wav_has_no_length_to_miss(encode: Callable[..., bytes]) -> None:
    body = bytearray(encode(tone(1), 48000, "wav"))
    for size in (0, 0x7FFFFFFF, 0xFFFFFFFF):
        body[4:8] = size.to_bytes(4, "little")
        assert measured(bytes(body), 60, nothing).seconds == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"These are words, but nobody says them.\n" * 200,
        np.random.default_rng(5).bytes(50_000),
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        b"%PDF-1.7\n" + b"0" * 1000,
    ],
    ids=["a byte", "text", "noise", "a wav's head", "a picture", "a document"],
)
def test_what_is_no_recording_is_refused(body: bytes) -> None:
    assert "not a recording" in refusal(body).message


def test_a_wav_without_samples_is_refused(encode: Callable[..., bytes]) -> None:
    refusal(encode(tone(1), 48000, "wav")[:44])


def test_a_film_without_sound_is_refused() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=4, width=64, height=64)
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode())
    assert "no audio stream" in refusal(buffer.getvalue()).message


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{path}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5000 RTP/AVP 0\n",
        '<MPD type="static"><Period><AdaptationSet><Representation><BaseURL>{url}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>",
    ],
    ids=["hls", "concat", "sdp", "dash"],
)
def test_playlists_open_nothing(encode: Callable[..., bytes], tmp_path: Path, playlist: str) -> None:
    target = tmp_path / "secret.wav"
    target.write_bytes(encode(tone(2), 48000, "wav"))
    refusal(playlist.format(url=target.as_uri(), path=target).encode())


def test_too_long_is_refused_before_it_is_read_to_its_end(encode: Callable[..., bytes]) -> None:
    body = encode(tone(5), 48000, "flac")
    seen: list[int] = []
    with pytest.raises(ApiError, match="longer than 1 seconds"):
        measured(body, 1, lambda: seen.append(1))
    assert 0 < len(seen) < 40
    assert measured(body, 5.5, nothing).seconds == pytest.approx(5, abs=0.01)


def test_the_check_ends_the_reading(encode: Callable[..., bytes]) -> None:
    def leave() -> None:
        raise ApiError(_kind(), "gone")

    with pytest.raises(ApiError, match="gone"):
        measured(encode(tone(1), 48000, "ogg"), 60, leave)


def _kind() -> Any:
    from nexus.contract.errors import OVERLOADED

    return OVERLOADED
