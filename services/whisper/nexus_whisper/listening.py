"""A whole recording listened to by the server: window by window, each segment handed on as soon as it is there."""

import asyncio
from collections.abc import AsyncIterator

from nexus.sdk.engine import Call
from nexus.sdk.media.recordings import Recording, pieces
from nexus.sdk.media.transcripts import Segment, Transcript, on_the_clock
from nexus.sdk.media.windows import windows
from nexus_whisper.server import WhisperServer
from nexus_whisper.wire import Manner


class Listening:
    """One recording, one server. `language` is the code of what is spoken, None until that is known."""

    def __init__(self, recording: Recording, server: WhisperServer, manner: Manner, language: str | None) -> None:
        self.recording = recording
        self.language = language
        self._server = server
        self._manner = manner

    async def segments(self, window_seconds: float, call: Call) -> AsyncIterator[Segment]:
        """The segments in their order, worked out as they are asked for. Raises ApiError."""
        whole = self.recording.seconds
        ended = 0.0
        cut = windows(pieces(self.recording, call.go_on), window_seconds)
        while (window := await asyncio.to_thread(next, cut, None)) is not None:
            heard = await self._server.listen(window.samples, self.language, self._manner)
            if heard.segments:  # of silence, the language is a guess
                self.language = self.language or heard.language or None
            for segment in heard.segments:
                placed = on_the_clock(segment, window.offset, ended, whole)
                ended = placed.end
                yield placed
            done = window.offset + window.seconds
            call.report(done / whole, f"{done:.0f} of {whole:.0f} seconds")

    async def transcript(self, window_seconds: float, call: Call) -> Transcript:
        """All segments at once."""
        heard = tuple([segment async for segment in self.segments(window_seconds, call)])
        return Transcript(heard, self.language or "", self.recording.seconds)
