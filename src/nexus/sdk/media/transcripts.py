"""What was heard, as plain values: segments and words on the recording's own clock, and the text they make."""

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
        wording = Wording()
        for segment in self.segments:
            wording.add(segment)
        return wording.text


class Wording:
    """The text of a transcript while it grows: what each segment adds, such that all of it joined is the whole text,
    with no space at either end of that."""

    def __init__(self) -> None:
        self._said: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._said)

    def add(self, segment: Segment) -> str:
        """What this segment adds; empty where it has no words."""
        text = segment.text.rstrip() if self._said else segment.text.strip()
        if text:
            self._said.append(text)
        return text


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
