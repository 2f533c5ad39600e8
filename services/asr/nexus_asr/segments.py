"""What was heard, as plain values: segments and words on the recording's own clock, and the text they make."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its leading space; `start` and `end` in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of speech: `start` and `end` in seconds, `text` as the model writes it, leading space included.

    `seek` is where the window began in which it was heard, in hundredths of a second.
    """

    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was heard in a recording of `seconds`; `language` is a code, empty where nothing was said."""

    segments: tuple[Segment, ...]
    language: str
    seconds: float

    @property
    def text(self) -> str:
        return "".join(deltas(self.segments))


def deltas(segments: Iterable[Segment]) -> Iterator[str]:
    """The texts of the segments such that they make the whole text when joined: no space at either end of that."""
    begun = False
    for segment in segments:
        text = segment.text.rstrip() if begun else segment.text.strip()
        if text:
            begun = True
            yield text


def on_the_clock(segment: Segment, offset: float, earliest: float, latest: float) -> Segment:
    """A segment of a window that begins at `offset`, its times those of the recording: none before `earliest` (where
    the last segment ended) or after `latest`, and each word's not before those of the one before it."""
    words: list[Word] = []
    at = earliest
    for word in segment.words:
        start = min(max(word.start + offset, at), latest)
        at = min(max(word.end + offset, start), latest)
        words.append(Word(word.text, start, at))
    start = min(max(segment.start + offset, earliest), latest)
    end = max(min(max(segment.end + offset, start), latest), at)
    return replace(segment, seek=segment.seek + round(offset * 100), start=start, end=end, words=tuple(words))
