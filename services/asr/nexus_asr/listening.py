"""A whole recording listened to: window by window, each segment handed on as soon as it is there."""

from collections.abc import Callable, Iterator

from nexus.sdk.media.recordings import Check, Recording, pieces
from nexus.sdk.media.transcripts import Segment, Transcript, on_the_clock
from nexus.sdk.media.windows import windows
from nexus_asr.whisper import Manner, Whisper

Report = Callable[[float], None]


class Listening:
    """One recording, one model. `language` is the code of what is spoken, None until that is known."""

    def __init__(self, recording: Recording, whisper: Whisper, manner: Manner, language: str | None) -> None:
        self.recording = recording
        self.language = language
        self._whisper = whisper
        self._manner = manner

    def segments(self, window_seconds: float, check: Check, report: Report) -> Iterator[Segment]:
        """The segments in their order, worked out as they are asked for. `report` is told to which second all is done.

        `check` is called before every step that cannot be interrupted, and may raise to end the work.
        """
        latest = self.recording.seconds
        ended = 0.0
        for window in windows(pieces(self.recording, check), window_seconds):
            check()
            spoken, found = self._whisper.listen(window.samples, self.language, self._manner, check)
            self.language = self.language or spoken
            for segment in found:
                placed = on_the_clock(segment, window.offset, ended, latest)
                ended = placed.end
                report(ended)
                yield placed
            report(window.offset + window.seconds)

    def transcript(self, segments: Iterator[Segment]) -> Transcript:
        """All segments at once."""
        heard = tuple(segments)
        return Transcript(heard, self.language or "", self.recording.seconds)
