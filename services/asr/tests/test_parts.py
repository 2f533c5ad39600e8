"""The parts without a model: windows, segments, languages, forms and the ways of writing a transcript."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from nexus_asr.audio import RATE
from nexus_asr.formats import written
from nexus_asr.languages import NAMES, whisper_code
from nexus_asr.options import read_options
from nexus_asr.segments import Segment, Transcript, Word, deltas, on_the_clock
from nexus_asr.windows import quietest, windows
from pydantic import ValidationError

from nexus.contract.errors import ApiError
from nexus.contract.wire.transcriptions import TranscriptionRequest
from nexus.sdk.engine import Content, Form, Upload

NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, 50 * RATE).astype(np.float32)


def test_windows_are_the_samples_again() -> None:
    pieces = np.array_split(NOISE, 700)
    cut = list(windows(pieces, 10))
    assert np.array_equal(np.concatenate([window.samples for window in cut]), NOISE)
    assert all(6 <= window.seconds <= 10 for window in cut[:-1])
    for before, after in pairwise(cut):
        assert after.offset == pytest.approx(before.offset + before.seconds)


def test_windows_are_cut_in_a_pause() -> None:
    samples = NOISE.copy()
    samples[8 * RATE : int(8.6 * RATE)] *= 0.01
    first = next(windows([samples], 10))
    assert 8.1 < first.seconds < 8.5


def test_of_equal_pauses_the_latest() -> None:
    assert quietest(np.zeros(10 * RATE, np.float32)) == pytest.approx(9.85 * RATE, abs=0.05 * RATE)
    assert quietest(np.zeros(100, np.float32)) == 100


def test_short_and_empty_recordings() -> None:
    assert [window.seconds for window in windows([NOISE[:RATE]], 10)] == [1.0]
    assert list(windows([], 10)) == []


def test_deltas_make_the_text() -> None:
    said = [Segment(0, 0, 1, text) for text in ("  One", " two. ", "  ", " Three. ")]
    assert list(deltas(said)) == ["One", " two.", " Three."]
    assert Transcript(tuple(said), "en", 3).text == "One two. Three."


def test_times_are_the_recordings_own_and_go_forward() -> None:
    words = (Word(" a", 0.5, 1.0), Word(" b", 0.9, 1.4), Word(" c", 1.4, 9.0))
    placed = on_the_clock(Segment(100, 0.5, 9.0, " a b c", words=words), 20.0, earliest=20.7, latest=22.0)
    assert (placed.seek, placed.start, placed.end) == (2100, 20.7, 22.0)
    assert [(word.start, word.end) for word in placed.words] == [(20.7, 21.0), (21.0, 21.4), (21.4, 22.0)]


def test_captions() -> None:
    transcript = Transcript(
        (Segment(0, 0.0, 1.5, " One\n\n& two"), Segment(0, 3661.0015, 3662, " <three>")), "en", 4000
    )
    assert text(written(transcript, "srt", "transcribe")) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne & two\n\n2\n01:01:01,002 --> 01:01:02,000\n<three>\n"
    )
    assert text(written(transcript, "vtt", "transcribe")) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne &amp; two\n\n01:01:01.002 --> 01:01:02.000\n&lt;three&gt;\n"
    )


def text(answer: Any) -> str:
    assert isinstance(answer, Content)
    assert answer.media_type == "text/plain; charset=utf-8"
    return answer.body.decode()


def test_nothing_said() -> None:
    silence = Transcript((), "", 2.0)
    assert written(silence, "json", "transcribe") == {"text": "", "usage": {"type": "duration", "seconds": 2.0}}
    assert text(written(silence, "srt", "transcribe")) == ""
    assert text(written(silence, "vtt", "transcribe")) == "WEBVTT\n"
    verbose = written(silence, "verbose_json", "transcribe", ("word",))
    assert isinstance(verbose, dict)
    assert (verbose["language"], verbose["words"], "segments" in verbose) == ("unknown", [], False)


def test_languages() -> None:
    assert len(NAMES) == 100
    assert (NAMES["en"], NAMES["ht"], NAMES["zh"]) == ("english", "haitian creole", "chinese")
    assert (whisper_code("jv"), whisper_code("de"), whisper_code("xx"), whisper_code("english")) == (
        "jw",
        "de",
        None,
        None,
    )


def test_a_form_is_read() -> None:
    form = Form({"language": "", "temperature": "0.5", "timestamp_granularities": "word"}, {}, {})
    with pytest.raises(ApiError) as caught:
        form.validated(TranscriptionRequest)
    assert (caught.value.status, caught.value.param) == (400, "timestamp_granularities")
    form = Form({**form.fields, "response_format": "verbose_json"}, {"unheard_of": ("x",)}, {})
    request = form.validated(TranscriptionRequest)
    assert (request.language, request.temperature, request.timestamp_granularities) == (None, 0.5, ("word",))


@pytest.mark.parametrize("files", [{}, {"file": Upload("a.wav", "audio/wav", b"")}])
def test_a_recording_has_to_be_there(files: dict[str, Upload]) -> None:
    with pytest.raises(ApiError) as caught:
        Form({"file": "a.wav"}, {}, files).file("file")
    assert (caught.value.status, caught.value.param) == (400, "file")


@pytest.mark.parametrize("options", [{"window_seconds": 31}, {"beam_size": 0}, {"device": "tpu"}, {"beams": 5}])
def test_bad_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        read_options(options)
