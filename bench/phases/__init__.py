"""The measurements themselves, each over all subjects in interleaved rounds, so that a noisy minute hits everyone."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.phases.bench import Bench, Found
from bench.phases.limits import measure_limits
from bench.phases.memory import measure_many, measure_soak
from bench.phases.requests import measure_requests
from bench.phases.starts import measure_starts
from bench.phases.streams import measure_streams


@dataclass(frozen=True, slots=True)
class Phase:
    """`measure` is given the port of an upstream, which `streams` or gives small answers."""

    name: str
    measure: Callable[[Bench, Found, int], None]
    streams: bool = False


PHASES: tuple[Phase, ...] = (
    Phase("starts", measure_starts),
    Phase("requests", measure_requests),
    Phase("limits", measure_limits),
    Phase("streams", measure_streams, streams=True),
    Phase("many", measure_many, streams=True),
    Phase("soak", measure_soak),
)

__all__ = ["PHASES", "Bench", "Found", "Phase"]
