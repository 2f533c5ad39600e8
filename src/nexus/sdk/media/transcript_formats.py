"""How a transcript is written: OpenAI's JSON and verbose JSON, plain text, SubRip and WebVTT, and its events."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from nexus.sdk.engine import Content
from nexus.sdk.media.languages import NAMES
from nexus.sdk.media.transcripts import Segment, Transcript

TEXT: Final = "text/plain; charset=utf-8"


def written(
    transcript: Transcript, form: str, task: str, granularities: Sequence[str] = ()
) -> dict[str, Any] | Content:
    """The whole answer in the response_format `form`; `task` is `transcribe` or `translate`."""
    match form:
        case "text":
            return Content(f"{transcript.text}\n".encode(), TEXT)
        case "srt":
            return Content("\n".join(_subrip(transcript.segments)).encode(), TEXT)
        case "vtt":
            return Content("\n".join(("WEBVTT\n", *_webvtt(transcript.segments))).encode(), TEXT)
        case "verbose_json":
            return _verbose(transcript, task, granularities or ("segment",))
    return {"text": transcript.text, "usage": usage(transcript.seconds)}


def usage(seconds: float) -> dict[str, Any]:
    """What an answer cost: the recording's length."""
    return {"type": "duration", "seconds": _rounded(seconds)}


def delta(text: str) -> dict[str, Any]:
    """The event of a stream that adds to the text."""
    return {"type": "transcript.text.delta", "delta": text}


def done(text: str, seconds: float) -> dict[str, Any]:
    """The last event of a whole stream: all of the text, and what it cost."""
    return {"type": "transcript.text.done", "text": text, "usage": usage(seconds)}


def _verbose(transcript: Transcript, task: str, granularities: Sequence[str]) -> dict[str, Any]:
    language = "en" if task == "translate" else transcript.language
    answer: dict[str, Any] = {
        "task": task,
        "language": NAMES.get(language, "unknown"),
        "duration": _rounded(transcript.seconds),
        "text": transcript.text,
    }
    if "segment" in granularities:
        answer["segments"] = [_segment(number, segment) for number, segment in enumerate(transcript.segments)]
    if "word" in granularities:
        answer["words"] = [
            {"word": word.text.strip(), "start": _rounded(word.start), "end": _rounded(word.end)}
            for segment in transcript.segments
            for word in segment.words
        ]
    answer["usage"] = usage(transcript.seconds)
    return answer


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": segment.seek,
        "start": _rounded(segment.start),
        "end": _rounded(segment.end),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _subrip(segments: Sequence[Segment]) -> Iterator[str]:
    for number, segment in enumerate(segments, 1):
        yield f"{number}\n{_clock(segment.start, ',')} --> {_clock(segment.end, ',')}\n{_caption(segment)}\n"


def _webvtt(segments: Sequence[Segment]) -> Iterator[str]:
    for segment in segments:
        text = _caption(segment).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"{_clock(segment.start, '.')} --> {_clock(segment.end, '.')}\n{text}\n"


def _caption(segment: Segment) -> str:
    """The text in one line: an empty line would end the caption."""
    return " ".join(segment.text.split())


def _clock(seconds: float, point: str) -> str:
    """HH:MM:SS and milliseconds after `point`."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
