"""From a score to PCM, a second at a time: balanced, played, faded out at the very end, of exactly the asked length.

Before the piece begins, its busiest seconds are played twice as a sound check: each role alone, since the instruments
of a soundfont are recorded at very different levels, and then all of them together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from nexus_music.room import Room, limited
from nexus_music.score import Moment, Score
from nexus_music.synth import CHANNELS, LOUDEST, RATE, Player, Samples, volumes_for

PIECE_FRAMES: Final = RATE
_LOUDNESS: Final = 0.14  # the root mean square that the loudest part is brought to; full scale is 1
_MOST_GAIN: Final = 24.0
_CHECK_SECONDS: Final = 6
_FADE_SECONDS: Final = 0.6
_BALANCE: Final[Mapping[str, float]] = {"lead": 1.0, "bass": 0.75, "drums": 0.65, "chords": 0.5, "pad": 0.32}


class Performance:
    """One score played from a soundfont. For one thread."""

    def __init__(
        self,
        soundfont: bytes,
        score: Score,
        moments: Sequence[Moment],
        frames: int,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """`moments` are the score's, in order; `frames` is the length of the piece. Once `cancelled` says so, the
        piece ends with the second that is being played."""
        self._soundfont = soundfont
        self._score = score
        self._moments = moments
        self._frames = frames
        self._cancelled = cancelled

    def pieces(self) -> Iterator[bytes]:
        """The piece as signed 16-bit stereo, about a second at a time."""
        start = self._busiest()
        volumes = self._balanced(start)
        level = self._level(start, self._moments, volumes)
        gain = np.float32(min(_MOST_GAIN, _LOUDNESS / level) if level else 1.0)
        room = Room(PIECE_FRAMES)
        at = 0
        for dry in self._played(0, self._frames, self._moments, volumes):
            heard = limited(room.play(dry * gain))
            yield (_faded(heard, at, self._frames) * 32767).astype("<i2").tobytes()
            at += len(heard)

    def _busiest(self) -> int:
        """The frame where the seconds begin in which most is struck hardest."""
        seconds = np.zeros(self._frames // RATE + 1)
        for moment in self._moments:
            seconds[moment.frame // RATE] += moment.velocity
        if len(seconds) <= _CHECK_SECONDS:
            return 0
        return int(np.convolve(seconds, np.ones(_CHECK_SECONDS), "valid").argmax()) * RATE

    def _balanced(self, start: int) -> Mapping[str, int]:
        """The volume of each role with which they stand to one another as `_BALANCE` says."""
        even = dict.fromkeys(_BALANCE, LOUDEST)
        levels = {
            role: self._level(start, [moment for moment in self._moments if moment.role == role], even)
            for role in _BALANCE
        }
        return volumes_for({role: _BALANCE[role] / level for role, level in levels.items() if level})

    def _level(self, start: int, moments: Sequence[Moment], volumes: Mapping[str, int]) -> float:
        """The root mean square of the seconds from frame `start` on."""
        end = min(self._frames, start + _CHECK_SECONDS * RATE)
        power, frames = 0.0, 0
        for heard in self._played(start, end, moments, volumes):
            power += float(np.sum(np.square(heard, dtype=np.float64)))
            frames += len(heard)
        return float(np.sqrt(power / (CHANNELS * frames))) if frames else 0.0

    def _played(self, start: int, end: int, moments: Sequence[Moment], volumes: Mapping[str, int]) -> Iterator[Samples]:
        """The frames from `start` to `end` as the synthesiser gives them, notes before `start` left out."""
        waiting = iter([moment for moment in moments if start <= moment.frame < end])
        moment = next(waiting, None)
        player = Player(self._soundfont, self._score.programs, self._score.kit, volumes)
        at = start
        while at < end and not self._cancelled():
            until = min(end, at + PIECE_FRAMES)
            parts = []
            while moment is not None and moment.frame < until:
                parts.append(player.render(moment.frame - at))
                at = moment.frame
                player.strike(moment.role, moment.pitch, moment.velocity)
                moment = next(waiting, None)
            parts.append(player.render(until - at))
            at = until
            yield np.concatenate(parts)


def frames_of(seconds: float) -> int:
    """How many frames so many seconds are."""
    return round(seconds * RATE)


def _faded(samples: Samples, at: int, frames: int) -> Samples:
    """The samples, which begin at frame `at`, taken down to silence over the piece's last moments."""
    length = min(round(_FADE_SECONDS * RATE), frames // 4)
    left = (frames - at - np.arange(len(samples))) / length
    curve = np.sin(np.clip(left, 0, 1) * np.pi / 2).astype(np.float32)
    faded: Samples = samples * curve[:, None]
    return faded
