"""A General MIDI synthesiser over one soundfont: notes on and off in, samples out. TinySoundFont's one seam."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tinysoundfont import Synth

RATE: Final = 44100
CHANNELS: Final = 2
LOUDEST: Final = 127  # of a volume and of a velocity
Samples = NDArray[np.float32]  # frames by channels, full scale at 1

_DRUM_BANK: Final = 128  # where soundfonts keep their drum kits, by the number of the kit
_VOLUME, _PAN = 7, 10  # controllers of MIDI 1.0
_VOLUME_POWER: Final = 3  # TinySoundFont makes a channel louder by the cube of its volume
_SOFTEST: Final = 24
_CHANNELS_OF: Final[Mapping[str, int]] = {"lead": 0, "chords": 1, "bass": 2, "pad": 3, "drums": 9}
_PANS: Final[Mapping[str, int]] = {"lead": 70, "chords": 46, "bass": 64, "pad": 82, "drums": 64}


class Player:
    """One performance: a synthesiser of its own, so that nothing of another one is heard. For one thread."""

    def __init__(self, soundfont: bytes, programs: Mapping[str, int], kit: int, volumes: Mapping[str, int]) -> None:
        """Instruments by role, the number of the drum kit, and the volume of roles (24 to 127; others play at 127).

        Raises RuntimeError for bytes that are no soundfont or one without these instruments.
        """
        self._synth = Synth(samplerate=RATE)
        font = self._synth.sfload(soundfont)
        for role, program in programs.items():
            self._synth.program_select(_CHANNELS_OF[role], font, 0, program)
        self._synth.program_select(_CHANNELS_OF["drums"], font, _DRUM_BANK, kit, True)
        for role, channel in _CHANNELS_OF.items():
            self._synth.control_change(channel, _VOLUME, volumes.get(role, LOUDEST))
            self._synth.control_change(channel, _PAN, _PANS[role])

    def strike(self, role: str, pitch: int, velocity: int) -> None:
        """Begin a note; velocity 0 ends it."""
        if velocity:
            self._synth.noteon(_CHANNELS_OF[role], pitch, velocity)
        else:
            self._synth.noteoff(_CHANNELS_OF[role], pitch)

    def render(self, frames: int) -> Samples:
        """The next samples."""
        if not frames:
            return np.zeros((0, CHANNELS), np.float32)
        return np.frombuffer(self._synth.generate_simple(frames), np.float32).reshape(-1, CHANNELS)


def volumes_for(gains: Mapping[str, float]) -> dict[str, int]:
    """The volumes that make the roles louder or softer by these factors, the loudest at most 127: only how they stand
    to one another counts."""
    roots = {role: gain ** (1 / _VOLUME_POWER) for role, gain in gains.items()}
    highest = max(roots.values(), default=1.0)
    return {role: max(_SOFTEST, round(LOUDEST * root / highest)) for role, root in roots.items()}
