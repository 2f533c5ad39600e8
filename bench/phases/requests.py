"""Small answers: how many a second, how soon, and at what cost."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from bench.board import DIRECT
from bench.phases.bench import Bench, Found, with_cpu
from bench.quantiles import percent, ratio, spread
from bench.site import Running
from bench.workload import PATH


def measure_requests(bench: Bench, found: Found, upstream_port: int) -> None:
    """Small answers by wrk: throughput, latency, and how busy the subject's core was (is it the limit?).

    How fast a process is differs by some per cent from one start to the next: rounds are spread over several.
    """
    if not bench.has_wrk():
        return
    by_start: defaultdict[str, list[float]] = defaultdict(list)
    for rounds in bench.plan.rounds_by_start():
        with bench.ground.all_of(found, upstream_port) as subjects:
            for name, values in _request_rounds(bench, subjects, rounds, upstream_port).items():
                by_start[name].append(statistics.median(values))
    for name, values in by_start.items():
        bench.board.add(name, "requests_spread", percent(spread(values)))


def _request_rounds(
    bench: Bench, subjects: Sequence[Running], rounds: Sequence[int], upstream_port: int
) -> dict[str, list[float]]:
    """Rounds of freshly started subjects, in order and in reverse by turns; requests a second, by name."""
    for one in subjects:
        bench.run_wrk(one.url, 1)
    seen: dict[str, list[float]] = {one.name: [] for one in subjects}
    for number in rounds:
        for one in reversed(subjects) if number % 2 else subjects:
            seen[one.name].append(_request_round(bench, one, number))
        direct = bench.run_wrk(f"http://127.0.0.1:{upstream_port}{PATH}", min(2.0, bench.plan.seconds))
        bench.board.add(DIRECT, "requests", direct.per_second)
    return seen


def _request_round(bench: Bench, one: Running, number: int) -> float:
    """One round of one subject; its requests a second."""
    result, spent = with_cpu(one.child, partial(bench.run_wrk, one.url, bench.plan.seconds))
    bench.say(f"requests {number + 1}/{bench.plan.rounds} {one.name}: {result.per_second:,.0f}/s")
    for key, value in (
        ("requests", result.per_second),
        ("p50", result.p50_ms),
        ("p99", result.p99_ms),
        ("cpu", spent.percent),
        ("cpu_each", ratio(spent.seconds * 1e6, result.requests)),
        ("failed", result.bad_status + result.broken),
    ):
        bench.board.add(one.name, key, value)
    return result.per_second
