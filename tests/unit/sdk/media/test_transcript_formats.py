"""Transcripts as they are written: captions, JSON of nothing said, and the events of a stream."""

from typing import Any

from nexus.sdk.engine import Content
from nexus.sdk.media.transcript_formats import delta, done, written
from nexus.sdk.media.transcripts import Segment, Transcript, Word


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


def test_words_and_segments_in_openais_shape() -> None:
    word = Word(" one", 0.1234, 0.5)
    segment = Segment(0, 0.1234, 0.5, " one", (7, 8), 0.2, -0.5, 0.9, 0.01, (word,))
    verbose = written(Transcript((segment,), "de", 2.0), "verbose_json", "transcribe", ("word", "segment"))
    assert isinstance(verbose, dict)
    assert (verbose["task"], verbose["language"], verbose["text"]) == ("transcribe", "german", "one")
    assert verbose["words"] == [{"word": "one", "start": 0.123, "end": 0.5}]
    (told,) = verbose["segments"]
    assert (told["id"], told["tokens"], told["compression_ratio"]) == (0, [7, 8], 0.9)
    translated = written(Transcript((segment,), "de", 2.0), "verbose_json", "translate")
    assert isinstance(translated, dict)
    assert (translated["task"], translated["language"], "words" in translated) == ("translate", "english", False)


def test_events() -> None:
    assert delta(" two") == {"type": "transcript.text.delta", "delta": " two"}
    assert done("One two", 2.0004) == {
        "type": "transcript.text.done",
        "text": "One two",
        "usage": {"type": "duration", "seconds": 2.0},
    }
