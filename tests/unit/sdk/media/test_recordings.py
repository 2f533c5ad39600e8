"""Recordings: every common container is read to its right length, and what is none of them is refused by name."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.sdk.media.recordings import RATE, measured, pieces
from tests.recordings import CONTAINERS, encoded, tone


def nothing() -> None:
    return None


def refusal(body: bytes, longest: float = 60) -> ApiError:
    with pytest.raises(ApiError) as caught:
        measured(body, longest, nothing)
    assert (caught.value.status, caught.value.param) == (400, "file")
    return caught.value


@pytest.mark.parametrize("kind", sorted(CONTAINERS))
def test_every_container_is_read(kind: str) -> None:
    recording = measured(encoded(tone(3), 48000, kind), 60, nothing)
    assert recording.seconds == pytest.approx(3, abs=0.2)
    samples = np.concatenate(list(pieces(recording, nothing)))
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(3 * RATE, abs=0.2 * RATE)
    middle = samples[RATE : 2 * RATE]
    assert np.abs(middle).max() == pytest.approx(16000 / 32768, rel=0.1)
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=2)


def test_at_another_rate() -> None:
    samples = np.concatenate(list(pieces(measured(encoded(tone(2), 48000, "flac"), 60, nothing), nothing, 24_000)))
    assert len(samples) == pytest.approx(48_000, abs=100)
    assert np.argmax(np.abs(np.fft.rfft(samples[:24_000]))) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac", "m4a", "webm", "mp4"])
def test_what_breaks_off_is_refused(kind: str) -> None:
    body = encoded(tone(6), 48000, kind)
    assert "file:" in refusal(body[: len(body) // 2]).message


def test_a_streamed_wav_has_no_length_to_miss() -> None:
    body = bytearray(encoded(tone(1), 48000, "wav"))
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


def test_a_wav_without_samples_is_refused() -> None:
    refusal(encoded(tone(1), 48000, "wav")[:44])


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
def test_playlists_open_nothing(tmp_path: Path, playlist: str) -> None:
    target = tmp_path / "secret.wav"
    target.write_bytes(encoded(tone(2), 48000, "wav"))
    refusal(playlist.format(url=target.as_uri(), path=target).encode())


def test_too_long_is_refused_before_it_is_read_to_its_end() -> None:
    body = encoded(tone(5), 48000, "flac")
    seen: list[int] = []
    with pytest.raises(ApiError, match="longer than 1 seconds"):
        measured(body, 1, lambda: seen.append(1))
    assert 0 < len(seen) < 40
    assert measured(body, 5.5, nothing).seconds == pytest.approx(5, abs=0.01)


def test_the_check_ends_the_reading() -> None:
    def leave() -> None:
        raise ApiError(OVERLOADED, "gone")

    with pytest.raises(ApiError, match="gone"):
        measured(encoded(tone(1), 48000, "ogg"), 60, leave)
