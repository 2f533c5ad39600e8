"""What the rounds say: first-token times alone and beside jobs, their ratio, and how much the former vary."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.jobs.asking import Timing
from bench.quantiles import median, quantile, ratio

QUANTILES = {"p50": 0.5, "p95": 0.95}


@dataclass(frozen=True, slots=True)
class Round:
    """One round: streams alone, streams beside jobs, and how many jobs ran (not: waited) after each of the latter.

    `awake` are streams without jobs while one loop of the least priority, which touches no memory, keeps another core
    from sleeping. That core's clock and the host below cost a stream something whatever is computed there.
    """

    alone: Sequence[Timing]
    beside: Sequence[Timing]
    running: Sequence[int]
    awake: Sequence[Timing] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """One quantile of all rounds, in milliseconds, and as ratios. `alone`: without jobs, the cores asleep or awake.

    `ratio` is of all streams beside jobs to all alone, `steady` the middle of the rounds' own ratios: one disturbed
    round does not move it. `noise` is what the same measurement, taken twice with nothing changed, differs by: the
    largest ratio between two successive rounds without jobs.
    """

    alone_ms: float
    beside_ms: float
    ratio: float
    steady: float
    noise: float

    @property
    def within_noise(self) -> bool:
        return self.steady <= self.noise


@dataclass(slots=True)
class Subject:
    """All rounds before one stack. `ended` counts the jobs that were done, by kind."""

    name: str
    rounds: list[Round] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)

    def compare(self, part: float, whole: bool = False, awake: bool = False) -> Compared | None:
        """The quantile `part` of the first words' times (`whole`: of the streams' ends); None without rounds.

        `awake`: jobs are compared with a core that is merely awake, not with one that sleeps.
        """
        alone = [[_value(one, whole) for one in (each.awake if awake else each.alone)] for each in self.rounds]
        beside = [[_value(one, whole) for one in each.beside] for each in self.rounds]
        return compare(alone, beside, part)

    def mean_running(self) -> float:
        """How many jobs ran at the same time, in the middle of all looks."""
        looks = [number for each in self.rounds for number in each.running]
        return sum(looks) / len(looks) if looks else 0.0


def compare(alone: Sequence[Sequence[float]], beside: Sequence[Sequence[float]], part: float) -> Compared | None:
    """One quantile of rounds without jobs and with; both have one sequence a round. None without a sample."""
    each_alone = [value for value in (quantile(samples, part) for samples in alone) if value]
    each_beside = [value for value in (quantile(samples, part) for samples in beside) if value]
    before, after = quantile(_flat(alone), part), quantile(_flat(beside), part)
    rough = ratio(after, before)
    if before is None or after is None or rough is None:
        return None
    steady = median([ratio(one, other) for one, other in zip(each_beside, each_alone, strict=True)])
    if steady is None:
        return None
    return Compared(before, after, rough, steady, noise(each_alone))


def noise(rounds: Sequence[float]) -> float:
    """The largest ratio, at least 1, between two rounds that follow one another."""
    return max((max(pair) / min(pair) for pair in pairwise(rounds)), default=1.0)


def _flat(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [value for samples in rounds for value in samples]


def _value(timing: Timing, whole: bool) -> float:
    return timing.whole_ms if whole else timing.first_ms
