"""What every music engine is asked, and how it gives its sound: the one seam of this service."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model that samples is to do so; None leaves it to the engine."""

    temperature: float | None = None
    top_k: int | None = None
    cfg_scale: float | None = None


@dataclass(frozen=True, slots=True)
class Commission:
    """One piece as it is asked for. `tags` are trimmed and lower-case; `lyrics` may hold `[Verse]`-like marks.

    `seconds` is the length that is wanted: engines that can, keep it exactly; others take it as the longest.
    `key` is as the client wrote it, already checked (`harmony.read_key` reads it); `bpm` is in beats a minute.
    """

    prompt: str
    tags: tuple[str, ...]
    lyrics: str
    seconds: float
    seed: int
    bpm: float | None = None
    key: str | None = None
    sampling: Sampling = Sampling()


@dataclass(frozen=True, slots=True)
class Watch:
    """How an engine says how far it is, and learns that nobody waits any more. Both are safe to call from any thread.

    `cancelled` is to be asked at least twice a second.
    """

    report: Callable[[float, str], None]
    cancelled: Callable[[], bool]


class MusicEngine(Protocol):
    """One loaded model. `rate` is in samples a second, `channels` one or two; both may differ from model to model."""

    rate: int
    channels: int

    def play(self, commission: Commission, watch: Watch) -> Generator[bytes, None, None]:
        """The piece as pieces of PCM (signed 16 bit, little-endian, channels side by side), in their order.

        An engine that makes sound as it goes gives it in pieces of about a second; one that has it all at the end
        gives it then, and reports meanwhile. Once `watch.cancelled()` is true it ends within a second, its sound
        unfinished. The generator may also be closed early. Raises RuntimeError when it cannot.
        """
        ...

    def close(self) -> None:
        """Give back what it holds: memory, a worker process."""
        ...
