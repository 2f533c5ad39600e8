"""What whisper.cpp's server takes and answers (its examples/server): form fields, and `verbose_json`.

Quirks that are made good here: a language not named is taken for English; segments are cut at 60 characters unless
`max_len` says otherwise; `words` are the model's tokens, a word in several pieces; there is no compression ratio; what
is no number is null; a model that knows English only ignores language and translation without a word.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.sdk.media.languages import CODES
from nexus.sdk.media.transcripts import Segment, Word

_UNCUT: Final = "10000"  # characters; 0 would mean 60
_NOTHING_SAID: Final = "[BLANK_AUDIO]"
# Written without spaces: each token counts as a word.
_UNSPACED: Final = frozenset({"zh", "ja", "th", "lo", "my", "yue"})


@dataclass(frozen=True, slots=True)
class Manner:
    """How to listen: `task` is `transcribe` or `translate`; `vad` has the server leave out silence by its own model."""

    task: str = "transcribe"
    prompt: str = ""
    temperature: float = 0.0
    vad: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer: which task was done, the code of the language that was spoken, and the segments from 0 on."""

    task: str
    language: str
    segments: tuple[Segment, ...]


def fields(manner: Manner, language: str | None) -> dict[str, str]:
    """The form's text fields. `language` is Whisper's code, None to have it found out."""
    wanted = {
        "response_format": "verbose_json",
        "language": language or "auto",
        "translate": "true" if manner.task == "translate" else "false",
        "temperature": f"{manner.temperature:.2f}",
        "max_len": _UNCUT,
        "token_timestamps": "true",
        "no_language_probabilities": "true",  # working them out takes another run of the encoder
    }
    if manner.prompt:
        wanted["prompt"] = manner.prompt
    if manner.vad:
        wanted["vad"] = "true"
    return wanted


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class _Token(_Wire):
    word: str
    start: float = 0.0
    end: float = 0.0


class _Segment(_Wire):
    text: str
    start: float = 0.0
    end: float = 0.0
    tokens: tuple[int, ...] = ()
    words: tuple[_Token, ...] = ()
    temperature: float | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None


class _Answer(_Wire):
    task: str
    language: str
    segments: tuple[_Segment, ...]


def read(answer: Any) -> Heard:
    """The server's `verbose_json`. Raises ApiError (502) for what is none."""
    try:
        whole = _Answer.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise ApiError(UPSTREAM_ERROR, f"the engine's answer is no transcript: {where}: {first['msg']}") from error
    language = CODES.get(whole.language, whole.language if whole.language in CODES.values() else "")
    said = [segment for segment in whole.segments if segment.text.strip() not in ("", _NOTHING_SAID)]
    return Heard(whole.task, language, tuple(_plain(segment, language) for segment in said))


def _plain(segment: _Segment, language: str) -> Segment:
    return Segment(
        seek=0,
        start=segment.start,
        end=segment.end,
        text=segment.text,
        tokens=segment.tokens,
        temperature=segment.temperature or 0.0,
        avg_logprob=segment.avg_logprob or 0.0,
        compression_ratio=_compression(segment.text),
        no_speech_prob=segment.no_speech_prob or 0.0,
        words=tuple(_words(segment.words, spaced=language not in _UNSPACED)),
    )


def _words(tokens: Sequence[_Token], *, spaced: bool) -> Iterator[Word]:
    """The tokens joined to words: one that does not begin with a space goes on with the word before it."""
    word: Word | None = None
    for token in tokens:
        if word is not None and spaced and not token.word.startswith(" "):
            word = Word(word.text + token.word, word.start, max(word.end, token.end))
            continue
        if word is not None and word.text.strip():
            yield word
        word = Word(token.word, token.start, token.end)
    if word is not None and word.text.strip():
        yield word


def _compression(text: str) -> float:
    """Whisper's own measure of how much a text repeats itself."""
    body = text.encode()
    return len(body) / len(zlib.compress(body))
