"""The embedded music engine: a program composes, a synthesiser plays its score from a soundfont. No neural model."""

from collections.abc import Generator
from typing import Final

from nexus.sdk.engine import Model
from nexus_music.compose import compose
from nexus_music.render import PIECE_FRAMES, Performance, frames_of
from nexus_music.score import moments
from nexus_music.seam import Commission, Watch
from nexus_music.style import source_of_chance
from nexus_music.synth import CHANNELS, RATE, Player
from nexus_music.words import PIANO, STANDARD_KIT

_COMPOSED: Final = 0.02  # how much of the work is done once the score is written


class SymbolicEngine:
    """Plays from the soundfont of a manifest entry. Keeps the asked length exactly; lyrics shape the form, unsung."""

    rate = RATE
    channels = CHANNELS

    def __init__(self, model: Model) -> None:
        """Raises RuntimeError for an entry without a file, or a file that is no General MIDI soundfont."""
        if model.path is None:
            raise RuntimeError(f"the manifest entry of {model.id} gives no soundfont")
        self._soundfont = model.path.read_bytes()
        Player(self._soundfont, {"lead": PIANO}, STANDARD_KIT, {})

    def play(self, commission: Commission, watch: Watch) -> Generator[bytes, None, None]:
        """The piece, a second at a time; it ends at the next second once the caller has left."""
        watch.report(0.0, "composing")
        score = compose(commission)
        frames = frames_of(commission.seconds)
        events = moments(score, frames, RATE, source_of_chance(commission, "players"))
        done = 0
        for piece in Performance(self._soundfont, score, events, frames, watch.cancelled).pieces():
            yield piece
            done = min(frames, done + PIECE_FRAMES)
            words = f"{done // RATE} of {commission.seconds:g} seconds played"
            watch.report(_COMPOSED + (1 - _COMPOSED) * done / frames, words)

    def close(self) -> None:
        """Nothing to do: the soundfont goes with the engine."""
