"""Where samples are gathered, and the one list of what is measured."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.quantiles import median, ratio

REFERENCE = "nginx"
DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table; `form` is a format specification.

    `relative` rows are also told as a part of nginx's performance; where `less_is_better`, that is nginx's figure by
    the subject's.
    """

    key: str
    title: str
    form: str = ".2f"
    relative: bool = False
    less_is_better: bool = False


MEASURES: tuple[Measure, ...] = (
    Measure("requests", "small answers, requests/s", ",.0f", relative=True),
    Measure("requests_spread", "… from start to start, ± %", ".1f"),
    Measure("p50", "… latency p50, ms"),
    Measure("p99", "… latency p99, ms"),
    Measure("cpu", "… core in use, %", ".0f"),
    Measure("cpu_each", "… core time a request, µs", ".1f", relative=True, less_is_better=True),
    Measure("failed", "… failed requests", ".0f"),
    Measure("limits_requests", "small answers to who has limits, requests/s", ",.0f"),
    Measure("limits_more", "… than without limits by turns, %", "+.1f"),
    Measure("limits_error", "… standard error of that, %", ".1f"),
    Measure("limits_cpu", "… core time a request, than without, %", "+.1f"),
    Measure("first", "stream: added first-token time p50, ms"),
    Measure("between", "stream: added delay of a later token p50, ms"),
    Measure("between_p99", "stream: added delay of a later token p99, ms"),
    Measure("token_cpu", "stream: core time a token, µs", ".1f", relative=True, less_is_better=True),
    Measure("relay", "saturated streams, tokens/s", ",.0f", relative=True),
    Measure("relay_cpu", "… core in use, %", ".0f"),
    Measure("broken", "… streams not whole, paced and saturated", ".0f"),
    Measure("many_whole", "streams at once that ended whole", ",.0f"),
    Measure("many_idle", "… memory before, MB", ".1f"),
    Measure("many_peak", "… memory during, MB", ".1f"),
    Measure("start", "start to first answer, s"),
    Measure("soak_requests", "soak, requests", ",.0f"),
    Measure("soak_early", "… memory after a quarter, MB", ".1f"),
    Measure("soak_late", "… memory at the end, MB", ".1f"),
)


class Board:
    """Samples by subject and measure; a figure is the median of its samples."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, subject: str, key: str, value: float | None) -> None:
        """Keep one sample; None (not measured) leaves none."""
        if value is not None:
            self._samples[subject, key].append(value)

    def samples(self, subject: str, key: str) -> Sequence[float]:
        return self._samples.get((subject, key), [])

    def figure(self, subject: str, key: str) -> float | None:
        return median(self.samples(subject, key))

    def relative(self, subject: str, measure: Measure) -> float | None:
        """How much of nginx's performance it is; None where the row is not told so."""
        own, reference = self.figure(subject, measure.key), self.figure(REFERENCE, measure.key)
        if not measure.relative:
            return None
        return ratio(reference, own) if measure.less_is_better else ratio(own, reference)

    def subjects(self) -> tuple[str, ...]:
        """Every subject that has a sample, in the order in which they came."""
        return tuple(dict.fromkeys(subject for subject, _ in self._samples))

    def as_dict(self) -> dict[str, Any]:
        """Medians, ratios and all samples, by subject and measure."""
        return {
            subject: {
                measure.key: {
                    "median": self.figure(subject, measure.key),
                    "ratio": self.relative(subject, measure),
                    "samples": self._samples[subject, measure.key],
                }
                for measure in MEASURES
                if (subject, measure.key) in self._samples
            }
            for subject in self.subjects()
        }
